// Package jsonbody decodes JSON request bodies strictly. It refuses every body
// that different JSON parsers could interpret differently.
package jsonbody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"unicode/utf8"
)

// MaxDepth is the maximum nesting depth of arrays and objects.
const MaxDepth = 32

// Decode reads one JSON value of at most limit bytes and stores it in the value
// that into points to. It refuses more than encoding/json does. The errors of
// this package list what is refused.
//
// The old value is replaced completely: fields that are missing in the JSON are
// set to zero. After an error the old value is unchanged. Decode panics if into
// is not a pointer.
func Decode(r io.Reader, limit int64, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		panic(fmt.Sprintf("jsonbody: Decode into %T: want a non-nil pointer", into))
	}
	data, err := read(r, limit)
	if err != nil {
		return err
	}
	if err := verify(data); err != nil {
		return err
	}
	fresh := reflect.New(target.Type().Elem())
	if err := json.Unmarshal(data, fresh.Interface()); err != nil {
		return fieldError(err)
	}
	target.Elem().Set(fresh.Elem())
	return nil
}

func read(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	var over *http.MaxBytesError
	switch {
	case int64(len(data)) > limit || errors.As(err, &over):
		return nil, ErrTooLarge
	case err != nil:
		return nil, fmt.Errorf("read body: %w", err)
	}
	return data, nil
}

// verify returns nil if data is one unambiguous JSON value.
func verify(data []byte) error {
	switch {
	case depth(data) > MaxDepth:
		return ErrDepth
	case !json.Valid(data):
		// Find out whether the first value is invalid or followed by more text.
		var first json.RawMessage
		if json.NewDecoder(bytes.NewReader(data)).Decode(&first) == nil {
			return ErrTrailing
		}
		return ErrSyntax
	case !utf8.Valid(data):
		return ErrText
	}
	c := checker{data: data}
	return c.value()
}

// depth returns the maximum nesting depth of the brackets in data. It does not
// require valid JSON, so it can run before more expensive checks.
func depth(data []byte) int {
	deepest, current := 0, 0
	quoted := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			current++
			deepest = max(deepest, current)
		case c == '}' || c == ']':
			current--
		}
	}
	return deepest
}
