package ginauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/deadline"
	"github.com/ginauth/ginauth/internal/opaque"
	"github.com/ginauth/ginauth/stores"
)

// Why a token that is replaced at each use is refused.
var (
	errReused = errors.New("was used before")
	// errReusedNow is errReused of the request that ended the family.
	errReusedNow = fmt.Errorf("%w, and everything from the same login has ended", errReused)
)

// successor is what replaces a token.
type successor struct {
	token  opaque.Token
	record stores.Token
	// again says that an earlier request was given it already.
	again bool
}

// rotate uses a token up and stores its successor, in one step of the store. A
// token that was used up before gets the same successor again, if the first
// answer may have been lost; else two parties hold it, and its family ends. The
// errors are ErrUnavailable, errForgot, and one wrapping errReused.
func (m *Manager) rotate(
	ctx context.Context, parent opaque.Token, found stores.Token, record func(child opaque.Token) stores.Token,
) (*successor, error) {
	if found.Consumed.IsZero() {
		child := parent.Successor(m.subkeys.successor, 0)
		next := successor{token: child, record: record(child)}
		switch rotated, err := m.stores.Tokens.Rotate(ctx, m.env.Now(), parent.ID, next.record); {
		case err != nil:
			return nil, autherr.Unavailable("replace token", err)
		case rotated == stores.RotateDone:
			return &next, nil
		case rotated == stores.RotateDead:
			return nil, errForgot
		}
	}
	next, err := m.unusedSuccessor(ctx, parent, m.graceOf(found.Kind))
	if err != nil || next != nil {
		return next, err
	}
	// Whoever replays must not keep the login by hanging up, nor because the
	// store is slow: nobody would ask for this end again.
	ctx, span := m.env.Span(deadline.Detach(ctx))
	defer span.End()
	switch alive, err := m.stores.Tokens.RevokeFamily(ctx, m.env.Now(), parent.Family); {
	case err != nil:
		return nil, autherr.Unavailable("end login", err)
	case alive:
		return nil, errReusedNow
	}
	return nil, errReused
}

// graceOf returns how long after its use a token gets the same successor again.
// Browsers send one cookie from many tabs at once, whatever clients of refresh
// tokens are held to.
func (m *Manager) graceOf(kind stores.Kind) time.Duration {
	if kind == stores.Remember {
		return defaultGrace
	}
	return m.cfg.Refresh.Grace
}

// handedOut reports whether an answer with a remember-me token was about to leave,
// or could not because the client hung up. Until then nobody has it, so that whoever
// shows its parent is not the second of two holders: an outage between the two locks
// nobody out, however long it lasts.
// A token's use ends it, so LastUsed is free to say when it was handed out.
func handedOut(t stores.Token) bool { return t.Kind != stores.Remember || !t.LastUsed.IsZero() }

// unusedSuccessor returns what replaced the parent, if it is unused and that was
// less than grace ago, or nobody has it. It returns nil otherwise.
func (m *Manager) unusedSuccessor(ctx context.Context, parent opaque.Token, grace time.Duration) (*successor, error) {
	found, ok, err := m.stores.Tokens.Find(ctx, parent.Family, parent.ID)
	if err != nil || !ok || found.Consumed.IsZero() {
		return nil, autherr.Unavailable("find token", err)
	}
	late := m.env.Now().Sub(found.Consumed) >= grace
	if late && found.Kind != stores.Remember {
		return nil, nil
	}
	// The first answer may have been given under an earlier application key.
	for key := range m.subkeys.successor.Len() {
		child := parent.Successor(m.subkeys.successor, key)
		record, ok, err := m.stores.Tokens.Find(ctx, child.Family, child.ID)
		if err != nil {
			return nil, autherr.Unavailable("find token", err)
		}
		if ok && record.Consumed.IsZero() && record.Digest.Equal(child.Digest()) && lives(record, m.env.Now()) &&
			(!late || !handedOut(record)) {
			return &successor{child, record, true}, nil
		}
	}
	return nil, nil
}
