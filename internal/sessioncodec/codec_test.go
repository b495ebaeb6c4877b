package sessioncodec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth/internal/sessioncodec"
)

type (
	role   string
	userID uint64
	point  struct{ X, Y int }
)

// values are values that are decoded unchanged.
var values = []any{
	true, false,
	0, 1, -1, 63, 64, -64, -65, math.MaxInt, math.MinInt,
	int8(math.MaxInt8), int8(math.MinInt8), int16(math.MaxInt16), int16(math.MinInt16),
	int32(math.MaxInt32), int32(math.MinInt32), int64(math.MaxInt64), int64(math.MinInt64), int64(0),
	uint(0), uint(math.MaxUint), uint8(math.MaxUint8), uint16(math.MaxUint16),
	uint32(math.MaxUint32), uint64(math.MaxUint64), uint64(127), uint64(128),
	float32(1.5), float32(math.MaxFloat32), float32(math.Inf(-1)),
	0.1, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.Copysign(0, -1),
	"", "text", "\x00\xff", strings.Repeat("long ", 1000),
	[]byte{}, []byte("bytes"), []byte{0, 255},
}

var times = []time.Time{
	{},
	time.Unix(0, 0).UTC(),
	time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC),
	time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("CET", 3600)),
	time.Date(1883, 11, 18, 12, 3, 58, 999999999, time.FixedZone("LMT", -(4*3600+56*60+2))),
	time.Date(-5000, 1, 1, 0, 0, 0, 1, time.UTC),
	time.Date(99999, 1, 1, 0, 0, 0, 0, time.FixedZone("", 86399)),
	time.Now(),
}

func mustEncode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := sessioncodec.Encode(v)
	if err != nil {
		t.Fatalf("Encode(%T): %v", v, err)
	}
	return data
}

func TestRoundTrip(t *testing.T) {
	for _, v := range values {
		data := mustEncode(t, v)
		fromBytes, err1 := sessioncodec.Decode(data)
		fromText, err2 := sessioncodec.Decode(string(data))
		if err1 != nil || err2 != nil || !reflect.DeepEqual(fromBytes, v) || !reflect.DeepEqual(fromText, v) {
			t.Errorf("%T %.40v decoded as %T %.40v, %v and %T %.40v, %v", v, v, fromBytes, fromBytes, err1, fromText, fromText, err2)
		}
	}
}

func TestNaN(t *testing.T) {
	for _, bits := range []uint64{math.Float64bits(math.NaN()), 0xfff8000000000123} {
		got, err := sessioncodec.Decode(mustEncode(t, math.Float64frombits(bits)))
		if f, ok := got.(float64); err != nil || !ok || math.Float64bits(f) != bits {
			t.Errorf("NaN %x decoded as %T %v, %v", bits, got, got, err)
		}
	}
	got, err := sessioncodec.Decode(mustEncode(t, float32(math.NaN())))
	if f, ok := got.(float32); err != nil || !ok || f == f {
		t.Errorf("float32 NaN decoded as %T %v, %v", got, got, err)
	}
}

