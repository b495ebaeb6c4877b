package sessioncodec

import (
	"encoding/json"
	"math"
	"time"
)

// Decode decodes a value that Encode encoded. The value has its original type,
// or is a JSON if it was encoded as JSON, also for nil. The error wraps
// ErrCorrupt if Encode did not make the data.
func Decode[S string | []byte](data S) (any, error) {
	return decode(string(data))
}

func decode(data string) (any, error) {
	if data == "" {
		return nil, corrupt(data)
	}
	payload := data[1:]
	switch data[0] {
	case tagString:
		return payload, nil
	case tagBytes:
		return []byte(payload), nil
	case tagBool:
		if payload == "\x00" || payload == "\x01" {
			return payload == "\x01", nil
		}
	case tagFloat32:
		if len(payload) == 4 {
			return math.Float32frombits(uint32(bigEndian(payload))), nil
		}
	case tagFloat64:
		if len(payload) == 8 {
			return math.Float64frombits(bigEndian(payload)), nil
		}
	case tagTime:
		if t, ok := decodeTime(payload); ok {
			return t, nil
		}
	case tagGob:
		if value, ok := decodeGob(payload); ok {
			return value, nil
		}
	case tagJSON:
		if text := []byte(payload); json.Valid(text) {
			return JSON(text), nil
		}
	default:
		if n, ok := decodeInteger(data); ok {
			return n.value(data[0]), nil
		}
	}
	return nil, corrupt(data)
}

// bigEndian returns the number with the given bytes.
func bigEndian(s string) (n uint64) {
	for i := range len(s) {
		n = n<<8 | uint64(s[i])
	}
	return n
}

func decodeTime(payload string) (time.Time, bool) {
	seconds, payload, ok1 := cutVarint(payload)
	nanoseconds, payload, ok2 := cutUvarint(payload)
	offset, payload, ok3 := cutVarint(payload)
	if !ok1 || !ok2 || !ok3 || payload != "" || nanoseconds >= 1e9 || offset <= -maxOffset || offset >= maxOffset {
		return time.Time{}, false
	}
	t := time.Unix(seconds, int64(nanoseconds))
	if offset == 0 {
		return t.UTC(), true
	}
	return t.In(time.FixedZone("", int(offset))), true
}

// cutUvarint reads a varint. It accepts only the shortest form.
func cutUvarint(s string) (n uint64, rest string, ok bool) {
	for i := range len(s) {
		b := s[i]
		if i == 9 && b > 1 {
			return 0, "", false // more than 64 bits
		}
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return n, s[i+1:], b != 0 || i == 0
		}
		if i == 9 {
			break
		}
	}
	return 0, "", false
}

func cutVarint(s string) (n int64, rest string, ok bool) {
	u, rest, ok := cutUvarint(s)
	return int64(u>>1) ^ -int64(u&1), rest, ok
}
