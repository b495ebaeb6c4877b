package models

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// User is a complete user, to use as it is or to embed:
//
//	type User struct {
//		models.User
//		Company string
//	}
//
// The password hash, the security stamp and the canonical address never appear
// in its JSON.
type User struct {
	ID   uint64 `gorm:"primaryKey" json:"id"`
	Name string `gorm:"size:255;not null" json:"name"`
	// Email is the address as the user wrote it, which is where mail goes.
	Email string `gorm:"size:254;not null" json:"email"`
	// EmailCanonical is the form that all spellings of Email share. It is what
	// users are looked up by, and unique. Providers fill it when they create a
	// user.
	EmailCanonical string `gorm:"size:254;not null;uniqueIndex" json:"-"`
	// Password is the encoded hash, or "" for a user without one.
	Password string `gorm:"size:255;not null" json:"-"`
	// EmailVerifiedAt is when Email was proved to be the user's; nil: not yet.
	EmailVerifiedAt *time.Time `json:"email_verified_at"`
	// DisabledAt is since when the user is refused everywhere; nil: never was.
	DisabledAt *time.Time `json:"-"`
	// SecurityStamp is random and changes when everything issued to the user
	// must end.
	SecurityStamp string    `gorm:"size:64;not null" json:"-"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

var (
	_ Authenticatable = (*User)(nil)
	_ EmailVerifiable = (*User)(nil)
	_ Disableable     = (*User)(nil)
	_ Stamped         = (*User)(nil)
	_ Registrable     = (*User)(nil)
	_ Named           = (*User)(nil)
)

// Format writes the identifier alone, whatever the verb: the hash and the stamp
// must not reach a log by way of a %v.
func (u User) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "User(%d)", u.ID) }

// LogValue returns the identifier alone.
func (u User) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("User(%d)", u.ID)) }

// AuthID returns the primary key in decimal, and "" for a user not yet stored.
func (u *User) AuthID() string {
	if u.ID == 0 {
		return ""
	}
	return strconv.FormatUint(u.ID, 10)
}

// AuthPassword returns the encoded password hash.
func (u *User) AuthPassword() string { return u.Password }

// AuthEmail returns the address as the user wrote it.
func (u *User) AuthEmail() string { return u.Email }

// AuthEmailVerified reports whether the address was verified.
func (u *User) AuthEmailVerified() bool { return u.EmailVerifiedAt != nil }

// AuthDisabled reports whether the user is disabled.
func (u *User) AuthDisabled() bool { return u.DisabledAt != nil }

// AuthStamp returns the security stamp.
func (u *User) AuthStamp() string { return u.SecurityStamp }

// AuthRegister sets the fields that a registration names.
func (u *User) AuthRegister(name, email, passwordHash string) {
	u.Name, u.Email, u.Password = name, email, passwordHash
}

// AuthName returns the name.
func (u *User) AuthName() string { return u.Name }
