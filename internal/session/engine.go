// Package session holds the engine of sessions: it loads a session when it is first
// used, keeps changes in memory, and stores them as a delta when the response
// begins. It knows neither Gin nor guards; who is logged in is a Login under a
// guard's name.
package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/keys"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/stores"
)

// Config configures an Engine. The root package documents the fields.
type Config struct {
	IdleTimeout     time.Duration
	AbsoluteTimeout time.Duration
	TouchInterval   time.Duration
	MaxPerUser      int // sessions that a user may have, or 0 for any number
	// Cookie is the name of the session cookie.
	Cookie string
	// Realms maps the name of each guard that keeps logins in sessions to the realm of its users.
	Realms map[string]string
	// WithUser loads a session with its user of realm.Default, or is nil.
	WithUser stores.LoadWithUser
	// FormKeys derive the tokens in forms, and Sealer seals sessions that live in
	// cookies.
	FormKeys keys.Subkeys
	Sealer   stores.Sealer
	// Flash seals what a request without a session flashed.
	Flash stores.Sealer
}

// Engine makes and stores sessions. It is safe for concurrent use.
type Engine struct {
	env      *request.Env
	cfg      Config
	backend  backend
	index    stores.SessionIndex // nil if the store has none
	inCookie bool
	sessions stores.Sessions
	writer   stores.SessionWriter // nil if the store cannot write a session unread
	// flashCookie is the name of the cookie of carriedFlash.
	flashCookie string
}

// New returns an Engine that keeps sessions in the set's Sessions or
// ClientSessions.
func New(env *request.Env, set stores.Set, cfg Config) *Engine {
	e := &Engine{
		env: env, cfg: cfg,
		inCookie: set.ClientSessions != nil, sessions: set.Sessions,
		flashCookie: cfg.Cookie + "_" + carriedFlash,
	}
	e.index, _ = set.Sessions.(stores.SessionIndex)
	e.writer, _ = set.Sessions.(stores.SessionWriter)
	if !e.inCookie {
		e.backend = e.storeBackend()
		return e
	}
	e.backend = &cookieBackend{
		codec: set.ClientSessions, tokens: set.Tokens, sealer: cfg.Sealer,
		name: cfg.Cookie, idle: cfg.IdleTimeout, absolute: cfg.AbsoluteTimeout,
	}
	return e
}

// Open loads into s a session outside a request, by its cookie's value or by the
// public name that ID returned.
func (e *Engine) Open(ctx context.Context, s *Session, id string) error {
	s.e, s.state = e, &state{ctx: ctx}
	err := s.open(id)
	if err == nil && !s.exists {
		err = fmt.Errorf("%w: no such session", autherr.ErrSessionEnded)
	}
	return err
}

// Expired reports whether a row is past one of its timeouts. It is decided here and
// not in the store, so that all stores agree and none depends on being pruned.
func (e *Engine) Expired(row *stores.Session) bool {
	return e.expired(row, beganOf(row), e.env.Now())
}

func (e *Engine) expired(row *stores.Session, began, now time.Time) bool {
	return now.Sub(row.LastSeen) >= e.cfg.IdleTimeout || now.Sub(began) >= e.cfg.AbsoluteTimeout
}

// formToken derives the token that forms carry from a session's digest.
func (e *Engine) formToken(d stores.Digest) string {
	mac := e.cfg.FormKeys.MAC(d[:])
	return base64.RawURLEncoding.EncodeToString(mac[:])
}

func (e *Engine) validFormToken(token string, d stores.Digest) bool {
	if len(token) != base64.RawURLEncoding.EncodedLen(len(d)) {
		return false
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return false
	}
	_, ok := e.cfg.FormKeys.Verify(mac, d[:])
	return ok
}

// open loads a session by its cookie's value or by its public name.
func (s *Session) open(id string) error {
	row, publicHalf, ok := strings.Cut(id, ".")
	if !ok || len(row) != 2*rowBytes || len(publicHalf) != publicDigest {
		return s.loadCookie(s.context(), id)
	}
	s.loaded = true
	ctx, span := s.span(s.context())
	defer span.End()
	found, ok, err := s.e.backend.find(ctx, row)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return err
	case err != nil:
		return autherr.Unavailable("load session", err)
	}
	if ok && found.Digest.String()[:publicDigest] == publicHalf {
		s.adopt(&found, s.clock())
	}
	return s.fault
}
