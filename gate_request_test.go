package ginauth_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// A17: a gate for one user is nobody else's.
func TestGateForUser(t *testing.T) {
	g, _ := newTestGate()
	request := ginauth.GateTestBind(g, ginauth.GateTestPlainSource{Source: &ginauth.GateTestSource{
		Load: func(context.Context) (models.Authenticatable, error) { return gateUser(1), nil },
	}})
	var wg sync.WaitGroup
	for i := range uint64(1000) {
		wg.Go(func() {
			id := 2 + i
			own, other := &gatePost{AuthorID: id}, &gatePost{AuthorID: 1}
			user := request.ForUser(gateUser(id))
			for _, ability := range []string{"update", "edit-post"} {
				if !user.Allows(t.Context(), ability, own) || user.Allows(t.Context(), ability, other) {
					t.Errorf("user %d got another user's answer", id)
				}
				if request.Allows(t.Context(), ability, own) || !request.Allows(t.Context(), ability, other) {
					t.Errorf("ForUser(%d) touched the request's user", id)
				}
			}
			if request.ForUser(nil).Allows(t.Context(), "update", other) {
				t.Error("ForUser(nil) is not a guest")
			}
		})
	}
	wg.Wait()
}

// A request's user may change, by a login for example.
func TestGateFollowsTheRequest(t *testing.T) {
	g, _ := newTestGate()
	ginauth.DefineUserGuest(g, "greet", func(context.Context, models.Authenticatable) bool { return true })
	var user models.Authenticatable
	request := ginauth.GateTestBind(g, &ginauth.GateTestSource{
		Load: func(context.Context) (models.Authenticatable, error) { return user, nil },
	})
	own := &gatePost{AuthorID: 7}
	for _, step := range []struct {
		user   models.Authenticatable
		status int
	}{{nil, 401}, {gateUser(7), 200}, {gateUser(8), 403}, {gateLoose{id: "7"}, 403}, {gateUser(7), 200}, {gateUser(0), 403}, {nil, 401}} {
		user = step.user
		if d := request.Inspect(t.Context(), "update", own); d.Status() != step.status {
			t.Errorf("user %#v: status %d, want %d", step.user, d.Status(), step.status)
		}
		broken := user != nil && user.AuthID() == ""
		if allowed := request.Allows(t.Context(), "greet"); allowed == broken {
			t.Errorf("user %#v: greet = %v", step.user, allowed)
		}
	}
}

// A19: a user that cannot be loaded is an outage, not a guest.
func TestGateSourceError(t *testing.T) {
	g, _ := newTestGate()
	asked := false
	g.Before(func(context.Context, models.Authenticatable, string, any) (ginauth.Decision, bool) {
		asked = true
		return ginauth.Allow(), true
	})
	down := errors.New("provider is down")
	var faults []error
	request := ginauth.GateTestBind(g, &ginauth.GateTestSource{
		Load: func(context.Context) (models.Authenticatable, error) { return gateUser(7), down },
		Sink: func(err error) { faults = append(faults, err) },
	})
	err := request.Authorize(t.Context(), "look")
	if !errors.Is(err, ginauth.ErrUnavailable) || !errors.Is(err, down) {
		t.Errorf("Authorize = %v, want ErrUnavailable and its cause", err)
	}
	if request.Allows(t.Context(), "look") || len(faults) != 1 || asked {
		t.Errorf("Allows: faults %v, hook asked %v", faults, asked)
	}
}
