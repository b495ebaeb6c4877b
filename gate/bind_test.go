package gate_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

// A17: gates for different users do not influence each other.
func TestForUser(t *testing.T) {
	g, _ := newTestGate()
	request := bind(g, userFunc(func(context.Context) (models.Authenticatable, error) { return userWithID(1), nil }))
	var wg sync.WaitGroup
	for i := range uint64(1000) {
		wg.Go(func() {
			id := 2 + i
			own, other := &post{AuthorID: id}, &post{AuthorID: 1}
			user := request.ForUser(userWithID(id))
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

// The user of a request can change, for example by a login.
func TestBindAsksForTheUserEachTime(t *testing.T) {
	g, _ := newTestGate()
	gate.DefineUserGuest(g, "greet", func(context.Context, models.Authenticatable) bool { return true })
	var user models.Authenticatable
	request := bind(g, userFunc(func(context.Context) (models.Authenticatable, error) { return user, nil }))
	own := &post{AuthorID: 7}
	for _, step := range []struct {
		user   models.Authenticatable
		status int
	}{{nil, 401}, {userWithID(7), 200}, {userWithID(8), 403}, {looseUser{id: "7"}, 403}, {userWithID(7), 200}, {userWithID(0), 403}, {nil, 401}} {
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

// A19: if the user cannot be loaded, the check is undecided and not one by a guest.
func TestSourceError(t *testing.T) {
	g, _ := newTestGate()
	asked := false
	g.Before(func(context.Context, models.Authenticatable, string, any) (gate.Decision, bool) {
		asked = true
		return gate.Allow(), true
	})
	down := errors.New("provider is down")
	source := &recordingSource{userFunc: func(context.Context) (models.Authenticatable, error) { return userWithID(7), down }}
	request := bind(g, source)
	err := request.Authorize(t.Context(), "look")
	if !errors.Is(err, autherr.ErrUnavailable) || !errors.Is(err, down) {
		t.Errorf("Authorize = %v, want ErrUnavailable and its cause", err)
	}
	if request.Allows(t.Context(), "look") || len(source.failures) != 1 || asked {
		t.Errorf("Allows: failures %v, hook asked %v", source.failures, asked)
	}
}

// countingUser counts the calls of AuthID.
type countingUser struct {
	*models.User
	calls *int
}

func (u countingUser) AuthID() string {
	*u.calls++
	return u.User.AuthID()
}

// checkedSource is a Source whose users need no check.
type checkedSource struct{ userFunc }

func (checkedSource) UserIsChecked() {}

var _ gate.CheckedSource = checkedSource{}

func TestCheckedSource(t *testing.T) {
	g := gate.New()
	gate.DefineUser(g, "enter", func(context.Context, models.Authenticatable) bool { return true })
	calls := 0
	load := userFunc(func(context.Context) (models.Authenticatable, error) {
		return countingUser{userWithID(7), &calls}, nil
	})
	for _, tt := range []struct {
		name   string
		source gate.Source
		want   int
	}{{"unchecked", load, 1}, {"checked", checkedSource{load}, 0}} {
		calls = 0
		if !bind(g, tt.source).Allows(t.Context(), "enter") || calls != tt.want {
			t.Errorf("%s: %d calls of AuthID, want %d", tt.name, calls, tt.want)
		}
	}
}

func TestBindOverwrites(t *testing.T) {
	g, _ := newTestGate()
	seven := userFunc(func(context.Context) (models.Authenticatable, error) { return userWithID(7), nil })
	to := gate.New().ForUser(userWithID(8))
	own := &post{AuthorID: 7}
	g.Bind(to, seven)
	if !to.Allows(t.Context(), "update", own) {
		t.Error("the gate has not the rules and the user it was bound to")
	}
	g.Bind(to, nil)
	if d := to.Inspect(t.Context(), "update", own); d.Status() != 401 {
		t.Errorf("bound to no source: status %d, want 401", d.Status())
	}
	gate.DefineUserGuest(g, "late", yes)
	if !to.Allows(t.Context(), "late") {
		t.Error("the gate does not share rules that are added later")
	}
}

func TestBindAllocatesNothing(t *testing.T) {
	g, _ := newTestGate()
	source := gate.Source(checkedSource{func(context.Context) (models.Authenticatable, error) { return userWithID(7), nil }})
	var request struct{ gate gate.Gate }
	if n := testing.AllocsPerRun(100, func() { g.Bind(&request.gate, source) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
