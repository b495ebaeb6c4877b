package passkey

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// userKind is the kind of the one record that a user with passkeys has beside them.
const userKind = "passkey-user"

// only is the id of that record.
var only = strings.Repeat("0", 32)

const (
	handleSize = 64 // bytes, the most that a user handle has
	birthSize  = 16 // bytes
	maxID      = 1023
	maxKey     = 768 // bytes; an RSA key of 4096 bits has about 530
)

// account is what is stored of a user.
type account struct {
	owner    string
	user     *user // nil if the user never had a passkey
	passkeys []credential
}

// user is the record of a user. Its version rises with every change, and a change is stored only if none came between.
type user struct {
	// ID is the user's identifier, and Birth tells the user from a later one with the same identifier.
	ID    string `json:"id"`
	Birth []byte `json:"birth,omitempty"`
	// Handle names the user in authenticators. It is random.
	Handle []byte `json:"handle"`
	// Changes are the registrations and removals that may not be complete.
	Changes []change `json:"changes,omitempty"`
	uses
	version int64
}

// change is a registration or a removal of a passkey that began at a time.
type change struct {
	ID      string `json:"id"`
	Removal bool   `json:"removal,omitempty"`
	At      int64  `json:"at"` // Unix seconds
}

// changeTime is how long a change may take. No store call takes so long.
const changeTime = time.Minute

// credential is the record of a passkey.
type credential struct {
	ID         []byte   `json:"id"`
	Key        []byte   `json:"key"`
	Name       string   `json:"name"`
	AAGUID     []byte   `json:"aaguid,omitempty"`
	SignCount  uint32   `json:"sign_count,omitempty"`
	Transports []string `json:"transports,omitempty"`
	Backup     bool     `json:"backup,omitempty"`    // can be backed up
	BackedUp   bool     `json:"backed_up,omitempty"` // is backed up
	uses
	record  string // the id of the record
	version int64
	created time.Time
	last    time.Time
}

// uses are the challenges that were answered lately. So each works once, without a record of its own.
type uses struct {
	// Used are entries of 16 bytes of a challenge and the time of its issue.
	Used []byte `json:"used,omitempty"`
	// Floor is the time of issue up to which challenges are not accepted: those of before have expired, or the list was
	// full. A machine whose clock is behind must not accept again what another one has forgotten.
	Floor int64 `json:"floor,omitempty"`
}

const (
	useSize = 16 + 8
	maxUses = 16
)

// take records the use of a challenge. It returns false if the challenge was used.
func (u *uses) take(c challenge, now time.Time) bool {
	issued := c.issued.UnixMicro()
	if issued <= u.Floor {
		return false
	}
	var kept []byte
	oldest, least := -1, int64(0)
	for entry := range eachUse(u.Used) {
		if bytes.Equal(entry[:16], c.value[:16]) {
			return false
		}
		at := int64(binary.BigEndian.Uint64(entry[16:]))
		if now.UnixMicro()-at > lifetime.Microseconds() {
			u.Floor = max(u.Floor, at)
			continue
		}
		if oldest < 0 || at < least {
			oldest, least = len(kept), at
		}
		kept = append(kept, entry...)
	}
	if len(kept) >= maxUses*useSize {
		u.Floor = max(u.Floor, least)
		kept = append(kept[:oldest], kept[oldest+useSize:]...)
		if issued <= least {
			return false
		}
	}
	u.Used = binary.BigEndian.AppendUint64(append(kept, c.value[:16]...), uint64(issued))
	return true
}

func eachUse(used []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for ; len(used) >= useSize; used = used[useSize:] {
			if !yield(used[:useSize:useSize]) {
				return
			}
		}
	}
}

// recordOf returns the id of the record of a credential.
func recordOf(credentialID []byte) string {
	sum := sha256.Sum256(append([]byte("ginauth passkey\x00"), credentialID...))
	return hex.EncodeToString(sum[:16])
}

// load reads what is stored of a user, in one call.
func (f *Feature) load(ctx context.Context, owner string) (*account, error) {
	found, err := f.store.FactorsOf(ctx, owner, Name, userKind)
	if err != nil {
		return nil, ginauth.Unavailable("find passkeys", err)
	}
	acc := &account{owner: owner}
	for _, record := range found {
		if record.Kind == userKind {
			acc.user = &user{version: record.Counter}
			err = errors.Join(err, json.Unmarshal(record.Data, acc.user))
			continue
		}
		c := credential{record: record.ID, version: record.Counter, created: record.Created, last: record.LastUsed}
		err = errors.Join(err, json.Unmarshal(record.Data, &c))
		acc.passkeys = append(acc.passkeys, c)
	}
	return acc, ginauth.Unavailable("read passkeys", err)
}

// loadOf is load for a user who is known. Passkeys of a former user with the same identifier count as none.
func (f *Feature) loadOf(ctx context.Context, owner string, u models.Authenticatable) (*account, error) {
	acc, err := f.load(ctx, owner)
	if err == nil && (acc.user == nil || !bytes.Equal(acc.user.Birth, birthOf(u))) {
		acc.user, acc.passkeys = nil, nil
	}
	return acc, err
}

// birthOf returns a digest of what a user's stamps have in common, and what those of a later user with the same
// identifier have not, or nil for users without stamps.
func birthOf(u models.Authenticatable) []byte {
	if _, ok := u.(models.Stamped); !ok {
		return nil
	}
	sum := sha256.Sum256([]byte("ginauth passkey user\x00" + models.Birth(u)))
	return sum[:birthSize]
}

