package redisstore

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// keyMark is the first character of a field that holds a key of the session.
const keyMark = ":"

// fewest is the number of fields that a row has beside its keys.
const fewest = 13

// joinOwners returns owners as a field holds them. No owner contains NUL.
func joinOwners(owners []string) string { return strings.Join(owners, "\x00") }

// splitOwners is the inverse of joinOwners.
func splitOwners(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}

// encodeSession returns the fields of a new row, each followed by its value.
// Field "listed" is until when the index of each owner has the row, and "size" is
// the size of its keys in the encoding of stores.Values, without the first byte of
// that encoding.
func encodeSession(n stores.Session, listed int64) []any {
	fields := []any{
		"digest", n.Digest[:],
		"owners", joinOwners(n.Owners),
		"principals", n.Principals,
		"generation", n.Generation,
		"address", clip(n.Address, addressSize),
		"agent", clip(n.UserAgent, userAgentSize),
		"created", micro(n.Created),
		"seen", micro(n.LastSeen),
		"renamed", micro(n.Renamed),
		"expires", micro(n.Expires),
		"listed", listed,
		"size", max(n.Values.Size()-1, 0),
	}
	for key, value := range n.Values.All() {
		fields = append(fields, keyMark+key, value)
	}
	return fields
}

// encodeDelta returns the arguments of the script that updates a row. The indexes
// of the owners given have the row until listed.
func encodeDelta(d stores.Delta, call string, owners []string, listed int64) []any {
	const fixed, most = 5, 2 * 8 // arguments before the fields, and fields beside keys
	args := make([]any, fixed, fixed+most+2*len(d.Set)+len(d.Remove)+4)
	args[2], args[3], args[4] = "", d.Generation, d.Clear
	if !d.Expires.IsZero() {
		args[2] = keyEnd(d.Expires)
		args = append(args, "expires", micro(d.Expires))
	}
	if !d.LastSeen.IsZero() {
		args = append(args, "seen", micro(d.LastSeen))
	}
	if p := d.Principals; p != nil {
		args = append(args, "owners", joinOwners(p.Owners), "principals", p.Data, "generation", p.Generation)
	}
	if d.Rename != nil {
		args = append(args, "call", call)
		if d.Rename.New != d.Rename.Old {
			args = append(args, "digest", d.Rename.New[:], "renamed", micro(d.Rename.At))
		}
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
	args[1] = len(args)
	switch {
	case d.Rename != nil:
		args = append(args, call, d.Rename.Old[:], joinOwners(owners), listed)
	case len(owners) > 0:
		args = append(args, "", "", joinOwners(owners), listed)
	}
	return args
}

// decodeSession reads the fields of a row.
func decodeSession(row string, fields map[string]string) (stores.Session, error) {
	const what = "load session"
	s := stores.Session{
		Row: row, Principals: fields["principals"], Owners: splitOwners(fields["owners"]),
		Address: fields["address"], UserAgent: fields["agent"],
	}
	var ok bool
	if s.Digest, ok = digestFrom(fields["digest"]); !ok {
		return stores.Session{}, corrupt(what, "digest of "+strconv.Itoa(len(fields["digest"]))+" bytes")
	}
	generation, err := strconv.ParseUint(fields["generation"], 10, 32)
	if err != nil {
		return stores.Session{}, corrupt(what, "generation")
	}
	s.Generation = uint32(generation)
	for _, t := range []struct {
		name string
		into *time.Time
	}{{"created", &s.Created}, {"seen", &s.LastSeen}, {"renamed", &s.Renamed}, {"expires", &s.Expires}} {
		text, found := fields[t.name]
		if *t.into, ok = moment(text); !ok || !found {
			return stores.Session{}, corrupt(what, "time in "+t.name)
		}
	}
	pairs := make(map[string][]byte, max(len(fields)-fewest, 0))
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
