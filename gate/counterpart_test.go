package gate_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

type valuePolicy struct{}

func (valuePolicy) Update(context.Context, *models.User, comment) bool { return true }

func (valuePolicy) Create(context.Context, *models.User) bool { return true }

// TestPolicyOfTheCounterpart asks a policy of a pointer about a value, and the reverse: denied,
// and told once for each type.
func TestPolicyOfTheCounterpart(t *testing.T) {
	g, lines := newTestGate() // has a policy for *post
	gate.RegisterPolicy[*models.User, comment](g, valuePolicy{})
	user := g.ForUser(userWithID(7))
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			for _, resource := range []any{post{}, &comment{}} {
				if user.Allows(t.Context(), "update", resource) {
					t.Errorf("allowed for a %T", resource)
				}
			}
			if user.Allows(t.Context(), "create", gate.OfType[post]()) || user.Allows(t.Context(), "create", gate.OfType[*comment]()) {
				t.Error("allowed for the type")
			}
		})
	}
	group.Wait()
	text := lines.text()
	for _, want := range []string{
		"no policy for gate_test.post: gate_test.postPolicy is for *gate_test.post, which is another type",
		"no policy for *gate_test.comment: gate_test.valuePolicy is for gate_test.comment, which is another type",
	} {
		if strings.Count(text, want) != 1 {
			t.Errorf("not once %q:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "no policy"); n != 2 {
		t.Errorf("told %d times", n)
	}
	if !user.Allows(t.Context(), "update", comment{}) || !user.Allows(t.Context(), "create", gate.OfType[comment]()) {
		t.Error("denied for its own type")
	}
}
