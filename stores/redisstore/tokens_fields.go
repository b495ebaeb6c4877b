package redisstore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Fields of the root in the hash of a family.
const (
	rootExpires = "expires"
	rootRevoked = "revoked"
)

// Suffixes of the fields of a token, after its id. The scripts also store the call that
// created the token (n) and the call that consumed it (k).
const (
	fieldRecord    = ":t"
	fieldExpires   = ":e"
	fieldConsumed  = ":c"
	fieldUsed      = ":u"
	fieldDelivered = ":d"
)

// record holds the fields of a token that never change.
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
		return refuse("id and family have to be 32 lower-case hexadecimal digits")
	case !validText(string(t.Kind), kindSize):
		return refuse(fmt.Sprintf("kind has to be valid text of at most %d bytes without NUL", kindSize))
	case !validText(t.Owner, ownerSize):
		return refuse(fmt.Sprintf("owner has to be valid text of at most %d bytes without NUL", ownerSize))
	case !validText(t.Name, nameSize):
		return refuse(fmt.Sprintf("name has to be valid text of at most %d bytes without NUL", nameSize))
	case len(t.Data) > dataSize:
		return refuse(fmt.Sprintf("data has %d bytes, at most %d are allowed", len(t.Data), dataSize))
	}
	text, err := json.Marshal(record{t.Digest[:], t.Kind, t.Owner, t.Name, t.Abilities, t.Data, micro(t.Created)})
	switch {
	case err != nil:
		return refuse(err.Error())
	case len(text) > recordSize:
		return refuse(fmt.Sprintf("record has %d bytes, at most %d are allowed", len(text), recordSize))
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
		{id + fieldDelivered, &t.Delivered, false},
	} {
		text, found := fields[f.name]
		if *f.to, ok = moment(text); !ok || found != (text != "") || f.required && !found {
			return stores.Token{}, corrupt(what, "a time")
		}
	}
	return t, nil
}
