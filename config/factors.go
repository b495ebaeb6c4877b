package config

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/models"
)

// Factors says who must have a second factor.
type Factors struct {
	// Required reports whether a user must have a second factor. It is asked at each login of a user who has none. Such a
	// login can enrol a factor, confirm the password and log out, and nothing else: the response is 403 with the code
	// factor_required, or browsers are redirected to Pages.EnrolFactor. It is asked within Config.StoreTimeout, may be
	// called by several goroutines, and returns true if it cannot tell. It requires a feature with a second factor, such
	// as features/totp. Default: nobody must.
	Required func(ctx context.Context, u models.Authenticatable) bool
	// GraceUntil returns until when a user who must have a second factor may log in without one, such as two weeks after
	// the account was made, or the day from which the rule holds. A login that was made before stays complete. Default: no
	// grace.
	GraceUntil func(ctx context.Context, u models.Authenticatable) time.Time
	// TrustLifetime is how long a device that the user trusts skips the second factor. Negative: no device does. Default
	// 30 days.
	TrustLifetime time.Duration
}
