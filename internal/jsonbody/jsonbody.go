// Package jsonbody reads JSON request bodies so strictly that every reader of
// the same bytes sees the same values.
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

// MaxDepth is how deeply arrays and objects may be nested.
const MaxDepth = 32

// Decode reads one JSON value of at most limit bytes and stores it in the value
// that into points to. It refuses more than encoding/json does: see the errors
// of this package.
//
// The value is decoded by encoding/json into a new one, which replaces the old
// one as a whole: nothing of the old one remains, and after an error all of it
// does. Decode panics if into is not a pointer.
func Decode(r io.Reader, limit int64, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		panic(fmt.Sprintf("jsonbody: Decode into %T, not into a pointer to a value", into))
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

// verify returns nil if data is one JSON value that has one meaning.
func verify(data []byte) error {
	switch {
	case depth(data) > MaxDepth:
		return ErrDepth
	case !json.Valid(data):
		// Either the first value is bad, or what follows it is.
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

// depth returns how deeply the brackets of data are nested. It does not need
// valid JSON, so that it can come before anything that takes longer.
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
