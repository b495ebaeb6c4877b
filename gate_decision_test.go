package ginauth_test

import (
	"errors"
	"testing"

	"github.com/ginauth/ginauth"
)

func TestDecision(t *testing.T) {
	down := errors.New("down")
	tests := []struct {
		name     string
		decision ginauth.Decision
		status   int
		message  string
		wraps    error
	}{
		{"zero", ginauth.Decision{}, 403, "", ginauth.ErrForbidden},
		{"Deny", ginauth.Deny("no"), 403, "no", ginauth.ErrForbidden},
		{"DenyWithStatus", ginauth.DenyWithStatus(409, "no"), 409, "no", ginauth.ErrForbidden},
		{"DenyWithStatus 401", ginauth.DenyWithStatus(401, "no"), 401, "no", ginauth.ErrUnauthenticated},
		{"DenyWithStatus 404", ginauth.DenyWithStatus(404, "no"), 404, "no", ginauth.ErrNotFound},
		{"DenyWithStatus 200", ginauth.DenyWithStatus(200, "no"), 403, "no", ginauth.ErrForbidden},
		{"DenyWithStatus 503", ginauth.DenyWithStatus(503, "no"), 403, "no", ginauth.ErrForbidden},
		{"DenyWithStatus 65736", ginauth.DenyWithStatus(65736, "no"), 403, "no", ginauth.ErrForbidden},
		{"DenyAsNotFound", ginauth.DenyAsNotFound(), 404, "", ginauth.ErrNotFound},
		{"Undecided", ginauth.Undecided(down), 503, "", ginauth.ErrUnavailable},
		{"Undecided without cause", ginauth.Undecided(nil), 503, "", ginauth.ErrUnavailable},
		{"Undecided over a denial", ginauth.Undecided(ginauth.ErrForbidden), 503, "", ginauth.ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := tt.decision
			if d.Allowed() || d.Status() != tt.status || d.Message() != tt.message {
				t.Errorf("%v %d %q, want denied %d %q", d.Allowed(), d.Status(), d.Message(), tt.status, tt.message)
			}
			var denied *ginauth.AuthorizationError
			if err := d.Err(); !errors.Is(err, tt.wraps) || !errors.As(err, &denied) || denied.Status() != tt.status || denied.Message != tt.message {
				t.Errorf("Err = %#v, want %v", err, tt.wraps)
			}
		})
	}
	if !errors.Is(ginauth.Undecided(down).Err(), down) {
		t.Error("the cause is not wrapped")
	}
	if d := ginauth.Allow(); !d.Allowed() || d.Status() != 200 || d.Err() != nil {
		t.Errorf("Allow = %d, %v", d.Status(), d.Err())
	}
	if err := new(ginauth.AuthorizationError); err.Status() != 403 || !errors.Is(err, ginauth.ErrForbidden) {
		t.Error("the zero AuthorizationError is not a denial")
	}
}

func TestAuthorizationErrorText(t *testing.T) {
	g, _ := newTestGate()
	err := g.ForUser(gateUser(8)).Authorize(t.Context(), "forceDelete", &gatePost{AuthorID: 7})
	want := `ginauth: this action is not allowed: ability "forceDelete": "You do not own this post."`
	if err == nil || err.Error() != want {
		t.Errorf("Authorize = %v, want %s", err, want)
	}
	want = "ginauth: temporarily unavailable: ability \"\": down"
	if got := ginauth.Undecided(errors.New("down")).Err().Error(); got != want {
		t.Errorf("Undecided = %s, want %s", got, want)
	}
}
