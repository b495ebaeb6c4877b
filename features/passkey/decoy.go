package passkey

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/stores"
)

// decoys are passkeys that nobody has. Among them those of a user cannot be told, nor whether there is a user.
type decoys struct {
	key  []byte                 // a public key, of which nobody has the private one
	seed atomic.Pointer[[]byte] // of their ids, the same on all machines
}

// decoyOwner owns the seed in stores. It is no user: names of realms have no space.
const decoyOwner = "passkey decoys"

// decoyKind is the kind of the record of the seed.
const decoyKind = "passkey-decoys"

func newDecoyKey() ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	// COSE_Key of ES256 (RFC 9053, 7.1.1).
	key := []byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}
	key = append(append(key, point[1:33]...), 0x22, 0x58, 32)
	return append(key, point[33:]...), nil
}

// account returns the account of a user whom nobody knows, with a passkey that no answer is right for.
func (d *decoys) account(id, handle []byte) *account {
	if len(handle) == 0 {
		handle = make([]byte, handleSize)
	}
	return &account{user: &user{Handle: handle}, passkeys: []credential{{ID: id, Key: d.key}}}
}

// sizes are those of the ids of passkeys, in bytes, as common authenticators make them.
var sizes = []int{16, 16, 20, 32, 32, 48, 64}

// hide returns Max passkeys for an identifier: those of the account, and decoys.
func (f *Feature) hide(ctx context.Context, acc *account, canonical string) ([]descriptor, error) {
	seed, err := f.seed(ctx)
	if err != nil {
		return nil, err
	}
	list := acc.descriptors()
	for i := range list {
		list[i].Transports = nil // decoys would have to guess theirs
	}
	for n := byte(0); len(list) < Max; n++ {
		id := derive(seed, n, 0, canonical)
		id = append(id, derive(seed, n, 1, canonical)...)
		list = append(list, descriptor{Type: publicKey, ID: id[:sizes[int(derive(seed, n, 2, canonical)[0])%len(sizes)]]})
	}
	slices.SortFunc(list, func(a, b descriptor) int { return bytes.Compare(a.ID, b.ID) })
	return list, nil
}

func derive(seed []byte, n, part byte, canonical string) []byte {
	mac := hmac.New(sha256.New, seed)
	mac.Write([]byte{n, part})
	mac.Write([]byte(canonical))
	return mac.Sum(nil)
}

// seed returns the secret that decoys are made of. It is stored sealed, because the decoys of an identifier must stay the
// same: what changes is a decoy.
func (f *Feature) seed(ctx context.Context) ([]byte, error) {
	if known := f.decoys.seed.Load(); known != nil {
		return *known, nil
	}
	for range 3 {
		found, err := f.store.FactorsOf(ctx, decoyOwner, decoyKind)
		if err != nil {
			return nil, ginauth.Unavailable("find seed of decoys", err)
		}
		if len(found) > 0 {
			if seed := f.openSeed(found[0].Data); seed != nil {
				f.decoys.seed.Store(&seed)
				return seed, nil
			}
		}
		if err := f.makeSeed(ctx, len(found) > 0); err != nil {
			return nil, err
		}
	}
	return nil, ginauth.Unavailable("find seed of decoys", errors.New("the seed that was stored is not there"))
}

// sealedFor is how long the seed can be opened: as good as for ever.
const sealedFor = 100 * 365 * 24 * time.Hour

func (f *Feature) openSeed(data []byte) []byte {
	var sealed string
	if json.Unmarshal(data, &sealed) != nil {
		return nil
	}
	seed, _, ok := f.secrets.Open(f.now(), sealed, []byte(decoyKind))
	if !ok || len(seed) != sha256.Size {
		return nil
	}
	return seed
}

// makeSeed stores a seed, in place of one that no key of the application opens any more.
func (f *Feature) makeSeed(ctx context.Context, replace bool) error {
	seed := make([]byte, sha256.Size)
	_, _ = rand.Read(seed)
	sealed, err := f.secrets.Seal(f.now(), sealedFor, seed, []byte(decoyKind))
	if err != nil {
		return err
	}
	record, err := f.record(decoyOwner, decoyKind, only, sealed)
	if err != nil {
		return err
	}
	if replace {
		err = f.store.ReplaceFactors(ctx, decoyOwner, decoyKind, []stores.Factor{record})
	} else {
		err = f.store.CreateFactor(ctx, record)
	}
	if errors.Is(err, stores.ErrExists) {
		return nil // another machine was first
	}
	return ginauth.Unavailable("store seed of decoys", err)
}
