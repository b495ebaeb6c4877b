package jsonbody_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ginauth/ginauth/internal/jsonbody"
)

const limit = 4096

func decode(body string, into any) error {
	return jsonbody.Decode(strings.NewReader(body), limit, into)
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"object", `{"email":"a@x","password":"p"}`},
		{"white space", " \r\n\t{ \"a\" : [ 1 , 2 ] } \n"},
		{"scalars", `[true,false,null,-1.5e3,"t"]`},
		{"bare text", `"t"`},
		{"bare number", `12`},
		{"null", `null`},
		{"empties", `{"a":{},"b":[],"":""}`},
		{"one key in two objects", `[{"a":1},{"a":{"a":2}}]`},
		{"keys that are values too", `{"a":"b","b":"a"}`},
		{"look-alikes that do not fold", "{\"\u0131\":1,\"i\":2,\"\u00df\":3,\"ss\":4,\"\u00e9\":5,\"e\u0301\":6}"},
		{"surrogate pair", `{"\ud83d\ude00":"\uD83D\uDE00x"}`},
		{"escaped backslash before u", `"\\ud800"`},
		{"escaped quotes", `{"a\"b":"[{\"","a\\":"\\"}`},
		{"replacement character", `"\ufffd` + "\ufffd" + `"`},
		{"brackets in texts", `"` + strings.Repeat("[", 100) + `"`},
		{"32 deep", strings.Repeat("[", 32) + strings.Repeat("]", 32)},
		{"wide", "[" + strings.Repeat("[],", 100) + "{}]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got, want any
			if err := decode(tt.body, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(tt.body), &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %#v, want %#v", got, want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       error
	}{
		{"nothing", "", jsonbody.ErrSyntax},
		{"white space", " \n", jsonbody.ErrSyntax},
		{"form", "email=a&password=b", jsonbody.ErrSyntax},
		{"cut", `{"a":`, jsonbody.ErrSyntax},
		{"cut escape", `"\ud8`, jsonbody.ErrSyntax},
		{"comma at the end", `{"a":1,}`, jsonbody.ErrSyntax},
		{"single quotes", `{'a':1}`, jsonbody.ErrSyntax},
		{"byte order mark", "\ufeff{}", jsonbody.ErrSyntax},
		{"NaN", `NaN`, jsonbody.ErrSyntax},
		{"line break in a text", "\"a\nb\"", jsonbody.ErrSyntax},
		{"stray bracket", `]`, jsonbody.ErrSyntax},
		{"second object", `{"a":1}{"a":2}`, jsonbody.ErrTrailing},
		{"second object on its own line", "{\"a\":1}\n{\"a\":2}", jsonbody.ErrTrailing},
		{"rubbish behind", `{"a":1}x`, jsonbody.ErrTrailing},
		{"bracket behind", `{}]`, jsonbody.ErrTrailing},
		{"NUL behind", "{}\x00", jsonbody.ErrTrailing},
		{"33 deep", strings.Repeat("[", 33) + strings.Repeat("]", 33), jsonbody.ErrDepth},
		{"33 deep in turns", strings.Repeat(`[{"a":`, 16) + "[]" + strings.Repeat("}]", 16), jsonbody.ErrDepth},
		{"deep and cut", strings.Repeat("[", 4000), jsonbody.ErrDepth},
		{"over the limit", `"` + strings.Repeat("a", limit-1) + `"`, jsonbody.ErrTooLarge},
		{"white space over the limit", "{}" + strings.Repeat(" ", limit), jsonbody.ErrTooLarge},
		{"invalid UTF-8", "{\"password\":\"x\xff\"}", jsonbody.ErrText},
		{"invalid UTF-8 in a key", "{\"x\xfe\":1}", jsonbody.ErrText},
		{"surrogate in UTF-8", "\"\xed\xa0\x80\"", jsonbody.ErrText},
		{"high surrogate", `{"password":"x\ud800"}`, jsonbody.ErrText},
		{"high surrogate before a character", `"\ud800x"`, jsonbody.ErrText},
		{"high surrogate before an escape", `"\ud800\n"`, jsonbody.ErrText},
		{"high surrogate before an escaped letter", `"\ud800\u0041"`, jsonbody.ErrText},
		{"two high surrogates", `"\ud83d\ud83d"`, jsonbody.ErrText},
		{"low surrogate", `"\udc00"`, jsonbody.ErrText},
		{"surrogates the wrong way round", `"\ude00\ud83d"`, jsonbody.ErrText},
		{"surrogate behind a pair", `"\ud83d\ude00\ude00"`, jsonbody.ErrText},
		{"surrogate in a key", `{"\uD800":1}`, jsonbody.ErrText},
		{"surrogate deep down", `[{"a":["\ud800"]}]`, jsonbody.ErrText},
	} {
		t.Run(tt.name, func(t *testing.T) {
			into := any("untouched")
			if err := decode(tt.body, &into); !errors.Is(err, tt.want) {
				t.Errorf("Decode = %v, want %v", err, tt.want)
			}
			if into != "untouched" {
				t.Errorf("target became %v", into)
			}
		})
	}
}

