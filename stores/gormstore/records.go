package gormstore

import (
	"encoding/json"
	"fmt"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Sizes of columns, in bytes. SQLite and some settings of MySQL would not say
// that a text is too long.
const (
	ownerSize     = 255
	nameSize      = 255
	kindSize      = 32
	addressSize   = 64
	userAgentSize = 255
	dataSize      = 4096
	abilitiesSize = 65535
)

// validOwner reports whether records can belong to owner. Those of "" belong to
// nobody.
func validOwner(owner string) bool { return owner != "" && storable(owner, ownerSize) }

func encodeSession(s stores.Session) (models.Session, error) {
	switch {
	case !validName(s.Row):
		return models.Session{}, fmt.Errorf("gormstore: create session: row is not named by 32 lower-case hexadecimal digits")
	case !storable(s.Owner, ownerSize):
		return models.Session{}, fmt.Errorf("gormstore: create session: owner is not text of at most %d bytes", ownerSize)
	case s.Values.Size() > stores.MaxValues:
		return models.Session{}, fmt.Errorf("gormstore: create session: %d bytes of values, at most %d are allowed",
			s.Values.Size(), stores.MaxValues)
	}
	return models.Session{
		Row:       s.Row,
		Digest:    s.Digest[:],
		Owner:     s.Owner,
		Payload:   s.Values.Encoded(),
		Version:   1,
		Address:   clip(s.Address, addressSize),
		UserAgent: clip(s.UserAgent, userAgentSize),
		Created:   micro(s.Created),
		LastSeen:  micro(s.LastSeen),
		Renamed:   micro(s.Renamed),
		Expires:   micro(s.Expires),
	}, nil
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
	return stores.Session{
		Row:       r.Row,
		Digest:    digest,
		Owner:     r.Owner,
		Values:    values,
		Address:   r.Address,
		UserAgent: r.UserAgent,
		Created:   moment(r.Created),
		LastSeen:  moment(r.LastSeen),
		Renamed:   moment(r.Renamed),
		Expires:   moment(r.Expires),
	}, nil
}

func decodeDigest(b []byte) (d stores.Digest, err error) {
	if len(b) != len(d) {
		return d, fmt.Errorf("%w: digest of %d bytes", stores.ErrCorrupt, len(b))
	}
	return stores.Digest(b), nil
}

// tokenRow is a token together with what its family decides.
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
		return refuse("token or family is not named by 32 lower-case hexadecimal digits")
	case !storable(string(t.Kind), kindSize):
		return refuse(fmt.Sprintf("kind is not text of at most %d bytes", kindSize))
	case !storable(t.Owner, ownerSize):
		return refuse(fmt.Sprintf("owner is not text of at most %d bytes", ownerSize))
	case !storable(t.Name, nameSize):
		return refuse(fmt.Sprintf("name is not text of at most %d bytes", nameSize))
	case len(t.Data) > dataSize:
		return refuse(fmt.Sprintf("%d bytes of data, at most %d are allowed", len(t.Data), dataSize))
	case len(abilities) > abilitiesSize:
		return refuse(fmt.Sprintf("%d bytes of abilities, at most %d are allowed", len(abilities), abilitiesSize))
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
		FamilyRevoked: moment(r.FamilyRevoked),
	}, nil
}
