package filestore

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"time"
	"unicode/utf8"

	"github.com/ginauth/ginauth/stores"
)

// A record is
//
//	version     1 byte
//	row        16 bytes
//	digest     32 bytes
//	times       8 bytes each: created, last seen, renamed, expires, in
//	            microseconds since 1970
//	texts       a byte for the length of each: owner, address, user agent
//	values      as stores.Values encodes them
//	checksum    4 bytes, of all that precedes
//
// with numbers in big-endian order. The checksum finds what a disk or a person
// has damaged, and the row finds a file under another's name. Neither is for
// somebody who can write to the directory, against whom there is no defense here.
const (
	recordVersion = 1
	maxText       = 255
	checksumSize  = crc32.Size
	fixedSize     = 1 + 16 + len(stores.Digest{}) + 4*8
	minRecord     = fixedSize + 3 + checksumSize
	maxRecord     = fixedSize + 3*(1+maxText) + stores.MaxValues + checksumSize
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode returns the record of a session whose row is valid.
func encode(s stores.Session) ([]byte, error) {
	switch {
	case len(s.Owner) > maxText:
		return nil, fmt.Errorf("owner %.32q… is %d bytes long, at most %d are allowed", s.Owner, len(s.Owner), maxText)
	case s.Values.Size() > stores.MaxValues:
		return nil, fmt.Errorf("%d bytes of values, at most %d are allowed", s.Values.Size(), stores.MaxValues)
	}
	b := make([]byte, 1, minRecord+3*maxText+s.Values.Size())
	b[0] = recordVersion
	b, err := hex.AppendDecode(b, []byte(s.Row))
	if err != nil {
		return nil, err
	}
	b = append(b, s.Digest[:]...)
	for _, t := range []time.Time{s.Created, s.LastSeen, s.Renamed, s.Expires} {
		b = binary.BigEndian.AppendUint64(b, uint64(t.UnixMicro()))
	}
	for _, text := range []string{s.Owner, cut(s.Address), cut(s.UserAgent)} {
		b = append(b, byte(len(text)))
		b = append(b, text...)
	}
	return seal(append(b, s.Values.Encoded()...)), nil
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
	for _, text := range []*string{&s.Owner, &s.Address, &s.UserAgent} {
		if len(b) == 0 || int(b[0]) >= len(b) {
			return stores.Session{}, corrupt(row, "texts")
		}
		end := 1 + int(b[0])
		*text, b = string(b[1:end]), b[end:]
	}
	var err error
	if s.Values, err = stores.ParseValues(b); err != nil {
		return stores.Session{}, fmt.Errorf("row %s: %w", row, err)
	}
	return s, nil
}

func corrupt(row, what string) error {
	return fmt.Errorf("%w: row %s: %s", stores.ErrCorrupt, row, what)
}

// cut shortens a text to what a record holds, between two characters.
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
