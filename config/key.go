package config

import (
	"fmt"
	"log/slog"
)

const redacted = "[REDACTED]"

// Key is an application key as text: "base64:" and base64, or hexadecimal, of at least 32 random bytes. ginauth.NewKey
// makes one. It is redacted in fmt, slog and JSON.
type Key string

// String returns a placeholder.
func (Key) String() string { return redacted }

// Format writes a placeholder, whatever the verb.
func (Key) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder.
func (Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }
