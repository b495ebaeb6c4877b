package cookiestore

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/internal/records"
)

// A record is the plaintext of a sealed session:
//
//	version     1 byte
//	row        16 bytes
//	digest     32 bytes
//	times       8 bytes each: created, last seen, expires, in microseconds
//	            since 1970
//	generation  4 bytes
//	owners      a byte for their number, and for each a byte for its length
//	            and the owner
//	principals  2 bytes for their length, and the principals
//	values      as stores.Values encodes them
//
// Numbers are in big-endian order. The seal proves that we made the record, so a
// record in another form is of another version.
const (
	recordVersion = 2
	rowSize       = 16
	// fixedSize is the size of a record without owners, principals and values.
	fixedSize = 1 + rowSize + len(stores.Digest{}) + 3*8 + 4 + 1 + 2
)

// encode returns the record of a session.
func encode(s stores.Session) ([]byte, error) {
	row, err := hex.DecodeString(s.Row)
	if err != nil || len(row) != rowSize || hex.EncodeToString(row) != s.Row {
		return nil, fmt.Errorf("session row %.40q has to be %d hexadecimal digits in lower case", s.Row, 2*rowSize)
	}
	size := fixedSize + len(s.Principals) + s.Values.Size()
	for _, owner := range s.Owners {
		size += 1 + len(owner)
	}
	b := make([]byte, 1, size)
	b[0] = recordVersion
	b = append(b, row...)
	b = append(b, s.Digest[:]...)
	for _, t := range []time.Time{s.Created, s.LastSeen, s.Expires} {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()))
	}
	b = binary.BigEndian.AppendUint32(b, s.Generation)
	b = append(b, byte(len(s.Owners)))
	for _, owner := range s.Owners {
		b = append(b, byte(len(owner)))
		b = append(b, owner...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.Principals)))
	b = append(b, s.Principals...)
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
	s.Generation, b = binary.BigEndian.Uint32(b), b[4:]
	if s.Owners, b, ok = cutOwners(b); !ok {
		return stores.Session{}, false
	}
	if s.Principals, b, ok = records.CutText(b, 2); !ok {
		return stores.Session{}, false
	}
	var err error
	if s.Values, err = stores.ParseValues(b); err != nil || len(b) == 1 { // a version without values
		return stores.Session{}, false
	}
	return s, s.Validate() == nil
}

// cutOwners reads the owners at the beginning of b.
func cutOwners(b []byte) (owners []string, rest []byte, ok bool) {
	n, b := int(b[0]), b[1:]
	if n == 0 || n > stores.MaxOwners {
		return nil, b, n == 0
	}
	owners = make([]string, n)
	for i := range owners {
		if owners[i], b, ok = records.CutText(b, 1); !ok {
			return nil, nil, false
		}
	}
	return owners, b, true
}
