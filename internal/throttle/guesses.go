package throttle

import (
	"context"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/request"
	"github.com/ginauth/ginauth/stores"
)

// The limits of guesses at the factors of users. A code of six digits is guessed within these limits
// with a chance of one in 33,000.
var (
	perPending = Limit{Attempts: 5, Per: 10 * time.Minute}
	perUser    = Limit{Attempts: 10, Per: 15 * time.Minute}
)

// Guess is a guess at a factor, which is counted before the factor is looked at.
type Guess struct {
	l     *Limiter
	r     *request.State
	slots []stores.Slot
}

// aGuess is the subject of a guess.
type aGuess struct{ meta events.Meta }

func (a aGuess) lockout() events.Meta { return a.meta }

// Guess counts a guess at a factor of a user, and within one pending login if it has a name. It is
// counted whether or not limits are turned off, because a factor is short. The error is an
// *autherr.ThrottledError if there were too many.
func (l *Limiter) Guess(ctx context.Context, r *request.State, meta events.Meta, owner, pending string) (*Guess, error) {
	windows := []stores.Window{l.Window("factor", perUser, []byte(owner))}
	if pending != "" {
		windows = append(windows, l.Window("pending login", perPending, []byte(pending)))
	}
	ctx, span := r.Span(ctx)
	defer span.End()
	slots, err := l.reserve(ctx, "count guesses", aGuess{meta}, windows...)
	return &Guess{l, r, slots}, err
}

// GuessCode counts a guess at a one-time code of a name, which is not a secret. No success gives it
// back. It is counted whether or not limits are turned off. The error is an *autherr.ThrottledError if
// there were too many.
func (l *Limiter) GuessCode(ctx context.Context, r *request.State, meta events.Meta, name string) error {
	window := l.Window("one-time code", Limit{Attempts: factor.OneTimeGuesses, Per: factor.OneTimeLifetime}, []byte(name))
	ctx, span := r.Span(ctx)
	defer span.End()
	_, err := l.reserve(ctx, "count guesses", aGuess{meta}, window)
	return err
}

// Succeed forgets the user's failures.
func (g *Guess) Succeed(ctx context.Context) error {
	ctx, span := g.r.Span(context.WithoutCancel(ctx))
	defer span.End()
	return autherr.Unavailable("clear guesses", g.l.store.Reset(ctx, g.slots[0].Key))
}

// Release takes the guess back: nothing was compared.
func (g *Guess) Release(ctx context.Context) error {
	ctx, span := g.r.Span(context.WithoutCancel(ctx))
	defer span.End()
	return g.l.Refund(ctx, g.slots...)
}