func TestDuplicates(t *testing.T) {
	long := strings.Repeat("é", 100)
	for _, tt := range []struct{ name, body, key string }{
		{"same", `{"email":"a","email":"b"}`, "email"},
		{"upper case", `{"email":"a","EMAIL":"b"}`, "EMAIL"},
		{"not neighbours", `{"a":1,"b":2,"A":3}`, "A"},
		{"long s", `{"sub":1,"ſub":2}`, "ſub"},
		{"Kelvin sign", "{\"\u212aey\":1,\"key\":2}", "key"},
		{"sigmas", `{"σ":1,"ς":2}`, "ς"},
		{"escaped", `{"email":1,"\u0065mail":2}`, "email"},
		{"escaped long s", `{"sub":1,"\u017fub":2}`, "ſub"},
		{"empty", `{"":1,"":2}`, ""},
		{"inner object", `{"a":{"b":1,"b":2}}`, "b"},
		{"object in a list", `[0,{"a":[{"b":1,"B":2}]}]`, "B"},
		{"not printable", `{"a\u0000\n\"":1,"A\u0000\n\"":2}`, `A\x00\n\"`},
		{"long", `{"` + long + `":1,"` + long + `":2}`, long[:64] + "…"},
		{"long, cut between characters", `{"x` + long + `":1,"x` + long + `":2}`, "x" + long[:62] + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var into map[string]any
			err := decode(tt.body, &into)
			var duplicate *jsonbody.DuplicateError
			if !errors.As(err, &duplicate) || !errors.Is(err, jsonbody.ErrDuplicate) || duplicate.Key != tt.key {
				t.Fatalf("Decode = %v, want a duplicate %q", err, tt.key)
			}
			if !strings.HasSuffix(err.Error(), `: "`+tt.key+`"`) || into != nil {
				t.Errorf("error %q, target %v", err, into)
			}
		})
	}
}

type target struct {
	Name    string         `json:"name"`
	Age     int8           `json:"age"`
	Count   uint           `json:"count"`
	Score   float64        `json:"score"`
	Number  json.Number    `json:"number"`
	Admin   *bool          `json:"admin"`
	Tags    []string       `json:"tags"`
	Key     []byte         `json:"key"`
	Address netip.Addr     `json:"address"`
	Born    time.Time      `json:"born"`
	More    map[string]int `json:"more"`
	Inner   struct {
		Pair [2]int `json:"pair"`
	} `json:"inner"`
}

func TestFieldErrors(t *testing.T) {
	for _, tt := range []struct{ body, field, reason string }{
		{`{"name":1}`, "name", "must be a string"},
		{`{"name":["a"]}`, "name", "must be a string"},
		{`{"name":{"$ne":""}}`, "name", "must be a string"},
		{`{"NAME":true}`, "name", "must be a string"},
		{`{"age":"1"}`, "age", "must be a whole number in range"},
		{`{"age":1.5}`, "age", "must be a whole number in range"},
		{`{"age":128}`, "age", "must be a whole number in range"},
		{`{"count":-1}`, "count", "must be a whole number in range, not negative"},
		{`{"score":"1"}`, "score", "must be a number"},
		{`{"score":1e999}`, "score", "is out of range"},
		{`{"number":[]}`, "number", "must be a number"},
		{`{"admin":1}`, "admin", "must be true or false"},
		{`{"tags":"a"}`, "tags", "must be a list"},
		{`{"tags":["a",1]}`, "tags", "must be a string"},
		{`{"key":1}`, "key", "must be a string"},
		{`{"key":"*SECRET*"}`, "body", "has an unacceptable value"},
		{`{"address":1}`, "address", "must be a string"},
		{`{"address":"SECRET"}`, "body", "has an unacceptable value"},
		{`{"born":"SECRET"}`, "body", "has an unacceptable value"},
		{`{"more":[]}`, "more", "must be an object"},
		{`{"inner":{"pair":{}}}`, "inner.pair", "must be a list"},
		{`[]`, "body", "must be an object"},
		{`"SECRET"`, "body", "must be an object"},
	} {
		t.Run(tt.body, func(t *testing.T) {
			into := target{Name: "untouched"}
			err := decode(tt.body, &into)
			var field *jsonbody.FieldError
			if !errors.As(err, &field) || field.Field != tt.field || field.Reason != tt.reason {
				t.Fatalf("Decode = %v, want %s %s", err, tt.field, tt.reason)
			}
			if field.Unwrap() == nil || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("error %q wraps %v", err, field.Unwrap())
			}
			if !reflect.DeepEqual(into, target{Name: "untouched"}) {
				t.Errorf("target became %+v", into)
			}
		})
	}
}

