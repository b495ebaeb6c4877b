package testapp

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

type faultySessions struct {
	stores.Sessions
	f *Faults
}

func (s faultySessions) Load(ctx context.Context, row string) (stores.Session, bool, error) {
	if err := s.f.meet(ctx, LoadSession); err != nil {
		return stores.Session{}, false, err
	}
	return s.Sessions.Load(ctx, row)
}

func (s faultySessions) Create(ctx context.Context, row stores.Session) error {
	if err := s.f.meet(ctx, CreateSession); err != nil {
		return err
	}
	return s.Sessions.Create(ctx, row)
}

func (s faultySessions) Update(ctx context.Context, row string, d stores.Delta) (stores.Outcome, error) {
	if err := s.f.meet(ctx, UpdateSession); err != nil {
		return stores.Gone, err
	}
	return s.Sessions.Update(ctx, row, d)
}

func (s faultySessions) Delete(ctx context.Context, row string) (bool, error) {
	if err := s.f.meet(ctx, DeleteSession); err != nil {
		return false, err
	}
	return s.Sessions.Delete(ctx, row)
}

func (s faultySessions) DeleteSeen(ctx context.Context, seen stores.Session) (bool, error) {
	if err := s.f.meet(ctx, DeleteSession); err != nil {
		return false, err
	}
	return stores.DeleteSeen(ctx, s.Sessions, seen)
}

// faultyIndex is a store of sessions that knows whose they are.
type faultyIndex struct {
	faultySessions
	index stores.SessionLimit
}

func (s faultyIndex) CreateLimited(ctx context.Context, row stores.Session, limit int) ([]stores.EndedSession, error) {
	if err := s.f.meet(ctx, CreateSession); err != nil {
		return nil, err
	}
	return s.index.CreateLimited(ctx, row, limit)
}

func (s faultyIndex) UpdateLimited(
	ctx context.Context, row string, d stores.Delta, limit int,
) (stores.Outcome, []stores.EndedSession, error) {
	if err := s.f.meet(ctx, UpdateSession); err != nil {
		return stores.Gone, nil, err
	}
	return s.index.UpdateLimited(ctx, row, d, limit)
}

func (s faultyIndex) SessionsOf(ctx context.Context, owner string, limit int) ([]stores.Session, error) {
	if err := s.f.meet(ctx, SessionsOf); err != nil {
		return nil, err
	}
	return s.index.SessionsOf(ctx, owner, limit)
}

func (s faultyIndex) DeleteSessionsOf(ctx context.Context, owner, exceptRow string) (int, error) {
	if err := s.f.meet(ctx, SessionsOf); err != nil {
		return 0, err
	}
	return s.index.DeleteSessionsOf(ctx, owner, exceptRow)
}

// faultyWriter is a store of sessions that writes them unread.
type faultyWriter struct {
	faultyIndex
	writer stores.SessionWriter
}

func (s faultyWriter) Write(ctx context.Context, row string, w stores.Write) (stores.Written, error) {
	if err := s.f.meet(ctx, UpdateSession); err != nil {
		return stores.Written{}, err
	}
	return s.writer.Write(ctx, row, w)
}

// faultyClientSessions fails to seal.
type faultyClientSessions struct {
	stores.ClientSessions
	f *Faults
}

func (c faultyClientSessions) Seal(with stores.Sealer, cookie string, s stores.Session) (string, error) {
	// Sealing waits for nothing: a fault that does ends at once.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.f.meet(ctx, CreateSession); err != nil {
		return "", err
	}
	return c.ClientSessions.Seal(with, cookie, s)
}

// faultyEnds are tokens that also record which sessions in cookies have ended.
type faultyEnds struct{ faultyTokens }

func (s faultyEnds) Find(ctx context.Context, family, id string) (stores.Token, bool, error) {
	err := s.f.meet(ctx, LoadSession)
	if err == nil && s.f.askedBefore() {
		err = s.f.meet(ctx, UpdateSession)
	}
	if err != nil {
		return stores.Token{}, false, err
	}
	return s.faultyTokens.Find(ctx, family, id)
}

func (s faultyEnds) Create(ctx context.Context, t stores.Token) (bool, error) {
	if err := s.f.meet(ctx, DeleteSession); err != nil {
		return false, err
	}
	return s.faultyTokens.Create(ctx, t)
}

type faultyTokens struct {
	stores.Tokens
	f *Faults
}

func (s faultyTokens) Create(ctx context.Context, t stores.Token) (bool, error) {
	if err := s.f.meet(ctx, CreateToken); err != nil {
		return false, err
	}
	return s.Tokens.Create(ctx, t)
}

func (s faultyTokens) CreateLimited(
	ctx context.Context, now time.Time, t stores.Token, limit stores.FamilyLimit,
) (bool, []string, error) {
	if err := s.f.meet(ctx, CreateToken); err != nil {
		return false, nil, err
	}
	return s.Tokens.(stores.TokenLimit).CreateLimited(ctx, now, t, limit)
}

