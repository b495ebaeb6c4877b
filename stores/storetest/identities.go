package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ginauth/ginauth/stores"
)

// Identities tests an implementation of stores.Identities.
func Identities(t *testing.T, factory func(t *testing.T) stores.Identities) {
	run(t, func(t *testing.T) identities { return identities{t, factory(t)} }, identityRules)
}

// identities is a store under test. Its methods report errors to the test, so they may be called from
// any goroutine.
type identities struct {
	*testing.T
	store stores.Identities
}

// identity returns an identity with a new subject.
func identity(owner, provider string) stores.Identity {
	return stores.Identity{Owner: owner, Provider: provider, Subject: newID(), Data: randomBytes(64), Created: present()}
}

func (s identities) create(i stores.Identity) stores.Identity {
	s.Helper()
	if err := s.store.CreateIdentity(s.Context(), i); err != nil {
		s.Fatalf("CreateIdentity: %v", err)
	}
	return i
}

// refuses checks that CreateIdentity returns the error.
func (s identities) refuses(i stores.Identity, want error) {
	s.Helper()
	if err := s.store.CreateIdentity(s.Context(), i); !errors.Is(err, want) {
		s.Errorf("CreateIdentity: error %v, want %v", err, want)
	}
}

func (s identities) same(got, want stores.Identity) {
	s.Helper()
	if got.Owner != want.Owner || got.Provider != want.Provider || got.Subject != want.Subject ||
		!bytes.Equal(got.Data, want.Data) || !sameTime(got.Created, want.Created) || !sameTime(got.LastUsed, want.LastUsed) {
		s.Errorf("the identity is %+v, want %+v", got, want)
	}
}

// has checks that an owner has these identities, in this order, and that each is found by its name.
func (s identities) has(owner string, want ...stores.Identity) {
	s.Helper()
	got, err := s.store.IdentitiesOf(s.Context(), owner)
	if err != nil || len(got) != len(want) {
		s.Fatalf("%d identities (%v), want %d", len(got), err, len(want))
	}
	for n, i := range want {
		s.same(got[n], i)
		one, found, err := s.store.FindIdentity(s.Context(), i.Provider, i.Subject)
		if err != nil || !found {
			s.Errorf("FindIdentity: %v, %v", found, err)
		}
		s.same(one, i)
	}
}

func (s identities) missing(provider, subject string) {
	s.Helper()
	if i, found, err := s.store.FindIdentity(s.Context(), provider, subject); found || err != nil {
		s.Errorf("FindIdentity(%q, %.40q): %+v, %v, %v", provider, subject, i, found, err)
	}
}

func (s identities) delete(want bool, i stores.Identity, others ...string) {
	s.Helper()
	ok, err := s.store.DeleteIdentity(s.Context(), i.Owner, i.Provider, i.Subject, others...)
	if err != nil || ok != want {
		s.Errorf("DeleteIdentity: %v, %v, want %v", ok, err, want)
	}
}

const google, github = "google", "github"

