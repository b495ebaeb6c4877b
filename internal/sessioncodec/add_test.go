package sessioncodec_test

import (
	"errors"
	"math"
	"testing"

	"github.com/ginauth/ginauth/internal/sessioncodec"
)

func TestAdd(t *testing.T) {
	for _, tt := range []struct {
		v    any
		by   int64
		want any // has the type of v, or is nil if the sum is out of range
	}{
		{0, 1, 1}, {5, -7, -2}, {5, 0, 5}, {math.MaxInt, 1, nil}, {math.MinInt, -1, nil},
		{int8(126), 1, int8(127)}, {int8(127), 1, nil}, {int8(-128), -1, nil},
		{int16(-1), 1, int16(0)}, {int16(math.MaxInt16), 1, nil},
		{int32(math.MaxInt32 - 1), 1, int32(math.MaxInt32)}, {int32(math.MaxInt32), 1, nil},
		{int64(1), math.MaxInt64, nil}, {int64(-1), math.MaxInt64, int64(math.MaxInt64 - 1)},
		{int64(-2), math.MinInt64, nil}, {int64(0), math.MinInt64, int64(math.MinInt64)},
		{uint(3), -3, uint(0)}, {uint(3), -4, nil}, {uint8(255), 1, nil}, {uint8(250), 5, uint8(255)},
		{uint16(1), math.MaxInt64, nil}, {uint32(7), -6, uint32(1)},
		{uint64(math.MaxInt64), 1, nil}, {uint64(math.MaxInt64 - 1), 1, uint64(math.MaxInt64)},
		{uint64(math.MaxUint64), 1, nil}, {uint64(math.MaxUint64), -1, nil},
		{"1", 1, nil}, {1.0, 1, nil}, {true, 1, nil}, {nil, 1, nil}, {[]byte{1}, 1, nil},
	} {
		sum, data, err := sessioncodec.Add(mustEncode(t, tt.v), tt.by)
		if tt.want == nil {
			if sum != 0 || data != nil || !errors.Is(err, sessioncodec.ErrType) {
				t.Errorf("%T %v + %d = %d, %q, %v", tt.v, tt.v, tt.by, sum, data, err)
			}
			continue
		}
		got, decodeErr := sessioncodec.Decode(data)
		n, intoErr := sessioncodec.DecodeInto[int64](data)
		if err != nil || decodeErr != nil || intoErr != nil || got != tt.want || n != sum {
			t.Errorf("%T %v + %d = %T %v (%d), %v; want %T %v", tt.v, tt.v, tt.by, got, got, sum, err, tt.want, tt.want)
		}
	}
	for _, tt := range malformed {
		if _, data, err := sessioncodec.Add(tt.data, 1); data != nil || !errors.Is(err, sessioncodec.ErrCorrupt) {
			t.Errorf("%s: %q, %v", tt.name, data, err)
		}
	}
	if zero, err := sessioncodec.Decode(sessioncodec.Zero); err != nil || zero != int64(0) {
		t.Errorf("Zero is %T %v, %v", zero, zero, err)
	}
}
