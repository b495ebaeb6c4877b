package routes_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// memoryUsers is a user provider with all capabilities.
type memoryUsers struct {
	mu   sync.Mutex
	byID map[string]models.User
}

func newMemoryUsers() *memoryUsers { return &memoryUsers{byID: make(map[string]models.User)} }

func (p *memoryUsers) PrototypeUser() models.Authenticatable { return &models.User{} }

func (p *memoryUsers) CanonicalIdentifier(field, value string) (string, error) {
	if field != "email" {
		return "", models.ErrUnknownField
	}
	return ginauth.CanonicalIdentifier(value)
}

func (p *memoryUsers) UserByID(_ context.Context, id string) (models.Authenticatable, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.find(func(u *models.User) bool { return u.AuthID() == id }), nil
}

func (p *memoryUsers) UserByIdentifier(_ context.Context, _, canonical string) (models.Authenticatable, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.find(func(u *models.User) bool { return u.EmailCanonical == canonical }), nil
}

func (p *memoryUsers) find(is func(*models.User) bool) models.Authenticatable {
	for _, u := range p.byID {
		if is(&u) {
			return &u
		}
	}
	return nil
}

func (p *memoryUsers) CreateUser(_ context.Context, user models.Authenticatable) error {
	u := user.(*models.User)
	canonical, err := ginauth.CanonicalIdentifier(u.Email)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.find(func(other *models.User) bool { return other.EmailCanonical == canonical }) != nil {
		return fmt.Errorf("%w: %s", models.ErrTaken, canonical)
	}
	u.ID, u.EmailCanonical = uint64(len(p.byID)+1), canonical
	u.SecurityStamp = "CANARY-stamp-" + u.AuthID()
	p.byID[u.AuthID()] = *u
	return nil
}

// update changes a user if a condition holds, and returns the stored user.
func (p *memoryUsers) update(id string, change func(*models.User) bool) models.Authenticatable {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.byID[id]
	if !ok || !change(&u) {
		return nil
	}
	p.byID[id] = u
	return &u
}

func (p *memoryUsers) RehashPassword(_ context.Context, id, oldHash, newHash string) (bool, error) {
	return p.update(id, func(u *models.User) bool {
		same := u.Password == oldHash
		u.Password = newHash
		return same
	}) != nil, nil
}

func (p *memoryUsers) ChangePassword(_ context.Context, id, oldStamp, newHash, newStamp string) (models.Authenticatable, error) {
	return p.update(id, func(u *models.User) bool {
		same := u.SecurityStamp == oldStamp
		u.Password, u.SecurityStamp = newHash, newStamp
		return same
	}), nil
}

func (p *memoryUsers) ChangeStamp(_ context.Context, id, oldStamp, newStamp string) (models.Authenticatable, error) {
	return p.update(id, func(u *models.User) bool {
		same := u.SecurityStamp == oldStamp
		u.SecurityStamp = newStamp
		return same
	}), nil
}

func (p *memoryUsers) VerifyEmail(_ context.Context, id, email string, at time.Time) (bool, error) {
	return p.update(id, func(u *models.User) bool {
		ok := u.Email == email && u.EmailVerifiedAt == nil
		u.EmailVerifiedAt = &at
		return ok
	}) != nil, nil
}

func (p *memoryUsers) ChangeEmail(_ context.Context, id, oldStamp, email, newStamp string, at time.Time) (models.Authenticatable, error) {
	canonical, err := ginauth.CanonicalIdentifier(email)
	if err != nil {
		return nil, err
	}
	taken := false
	u := p.update(id, func(u *models.User) bool {
		other := p.find(func(other *models.User) bool { return other.EmailCanonical == canonical && other.ID != u.ID })
		if taken = other != nil; taken || u.SecurityStamp != oldStamp {
			return false
		}
		u.Email, u.EmailCanonical, u.SecurityStamp, u.EmailVerifiedAt = email, canonical, newStamp, &at
		return true
	})
	if taken {
		return nil, models.ErrTaken
	}
	return u, nil
}

func (p *memoryUsers) change(id string, f func(*models.User)) {
	p.update(id, func(u *models.User) bool { f(u); return true })
}

func (p *memoryUsers) remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.byID, id)
}

func (p *memoryUsers) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byID)
}

var _ interface {
	models.UserProvider
	models.Registrar
	models.Prototype
	models.PasswordUpdater
	models.PasswordChanger
	models.StampChanger
	models.EmailVerifier
	models.EmailChanger
} = (*memoryUsers)(nil)
