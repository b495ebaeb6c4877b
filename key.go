package ginauth

import (
	"fmt"
	"log/slog"

	"github.com/ginauth/ginauth/internal/keys"
)

// Key is an application key as text: "base64:" followed by base64, or
// hexadecimal, of 32 random bytes or more. NewKey makes one. The text is a
// secret, and hides itself in fmt, slog and JSON.
type Key string

// NewKey returns a new random key of 32 bytes.
func NewKey() Key { return Key(keys.Generate()) }

const redacted = "[REDACTED]"

// String returns a placeholder.
func (Key) String() string { return redacted }

// GoString returns a placeholder.
func (Key) GoString() string { return redacted }

// Format writes a placeholder, whatever the verb.
func (Key) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, which is also what JSON gets.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
