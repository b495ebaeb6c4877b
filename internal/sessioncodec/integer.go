package sessioncodec

import (
	"fmt"
	"math"
)

// integer is an integer of any type, as absolute value and sign, so that all
// values of int64 and uint64 can be compared.
type integer struct {
	magnitude uint64
	negative  bool
}

// decodeInteger decodes data with the tag of an integer type. It returns false
// if the data has another tag or a value that does not fit the type.
func decodeInteger(data string) (n integer, ok bool) {
	rest := ""
	switch {
	case isSigned(data[0]):
		var v int64
		v, rest, ok = cutVarint(data[1:])
		n = integerOf(v)
	case isUnsigned(data[0]):
		n.magnitude, rest, ok = cutUvarint(data[1:])
	}
	return n, ok && rest == "" && n.fits(data[0])
}

func isSigned(tag byte) bool {
	switch tag {
	case tagInt, tagInt8, tagInt16, tagInt32, tagInt64:
		return true
	}
	return false
}

func isUnsigned(tag byte) bool {
	switch tag {
	case tagUint, tagUint8, tagUint16, tagUint32, tagUint64:
		return true
	}
	return false
}

// fits reports whether n is a value of the type with the given tag.
func (n integer) fits(tag byte) bool {
	switch tag {
	case tagInt:
		return n.within(math.MinInt, math.MaxInt)
	case tagInt8:
		return n.within(math.MinInt8, math.MaxInt8)
	case tagInt16:
		return n.within(math.MinInt16, math.MaxInt16)
	case tagInt32:
		return n.within(math.MinInt32, math.MaxInt32)
	case tagInt64:
		return n.within(math.MinInt64, math.MaxInt64)
	case tagUint:
		return n.within(0, math.MaxUint)
	case tagUint8:
		return n.within(0, math.MaxUint8)
	case tagUint16:
		return n.within(0, math.MaxUint16)
	case tagUint32:
		return n.within(0, math.MaxUint32)
	case tagUint64:
		return n.within(0, math.MaxUint64)
	}
	return false
}

func (n integer) within(least int64, most uint64) bool {
	if n.negative {
		return n.magnitude <= -uint64(least)
	}
	return n.magnitude <= most
}

// int64 returns n, which must fit.
func (n integer) int64() int64 {
	if n.negative {
		return int64(-n.magnitude)
	}
	return int64(n.magnitude)
}

// value returns n as the type with the given tag, which it must fit.
func (n integer) value(tag byte) any {
	switch tag {
	case tagInt:
		return int(n.int64())
	case tagInt8:
		return int8(n.int64())
	case tagInt16:
		return int16(n.int64())
	case tagInt32:
		return int32(n.int64())
	case tagInt64:
		return n.int64()
	case tagUint:
		return uint(n.magnitude)
	case tagUint8:
		return uint8(n.magnitude)
	case tagUint16:
		return uint16(n.magnitude)
	case tagUint32:
		return uint32(n.magnitude)
	}
	return n.magnitude
}

// Zero is the encoding of int64(0).
const Zero = string(tagInt64) + "\x00"

// Add adds a number to an encoded integer. It returns the sum, also encoded
// with the type of the integer. The error wraps ErrCorrupt if Encode did not
// make the data, and ErrType if the value is not an integer or the sum does not
// fit its type or an int64.
func Add[S string | []byte](data S, by int64) (sum int64, encoded []byte, err error) {
	s := string(data)
	if s == "" {
		return 0, nil, corrupt(s)
	}
	n, ok := decodeInteger(s)
	if !ok {
		if _, err := decode(s); err != nil {
			return 0, nil, err
		}
		return 0, nil, fmt.Errorf("%w: not an integer", ErrType)
	}
	before := n.int64()
	sum = before + by
	if !n.within(math.MinInt64, math.MaxInt64) || (sum > before) != (by > 0) || !integerOf(sum).fits(s[0]) {
		return 0, nil, fmt.Errorf("%w: the sum is out of range", ErrType)
	}
	if isSigned(s[0]) {
		return sum, signed(s[0], sum), nil
	}
	return sum, unsigned(s[0], uint64(sum)), nil
}

// integerOf returns v as an integer.
func integerOf(v int64) integer {
	n := integer{uint64(v), v < 0}
	if n.negative {
		n.magnitude = -n.magnitude
	}
	return n
}