func TestDecodeReplacesOldValue(t *testing.T) {
	inner := map[string]int{"a": 1}
	into := target{Name: "old", More: inner}
	if err := decode(`{"age":7,"more":{"b":2}}`, &into); err != nil {
		t.Fatal(err)
	}
	if want := (target{Age: 7, More: map[string]int{"b": 2}}); !reflect.DeepEqual(into, want) {
		t.Errorf("got %+v, want %+v", into, want)
	}
	if len(inner) != 1 {
		t.Errorf("old map became %v", inner)
	}
}

func TestDecodePanicsWithoutPointer(t *testing.T) {
	for _, into := range []any{nil, target{}, (*target)(nil)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Decode into %T did not panic", into)
				}
			}()
			_ = decode(`{}`, into)
		}()
	}
}

// endless is a body that never ends. It counts the bytes that were read.
type endless struct{ n int }

func (r *endless) Read(p []byte) (int, error) {
	r.n += len(p)
	return copy(p, bytes.Repeat([]byte("["), len(p))), nil
}

func TestDecodeStopsAtLimit(t *testing.T) {
	var into any
	body := new(endless)
	if err := jsonbody.Decode(body, limit, &into); !errors.Is(err, jsonbody.ErrTooLarge) || body.n != limit+1 {
		t.Errorf("endless body: %v after %d bytes", err, body.n)
	}
	exact := `"` + strings.Repeat("a", limit-2) + `"`
	if err := jsonbody.Decode(iotest.OneByteReader(strings.NewReader(exact)), limit, &into); err != nil {
		t.Errorf("body of exactly the limit: %v", err)
	}
	cut := io.MultiReader(strings.NewReader(`{"a":1}`), iotest.ErrReader(io.ErrUnexpectedEOF))
	if err := jsonbody.Decode(cut, limit, &into); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("connection cut: %v", err)
	}
	bounded := http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(strings.NewReader(exact)), 10)
	if err := jsonbody.Decode(bounded, limit, &into); !errors.Is(err, jsonbody.ErrTooLarge) {
		t.Errorf("limit set by the server: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"email":"a@x","password":"p"}`, `{"a":1,"A":2}`, `{"sub":1,"ſub":2}`, `"\ud83d\ude00"`, `"\ud800"`, "\"\xff\"",
		`{} {}`, `[1,[2,{"a":[]}]]`, ` null `, `{"a":"\u0061\\\""}`, `1e999`, `{"\u212a":1,"k":2}`, strings.Repeat("[", 40),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want any
		err := jsonbody.Decode(bytes.NewReader(body), limit, &got)
		if plain := json.Unmarshal(body, &want); plain != nil && err == nil {
			t.Fatalf("accepted %q, which encoding/json refuses: %v", body, plain)
		}
		if err != nil {
			return
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q decodes to %#v, with encoding/json to %#v", body, got, want)
		}
		checkKeys(t, got)
		var object map[string]json.RawMessage
		_ = jsonbody.Decode(bytes.NewReader(body), limit, &object)
	})
}

// checkKeys fails if two keys of an object differ only in case.
func checkKeys(t *testing.T, value any) {
	t.Helper()
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			checkKeys(t, item)
		}
	case map[string]any:
		for key, item := range value {
			checkKeys(t, item)
			for other := range value {
				if other != key && strings.EqualFold(other, key) {
					t.Errorf("keys %q and %q", key, other)
				}
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	body := `{"email":"ann@example.org","password":"correct horse battery staple"}`
	b.ReportAllocs()
	for b.Loop() {
		var in struct{ Email, Password string }
		if err := decode(body, &in); err != nil {
			b.Fatal(err)
		}
	}
}
