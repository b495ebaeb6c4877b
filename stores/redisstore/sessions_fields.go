package redisstore

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// The fields of a row beside its keys. Fewer fields make a row cheaper to read: a row is read
// whole at each request, and each field costs two strings.
const (
	// changing holds what scripts change, as session_row.lua describes it.
	changing = "m"
	// fixed holds when the session was created, and the address and the user agent.
	fixed = "f"
	// principals holds stores.Session.Principals.
	principals = "p"
	// keyMark is the first character of a field that holds a key of the session.
	keyMark = ":"
)

// head is the size of the changing field without the owners.
const head = 116

// joinOwners returns owners as a field holds them. No owner contains NUL.
func joinOwners(owners []string) string { return strings.Join(owners, "\x00") }

// splitOwners is the inverse of joinOwners.
func splitOwners(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}

// ownersIn returns the owners of a row by its changing field.
func ownersIn(field string) []string { return splitOwners(field[min(head, len(field)):]) }

// seenIn returns when a row was last seen by its changing field, in microseconds.
func seenIn(field string) int64 {
	if len(field) < head {
		return 0
	}
	return microAt(field, 40)
}

// microAt returns the time at a place of a field, in microseconds.
func microAt(field string, at int) int64 {
	return int64(binary.BigEndian.Uint64([]byte(field[at : at+8])))
}

// encodeSession returns the fields of a new row that a call stores, each followed by its
// value. Listed is until when the index of each owner has the row.
func encodeSession(n stores.Session, call string, listed int64) []any {
	big := binary.BigEndian
	row := append(make([]byte, 0, head+stores.MaxOwner), n.Digest[:]...)
	for _, at := range []int64{micro(n.Renamed), micro(n.LastSeen), micro(n.Expires), listed} {
		row = big.AppendUint64(row, uint64(at))
	}
	row = big.AppendUint32(row, uint32(max(n.Values.Size()-1, 0))) // without the first byte of its encoding
	row = append(big.AppendUint32(row, n.Generation), make([]byte, len(stores.Digest{}))...)
	row = append(row, call...)
	row = append(row, joinOwners(n.Owners)...)
	address := clip(n.Address, addressSize)
	made := append(big.AppendUint64(nil, uint64(micro(n.Created))), byte(len(address)))
	made = append(append(made, address...), clip(n.UserAgent, userAgentSize)...)
	fields := []any{changing, row, fixed, made, principals, n.Principals}
	for key, value := range n.Values.All() {
		fields = append(fields, keyMark+key, value)
	}
	return fields
}

// encodeDelta returns the arguments of the script that updates a row. The indexes
// of the owners given have the row until listed.
func encodeDelta(d stores.Delta, call string, owners []string, listed int64) []any {
	const first = 15 // arguments before the keys
	args := make([]any, first, first+2*len(d.Set)+len(d.Remove))
	for i := range args {
		args[i] = ""
	}
	args[2], args[3] = d.Generation, d.Clear
	if !d.Expires.IsZero() {
		args[1], args[4] = keyEnd(d.Expires), micro(d.Expires)
	}
	if !d.LastSeen.IsZero() {
		args[5] = micro(d.LastSeen)
	}
	if p := d.Principals; p != nil {
		args[6], args[7], args[8] = p.Generation, joinOwners(p.Owners), p.Data
	}
	if d.Rename != nil {
		args[9], args[10] = call, d.Rename.Old[:]
		if d.Rename.New != d.Rename.Old {
			args[11], args[12] = d.Rename.New[:], micro(d.Rename.At)
		}
	}
	if len(owners) > 0 {
		args[13], args[14] = joinOwners(owners), listed
	}
	for key, value := range d.Set {
		args = append(args, keyMark+key, value)
	}
	args[0] = len(args)
	if len(d.Remove) > 0 && !d.Clear {
		// The script would subtract the size of a key that is named twice twice.
		removed := slices.Sorted(slices.Values(d.Remove))
		for _, key := range slices.Compact(removed) {
			args = append(args, keyMark+key)
		}
	}
	return args
}

// decodeSession reads the fields of a row.
func decodeSession(row string, fields map[string]string) (stores.Session, error) {
	const what = "load session"
	now, made := fields[changing], fields[fixed]
	if len(now) < head || len(made) < 9 || len(made) < 9+int(made[8]) {
		return stores.Session{}, corrupt(what, "fields of "+strconv.Itoa(len(now))+" and "+strconv.Itoa(len(made))+" bytes")
	}
	s := stores.Session{
		Row: row, Principals: fields[principals], Owners: ownersIn(now),
		Created: momentAt(made, 0), Renamed: momentAt(now, 32), LastSeen: momentAt(now, 40), Expires: momentAt(now, 48),
		Generation: binary.BigEndian.Uint32([]byte(now[68:72])),
		Address:    made[9 : 9+int(made[8])], UserAgent: made[9+int(made[8]):],
	}
	copy(s.Digest[:], now)
	pairs := make(map[string][]byte, max(len(fields)-3, 0))
	for field, value := range fields {
		key, isKey := strings.CutPrefix(field, keyMark)
		if isKey && len(key) > stores.MaxKey {
			return stores.Session{}, corrupt(what, "a key is too long")
		}
		if isKey {
			pairs[key] = []byte(value)
		}
	}
	s.Values = stores.NewValues(pairs)
	if err := s.Validate(); err != nil {
		return stores.Session{}, corrupt(what, err.Error())
	}
	return s, nil
}

// momentAt returns the time at a place of a field.
func momentAt(field string, at int) time.Time {
	us := microAt(field, at)
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
