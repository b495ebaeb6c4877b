package ginauth

import (
	"context"
	"reflect"

	"github.com/ginauth/ginauth/models"
)

// GateTestSource is a request for the tests of package ginauth_test.
type GateTestSource struct {
	Load func(ctx context.Context) (models.Authenticatable, error)
	Sink func(err error)
}

func (s *GateTestSource) User(ctx context.Context) (models.Authenticatable, error) {
	return s.Load(ctx)
}

// Fail is how the request learns of a fault.
func (s *GateTestSource) Fail(err error) { s.Sink(err) }

// GateTestPlainSource is a request that does not want to know of faults.
type GateTestPlainSource struct{ Source *GateTestSource }

func (s GateTestPlainSource) User(ctx context.Context) (models.Authenticatable, error) {
	return s.Source.Load(ctx)
}

// GateTestBind returns a gate bound to source.
func GateTestBind(g *Gate, source interface {
	User(ctx context.Context) (models.Authenticatable, error)
},
) *Gate {
	var request struct{ gate Gate }
	g.bind(&request.gate, source)
	return &request.gate
}

// GateTestLog sets the log of g.
func GateTestLog(g *Gate, log func(ctx context.Context, ability, reason string, err error)) {
	g.setLog(log)
}

// GateTestRule is one line of the audit.
type GateTestRule struct {
	Ability                string
	User, Resource, Policy reflect.Type
	Guests                 bool
}

// GateTestAudit returns the audit of g.
func GateTestAudit(g *Gate) []GateTestRule {
	var rules []GateTestRule
	for _, r := range g.audit() {
		rules = append(rules, GateTestRule{r.Ability, r.UserType, r.ResourceType, r.Policy, r.Guests})
	}
	return rules
}
