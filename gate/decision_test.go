package gate_test

import (
	"errors"
	"testing"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/gate"
)

func TestDecision(t *testing.T) {
	down := errors.New("down")
	tests := []struct {
		name     string
		decision gate.Decision
		status   int
		message  string
		wraps    error
	}{
		{"zero", gate.Decision{}, 403, "", autherr.ErrForbidden},
		{"Deny", gate.Deny("no"), 403, "no", autherr.ErrForbidden},
		{"DenyWithStatus", gate.DenyWithStatus(409, "no"), 409, "no", autherr.ErrForbidden},
		{"DenyWithStatus 401", gate.DenyWithStatus(401, "no"), 401, "no", autherr.ErrUnauthenticated},
		{"DenyWithStatus 404", gate.DenyWithStatus(404, "no"), 404, "no", autherr.ErrNotFound},
		{"DenyWithStatus 200", gate.DenyWithStatus(200, "no"), 403, "no", autherr.ErrForbidden},
		{"DenyWithStatus 503", gate.DenyWithStatus(503, "no"), 403, "no", autherr.ErrForbidden},
		{"DenyWithStatus 65736", gate.DenyWithStatus(65736, "no"), 403, "no", autherr.ErrForbidden},
		{"DenyAsNotFound", gate.DenyAsNotFound(), 404, "", autherr.ErrNotFound},
		{"Undecided", gate.Undecided(down), 503, "", autherr.ErrUnavailable},
		{"Undecided without cause", gate.Undecided(nil), 503, "", autherr.ErrUnavailable},
		{"Undecided over a denial", gate.Undecided(autherr.ErrForbidden), 503, "", autherr.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.decision
			if d.Allowed() || d.Status() != tt.status || d.Message() != tt.message {
				t.Errorf("%v %d %q, want denied %d %q", d.Allowed(), d.Status(), d.Message(), tt.status, tt.message)
			}
			var denied *gate.AuthorizationError
			if err := d.Err(); !errors.Is(err, tt.wraps) || !errors.As(err, &denied) || denied.Status() != tt.status || denied.Message != tt.message {
				t.Errorf("Err = %#v, want %v", err, tt.wraps)
			}
		})
	}
	if !errors.Is(gate.Undecided(down).Err(), down) {
		t.Error("the cause is not wrapped")
	}
	if d := gate.Allow(); !d.Allowed() || d.Status() != 200 || d.Err() != nil {
		t.Errorf("Allow = %d, %v", d.Status(), d.Err())
	}
	if err := new(gate.AuthorizationError); err.Status() != 403 || !errors.Is(err, autherr.ErrForbidden) {
		t.Error("the zero AuthorizationError is not a denial")
	}
}

func TestAuthorizationErrorText(t *testing.T) {
	g, _ := newTestGate()
	err := g.ForUser(userWithID(8)).Authorize(t.Context(), "forceDelete", &post{AuthorID: 7})
	want := `ginauth: this action is not allowed: ability "forceDelete": "You do not own this post."`
	if err == nil || err.Error() != want {
		t.Errorf("Authorize = %v, want %s", err, want)
	}
	want = "ginauth: temporarily unavailable: ability \"\": down"
	if got := gate.Undecided(errors.New("down")).Err().Error(); got != want {
		t.Errorf("Undecided = %s, want %s", got, want)
	}
}
