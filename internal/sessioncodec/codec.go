// Package sessioncodec encodes the values of a session so that they come back
// with the type they had.
//
// An encoded value is a tag byte and a payload. Integers are varints in their
// shortest form, floating point numbers their IEEE 754 bits, times the varints
// of their Unix seconds, nanoseconds and offset from UTC in seconds. Whatever
// has no tag of its own is JSON. No value has two encodings, JSON excepted.
package sessioncodec

import (
	"encoding/json"
	"errors"
	"fmt"
)

var (
	// ErrCorrupt says that data was not made by Encode.
	ErrCorrupt = errors.New("session value is corrupt")
	// ErrType says that a value is of another type than the one asked for, or
	// does not fit it.
	ErrType = errors.New("session value has another type")
	// ErrUnsupported says that a value cannot be encoded.
	ErrUnsupported = errors.New("value cannot be kept in a session")
)

// The tags. They are stored: none may change its meaning.
const (
	tagBool    = 'b'
	tagInt     = 'i'
	tagInt8    = '1'
	tagInt16   = '2'
	tagInt32   = '3'
	tagInt64   = '4'
	tagUint    = 'u'
	tagUint8   = '5'
	tagUint16  = '6'
	tagUint32  = '7'
	tagUint64  = '8'
	tagFloat32 = 'f'
	tagFloat64 = 'd'
	tagString  = 's'
	tagBytes   = 'y'
	tagTime    = 't'
	tagJSON    = 'j'
)

// JSON is a value that has no tag of its own. It marshals as itself.
type JSON []byte

// MarshalJSON returns j, or null if it is empty.
func (j JSON) MarshalJSON() ([]byte, error) { return json.RawMessage(j).MarshalJSON() }

// UnmarshalJSON stores a copy of data.
func (j *JSON) UnmarshalJSON(data []byte) error {
	*j = append(JSON(nil), data...)
	return nil
}

// corrupt returns an error that names the tag of malformed data, and nothing of
// what may be secret in it.
func corrupt(data string) error {
	if data == "" {
		return fmt.Errorf("%w: it is empty", ErrCorrupt)
	}
	return fmt.Errorf("%w: tag %q, %d bytes", ErrCorrupt, data[0], len(data))
}