// ensure returns the account of a user who registers a passkey, and makes the user's record.
func (f *Feature) ensure(ctx context.Context, owner string, u models.Authenticatable) (*account, error) {
	acc, err := f.loadOf(ctx, owner, u)
	if err != nil || acc.user != nil {
		return acc, err
	}
	made := &user{ID: u.AuthID(), Birth: birthOf(u), Handle: make([]byte, handleSize)}
	_, _ = rand.Read(made.Handle)
	record, err := f.record(owner, userKind, only, made)
	if err != nil {
		return nil, err
	}
	err = f.store.CreateFactor(ctx, record)
	if errors.Is(err, stores.ErrExists) {
		acc, err = f.loadOf(ctx, owner, u)
		if err != nil || acc.user != nil {
			return acc, err // a parallel request was first
		}
		// What there is belongs to a former user.
		if err = f.reset(ctx, owner); err != nil {
			return nil, err
		}
		err = f.store.ReplaceFactors(ctx, owner, userKind, []stores.Factor{record})
	}
	if err != nil {
		return nil, ginauth.Unavailable("store passkey user", err)
	}
	return f.loadOf(ctx, owner, u)
}

// record returns a new record. Its counter is a version.
func (f *Feature) record(owner, kind, id string, value any) (stores.Factor, error) {
	data, err := json.Marshal(value)
	now := f.now()
	return stores.Factor{
		Owner: owner, Kind: kind, ID: id, Data: data, Counter: now.UnixMicro(), Created: now, LastUsed: now,
	}, err
}

// maxTries is how many parallel changes of one record a change outlasts.
const maxTries = 64

var errBusy = fmt.Errorf("passkey: parallel changes did not stop: %w", ginauth.ErrConflict)

// update changes the record of a user in one atomic step. Change gets the account as it is stored, and is called again
// if another change came between.
func (f *Feature) update(ctx context.Context, owner string, u models.Authenticatable, change func(*account) error) error {
	for range maxTries {
		acc, err := f.loadOf(ctx, owner, u)
		if err != nil {
			return err
		}
		if acc.user == nil {
			return ginauth.ErrNotFound
		}
		if err := change(acc); err != nil {
			return err
		}
		ok, err := f.advance(ctx, owner, userKind, only, acc.user.version, f.now(), acc.user)
		if err != nil || ok {
			return err
		}
	}
	return errBusy
}

// updateKey is update for the record of a passkey of an account that was loaded. It returns ginauth.ErrNotFound if there is
// none.
func (f *Feature) updateKey(ctx context.Context, acc *account, record string, change func(*credential) error) error {
	for try := range maxTries {
		if try > 0 {
			var err error
			if acc, err = f.load(ctx, acc.owner); err != nil {
				return err
			}
		}
		c := acc.find(record)
		if c == nil {
			return ginauth.ErrNotFound
		}
		if err := change(c); err != nil {
			return err
		}
		ok, err := f.advance(ctx, acc.owner, Name, record, c.version, c.last, c)
		if err != nil || ok {
			return err
		}
	}
	return errBusy
}

// advance stores a value if the record still has the version.
func (f *Feature) advance(ctx context.Context, owner, kind, id string, version int64, last time.Time, value any) (bool, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return false, err
	}
	if len(data) > stores.MaxFactorData {
		return false, fmt.Errorf("passkey: the record of a passkey has %d bytes", len(data))
	}
	ok, err := f.store.AdvanceFactor(ctx, last, owner, kind, id, version+1, data)
	return ok, ginauth.Unavailable("change passkey", err)
}

// find returns the passkey of a record, or nil.
func (a *account) find(record string) *credential {
	for i := range a.passkeys {
		if a.passkeys[i].record == record {
			return &a.passkeys[i]
		}
	}
	return nil
}

// usable returns the ids of the records of all passkeys that stay, those whose registration may go on among them.
func (a *account) usable(now time.Time) map[string]bool {
	ids := make(map[string]bool)
	for _, c := range a.passkeys {
		ids[c.record] = true
	}
	for _, c := range a.user.Changes {
		if now.Sub(time.Unix(c.At, 0)) > changeTime {
			continue
		}
		if c.Removal {
			delete(ids, c.ID)
		} else {
			ids[c.ID] = true
		}
	}
	return ids
}

// maxChanges is how many changes of an account may go on. More of them have failed.
const maxChanges = 20

// begin records a change, and forgets those that are complete or took too long. It returns an error wrapping
// ginauth.ErrConflict if there are too many.
func (a *account) begin(now time.Time, record string, removal bool) error {
	var kept []change
	for _, c := range a.user.Changes {
		complete := c.Removal == (a.find(c.ID) == nil)
		if now.Sub(time.Unix(c.At, 0)) <= changeTime && c.ID != record && !complete {
			kept = append(kept, c)
		}
	}
	if len(kept) >= maxChanges {
		return errBusy
	}
	a.user.Changes = append(kept, change{ID: record, Removal: removal, At: now.Unix()})
	return nil
}

// verified returns the account as the verifier of ceremonies sees it.
func (a *account) verified() *known { return &known{a} }

// known implements webauthn.User.
type known struct{ *account }

func (k *known) WebAuthnID() []byte          { return k.user.Handle }
func (k *known) WebAuthnName() string        { return "" }
func (k *known) WebAuthnDisplayName() string { return "" }

func (k *known) WebAuthnCredentials() []webauthn.Credential {
	list := make([]webauthn.Credential, len(k.passkeys))
	for i, c := range k.passkeys {
		var flags protocol.AuthenticatorFlags
		if c.Backup {
			flags |= protocol.FlagBackupEligible
		}
		list[i] = webauthn.Credential{
			ID: c.ID, PublicKey: c.Key, Flags: webauthn.NewCredentialFlags(flags),
			Authenticator: webauthn.Authenticator{AAGUID: c.AAGUID, SignCount: c.SignCount},
		}
	}
	return list
}
