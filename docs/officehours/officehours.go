// Package officehours is the example of docs/contributing-a-feature.md: users log in during office hours only.
package officehours

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
)

// ErrClosed refuses a login outside office hours. Abort responds with 403.
var ErrClosed = fmt.Errorf("officehours: the office is closed: %w", ginauth.ErrForbidden)

// Refused is dispatched when a login is refused.
type Refused struct{ events.Meta }

// EventName returns "office_hours_refused".
func (Refused) EventName() string { return "office_hours_refused" }

// Hours are the office hours of one weekday, in UTC. A weekday without Hours is closed.
type Hours struct {
	Weekday time.Weekday `gorm:"primaryKey;autoIncrement:false" json:"weekday"` // 0 is Sunday
	Opens   int          `json:"opens"`                                         // minutes after midnight
	Closes  int          `json:"closes"`                                        // minutes after midnight
}

// Feature lets users log in during office hours only. It belongs to one Manager.
type Feature struct {
	db   *gorm.DB
	auth *ginauth.Manager
	now  func() time.Time
	ends ginauth.SessionSlot
}

// New returns the feature, for ginauth.Config.Features. The database has the table of Hours.
func New(db *gorm.DB) *Feature { return &Feature{db: db} }

// Name returns "office-hours".
func (*Feature) Name() string { return "office-hours" }

// Setup registers the hooks.
func (f *Feature) Setup(s *ginauth.Setup) error {
	if f.db == nil {
		return errors.New("New was given no database")
	}
	f.auth, f.now, f.ends = s.Manager(), s.Clock(), s.SessionSlot("ends")
	s.BeforeLogin(f.check)
	s.AfterLogin(f.setEnd)
	s.Preflight(f.preflight)
	return nil
}

// today returns whether the office is open now, and when it closes.
func (f *Feature) today(ctx context.Context) (open bool, closes time.Time, err error) {
	now, h := f.now().UTC(), Hours{}
	err = f.db.WithContext(ctx).Where("weekday = ?", now.Weekday()).Limit(1).Find(&h).Error
	closes = now.Truncate(24 * time.Hour).Add(time.Duration(h.Closes) * time.Minute)
	open = now.Hour()*60+now.Minute() >= h.Opens && now.Before(closes)
	return open, closes, ginauth.Unavailable("load office hours", err)
}

// check refuses a login while the office is closed, also one by a remember-me cookie.
func (f *Feature) check(ctx context.Context, a *ginauth.Authenticator, r *ginauth.LoginRequest) error {
	open, _, err := f.today(ctx)
	if err == nil && !open {
		f.auth.Dispatch(ctx, Refused{a.EventMeta(r.User.AuthID())})
		err = ErrClosed
	}
	return err
}

// setEnd stores in the session when it must end. If that fails, the session counts as ended.
func (f *Feature) setEnd(ctx context.Context, a *ginauth.Authenticator, res *ginauth.LoginResult) {
	if _, closes, err := f.today(ctx); err == nil && res.Tokens == nil {
		_ = f.ends.Put(a.Session(), []byte(closes.Format(time.RFC3339)))
	}
}

// EndAtClosing is a middleware that ends sessions at closing time. Put it after Auth.
func (f *Feature) EndAtClosing(c *gin.Context) {
	a := ginauth.From(c)
	ends, err := time.Parse(time.RFC3339, string(f.ends.Get(a.Session())))
	if err != nil || !f.now().Before(ends) {
		ginauth.Abort(c, errors.Join(ginauth.ErrSessionEnded, a.Logout(c.Request.Context())))
	}
}

// Mount adds PUT /office-hours, which sets the Hours of a weekday. It requires the ability "set-office-hours".
func (f *Feature) Mount(r gin.IRouter) {
	r.PUT("/office-hours", f.auth.StartSession(), f.auth.Auth(), f.auth.Authorize("set-office-hours"), f.put)
}

func (f *Feature) put(c *gin.Context) {
	h, db := Hours{}, f.db.WithContext(c.Request.Context()).Clauses(clause.OnConflict{UpdateAll: true})
	if err := ginauth.DecodeJSON(c, &h); err != nil {
		ginauth.Abort(c, err)
	} else if h.Weekday < 0 || h.Weekday > 6 || h.Opens < 0 || h.Opens > h.Closes || h.Closes > 24*60 {
		ginauth.Abort(c, &ginauth.InputError{Field: "body", Reason: "is not a weekday from 0 to 6 with its hours in minutes"})
	} else if err := db.Create(&h).Error; err != nil {
		ginauth.Abort(c, ginauth.Unavailable("store office hours", err))
	} else {
		c.Status(204)
	}
}

func (f *Feature) preflight(ctx context.Context) (found []ginauth.Finding) {
	if _, _, err := f.today(ctx); err != nil {
		found = append(found, ginauth.Finding{Subject: "office hours", Problem: err.Error()})
	}
	return found
}
