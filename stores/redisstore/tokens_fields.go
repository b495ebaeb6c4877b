package redisstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Fields of a family's hash that its root has.
const (
	rootExpires = "expires"
	rootRevoked = "revoked"
)

// What follows a token's id in the fields that it has. The scripts also keep
// the calls that created (n) and that consumed (k) it.
const (
	fieldRecord   = ":t"
	fieldExpires  = ":e"
	fieldConsumed = ":c"
	fieldUsed     = ":u"
)

// record is what never changes of a token.
type record struct {
	Digest    []byte      `json:"d"`
	Kind      stores.Kind `json:"k"`
	Owner     string      `json:"o,omitempty"`
	Name      string      `json:"n,omitempty"`
	Abilities []string    `json:"a,omitempty"`
	Data      []byte      `json:"x,omitempty"`
	Created   int64       `json:"t"`
}

func encodeToken(what string, t stores.Token) ([]byte, error) {
	refuse := func(why string) ([]byte, error) { return nil, fmt.Errorf("redisstore: %s: %s", what, why) }
	switch {
	case !validName(t.ID) || !validName(t.Family):
		return refuse("token or family is not named by 32 lower-case hexadecimal digits")
	case !validText(string(t.Kind), kindSize):
		return refuse(fmt.Sprintf("kind is not text of at most %d bytes", kindSize))
	case !validText(t.Owner, ownerSize):
		return refuse(fmt.Sprintf("owner is not text of at most %d bytes", ownerSize))
	case !validText(t.Name, nameSize):
		return refuse(fmt.Sprintf("name is not text of at most %d bytes", nameSize))
	case len(t.Data) > dataSize:
		return refuse(fmt.Sprintf("%d bytes of data, at most %d are allowed", len(t.Data), dataSize))
	}
	text, err := json.Marshal(record{t.Digest[:], t.Kind, t.Owner, t.Name, t.Abilities, t.Data, micro(t.Created)})
	switch {
	case err != nil:
		return refuse(err.Error())
	case len(text) > recordSize:
		return refuse(fmt.Sprintf("a record of %d bytes, at most %d are allowed", len(text), recordSize))
	}
	return text, nil
}

// decodeToken reads a token from the fields of its family.
func decodeToken(what, family, id string, fields map[string]string) (stores.Token, error) {
	var r record
	text := fields[id+fieldRecord]
	if len(text) > recordSize || json.Unmarshal([]byte(text), &r) != nil || r.Created == 0 && text == "null" {
		return stores.Token{}, corrupt(what, "record of "+strconv.Itoa(len(text))+" bytes")
	}
	digest, ok := digestFrom(string(r.Digest))
	if !ok {
		return stores.Token{}, corrupt(what, "digest of "+strconv.Itoa(len(r.Digest))+" bytes")
	}
	t := stores.Token{
		ID: id, Family: family, Kind: r.Kind, Owner: r.Owner, Digest: digest,
		Name: r.Name, Abilities: r.Abilities, Data: r.Data,
	}
	t.Created, _ = moment(strconv.FormatInt(r.Created, 10))
	for _, f := range []struct {
		name     string
		to       *time.Time
		required bool
	}{
		{id + fieldExpires, &t.Expires, true},
		{rootExpires, &t.FamilyExpires, true},
		{rootRevoked, &t.FamilyRevoked, false},
		{id + fieldConsumed, &t.Consumed, false},
		{id + fieldUsed, &t.LastUsed, false},
	} {
		text, found := fields[f.name]
		if *f.to, ok = moment(text); !ok || found != (text != "") || f.required && !found {
			return stores.Token{}, corrupt(what, "a time")
		}
	}
	return t, nil
}
