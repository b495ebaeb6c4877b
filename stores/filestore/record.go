package filestore

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"time"
	"unicode/utf8"

	"github.com/ginauth/ginauth/stores"
	"github.com/ginauth/ginauth/stores/internal/records"
)

// A record is
//
//	version     1 byte
//	row        16 bytes
//	digest     32 bytes
//	times       8 bytes each: created, last seen, renamed, expires, in
//	            microseconds since 1970
//	generation  4 bytes
//	texts       a byte for the length of each: address, user agent
//	owners      a byte for their number, and for each a byte for its length
//	            and the owner
//	principals  2 bytes for their length, and the principals
//	values      as stores.Values encodes them
//	checksum    4 bytes, of all that precedes
//
// with numbers in big-endian order. The checksum detects damage by a disk or a
// person, and the row detects a file that has another's name. Neither protects
// against somebody who can write to the directory; nothing here does.
const (
	recordVersion = 2
	maxText       = 255
	checksumSize  = crc32.Size
	fixedSize     = 1 + 16 + len(stores.Digest{}) + 4*8 + 4
	minRecord     = fixedSize + 2 + 1 + 2 + checksumSize
	maxRecord     = minRecord + 2*maxText + stores.MaxOwners*(1+stores.MaxOwner) + stores.MaxPrincipals + stores.MaxValues
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns the record of a session whose row is valid.
func encode(s stores.Session) ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	b := make([]byte, 1, minRecord+3*maxText+len(s.Principals)+s.Values.Size())
	b[0] = recordVersion
	b, err := hex.AppendDecode(b, []byte(s.Row))
	if err != nil {
		return nil, err
	}
	b = append(b, s.Digest[:]...)
	for _, t := range []time.Time{s.Created, s.LastSeen, s.Renamed, s.Expires} {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()))
	}
	b = binary.BigEndian.AppendUint32(b, s.Generation)
	b = appendTexts(b, cut(s.Address), cut(s.UserAgent))
	b = appendTexts(append(b, byte(len(s.Owners))), s.Owners...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.Principals)))
	b = append(b, s.Principals...)
	return seal(append(b, s.Values.Encoded()...)), nil
}

// appendTexts appends each text after a byte for its length.
func appendTexts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = append(b, byte(len(text)))
		b = append(b, text...)
	}
	return b
}

// seal appends the checksum.
func seal(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decode returns the session of a record, or an error that wraps
// stores.ErrCorrupt.
func decode(row string, b []byte) (stores.Session, error) {
	if len(b) < minRecord || len(b) > maxRecord {
		return stores.Session{}, corrupt(row, "size")
	}
	b, sum := b[:len(b)-checksumSize], b[len(b)-checksumSize:]
	if crc32.Checksum(b, castagnoli) != binary.BigEndian.Uint32(sum) {
		return stores.Session{}, corrupt(row, "checksum")
	}
	if b[0] != recordVersion {
		return stores.Session{}, corrupt(row, "version")
	}
	if hex.EncodeToString(b[1:17]) != row {
		return stores.Session{}, corrupt(row, "it is the record of another row")
	}
	s := stores.Session{Row: row}
	b = b[17:]
	b = b[copy(s.Digest[:], b):]
	for _, t := range []*time.Time{&s.Created, &s.LastSeen, &s.Renamed, &s.Expires} {
		*t = time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
		b = b[8:]
	}
	s.Generation = binary.BigEndian.Uint32(b)
	b, ok := decodeTexts(&s, b[4:])
	if !ok {
		return stores.Session{}, corrupt(row, "texts")
	}
	var err error
	if s.Values, err = stores.ParseValues(b); err != nil {
		return stores.Session{}, fmt.Errorf("row %s: %w", row, err)
	}
	if err := s.Validate(); err != nil {
		return stores.Session{}, corrupt(row, err.Error())
	}
	return s, nil
}

// decodeTexts reads the address, the user agent, the owners and the principals,
// and returns what follows them.
func decodeTexts(s *stores.Session, b []byte) (rest []byte, ok bool) {
	for _, text := range []*string{&s.Address, &s.UserAgent} {
		if *text, b, ok = records.CutText(b, 1); !ok {
			return nil, false
		}
	}
	if len(b) == 0 || b[0] > stores.MaxOwners {
		return nil, false
	}
	n, b := int(b[0]), b[1:]
	for range n {
		var owner string
		if owner, b, ok = records.CutText(b, 1); !ok {
			return nil, false
		}
		s.Owners = append(s.Owners, owner)
	}
	s.Principals, rest, ok = records.CutText(b, 2)
	return rest, ok
}

func corrupt(row, what string) error {
	return fmt.Errorf("%w: row %s: %s", stores.ErrCorrupt, row, what)
}

// cut truncates a text to the size that a record can hold, without splitting a
// character.
func cut(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
