package redisstore

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// keyMark begins the name of a field that holds a key of the session.
const keyMark = ":"

// fewest is how many fields a row has beside its keys.
const fewest = 11

// encodeSession returns the fields of a new row, each followed by its value.
// Field "listed" says until when the owner's index has the row, and "size" what
// its keys take in the encoding of stores.Values, but for that one's first byte.
func encodeSession(n stores.Session, listed int64) []any {
	fields := []any{
		"digest", n.Digest[:],
		"owner", n.Owner,
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

// encodeDelta returns the arguments of the script that updates a row.
func encodeDelta(d stores.Delta, call, owner string, listed int64) []any {
	const fixed, most = 3, 2 * 6 // arguments before the fields, and fields beside keys
	args := make([]any, fixed, fixed+most+2*len(d.Set)+len(d.Remove)+4)
	args[2] = ""
	if !d.Expires.IsZero() {
		args[2] = keyEnd(d.Expires)
		args = append(args, "expires", micro(d.Expires))
	}
	if !d.LastSeen.IsZero() {
		args = append(args, "seen", micro(d.LastSeen))
	}
	if d.Owner != nil {
		args = append(args, "owner", *d.Owner)
	}
	if d.Rename != nil {
		args = append(args, "call", call, "digest", d.Rename.New[:], "renamed", micro(d.Rename.At))
	}
	for key, value := range d.Set {
		args = append(args, keyMark+key, value)
	}
	args[0] = len(args)
	if len(d.Remove) > 0 {
		// A key named twice would be taken off the size twice.
		removed := slices.Sorted(slices.Values(d.Remove))
		for _, key := range slices.Compact(removed) {
			args = append(args, keyMark+key)
		}
	}
	args[1] = len(args)
	switch {
	case d.Rename != nil:
		args = append(args, call, d.Rename.Old[:], owner, listed)
	case owner != "":
		args = append(args, "", "", owner, listed)
	}
	return args
}

// decodeSession reads the fields of a row.
func decodeSession(row string, fields map[string]string) (stores.Session, error) {
	const what = "load session"
	s := stores.Session{Row: row, Owner: fields["owner"], Address: fields["address"], UserAgent: fields["agent"]}
	var ok bool
	if s.Digest, ok = digestFrom(fields["digest"]); !ok {
		return stores.Session{}, corrupt(what, "digest of "+strconv.Itoa(len(fields["digest"]))+" bytes")
	}
	if !validText(s.Owner, ownerSize) {
		return stores.Session{}, corrupt(what, "owner")
	}
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
	if s.Values = stores.NewValues(pairs); s.Values.Size() > stores.MaxValues {
		return stores.Session{}, corrupt(what, "values are too large")
	}
	return s, nil
}
