package ginauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// A07: a rule that cannot decide is an outage, and every kind of check says so.
func TestGateUndecided(t *testing.T) {
	g, lines := newTestGate()
	down := errors.New("database is down")
	ginauth.DefineUser(g, "weigh", func(context.Context, *models.User) ginauth.Decision {
		return ginauth.Undecided(down)
	})
	var faults []error
	bound := ginauth.GateTestBind(g, &ginauth.GateTestSource{
		Load: func(context.Context) (models.Authenticatable, error) { return gateUser(7), nil },
		Sink: func(err error) { faults = append(faults, err) },
	})
	ctx := t.Context()

	err := bound.Authorize(ctx, "weigh")
	if !errors.Is(err, ginauth.ErrUnavailable) || !errors.Is(err, down) || errors.Is(err, ginauth.ErrForbidden) {
		t.Errorf("Authorize = %v, want ErrUnavailable and its cause", err)
	}
	if len(faults) != 0 {
		t.Errorf("Authorize reported %v behind the caller's back", faults)
	}
	if !strings.Contains(lines.text(), "could not decide: database is down") {
		t.Errorf("log = %q", lines.text())
	}

	check := func(name string, want, wantFault bool, ask func() bool) {
		before := len(faults)
		got := ask()
		if got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
		if reported := len(faults) == before+1; reported != wantFault {
			t.Errorf("%s: fault reported = %v, want %v", name, reported, wantFault)
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
	check("ForUser", false, true, func() bool { return bound.ForUser(gateUser(8)).Allows(ctx, "weigh") })
	for _, err := range faults {
		if !errors.Is(err, ginauth.ErrUnavailable) {
			t.Errorf("fault = %v, want ErrUnavailable", err)
		}
	}
	if g.ForUser(gateUser(7)).Allows(ctx, "weigh") {
		t.Error("a gate without a request allowed what was undecided")
	}
}

// A08: a rule that is cut off by the deadline has not denied.
func TestGateDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := ginauth.NewGate()
		wait := func(ctx context.Context, _ *models.User) bool { <-ctx.Done(); return false }
		ginauth.DefineUser(g, "wait", wait)
		ginauth.DefineUser(g, "late-yes", func(ctx context.Context, _ *models.User) bool { <-ctx.Done(); return true })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		user := g.ForUser(gateUser(7))
		err := user.Authorize(ctx, "wait")
		if !errors.Is(err, ginauth.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
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
