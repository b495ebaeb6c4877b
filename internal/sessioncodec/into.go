package sessioncodec

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// DecodeInto decodes a value that Encode encoded as a T. Values that were
// encoded as JSON are decoded by encoding/json. Other values must be a T, with
// two exceptions: an integer may have any integer type that it fits, and an
// interface type T accepts every value that implements it. The error wraps
// ErrCorrupt if Encode did not make the data, and ErrType if the value is not a
// T.
func DecodeInto[T any, S string | []byte](data S) (T, error) {
	var v, none T
	s := string(data)
	switch {
	case s == "":
		return none, corrupt(s)
	case s[0] == tagJSON:
		return fromJSON[T](s)
	case s[0] == tagString:
		if p, ok := any(&v).(*string); ok { // avoids boxing the string
			*p = s[1:]
			return v, nil
		}
	}
	if n, ok := decodeInteger(s); ok {
		if tag := integerTag(any(v)); n.fits(tag) {
			return n.value(tag).(T), nil
		}
	}
	value, err := decode(s)
	if err != nil {
		return none, err
	}
	if v, ok := value.(T); ok {
		return v, nil
	}
	return none, fmt.Errorf("%w: %T is not a %v or does not fit it", ErrType, value, reflect.TypeFor[T]())
}

// integerTag returns the tag of v's type, or 0 if it is not an integer type.
func integerTag(v any) byte {
	switch v.(type) {
	case int:
		return tagInt
	case int8:
		return tagInt8
	case int16:
		return tagInt16
	case int32:
		return tagInt32
	case int64:
		return tagInt64
	case uint:
		return tagUint
	case uint8:
		return tagUint8
	case uint16:
		return tagUint16
	case uint32:
		return tagUint32
	case uint64:
		return tagUint64
	}
	return 0
}

// fromJSON decodes data with the tag of JSON. Its error does not wrap that of
// encoding/json, which may quote the value.
func fromJSON[T any](data string) (T, error) {
	var v, none T
	text := []byte(data[1:])
	switch {
	case !json.Valid(text):
		return none, corrupt(data)
	case string(text) == "null" && !takesNull[T](),
		json.Unmarshal(text, &v) != nil:
		return none, fmt.Errorf("%w: the JSON is not a %v", ErrType, reflect.TypeFor[T]())
	}
	return v, nil
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// takesNull reports whether null is a value of T. For other types,
// encoding/json ignores null and leaves the zero value, for example a user with
// id 0.
func takesNull[T any]() bool {
	t := reflect.TypeFor[T]()
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	return reflect.PointerTo(t).Implements(unmarshaler)
}
