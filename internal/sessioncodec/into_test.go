package sessioncodec_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/sessioncodec"
)

// into encodes v and decodes it as a T.
func into[T any](t *testing.T, v any) (T, error) {
	t.Helper()
	data := mustEncode(t, v)
	got, err := sessioncodec.DecodeInto[T](data)
	text, textErr := sessioncodec.DecodeInto[T](string(data))
	if !reflect.DeepEqual(got, text) || (err == nil) != (textErr == nil) {
		t.Errorf("from bytes %v, %v; from text %v, %v", got, err, text, textErr)
	}
	return got, err
}

func accepts[T any](t *testing.T, v any, want T) {
	t.Helper()
	if got, err := into[T](t, v); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%T %v into %T: %v, %v", v, v, want, got, err)
	}
}

func refuses[T any](t *testing.T, v any) {
	t.Helper()
	got, err := into[T](t, v)
	if !errors.Is(err, sessioncodec.ErrType) || !reflect.ValueOf(&got).Elem().IsZero() {
		t.Errorf("%T %v into %T: %v, %v", v, v, got, got, err)
	}
}

func TestDecodeInto(t *testing.T) {
	accepts(t, "text", "text")
	accepts(t, "", "")
	accepts(t, true, true)
	accepts(t, []byte("b"), []byte("b"))
	accepts(t, 1.5, 1.5)
	accepts(t, float32(1.5), float32(1.5))
	accepts(t, time.Unix(7, 0).UTC(), time.Unix(7, 0).UTC())
	accepts[any](t, 7, 7)
	accepts[any](t, "text", "text")
	accepts[any](t, []int{1}, []any{1.0})
	accepts[any](t, nil, nil)
	accepts[fmt.Stringer](t, time.Unix(7, 0).UTC(), time.Unix(7, 0).UTC())
	accepts(t, role("admin"), role("admin"))
	accepts(t, role("admin"), "admin")
	accepts(t, userID(7), userID(7))
	accepts(t, userID(7), 7)
	accepts(t, point{1, 2}, point{1, 2})
	accepts(t, &point{1, 2}, point{1, 2})
	accepts(t, point{1, 2}, &point{1, 2})
	accepts(t, point{1, 2}, sessioncodec.JSON(`{"X":1,"Y":2}`))
	accepts(t, []string{"a"}, []string{"a"})
	accepts(t, time.Second, time.Second)
	accepts[*point](t, nil, nil)
	accepts[[]int](t, nil, nil)
	accepts[map[string]int](t, nil, nil)
	accepts(t, nil, sessioncodec.JSON("null"))
}

func TestDecodeIntoIntegers(t *testing.T) {
	accepts(t, int8(-5), -5)
	accepts(t, uint64(5), int8(5))
	accepts(t, 127, int8(127))
	accepts(t, -128, int8(-128))
	accepts(t, 255, uint8(255))
	accepts(t, int64(math.MaxInt64), uint64(math.MaxInt64))
	accepts(t, uint64(math.MaxInt64), int64(math.MaxInt64))
	accepts(t, int64(math.MinInt64), math.MinInt)
	accepts(t, 0, uint(0))
	accepts(t, uint16(7), uint32(7))
	accepts(t, uint16(7), int32(7))
	accepts(t, uint16(7), int16(7))
	accepts(t, int16(7), uint16(7))

	refuses[int8](t, 128)
	refuses[int8](t, -129)
	refuses[uint8](t, 256)
	refuses[uint8](t, -1)
	refuses[uint16](t, 1<<16)
	refuses[int16](t, 1<<15)
	refuses[int32](t, int64(1)<<31)
	refuses[uint32](t, int64(1)<<32)
	refuses[uint](t, -1)
	refuses[uint64](t, int64(math.MinInt64))
	refuses[int64](t, uint64(1)<<63)
	refuses[int](t, uint64(math.MaxUint64))
	refuses[int8](t, userID(300))
	refuses[uint](t, time.Duration(-1))
}

func TestDecodeIntoRefusesOtherType(t *testing.T) {
	refuses[float64](t, 1)
	refuses[float32](t, uint8(1))
	refuses[int](t, 1.0)
	refuses[float64](t, float32(1))
	refuses[float32](t, 1.0)
	refuses[string](t, 1)
	refuses[string](t, []byte("b"))
	refuses[string](t, time.Unix(0, 0))
	refuses[[]byte](t, "b")
	refuses[int](t, "1")
	refuses[int](t, true)
	refuses[bool](t, 1)
	refuses[bool](t, "true")
	refuses[time.Time](t, 1)
	refuses[role](t, "admin") // the UnmarshalJSON of role was never called for this value
	refuses[userID](t, 7)
	refuses[point](t, "text")
	refuses[*int](t, 7)
	refuses[fmt.Stringer](t, 7)
	refuses[string](t, point{1, 2})
	refuses[int](t, role("admin"))
	refuses[point](t, map[string]any{"X": 1, "Y": "two"})
	refuses[int](t, nil)
	refuses[string](t, (*point)(nil))
	refuses[point](t, nil)
}