var identityRules = []rule[identities]{
	{"create-round-trip", "FindIdentity and IdentitiesOf return every field as it was created, the oldest first.", func(s identities) {
		first, second := identity(owner1, google), identity(owner1, google)
		second.Created, second.LastUsed, second.Data = first.Created.Add(time.Second), first.Created, nil
		second.Subject = strings.Repeat("名", stores.MaxIdentitySubject/3)
		third := identity(owner1, github)
		third.Created, third.Data = first.Created.Add(time.Minute), randomBytes(stores.MaxIdentityData)
		s.create(third)
		s.create(second)
		s.create(first)
		s.has(owner1, first, second, third)
		s.missing(github, first.Subject)
		s.missing(google, newID())
	}},
	{"create-exists", "CreateIdentity of a name that exists returns ErrExists and changes nothing, whoever the owner is.", func(s identities) {
		i := s.create(identity(owner1, google))
		for _, owner := range []string{owner1, owner2} {
			again := i
			again.Owner, again.Data = owner, []byte("changed")
			s.refuses(again, stores.ErrExists)
		}
		s.has(owner1, i)
		s.has(owner2)
	}},
	{"create-refused", "CreateIdentity of an identity that Validate refuses is an error and stores nothing.", func(s identities) {
		for name, spoil := range map[string]func(*stores.Identity){
			"owner": func(i *stores.Identity) { i.Owner = "" }, "provider": func(i *stores.Identity) { i.Provider = "a:b" },
			"no provider": func(i *stores.Identity) { i.Provider = "" }, "no subject": func(i *stores.Identity) { i.Subject = "" },
			"subject":      func(i *stores.Identity) { i.Subject = "a\x00" },
			"long subject": func(i *stores.Identity) { i.Subject = strings.Repeat("a", stores.MaxIdentitySubject+1) },
			"data":         func(i *stores.Identity) { i.Data = make([]byte, stores.MaxIdentityData+1) },
		} {
			i := identity(owner1, google)
			spoil(&i)
			if err := s.store.CreateIdentity(s.Context(), i); err == nil {
				s.Errorf("%s is accepted", name)
			}
			s.missing(i.Provider, i.Subject)
		}
		s.has(owner1)
	}},
	{"names", "Providers, subjects and owners are compared byte by byte.", func(s identities) {
		i := identity(owner1, google)
		i.Subject = "alice"
		s.create(i)
		for _, other := range append(strangers("alice"), hostileNames(newID())...) {
			if other != "alice" {
				s.missing(google, other)
				s.missing(other, "alice")
			}
		}
		for _, subject := range []string{"ALICE", "alice ", "älice"} {
			another := identity(owner2, google)
			another.Subject = subject
			s.create(another)
		}
		for _, other := range append(strangers(owner1), "") {
			if got, _ := s.store.IdentitiesOf(s.Context(), other); len(got) != 0 {
				s.Errorf("%q has %d identities", other, len(got))
			}
			stolen := i
			stolen.Owner = other
			s.delete(false, stolen)
			if ok, _ := s.store.UseIdentity(s.Context(), present(), other, google, "alice", nil); ok {
				s.Errorf("%q used the identity", other)
			}
		}
		s.has(owner1, i)
	}},
	{"limit", "An owner has MaxIdentities at most, however many calls run in parallel; then CreateIdentity returns ErrFull.", func(s identities) {
		other := s.create(identity(owner2, google))
		var created, full atomic.Int32
		parallel(stores.MaxIdentities+20, func(int) {
			switch err := s.store.CreateIdentity(s.Context(), identity(owner1, google)); {
			case err == nil:
				created.Add(1)
			case errors.Is(err, stores.ErrFull):
				full.Add(1)
			default:
				s.Error(err)
			}
		})
		got, _ := s.store.IdentitiesOf(s.Context(), owner1)
		if created.Load() != stores.MaxIdentities || full.Load() != 20 || len(got) != stores.MaxIdentities {
			s.Errorf("%d created, %d refused, %d listed", created.Load(), full.Load(), len(got))
		}
		refused := identity(owner1, google)
		s.refuses(refused, stores.ErrFull)
		s.missing(google, refused.Subject)
		s.delete(true, got[0])
		s.create(refused)
		s.has(owner2, other)
	}},
	{"use", "UseIdentity sets LastUsed, and Data if it is given, of an identity that its owner has, and creates nothing.", func(s identities) {
		i := s.create(identity(owner1, google))
		use := func(want bool, subject string, data []byte) {
			if ok, err := s.store.UseIdentity(s.Context(), i.LastUsed, owner1, google, subject, data); ok != want || err != nil {
				s.Errorf("UseIdentity: %v, %v", ok, err)
			}
		}
		i.LastUsed = present()
		use(true, i.Subject, nil)
		s.has(owner1, i)
		use(true, i.Subject, nil) // although it changes nothing
		data := randomBytes(1000)
		i.LastUsed, i.Data = i.LastUsed.Add(time.Second), bytes.Clone(data)
		use(true, i.Subject, data)
		data[0]++
		s.has(owner1, i)
		use(false, newID(), data)
		s.has(owner1, i)
		if ok, err := s.store.UseIdentity(s.Context(), present(), owner1, google, i.Subject, make([]byte, stores.MaxIdentityData+1)); ok || err == nil {
			s.Error("data that are too large are accepted")
		}
		s.has(owner1, i)
	}},
	{"create-race", "Of 200 parallel CreateIdentity of one name, for as many owners, exactly one succeeds.", func(s identities) {
		for range rounds(4) {
			i := identity("", google)
			var winner atomic.Value
			won := wins(s.T, func(n int) (bool, error) {
				mine := i
				mine.Owner = fmt.Sprint("users:", n)
				err := s.store.CreateIdentity(s.Context(), mine)
				if err == nil {
					winner.Store(mine)
				}
				if errors.Is(err, stores.ErrExists) {
					return false, nil
				}
				return err == nil, err
			})
			if won != 1 {
				s.Fatalf("%d calls succeeded", won)
			}
			mine := winner.Load().(stores.Identity)
			s.has(mine.Owner, mine)
			s.delete(true, mine)
		}
	}},
	{"delete", "DeleteIdentity deletes one identity, which then can be created again by another owner.", func(s identities) {
		i, kept := s.create(identity(owner1, google)), identity(owner1, google)
		kept.Created = i.Created.Add(time.Second)
		s.create(kept)
		s.delete(true, i)
		s.delete(false, i)
		s.missing(google, i.Subject)
		s.has(owner1, kept)
		i.Owner = owner2
		s.create(i)
		s.has(owner2, i)
		s.delete(true, kept) // the last one
		s.has(owner1)
	}},
	{"delete-others", "DeleteIdentity with others deletes only if the owner has another identity of these providers.", func(s identities) {
		i, passkey := s.create(identity(owner1, google)), s.create(identity(owner1, "passkey"))
		s.create(identity(owner2, github))
		s.delete(false, i, google, github)
		s.delete(false, i, "passke", "passkey-2")
		other := s.create(identity(owner1, github))
		s.delete(true, i, google, github)
		s.delete(false, other, google, github)
		s.delete(true, passkey, github)
		s.has(owner1, other)
	}},
	{"delete-race", "Of 200 parallel DeleteIdentity of one identity exactly one returns true.", func(s identities) {
		i := s.create(identity(owner1, google))
		if n := wins(s.T, func(int) (bool, error) {
			return s.store.DeleteIdentity(s.Context(), i.Owner, i.Provider, i.Subject)
		}); n != 1 {
			s.Errorf("%d calls returned true", n)
		}
		s.has(owner1)
	}},
	{"delete-last-race", "Of parallel DeleteIdentity of all identities, each with others, one identity stays.", func(s identities) {
		for range rounds(4) {
			var all []stores.Identity
			for range 8 {
				all = append(all, s.create(identity(owner1, google)))
			}
			parallel(len(all), func(n int) {
				if _, err := s.store.DeleteIdentity(s.Context(), owner1, google, all[n].Subject, google, github); err != nil {
					s.Error(err)
				}
			})
			left, _ := s.store.IdentitiesOf(s.Context(), owner1)
			if len(left) != 1 {
				s.Fatalf("%d identities are left", len(left))
			}
			s.delete(true, left[0])
		}
	}},
	{"retains-nothing", "The caller may change the data of an identity afterwards.", func(s identities) {
		i := identity(owner1, google)
		want := i
		want.Data = bytes.Clone(i.Data)
		s.create(i)
		i.Data[0]++
		s.has(owner1, want)
	}},
	{"context", "A call whose context has ended returns its error and changes nothing.", func(s identities) {
		i := s.create(identity(owner1, google))
		refusesEnded(s.T, []call{
			{"FindIdentity", func(ctx context.Context) error { _, _, err := s.store.FindIdentity(ctx, google, i.Subject); return err }},
			{"IdentitiesOf", func(ctx context.Context) error { _, err := s.store.IdentitiesOf(ctx, owner1); return err }},
			{"CreateIdentity", func(ctx context.Context) error { return s.store.CreateIdentity(ctx, identity(owner1, google)) }},
			{"UseIdentity", func(ctx context.Context) error {
				_, err := s.store.UseIdentity(ctx, present(), owner1, google, i.Subject, []byte("changed"))
				return err
			}},
			{"DeleteIdentity", func(ctx context.Context) error {
				_, err := s.store.DeleteIdentity(ctx, owner1, google, i.Subject)
				return err
			}},
		})
		s.has(owner1, i)
	}},
}
