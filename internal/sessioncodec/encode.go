package sessioncodec

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Encode encodes a value with its type. Booleans, integers, floating point
// numbers, strings, byte slices and times keep their types. A time keeps its
// nanoseconds and its offset from UTC, but neither the name of its location nor
// its monotonic clock reading. A nil byte slice is decoded as an empty one.
//
// All other values, including types defined in terms of these, are encoded by
// encoding/json, nil as null. The error wraps ErrUnsupported if that fails.
func Encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case bool:
		return []byte{tagBool, bit(v)}, nil
	case string:
		return appendTagged(tagString, v), nil
	case []byte:
		return appendTagged(tagBytes, v), nil
	case float32:
		return binary.BigEndian.AppendUint32([]byte{tagFloat32}, math.Float32bits(v)), nil
	case float64:
		return binary.BigEndian.AppendUint64([]byte{tagFloat64}, math.Float64bits(v)), nil
	case time.Time:
		return encodeTime(v)
	}
	if data := encodeInteger(v); data != nil {
		return data, nil
	}
	return encodeJSON(v)
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func appendTagged[S string | []byte](tag byte, s S) []byte {
	return append(tagged(tag, len(s)), s...)
}

// encodeInteger returns nil if v is not an integer.
func encodeInteger(v any) []byte {
	switch v := v.(type) {
	case int:
		return signed(tagInt, int64(v))
	case int8:
		return signed(tagInt8, int64(v))
	case int16:
		return signed(tagInt16, int64(v))
	case int32:
		return signed(tagInt32, int64(v))
	case int64:
		return signed(tagInt64, v)
	case uint:
		return unsigned(tagUint, uint64(v))
	case uint8:
		return unsigned(tagUint8, uint64(v))
	case uint16:
		return unsigned(tagUint16, uint64(v))
	case uint32:
		return unsigned(tagUint32, uint64(v))
	case uint64:
		return unsigned(tagUint64, v)
	}
	return nil
}

func signed(tag byte, v int64) []byte {
	return binary.AppendVarint(tagged(tag, binary.MaxVarintLen64), v)
}

func unsigned(tag byte, v uint64) []byte {
	return binary.AppendUvarint(tagged(tag, binary.MaxVarintLen64), v)
}

// tagged returns a tag, with capacity for a payload.
func tagged(tag byte, room int) []byte {
	data := make([]byte, 1, 1+room)
	data[0] = tag
	return data
}

// maxOffset limits the offset of a time from UTC, in seconds. All time zones on
// Earth are within one day.
const maxOffset = 24 * 60 * 60

func encodeTime(t time.Time) ([]byte, error) {
	_, offset := t.Zone()
	if offset <= -maxOffset || offset >= maxOffset {
		return nil, fmt.Errorf("%w: time with an offset of %d s from UTC", ErrUnsupported, offset)
	}
	data := binary.AppendVarint(tagged(tagTime, 2*binary.MaxVarintLen64), t.Unix())
	data = binary.AppendUvarint(data, uint64(t.Nanosecond()))
	return binary.AppendVarint(data, int64(offset)), nil
}

func encodeJSON(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %T: %w", ErrUnsupported, v, err)
	}
	return appendTagged(tagJSON, text), nil
}
