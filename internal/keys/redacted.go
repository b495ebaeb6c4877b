package keys

import (
	"bytes"
	"fmt"
	"log/slog"
)

// placeholder is what a secret shows of itself.
const placeholder = "[REDACTED]"

// Redacted hides a type that embeds it, because it holds a secret, in fmt, slog
// and JSON. That is not enough where the type is an unexported field of another:
// fmt calls no methods there and, for some verbs, follows pointers. So the
// secret itself belongs in a closure.
type Redacted struct{}

// Format writes a placeholder, whatever the verb.
func (Redacted) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(placeholder)) }

// LogValue returns a placeholder.
func (Redacted) LogValue() slog.Value { return slog.StringValue(placeholder) }

// MarshalText returns a placeholder, which is also what JSON gets.
func (Redacted) MarshalText() ([]byte, error) { return []byte(placeholder), nil }

// secret is a key in a closure, of which fmt prints the address.
type secret func() []byte

// hide returns a secret that is a copy of key.
func hide(key []byte) secret {
	key = bytes.Clone(key)
	return func() []byte { return key }
}
