package sessioncodec

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// DecodeInto returns the value that Encode encoded as a T. What was encoded as
// JSON is decoded by encoding/json. What was encoded with its type must be a T,
// but an integer may be of any other type of integer than T that it fits, and
// any T that is an interface takes what implements it. It returns an error
// wrapping ErrCorrupt if Encode did not make data, and one wrapping ErrType if
// the value is no T.
func DecodeInto[T any, S string | []byte](data S) (T, error) {
	var v, none T
	s := string(data)
	switch {
	case s == "":
		return none, corrupt(s)
	case s[0] == tagJSON:
		return fromJSON[T](s)
	case s[0] == tagString:
		if p, ok := any(&v).(*string); ok { // spares boxing the string
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
	return none, fmt.Errorf("%w: a %T is no %v, or does not fit it", ErrType, value, reflect.TypeFor[T]())
}

// integerTag returns the tag of v's type, or 0 if it is no integer.
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
// encoding/json, which may repeat the value.
func fromJSON[T any](data string) (T, error) {
	var v, none T
	text := []byte(data[1:])
	switch {
	case !json.Valid(text):
		return none, corrupt(data)
	case string(text) == "null" && !takesNull[T](),
		json.Unmarshal(text, &v) != nil:
		return none, fmt.Errorf("%w: the JSON is no %v", ErrType, reflect.TypeFor[T]())
	}
	return v, nil
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// takesNull reports whether null is a value of T. encoding/json would leave any
// other T as it is, and make a zero of nothing: a user with id 0, say.
func takesNull[T any]() bool {
	t := reflect.TypeFor[T]()
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Map, reflect.Slice:
		return true
	}
	return reflect.PointerTo(t).Implements(unmarshaler)
}
