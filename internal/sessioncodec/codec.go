// Package sessioncodec encodes the values of a session together with their
// types.
//
// An encoded value is a tag byte and a payload. Integers are varints in their
// shortest form. Floating point numbers are their IEEE 754 bits. Times are the
// varints of their Unix seconds, nanoseconds and offset from UTC in seconds.
// All other values are JSON, or gob where EncodeTyped encoded them. Except for these, each value
// has only one encoding.
package sessioncodec

import (
	"encoding/json"
	"errors"
	"fmt"
)

var (
	// ErrCorrupt says that Encode did not make the data.
	ErrCorrupt = errors.New("session value is corrupt")
	// ErrType says that a value has another type than requested, or does not
	// fit the type.
	ErrType = errors.New("session value has another type")
	// ErrUnsupported says that a value cannot be encoded.
	ErrUnsupported = errors.New("value cannot be stored in a session")
)

// The tags. They are stored, so their meaning must never change.
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
	tagGob     = 'g'
)

// JSON is a value that was encoded as JSON. It marshals as itself.
type JSON []byte

// MarshalJSON returns j, or null if it is empty.
func (j JSON) MarshalJSON() ([]byte, error) { return json.RawMessage(j).MarshalJSON() }

// UnmarshalJSON stores a copy of data.
func (j *JSON) UnmarshalJSON(data []byte) error {
	*j = append(JSON(nil), data...)
	return nil
}

// corrupt returns an error that contains the tag and length of malformed data,
// and no part of the payload, which may be secret.
func corrupt(data string) error {
	if data == "" {
		return fmt.Errorf("%w: empty", ErrCorrupt)
	}
	return fmt.Errorf("%w: tag %q, %d bytes", ErrCorrupt, data[0], len(data))
}
