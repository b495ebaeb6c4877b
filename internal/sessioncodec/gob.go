package sessioncodec

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"reflect"
	"strings"
)

// typed is what gob encodes: the value with the name that its type is registered under.
type typed struct{ V any }

// EncodeTyped is Encode for values that must come back with their type. Those that Encode would
// store as JSON are encoded by package gob. The error wraps ErrUnsupported if the type is not
// registered with gob.Register, if it cannot be encoded, and if it would come back as another one.
// A nil value is encoded as by Encode.
func EncodeTyped(v any) ([]byte, error) {
	data, err := Encode(v)
	if err == nil && data[0] != tagJSON || v == nil {
		return data, err
	}
	var b bytes.Buffer
	b.WriteByte(tagGob)
	if err := gob.NewEncoder(&b).Encode(typed{v}); err != nil {
		return nil, fmt.Errorf("%w: %w: register its type with gob.Register", ErrUnsupported, err)
	}
	back, ok := decodeGob(b.String()[1:])
	if !ok || reflect.TypeOf(back) != reflect.TypeOf(v) {
		return nil, fmt.Errorf("%w: it would come back as a %T: register a %T with gob.Register", ErrUnsupported, back, v)
	}
	return b.Bytes(), nil
}

// decodeGob reports false for data that is not one value of a registered type.
func decodeGob(payload string) (any, bool) {
	r := strings.NewReader(payload)
	var t typed
	err := gob.NewDecoder(r).Decode(&t)
	return t.V, err == nil && t.V != nil && r.Len() == 0
}
