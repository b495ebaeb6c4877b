package filestore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/filestore"
)

func TestLimits(t *testing.T) {
	s := open(t, t.TempDir())
	long := session(strings.Repeat("o", 255))
	long.Address, long.UserAgent = strings.Repeat("a", 256), "x"+strings.Repeat("é", 200)
	if err := s.Create(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	got, _, err := s.Load(t.Context(), long.Row)
	if err != nil || !slices.Equal(got.Owners, long.Owners) || got.Address != long.Address[:255] {
		t.Errorf("%d owners, address of %d, error %v", len(got.Owners), len(got.Address), err)
	}
	if !strings.HasPrefix(long.UserAgent, got.UserAgent) || len(got.UserAgent) != 255 || !utf8.ValidString(got.UserAgent) {
		t.Errorf("the user agent was cut to %q", got.UserAgent)
	}

	tooLong := strings.Repeat("o", 256)
	large := set("large", strings.Repeat("x", stores.MaxValues))
	for name, d := range map[string]stores.Delta{
		"owner":  {Principals: &stores.Principals{Owners: []string{tooLong}}, Rename: &stores.Rename{Old: long.Digest}},
		"values": {Set: large},
	} {
		if o, err := s.Update(t.Context(), long.Row, d); err == nil || o == stores.Updated {
			t.Errorf("Update: %s over the limit: %v, no error", name, o)
		}
	}
	colorIs(t, s, long.Row, "red")
	owner, vals := session(tooLong), session("")
	vals.Values = stores.NewValues(large)
	for _, row := range []stores.Session{owner, vals} {
		if err := s.Create(t.Context(), row); err == nil {
			t.Error("Create over the limit succeeds")
		}
	}
}

func TestRecordSize(t *testing.T) {
	row := session("user:17")
	data, err := filestore.Encode(row)
	if err != nil || len(data) > 140 {
		t.Errorf("a session with one key takes %d bytes, error %v", len(data), err)
	}
}

func TestTimes(t *testing.T) {
	row := session("")
	row.Renamed = time.UnixMicro(0)
	row.Created, row.LastSeen, row.Expires = time.Time{}, time.UnixMicro(math.MinInt64), time.UnixMicro(math.MaxInt64)
	data, err := filestore.Encode(row)
	if err != nil {
		t.Fatal(err)
	}
	got, err := filestore.Decode(row.Row, data)
	if err != nil || got.Created != row.Created || !got.Renamed.Equal(row.Renamed) || !got.LastSeen.Equal(row.LastSeen) || !got.Expires.Equal(row.Expires) {
		t.Errorf("%v %v %v %v, error %v", got.Created, got.Renamed, got.LastSeen, got.Expires, err)
	}
}

// FuzzDecode checks that every record is either refused or the only encoding of its
// session, and that none makes decode panic. It decodes the data as it is, and with a
// correct checksum.
func FuzzDecode(f *testing.F) {
	const row = "00112233445566778899aabbccddeeff"
	s := session("u1")
	s.Row = row
	for _, s.Owners = range [][]string{nil, {"u1"}, {strings.Repeat("u", 255), "u2"}} {
		s.Principals, s.Generation = strings.Repeat("p", 10*len(s.Owners)), uint32(len(s.Owners))
		data, err := filestore.Encode(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)-4])
	}
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1}, 90))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, filestore.Seal(bytes.Clone(data))} {
			got, err := filestore.Decode(row, data)
			if err != nil {
				if !errors.Is(err, stores.ErrCorrupt) {
					t.Errorf("error %v does not wrap ErrCorrupt", err)
				}
				continue
			}
			if again, err := filestore.Encode(got); err != nil || !bytes.Equal(again, data) {
				t.Errorf("%x and %x are one session (%v)", data, again, err)
			}
		}
	})
}

// sealed returns a record as changed by f, with a correct checksum.
func sealed(data []byte, f func(b []byte) []byte) []byte {
	return filestore.Seal(f(bytes.Clone(data[:len(data)-4])))
}

// damaged returns records that decode has to refuse for the row of data.
func damaged(t *testing.T, data []byte) map[string][]byte {
	another, err := filestore.Encode(session("u1"))
	if err != nil {
		t.Fatal(err)
	}
	const (
		texts  = 1 + 16 + 32 + 4*8 + 4
		owners = texts + 1 + len("192.0.2.1") + 1 + len("test/1.0")
	)
	damaged := map[string][]byte{
		"empty":         {},
		"random":        bytes.Repeat([]byte{0xa5, 0x17, 0x00}, 100),
		"gob":           []byte("\x0e\xff\x81\x04\x01\x02\xff\x82\x00\x01\x10\x01\x10\x00\x00"),
		"JSON":          []byte(`{"user":{"id":1}}`),
		"another row's": another,
		"twice":         append(bytes.Clone(data), data...),
		"10 MB":         bytes.Repeat([]byte{1}, 10<<20),
		"version":       sealed(data, func(b []byte) []byte { b[0]++; return b }),
		"texts":         sealed(data, func(b []byte) []byte { b[texts] = 0xff; return b }),
		"many owners":   sealed(data, func(b []byte) []byte { b[owners] = stores.MaxOwners + 1; return b }),
		"more owners":   sealed(data, func(b []byte) []byte { b[owners]++; return b }),
		"empty owner":   sealed(data, func(b []byte) []byte { b[owners+1] = 0; return b }),
		"NUL in owner":  sealed(data, func(b []byte) []byte { b[owners+2] = 0; return b }),
		"principals":    sealed(data, func(b []byte) []byte { b[owners+1+3]++; return b }),
		"no texts":      sealed(data, func(b []byte) []byte { return b[:texts] }),
		"values":        sealed(data, func(b []byte) []byte { return append(b, 0xff) }),
		"value's size":  sealed(data, func(b []byte) []byte { return append(binary.AppendUvarint(b, 1<<63), 'x') }),
	}
	return damaged
}

func TestDecodeRefuses(t *testing.T) {
	row := session("u1")
	data, err := filestore.Encode(row)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, n int, data []byte) {
		if _, err := filestore.Decode(row.Row, data); !errors.Is(err, stores.ErrCorrupt) {
			t.Errorf("%s (%d): error %v, want ErrCorrupt", what, n, err)
		}
	}
	for name, data := range damaged(t, data) {
		refused(name, 0, data)
	}
	for i := range data {
		refused("cut", i, data[:i])
		refused("cut and sealed", i, filestore.Seal(bytes.Clone(data[:i/2])))
		for bit := range 8 {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << bit
			refused("bit flipped", 8*i+bit, flipped)
		}
	}
}
