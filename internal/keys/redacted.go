package keys

import (
	"bytes"
	"fmt"
	"log/slog"
)

// placeholder is what a secret prints as.
const placeholder = "[REDACTED]"

// Redacted makes a type that embeds it print as a placeholder in fmt, slog and
// JSON. This is not sufficient if such a type is an unexported field of another
// type: fmt calls no methods there and follows pointers for some verbs. The
// secret itself must therefore be captured by a function.
type Redacted struct{}

// Format writes a placeholder, for every verb.
func (Redacted) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(placeholder)) }

// LogValue returns a placeholder.
func (Redacted) LogValue() slog.Value { return slog.StringValue(placeholder) }

// MarshalText returns a placeholder. Package encoding/json uses it too.
func (Redacted) MarshalText() ([]byte, error) { return []byte(placeholder), nil }

// secret is a function that returns a key. fmt prints only its address.
type secret func() []byte

// hide returns a secret with a copy of key.
func hide(key []byte) secret {
	key = bytes.Clone(key)
	return func() []byte { return key }
}
