package cookiestore

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// A record is what is sealed:
//
//	version     1 byte
//	row        16 bytes
//	digest     32 bytes
//	times       8 bytes each: created, last seen, expires, in microseconds
//	            since 1970
//	owner       a byte for its length, and as many bytes
//	values      as stores.Values encodes them
//
// with numbers in big-endian order. The seal says that we made it, so what does
// not fit this form is of a version that this one does not know.
const (
	recordVersion = 1
	rowSize       = 16
	maxOwner      = 255
	fixedSize     = 1 + rowSize + len(stores.Digest{}) + 3*8 + 1
)

// encode returns the record of a session.
func encode(s stores.Session) ([]byte, error) {
	row, err := hex.DecodeString(s.Row)
	switch {
	case err != nil || len(row) != rowSize || hex.EncodeToString(row) != s.Row:
		return nil, fmt.Errorf("a row has to be %d hexadecimal digits in lower case", 2*rowSize)
	case len(s.Owner) > maxOwner:
		return nil, fmt.Errorf("owner %.32q… is %d bytes long, at most %d are allowed", s.Owner, len(s.Owner), maxOwner)
	}
	b := make([]byte, 1, fixedSize+len(s.Owner)+s.Values.Size())
	b[0] = recordVersion
	b = append(b, row...)
	b = append(b, s.Digest[:]...)
	for _, t := range []time.Time{s.Created, s.LastSeen, s.Expires} {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()))
	}
	b = append(b, byte(len(s.Owner)))
	b = append(b, s.Owner...)
	return append(b, s.Values.Encoded()...), nil
}

// decode returns the session of a record.
func decode(b []byte) (s stores.Session, ok bool) {
	if len(b) < fixedSize || len(b) > MaxCookie || b[0] != recordVersion {
		return stores.Session{}, false
	}
	s.Row = hex.EncodeToString(b[1 : 1+rowSize])
	b = b[1+rowSize:]
	b = b[copy(s.Digest[:], b):]
	for _, t := range []*time.Time{&s.Created, &s.LastSeen, &s.Expires} {
		*t = time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
		b = b[8:]
	}
	end := 1 + int(b[0])
	if end > len(b) {
		return stores.Session{}, false
	}
	s.Owner, b = string(b[1:end]), b[end:]
	var err error
	if s.Values, err = stores.ParseValues(b); err != nil || len(b) == 1 { // a version, and nothing of it
		return stores.Session{}, false
	}
	return s, true
}