func TestTimes(t *testing.T) {
	for _, want := range times {
		value, err := sessioncodec.Decode(mustEncode(t, want))
		got, ok := value.(time.Time)
		if err != nil || !ok {
			t.Errorf("%v decoded as %T, %v", want, value, err)
			continue
		}
		_, wantOffset := want.Zone()
		if _, offset := got.Zone(); !got.Equal(want) || offset != wantOffset || got.IsZero() != want.IsZero() {
			t.Errorf("%v decoded as %v", want, got)
		}
	}
	for _, offset := range []int{86400, -86400, 1 << 40} {
		_, err := sessioncodec.Encode(time.Unix(0, 0).In(time.FixedZone("", offset)))
		if !errors.Is(err, sessioncodec.ErrUnsupported) {
			t.Errorf("offset %d: %v", offset, err)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{nil, `null`},
		{(*point)(nil), `null`},
		{role("admin"), `"admin"`},
		{userID(7), `7`},
		{point{1, 2}, `{"X":1,"Y":2}`},
		{&point{1, 2}, `{"X":1,"Y":2}`},
		{[]int{1, 2}, `[1,2]`},
		{map[string]any{"b": 1, "a": nil}, `{"a":null,"b":1}`},
		{json.Number("12"), `12`},
		{sessioncodec.JSON(`{"a": 1}`), `{"a":1}`},
		{[]sessioncodec.JSON{nil, sessioncodec.JSON(`1`)}, `[null,1]`},
		{time.Second, `1000000000`},
	} {
		got, err := sessioncodec.Decode(mustEncode(t, tt.v))
		if text, ok := got.(sessioncodec.JSON); err != nil || !ok || string(text) != tt.want {
			t.Errorf("%T decoded as %T %s, %v; want %s", tt.v, got, got, err, tt.want)
		}
	}
	if got, err := sessioncodec.Decode(mustEncode(t, []byte(nil))); err != nil || !reflect.DeepEqual(got, []byte{}) {
		t.Errorf("nil byte slice decoded as %#v, %v", got, err)
	}
}

func TestUnsupported(t *testing.T) {
	cycle := make(map[string]any)
	cycle["self"] = cycle
	for _, v := range []any{
		make(chan int), func() {}, complex(1, 2), struct{ F float64 }{math.NaN()}, []float64{math.Inf(1)},
		cycle, map[point]int{{}: 1}, sessioncodec.JSON("{"), json.Number("x"),
	} {
		if data, err := sessioncodec.Encode(v); data != nil || !errors.Is(err, sessioncodec.ErrUnsupported) {
			t.Errorf("Encode(%T) = %q, %v", v, data, err)
		}
	}
}

// malformed is data that Encode never makes.
var malformed = []struct{ name, data string }{
	{"nothing", ""},
	{"unknown tag", "z"},
	{"zero tag", "\x00"},
	{"gob", "\x0d\x7f\x04\x01\x02\xff\x80"},
	{"bare JSON", `{"a":1}`},
	{"bool without value", "b"},
	{"bool of text", "b1"},
	{"bool over its range", "b\x02"},
	{"bool with more", "b\x01\x00"},
	{"int without value", "i"},
	{"int cut", "i\x80"},
	{"int with more", "i\x02\x00"},
	{"int not in its shortest form", "i\x82\x00"},
	{"zero not in its shortest form", "i\x80\x00"},
	{"int over 64 bits", "i\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"},
	{"int over 10 bytes", "i\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
	{"int8 over its range", "1\x80\x02"},
	{"int8 under its range", "1\x81\x02"},
	{"int16 over its range", "2\x80\x80\x04"},
	{"int32 over its range", "3\x80\x80\x80\x80\x10"},
	{"uint8 over its range", "5\x80\x02"},
	{"uint16 over its range", "6\x80\x80\x04"},
	{"uint32 over its range", "7\x80\x80\x80\x80\x10"},
	{"uint64 over its range", "8\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"},
	{"float32 cut", "f\x00\x00\x00"},
	{"float32 with more", "f\x00\x00\x00\x00\x00"},
	{"float64 of text", "d1.5"},
	{"float64 with more", "d123456789"},
	{"time without value", "t"},
	{"time without offset", "t\x00\x00"},
	{"time with more", "t\x00\x00\x00\x00"},
	{"a billion nanoseconds", "t\x00\x80\x94\xeb\xdc\x03\x00"},
	{"time a day from UTC", "t\x00\x00\x80\xc6\x0a"},
	{"time not in its shortest form", "t\x80\x00\x00\x00"},
	{"JSON without value", "j"},
	{"JSON cut", `j{"a":`},
	{"JSON with more", `j{}{}`},
}

func TestMalformed(t *testing.T) {
	for _, tt := range malformed {
		t.Run(tt.name, func(t *testing.T) {
			if v, err := sessioncodec.Decode(tt.data); v != nil || !errors.Is(err, sessioncodec.ErrCorrupt) {
				t.Errorf("Decode = %T %v, %v", v, v, err)
			}
			if v, err := sessioncodec.DecodeInto[any](tt.data); v != nil || !errors.Is(err, sessioncodec.ErrCorrupt) {
				t.Errorf("DecodeInto[any] = %T %v, %v", v, v, err)
			}
			if v, err := sessioncodec.DecodeInto[int]([]byte(tt.data)); v != 0 || !errors.Is(err, sessioncodec.ErrCorrupt) {
				t.Errorf("DecodeInto[int] = %v, %v", v, err)
			}
		})
	}
}

// TestFormat checks that the format does not change, because later releases
// must read stored values.
func TestFormat(t *testing.T) {
	for _, tt := range []struct {
		v    any
		want string
	}{
		{true, "b\x01"},
		{300, "i\xd8\x04"},
		{int8(-1), "1\x01"},
		{int16(1), "2\x02"},
		{int32(1), "3\x02"},
		{int64(1), "4\x02"},
		{uint(300), "u\xac\x02"},
		{uint8(1), "5\x01"},
		{uint16(1), "6\x01"},
		{uint32(1), "7\x01"},
		{uint64(1), "8\x01"},
		{float32(1.5), "f\x3f\xc0\x00\x00"},
		{1.5, "d\x3f\xf8\x00\x00\x00\x00\x00\x00"},
		{"a", "sa"},
		{[]byte("a"), "ya"},
		{time.Unix(1, 2).In(time.FixedZone("", 3600)), "t\x02\x02\xa0\x38"},
		{nil, "jnull"},
	} {
		if got := mustEncode(t, tt.v); string(got) != tt.want {
			t.Errorf("Encode(%T) = %q, want %q", tt.v, got, tt.want)
		}
	}
}

// FuzzDecode checks that data is either refused or decodes to a value that
// encodes to the same data. Each value then has only one encoding.
func FuzzDecode(f *testing.F) {
	for _, v := range values {
		if data := mustEncode(f, v); len(data) < 100 {
			f.Add(data)
		}
	}
	for _, v := range times {
		f.Add(mustEncode(f, v))
	}
	for _, tt := range malformed {
		f.Add([]byte(tt.data))
	}
	f.Add([]byte(`j{"a":[1,"b",null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := sessioncodec.Decode(data)
		if err != nil {
			if v != nil || !errors.Is(err, sessioncodec.ErrCorrupt) {
				t.Fatalf("Decode(%q) = %v, %v", data, v, err)
			}
			return
		}
		if text, ok := v.(sessioncodec.JSON); ok {
			if !json.Valid(text) {
				t.Errorf("Decode(%q) is not JSON", data)
			}
		} else if again := mustEncode(t, v); !bytes.Equal(again, data) {
			t.Errorf("Decode(%q) = %T %v, which encodes as %q", data, v, v, again)
		}
		checkInto[int](t, data)
		checkInto[uint8](t, data)
		checkInto[string](t, data)
		checkInto[time.Time](t, data)
		checkInto[point](t, data)
		checkInto[any](t, data)
	})
}

// checkInto fails if DecodeInto reports valid data as corrupt, or returns a
// value with an error.
func checkInto[T any](t *testing.T, data []byte) {
	t.Helper()
	v, err := sessioncodec.DecodeInto[T](data)
	var none T
	if errors.Is(err, sessioncodec.ErrCorrupt) || err != nil && fmt.Sprint(v) != fmt.Sprint(none) {
		t.Errorf("DecodeInto[%T](%q) = %v, %v", none, data, v, err)
	}
}

func BenchmarkDecodeString(b *testing.B) {
	data := string(mustEncode(b, "a string of some length"))
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = sessioncodec.Decode(data)
		}
	})
	b.Run("DecodeInto", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = sessioncodec.DecodeInto[string](data)
		}
	})
}
