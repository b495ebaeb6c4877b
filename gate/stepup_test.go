package gate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

// provedSource is a source whose user has proved what an error says.
type provedSource struct {
	user models.Authenticatable
	err  error
}

func (s provedSource) User(context.Context) (models.Authenticatable, error) { return s.user, nil }

func (s provedSource) Proved(_ context.Context, level int, within time.Duration) error {
	if level != 2 || within != time.Minute {
		return errors.New("asked for another level")
	}
	return s.err
}

// TestStepUp asks the source what the user has proved, and no hook can say that it is enough.
func TestStepUp(t *testing.T) {
	step := &autherr.StepUpError{Level: 2, Within: time.Minute}
	user := models.Authenticatable(&models.User{ID: 1})
	rules := gate.New()
	gate.DefineUserGuest(rules, "pay", func(context.Context, models.Authenticatable) gate.Decision { return gate.StepUp(2, time.Minute) })
	check := func(s gate.Source) error {
		var g gate.Gate
		rules.Bind(&g, s)
		return g.Authorize(t.Context(), "pay")
	}
	if err := check(provedSource{user, nil}); err != nil {
		t.Errorf("proved: %v", err)
	}
	for name, err := range map[string]error{
		"not proved": check(provedSource{user, step}), "without a request": rules.ForUser(user).Authorize(t.Context(), "pay"),
	} {
		found, ok := errors.AsType[*autherr.StepUpError](err)
		if !ok || *found != *step || !errors.Is(err, autherr.ErrForbidden) || errors.Is(err, autherr.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := check(provedSource{user, errors.New("no answer")}); !errors.Is(err, autherr.ErrUnavailable) {
		t.Errorf("outage: %v", err)
	}
	if err := check(provedSource{nil, nil}); !errors.Is(err, autherr.ErrUnauthenticated) {
		t.Errorf("guest: %v", err)
	}
	if d := gate.StepUp(2, time.Minute); d.Allowed() || d.Status() != 403 || d.Err() == nil {
		t.Errorf("the decision alone allows: %+v", d)
	}
	rules.After(func(_ context.Context, _ models.Authenticatable, _ string, _ any, _ gate.Decision, _ bool) (gate.Decision, bool) {
		return gate.Allow(), true
	})
	if err := check(provedSource{user, step}); !errors.Is(err, autherr.ErrStepUp) {
		t.Errorf("a hook makes it enough: %v", err)
	}
}
