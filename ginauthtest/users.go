package ginauthtest

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/ginauth/ginauth/internal/canon"
	"github.com/ginauth/ginauth/models"
)

// Users is a user provider that keeps users of type models.User in memory. It
// has all capabilities of a provider: users can register and change their
// passwords, addresses and stamps. Users are looked up by the field "email".
// All methods return copies of the users. Users is safe for concurrent use. Its
// zero value is empty and ready to use.
type Users struct {
	mu   sync.Mutex
	byID map[string]models.User
	last uint64
}

var (
	_ models.UserProvider         = (*Users)(nil)
	_ models.Registrar            = (*Users)(nil)
	_ models.AddresslessRegistrar = (*Users)(nil)
	_ models.Prototype            = (*Users)(nil)
	_ models.PasswordUpdater      = (*Users)(nil)
	_ models.PasswordChanger      = (*Users)(nil)
	_ models.StampChanger         = (*Users)(nil)
	_ models.EmailVerifier        = (*Users)(nil)
	_ models.EmailChanger         = (*Users)(nil)
)

// Get returns the user with an identifier, or nil if there is none.
func (s *Users) Get(id string) *models.User {
	u, _ := s.change(id, func(*models.User) bool { return true })
	return u
}

// Update calls f to change a user, for example to disable it. It returns the
// stored user, or nil if there is none. Unlike ChangePassword, it does not
// change the security stamp.
func (s *Users) Update(id string, f func(*models.User)) *models.User {
	u, _ := s.change(id, func(u *models.User) bool { f(u); return true })
	return u
}

// Delete removes a user. It does nothing if the user does not exist.
func (s *Users) Delete(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
}

// change calls f with a copy of a user and stores the copy if f returns true.
// It then returns the stored user, otherwise nil.
func (s *Users) change(id string, f func(*models.User) bool) (*models.User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.byID[id]
	if !ok || !f(&u) {
		return nil, false
	}
	s.byID[id] = u
	return &u, true
}

// found returns u as an Authenticatable, and a nil interface if u is nil.
func found(ctx context.Context, u *models.User) (models.Authenticatable, error) {
	if err := ctx.Err(); err != nil || u == nil {
		return nil, err
	}
	return u, nil
}

// UserByID returns the user with an identifier, or nil.
func (s *Users) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	return found(ctx, s.Get(id))
}

// UserByIdentifier returns the user whose email address has the canonical form,
// or nil.
func (s *Users) UserByIdentifier(ctx context.Context, field, canonical string) (models.Authenticatable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if field != "email" {
		return nil, models.ErrUnknownField
	}
	return found(ctx, s.byEmail(canonical))
}

// byEmail returns the user with a canonical address, or nil. The caller holds
// mu.
func (s *Users) byEmail(canonical string) *models.User {
	for _, u := range s.byID {
		if u.EmailCanonical == canonical {
			return &u
		}
	}
	return nil
}

// CanonicalIdentifier returns the canonical form of an email address, which all
// its spellings share. The field must be "email".
func (s *Users) CanonicalIdentifier(field, value string) (string, error) {
	if field != "email" {
		return "", models.ErrUnknownField
	}
	canonical, err := canon.Identifier(value)
	if err != nil {
		return "", fmt.Errorf("%w: %w", models.ErrBadIdentifier, err)
	}
	return canonical, nil
}

// PrototypeUser returns an empty *models.User.
func (s *Users) PrototypeUser() models.Authenticatable { return new(models.User) }

// CreateUser stores a *models.User and sets its identifier, its canonical
// address and, if it has none, its security stamp. The error wraps
// models.ErrTaken or models.ErrBadIdentifier.
func (s *Users) CreateUser(ctx context.Context, u models.Authenticatable) error {
	user, ok := u.(*models.User)
	if !ok || user == nil {
		return fmt.Errorf("ginauthtest: create user: got %T, want *models.User", u)
	}
	canonical, err := s.CanonicalIdentifier("email", user.Email)
	if err != nil {
		return err
	}
	return s.create(ctx, user, canonical)
}

// CreateAddresslessUser is CreateUser for a user without an email address.
func (s *Users) CreateAddresslessUser(ctx context.Context, u models.Authenticatable) error {
	user, ok := u.(*models.User)
	if !ok || user == nil || user.Email != "" {
		return fmt.Errorf("ginauthtest: create user: got %T, want *models.User without an address", u)
	}
	return s.create(ctx, user, "none:"+rand.Text())
}

func (s *Users) create(ctx context.Context, user *models.User, canonical string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byEmail(canonical) != nil {
		return fmt.Errorf("ginauthtest: create user: %w", models.ErrTaken)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.last++
	user.ID, user.EmailCanonical = s.last, canonical
	user.SecurityStamp = cmp.Or(user.SecurityStamp, rand.Text())
	if s.byID == nil {
		s.byID = make(map[string]models.User)
	}
	s.byID[strconv.FormatUint(user.ID, 10)] = *user
	return nil
}

// RehashPassword replaces the password hash if it still is oldHash.
func (s *Users) RehashPassword(ctx context.Context, id, oldHash, newHash string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	_, changed := s.change(id, func(u *models.User) bool {
		same := subtle.ConstantTimeCompare([]byte(u.Password), []byte(oldHash)) == 1
		u.Password = newHash
		return same
	})
	return changed, nil
}

// ChangePassword stores a password hash and a security stamp, if the stamp
// still is oldStamp.
func (s *Users) ChangePassword(ctx context.Context, id, oldStamp, newHash, newStamp string) (models.Authenticatable, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u, _ := s.change(id, func(u *models.User) bool {
		same := hasStamp(u, oldStamp)
		u.Password, u.SecurityStamp = newHash, newStamp
		return same
	})
	return found(ctx, u)
}

// ChangeStamp stores a security stamp, if the stamp still is oldStamp.
func (s *Users) ChangeStamp(ctx context.Context, id, oldStamp, newStamp string) (models.Authenticatable, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	u, _ := s.change(id, func(u *models.User) bool {
		same := hasStamp(u, oldStamp)
		u.SecurityStamp = newStamp
		return same
	})
	return found(ctx, u)
}

func hasStamp(u *models.User, stamp string) bool {
	return subtle.ConstantTimeCompare([]byte(u.SecurityStamp), []byte(stamp)) == 1
}

// VerifyEmail records that an address is verified, if it is the user's address
// and not verified yet.
func (s *Users) VerifyEmail(ctx context.Context, id, email string, at time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	_, changed := s.change(id, func(u *models.User) bool {
		first := u.Email == email && u.EmailVerifiedAt == nil
		u.EmailVerifiedAt = &at
		return first
	})
	return changed, nil
}

// ChangeEmail stores a verified address and a security stamp, if the stamp
// still is oldStamp. The error wraps models.ErrTaken if another user has the
// address.
func (s *Users) ChangeEmail(
	ctx context.Context, id, oldStamp, email, newStamp string, at time.Time,
) (models.Authenticatable, error) {
	canonical, err := s.CanonicalIdentifier("email", email)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	taken := false
	u, _ := s.change(id, func(u *models.User) bool {
		owner := s.byEmail(canonical)
		taken = owner != nil && owner.ID != u.ID
		same := hasStamp(u, oldStamp)
		u.Email, u.EmailCanonical, u.EmailVerifiedAt, u.SecurityStamp = email, canonical, &at, newStamp
		return same && !taken
	})
	if taken {
		return nil, fmt.Errorf("ginauthtest: change email: %w", models.ErrTaken)
	}
	return found(ctx, u)
}
