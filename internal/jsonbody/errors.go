package jsonbody

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ginauth/ginauth/autherr"
)

// The errors of Decode. Decode may also return a *FieldError, or the error of
// the reader.
var (
	// ErrTooLarge says that a body is longer than its limit.
	ErrTooLarge = errors.New("body is too large")
	// ErrSyntax says that a body is empty or not JSON.
	ErrSyntax = errors.New("body is not JSON")
	// ErrTrailing says that more text follows the JSON value.
	ErrTrailing = errors.New("body has more than one JSON value")
	// ErrDepth says that a body is nested deeper than MaxDepth.
	ErrDepth = errors.New("body is nested too deeply")
	// ErrText says that a string is not valid UTF-8 or has half of a surrogate
	// pair. encoding/json would replace both by U+FFFD, which makes different
	// strings equal.
	ErrText = errors.New("body has text that is not Unicode")
	// ErrDuplicate says that an object has two keys that encoding/json treats
	// as equal. It is wrapped by a *DuplicateError.
	ErrDuplicate = errors.New("body has a key twice")
)

// maxKey is the maximum length of a key in an error, in bytes.
const maxKey = 64

// DuplicateError names a key that occurs twice in one object. It wraps
// ErrDuplicate.
type DuplicateError struct {
	// Key is the second of the two keys, cut to 64 bytes. Characters that are
	// not printable are escaped as in a Go string.
	Key string
}

// Error returns the key in quotes.
func (e *DuplicateError) Error() string { return fmt.Sprintf(`%v: "%s"`, ErrDuplicate, e.Key) }

// Unwrap returns ErrDuplicate.
func (e *DuplicateError) Unwrap() error { return ErrDuplicate }

func duplicateError(key string) error {
	quoted := strconv.Quote(key)
	if len(key) > maxKey {
		end := maxKey
		for !utf8.RuneStart(key[end]) {
			end--
		}
		quoted = strconv.Quote(key[:end] + "…")
	}
	return &DuplicateError{Key: quoted[1 : len(quoted)-1]}
}

// FieldError says that a value does not fit the type of its field.
type FieldError struct {
	// Field is the path of the field in the JSON, its parts joined by dots. It
	// is "body" for the whole body or an unknown field.
	Field string
	// Reason completes the sentence "The field …", as in "must be a string". It
	// contains no Go types and no part of the body.
	Reason string

	err error
}

// Error returns the field and the reason.
func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// Unwrap returns the error of encoding/json or of the type's own decoder. That
// error may quote parts of the body.
func (e *FieldError) Unwrap() error { return e.err }

// fieldError converts an error of json.Unmarshal for verified data.
func fieldError(err error) error {
	e := &FieldError{Field: "body", Reason: "has an unacceptable value", err: err}
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		if mismatch.Field != "" {
			e.Field = mismatch.Field
		}
		e.Reason = "must be " + describe(mismatch.Type)
		if strings.HasPrefix(mismatch.Value, "number ") && e.Reason == "must be a number" {
			e.Reason = "is out of range"
		}
	}
	return e
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	jsonNumber      = reflect.TypeFor[json.Number]()
)

// describe returns the JSON type that fits a Go type.
func describe(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == jsonNumber:
		return "a number"
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return "a string"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Array:
		return "a list"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a string" // of base64
		}
		return "a list"
	}
	switch {
	case reflect.Int <= t.Kind() && t.Kind() <= reflect.Int64:
		return "a whole number in range"
	case reflect.Uint <= t.Kind() && t.Kind() <= reflect.Uintptr:
		return "a whole number in range, not negative"
	}
	return "of another type"
}

// Error turns an error of Decode into one of package autherr.
func Error(err error) error {
	var duplicate *DuplicateError
	var field *FieldError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrTooLarge):
		return autherr.ErrBodyTooLarge
	case errors.As(err, &duplicate):
		return autherr.Invalid(duplicate.Key, "occurs twice")
	case errors.As(err, &field):
		return autherr.Invalid(field.Field, field.Reason)
	case errors.Is(err, ErrText):
		return autherr.Invalid("body", "is not valid Unicode")
	}
	return fmt.Errorf("%w: %w", autherr.ErrMalformed, err)
}
