package gate_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

// A07: every method that checks an ability handles a rule that cannot decide.
func TestUndecided(t *testing.T) {
	g, lines := newTestGate()
	down := errors.New("database is down")
	gate.DefineUser(g, "weigh", func(context.Context, *models.User) gate.Decision {
		return gate.Undecided(down)
	})
	source := &recordingSource{userFunc: func(context.Context) (models.Authenticatable, error) { return userWithID(7), nil }}
	bound := bind(g, source)
	ctx := t.Context()

	err := bound.Authorize(ctx, "weigh")
	if !errors.Is(err, autherr.ErrUnavailable) || !errors.Is(err, down) || errors.Is(err, autherr.ErrForbidden) {
		t.Errorf("Authorize = %v, want ErrUnavailable and its cause", err)
	}
	if len(source.failures) != 0 {
		t.Errorf("Authorize returned the error and recorded %v as well", source.failures)
	}
	if !strings.Contains(lines.text(), "could not decide: database is down") {
		t.Errorf("log = %q", lines.text())
	}

	check := func(name string, want, wantFailure bool, ask func() bool) {
		before := len(source.failures)
		got := ask()
		if got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
		if recorded := len(source.failures) == before+1; recorded != wantFailure {
			t.Errorf("%s: failure recorded = %v, want %v", name, recorded, wantFailure)
		}
	}
	check("Allows", false, true, func() bool { return bound.Allows(ctx, "weigh") })
	check("Denies", true, true, func() bool { return bound.Denies(ctx, "weigh") })
	check("Any alone", false, true, func() bool { return bound.Any(ctx, []string{"weigh"}) })
	check("Any before yes", true, false, func() bool { return bound.Any(ctx, []string{"weigh", "enter"}) })
	check("Any before no", false, true, func() bool { return bound.Any(ctx, []string{"weigh", "nope"}) })
	check("None", true, true, func() bool { return bound.None(ctx, []string{"weigh"}) })
	check("Check", false, true, func() bool { return bound.Check(ctx, []string{"enter", "weigh"}) })
	check("Check after no", false, false, func() bool { return bound.Check(ctx, []string{"nope", "weigh"}) })
	check("ForUser", false, true, func() bool { return bound.ForUser(userWithID(8)).Allows(ctx, "weigh") })
	for _, err := range source.failures {
		if !errors.Is(err, autherr.ErrUnavailable) {
			t.Errorf("failure = %v, want ErrUnavailable", err)
		}
	}
	if g.ForUser(userWithID(7)).Allows(ctx, "weigh") {
		t.Error("a gate without a request allowed what was undecided")
	}
}

// A08: a denial after the deadline is undecided.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate.New()
		wait := func(ctx context.Context, _ *models.User) bool { <-ctx.Done(); return false }
		gate.DefineUser(g, "wait", wait)
		gate.DefineUser(g, "late-yes", func(ctx context.Context, _ *models.User) bool { <-ctx.Done(); return true })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		user := g.ForUser(userWithID(7))
		err := user.Authorize(ctx, "wait")
		if !errors.Is(err, autherr.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Authorize = %v, want ErrUnavailable and the deadline", err)
		}
		if !user.Allows(ctx, "late-yes") {
			t.Error("a rule that allowed in spite of the deadline was not believed")
		}
		if d := user.Inspect(ctx, "nope"); d.Status() != http.StatusForbidden {
			t.Errorf("unknown ability after the deadline = %d, want 403", d.Status())
		}
	})
}
