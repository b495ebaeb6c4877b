package models

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// User is a complete user model. Applications use it as it is, or embed it:
//
//	type User struct {
//		models.User
//		Company string
//	}
//
// JSON output never contains the password hash, the security stamp and the
// canonical email address.
type User struct {
	// ID is a string in JSON: it equals AuthID, and JavaScript rounds large numbers.
	ID   uint64 `gorm:"primaryKey" json:"id,string"`
	Name string `gorm:"size:255;not null" json:"name"`
	// Email is the email address as the user wrote it. Mail is sent to it.
	Email string `gorm:"size:254;not null" json:"email"`
	// EmailCanonical is the canonical form of Email, the same for all
	// spellings. It is unique, and users are looked up by it. Providers set it
	// when they create a user.
	EmailCanonical string `gorm:"size:254;not null;uniqueIndex" json:"-"`
	// Password is the encoded password hash, or "" if the user has no password.
	Password string `gorm:"size:255;not null" json:"-"`
	// EmailVerifiedAt is the time at which the user proved control of Email, or
	// nil.
	EmailVerifiedAt *time.Time `json:"email_verified_at"`
	// DisabledAt is the time at which the user was disabled, or nil. A disabled
	// user is refused everywhere.
	DisabledAt *time.Time `json:"-"`
	// SecurityStamp is a random string. It changes when everything issued to
	// the user must end.
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

// Format writes only the identifier, for every verb. The password hash and the
// security stamp must not reach a log through %v.
func (u User) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "User(%d)", u.ID) }

// LogValue returns only the identifier.
func (u User) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf("User(%d)", u.ID)) }

// AuthID returns the primary key in decimal, or "" if the user is not stored
// yet.
func (u *User) AuthID() string {
	if u.ID == 0 {
		return ""
	}
	return strconv.FormatUint(u.ID, 10)
}

// AuthPassword returns the encoded password hash.
func (u *User) AuthPassword() string { return u.Password }

// AuthEmail returns the email address as the user wrote it.
func (u *User) AuthEmail() string { return u.Email }

// AuthEmailVerified reports whether the email address is verified.
func (u *User) AuthEmailVerified() bool { return u.EmailVerifiedAt != nil }

// AuthDisabled reports whether the user is disabled.
func (u *User) AuthDisabled() bool { return u.DisabledAt != nil }

// AuthStamp returns the security stamp.
func (u *User) AuthStamp() string { return u.SecurityStamp }

// AuthRegister sets the name, the email address and the password hash.
func (u *User) AuthRegister(name, email, passwordHash string) {
	u.Name, u.Email, u.Password = name, email, passwordHash
}

// AuthName returns the name.
func (u *User) AuthName() string { return u.Name }
