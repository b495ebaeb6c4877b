package gormstore

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Sizes of columns, in bytes. SQLite, and MySQL with some settings, do not report that a
// text is too long.
const (
	ownerSize     = stores.MaxOwner
	nameSize      = 255
	kindSize      = 32
	addressSize   = 64
	userAgentSize = 255
	dataSize      = 4096
	abilitiesSize = 65535
)

// validOwner reports whether records can belong to owner. Records with the owner ""
// belong to nobody.
func validOwner(owner string) bool { return stores.ValidOwner(owner) }

// encodeSession returns the records of a new session.
func encodeSession(s stores.Session) (models.Session, []models.SessionOwner, error) {
	if !validName(s.Row) {
		return models.Session{}, nil, errors.New("gormstore: create session: the row has to be 32 lower-case hexadecimal digits")
	}
	if err := s.Validate(); err != nil {
		return models.Session{}, nil, fmt.Errorf("gormstore: create session: %w", err)
	}
	record := models.Session{
		Row:        s.Row,
		Digest:     s.Digest[:],
		Owner:      firstOf(s.Owners),
		Principals: []byte(s.Principals),
		Generation: int64(s.Generation),
		Payload:    s.Values.Encoded(),
		Version:    1,
		Address:    clip(s.Address, addressSize),
		UserAgent:  clip(s.UserAgent, userAgentSize),
		Created:    micro(s.Created),
		LastSeen:   micro(s.LastSeen),
		Renamed:    micro(s.Renamed),
		Expires:    micro(s.Expires),
	}
	if len(s.Owners) < 2 {
		return record, nil, nil
	}
	record.AllOwners = encodeOwners(s.Owners)
	return record, ownerRecords(s.Row, s.Owners), nil
}

func decodeSession(r *models.Session) (stores.Session, error) {
	digest, err := decodeDigest(r.Digest)
	if err != nil {
		return stores.Session{}, fmt.Errorf("gormstore: session %s: %w", r.Row, err)
	}
	values, err := stores.ParseValues(r.Payload)
	if err != nil {
		return stores.Session{}, fmt.Errorf("gormstore: session %s: %w", r.Row, err)
	}
	s := stores.Session{
		Row:        r.Row,
		Digest:     digest,
		Principals: string(r.Principals),
		Generation: uint32(r.Generation),
		Values:     values,
		Address:    r.Address,
		UserAgent:  r.UserAgent,
		Created:    moment(r.Created),
		LastSeen:   moment(r.LastSeen),
		Renamed:    moment(r.Renamed),
		Expires:    moment(r.Expires),
		Version:    r.Version,
	}
	if s.Owners, err = decodeOwners(r.Owner, r.AllOwners); err == nil {
		err = s.Validate()
	}
	if err == nil && r.Generation != int64(s.Generation) {
		err = fmt.Errorf("generation %d", r.Generation)
	}
	if err != nil {
		return stores.Session{}, fmt.Errorf("gormstore: session %s: %w: %w", r.Row, stores.ErrCorrupt, err)
	}
	return s, nil
}

// firstOf returns the first of the owners, or "".
func firstOf(owners []string) string {
	if len(owners) == 0 {
		return ""
	}
	return owners[0]
}

// encodeOwners returns the owners as the column AllOwners holds them.
func encodeOwners(owners []string) string {
	text, _ := json.Marshal(append([]string{}, owners...)) // never null, and strings never fail
	return string(text)
}

// decodeOwners returns the owners of a session from two of its columns.
func decodeOwners(owner, all string) (owners []string, err error) {
	switch {
	case all != "":
		err = json.Unmarshal([]byte(all), &owners)
	case owner != "":
		owners = []string{owner}
	}
	return owners, err
}

// ownerRecords returns the records that list a session under its owners.
func ownerRecords(row string, owners []string) []models.SessionOwner {
	records := make([]models.SessionOwner, len(owners))
	for i, owner := range owners {
		records[i] = models.SessionOwner{Row: row, Place: int64(i), Owner: owner}
	}
	return records
}

func decodeDigest(b []byte) (d stores.Digest, err error) {
	if len(b) != len(d) {
		return d, fmt.Errorf("%w: digest of %d bytes", stores.ErrCorrupt, len(b))
	}
	return stores.Digest(b), nil
}

// tokenRow is a token with columns of the root of its family.
type tokenRow struct {
	models.Token
	FamilyExpires int64 `gorm:"column:family_expires"`
	FamilyRevoked int64 `gorm:"column:family_revoked"`
}

func encodeToken(t stores.Token) (models.Token, error) {
	refuse := func(what string) (models.Token, error) {
		return models.Token{}, fmt.Errorf("gormstore: store token: %s", what)
	}
	abilities, err := json.Marshal(append([]string{}, t.Abilities...)) // never null
	switch {
	case err != nil:
		return refuse(err.Error())
	case !validName(t.ID) || !validName(t.Family):
		return refuse("id and family have to be 32 lower-case hexadecimal digits")
	case !storable(string(t.Kind), kindSize):
		return refuse(fmt.Sprintf("kind has to be valid text of at most %d bytes without NUL", kindSize))
	case !storable(t.Owner, ownerSize):
		return refuse(fmt.Sprintf("owner has to be valid text of at most %d bytes without NUL", ownerSize))
	case !storable(t.Name, nameSize):
		return refuse(fmt.Sprintf("name has to be valid text of at most %d bytes without NUL", nameSize))
	case len(t.Data) > dataSize:
		return refuse(fmt.Sprintf("data has %d bytes, at most %d are allowed", len(t.Data), dataSize))
	case len(abilities) > abilitiesSize:
		return refuse(fmt.Sprintf("abilities have %d bytes, at most %d are allowed", len(abilities), abilitiesSize))
	}
	return models.Token{
		ID:        t.ID,
		Family:    t.Family,
		Kind:      string(t.Kind),
		Owner:     t.Owner,
		Digest:    t.Digest[:],
		Name:      t.Name,
		Abilities: string(abilities),
		Data:      append([]byte{}, t.Data...), // never NULL
		Version:   1,
		Created:   micro(t.Created),
		Expires:   micro(t.Expires),
		Consumed:  micro(t.Consumed),
		LastUsed:  micro(t.LastUsed),
		Delivered: micro(t.Delivered),
	}, nil
}

func decodeToken(r *tokenRow) (stores.Token, error) {
	digest, err := decodeDigest(r.Digest)
	if err != nil {
		return stores.Token{}, fmt.Errorf("gormstore: token %s: %w", r.ID, err)
	}
	var abilities []string
	if err := json.Unmarshal([]byte(r.Abilities), &abilities); err != nil {
		return stores.Token{}, fmt.Errorf("gormstore: token %s: %w: abilities", r.ID, stores.ErrCorrupt)
	}
	if len(abilities) == 0 {
		abilities = nil
	}
	return stores.Token{
		ID:            r.ID,
		Family:        r.Family,
		Kind:          stores.Kind(r.Kind),
		Owner:         r.Owner,
		Digest:        digest,
		Name:          r.Name,
		Abilities:     abilities,
		Data:          r.Data,
		Created:       moment(r.Created),
		Expires:       moment(r.Expires),
		FamilyExpires: moment(r.FamilyExpires),
		Consumed:      moment(r.Consumed),
		LastUsed:      moment(r.LastUsed),
		Delivered:     moment(r.Delivered),
		FamilyRevoked: moment(r.FamilyRevoked),
	}, nil
}