func (s faultyTokens) Find(ctx context.Context, family, id string) (stores.Token, bool, error) {
	if err := s.f.meet(ctx, FindToken); err != nil {
		return stores.Token{}, false, err
	}
	return s.Tokens.Find(ctx, family, id)
}

func (s faultyTokens) Lives(ctx context.Context, now time.Time, families ...string) ([]stores.Life, error) {
	if err := s.f.meet(ctx, Lives); err != nil {
		return nil, err
	}
	return s.Tokens.Lives(ctx, now, families...)
}

func (s faultyTokens) Consume(ctx context.Context, now time.Time, family, id string) (bool, error) {
	if err := s.f.meet(ctx, ConsumeToken); err != nil {
		return false, err
	}
	return s.Tokens.Consume(ctx, now, family, id)
}

func (s faultyTokens) Rotate(ctx context.Context, now time.Time, parent string, child stores.Token) (stores.Rotated, error) {
	if err := s.f.meet(ctx, RotateToken); err != nil {
		return stores.RotateDead, err
	}
	rotated, err := s.Tokens.Rotate(ctx, now, parent, child)
	if lost := s.f.meet(ctx, RotatedToken); lost != nil {
		return stores.RotateDead, lost
	}
	return rotated, err
}

func (s faultyTokens) RevokeFamily(ctx context.Context, now time.Time, family string) (bool, error) {
	if err := s.f.meet(ctx, RevokeFamily); err != nil {
		return false, err
	}
	return s.Tokens.RevokeFamily(ctx, now, family)
}

func (s faultyTokens) RevokeOwner(ctx context.Context, now time.Time, owner, except string, kinds ...stores.Kind) (int, error) {
	if err := s.f.meet(ctx, RevokeOwner); err != nil {
		return 0, err
	}
	return s.Tokens.RevokeOwner(ctx, now, owner, except, kinds...)
}

func (s faultyTokens) TokensOf(ctx context.Context, owner string, limit int, kinds ...stores.Kind) ([]stores.Token, error) {
	if err := s.f.meet(ctx, TokensOf); err != nil {
		return nil, err
	}
	return s.Tokens.TokensOf(ctx, owner, limit, kinds...)
}

func (s faultyTokens) Touch(ctx context.Context, now time.Time, family, id string) error {
	if err := s.f.meet(ctx, TouchToken); err != nil {
		return err
	}
	return s.Tokens.Touch(ctx, now, family, id)
}

func (s faultyTokens) MarkDelivered(ctx context.Context, now time.Time, family, id string) error {
	if err := s.f.meet(ctx, MarkDelivered); err != nil {
		return err
	}
	return s.Tokens.MarkDelivered(ctx, now, family, id)
}

type faultyLimiter struct {
	stores.Limiter
	f *Faults
}

func (l faultyLimiter) Reserve(ctx context.Context, now time.Time, w ...stores.Window) (stores.Grant, error) {
	if err := l.f.meet(ctx, ReserveSlots); err != nil {
		return stores.Grant{}, err
	}
	return l.Limiter.Reserve(ctx, now, w...)
}

func (l faultyLimiter) Peek(ctx context.Context, now time.Time, w ...stores.Window) (stores.Grant, error) {
	if err := l.f.meet(ctx, PeekSlots); err != nil {
		return stores.Grant{}, err
	}
	return l.Limiter.Peek(ctx, now, w...)
}

func (l faultyLimiter) Refund(ctx context.Context, slots ...stores.Slot) error {
	if err := l.f.meet(ctx, RefundSlots); err != nil {
		return err
	}
	return l.Limiter.Refund(ctx, slots...)
}

func (l faultyLimiter) Reset(ctx context.Context, keys ...stores.Digest) error {
	if err := l.f.meet(ctx, ResetSlots); err != nil {
		return err
	}
	return l.Limiter.Reset(ctx, keys...)
}

// Settle fails where Reset or Refund would.
func (l faultyLimiter) Settle(ctx context.Context, refund []stores.Slot, reset []stores.Digest) error {
	if len(reset) > 0 {
		if err := l.f.meet(ctx, ResetSlots); err != nil {
			return err
		}
	}
	if err := l.f.meet(ctx, RefundSlots); err != nil {
		return err
	}
	return stores.Settle(ctx, l.Limiter, refund, reset)
}

type faultyUsers struct {
	Users
	f *Faults
}

func (p faultyUsers) UserByID(ctx context.Context, id string) (models.Authenticatable, error) {
	if err := p.f.meet(ctx, UserByID); err != nil {
		return nil, err
	}
	return p.Users.UserByID(ctx, id)
}

func (p faultyUsers) UserByIdentifier(ctx context.Context, field, canonical string) (models.Authenticatable, error) {
	if err := p.f.meet(ctx, UserByIdentifier); err != nil {
		return nil, err
	}
	return p.Users.UserByIdentifier(ctx, field, canonical)
}
