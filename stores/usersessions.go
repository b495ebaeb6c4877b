package stores

import (
	"context"

	"github.com/ginauth/ginauth/models"
)

// UserSessions is implemented by a Sessions that can load a session together with its user in
// one round trip, because both are in one database.
type UserSessions interface {
	// WithUsers returns a function that loads sessions as Load does, and the user of the
	// session's only owner as the provider does. An owner who is a user of the provider is
	// named by prefix and the user's identifier. The user is nil if the session has no owner
	// or several, or if the user was not found: the caller then asks the provider.
	//
	// It returns nil if the provider keeps its users elsewhere, or finds them in a way that
	// one query cannot reproduce.
	WithUsers(users models.UserProvider, prefix string) LoadWithUser
}

// LoadWithUser loads a session and its user.
type LoadWithUser func(ctx context.Context, row string) (s Session, u models.Authenticatable, found bool, err error)
