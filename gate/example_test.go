package gate_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

// Member is a user of an application.
type Member struct {
	ID    int
	Staff bool
}

func (m *Member) AuthID() string     { return strconv.Itoa(m.ID) }
func (*Member) AuthPassword() string { return "" } // members do not log in with a password

// Document is what members write.
type Document struct {
	Author int
	Draft  bool
}

func Example() {
	rules := gate.New()
	gate.DefineUser(rules, "see-reports", func(_ context.Context, m *Member) bool { return m.Staff })
	gate.Define(rules, "edit", func(_ context.Context, m *Member, d *Document) bool { return m.ID == d.Author })

	ctx := context.Background()
	alice := rules.ForUser(&Member{ID: 1})
	fmt.Println(alice.Allows(ctx, "see-reports"))
	fmt.Println(alice.Allows(ctx, "edit", &Document{Author: 1}))
	fmt.Println(alice.Authorize(ctx, "edit", &Document{Author: 2}))
	// Output:
	// false
	// true
	// ginauth: this action is not allowed: ability "edit"
}

// DocumentPolicy has the rules for documents.
type DocumentPolicy struct{}

// GuestAbilities lets guests ask for "view".
func (DocumentPolicy) GuestAbilities() []string { return []string{"view"} }

// View hides drafts from everybody but the author.
func (DocumentPolicy) View(_ context.Context, m *Member, d *Document) gate.Decision {
	if d.Draft && (m == nil || m.ID != d.Author) {
		return gate.DenyAsNotFound()
	}
	return gate.Allow()
}

// Update denies with a message.
func (DocumentPolicy) Update(_ context.Context, m *Member, d *Document) gate.Decision {
	if m.ID != d.Author {
		return gate.Deny("Only the author can change a document.")
	}
	return gate.Allow()
}

// Create takes no document: it answers checks on the type.
func (DocumentPolicy) Create(_ context.Context, m *Member) bool { return m.Staff }

func ExampleRegisterPolicy() {
	rules := gate.New()
	gate.RegisterPolicy[*Member, *Document](rules, DocumentPolicy{})

	ctx := context.Background()
	document, draft := &Document{Author: 1}, &Document{Author: 1, Draft: true}
	guest, bob := rules.ForUser(nil), rules.ForUser(&Member{ID: 2, Staff: true})
	fmt.Println("guest views:", guest.Inspect(ctx, "view", document).Status())
	fmt.Println("guest views draft:", guest.Inspect(ctx, "view", draft).Status())
	fmt.Println("guest updates:", guest.Inspect(ctx, "update", document).Status())
	fmt.Println("Bob updates:", bob.Inspect(ctx, "update", document).Status())
	fmt.Println("Bob creates:", bob.Inspect(ctx, "create", gate.OfType[*Document]()).Status())
	// Output:
	// guest views: 200
	// guest views draft: 404
	// guest updates: 401
	// Bob updates: 403
	// Bob creates: 200
}

func ExampleDecision() {
	rules := gate.New()
	gate.RegisterPolicy[*Member, *Document](rules, DocumentPolicy{})

	d := rules.ForUser(&Member{ID: 2}).Inspect(context.Background(), "update", &Document{Author: 1})
	fmt.Println(d.Allowed(), d.Status(), d.Message())
	// Output: false 403 Only the author can change a document.
}

func ExampleUndecided() {
	rules := gate.New()
	gate.DefineUser(rules, "vote", func(context.Context, *Member) gate.Decision {
		return gate.Undecided(errors.New("connection refused"))
	})

	err := rules.ForUser(&Member{ID: 1}).Authorize(context.Background(), "vote")
	var failed *gate.AuthorizationError
	fmt.Println(errors.As(err, &failed) && failed.Status() == 503, errors.Is(err, autherr.ErrUnavailable))
	fmt.Println(err)
	// Output:
	// true true
	// ginauth: temporarily unavailable: ability "vote": connection refused
}

func ExampleGate_Before() {
	rules := gate.New()
	gate.RegisterPolicy[*Member, *Document](rules, DocumentPolicy{})
	rules.Before(func(_ context.Context, u models.Authenticatable, _ string, _ any) (gate.Decision, bool) {
		m, ok := u.(*Member)
		return gate.Allow(), ok && m.Staff // staff may do everything, for others the rules decide
	})

	document := &Document{Author: 1}
	fmt.Println(rules.ForUser(&Member{ID: 2, Staff: true}).Allows(context.Background(), "update", document))
	fmt.Println(rules.ForUser(&Member{ID: 3}).Allows(context.Background(), "update", document))
	// Output:
	// true
	// false
}

// Connection is the state of one connection. Its gate has the user who is logged in.
type Connection struct {
	gate   gate.Gate
	member *Member
}

// User makes a Connection a gate.Source.
func (c *Connection) User(context.Context) (models.Authenticatable, error) {
	if c.member == nil {
		return nil, nil // a nil *Member in the interface would not be a guest
	}
	return c.member, nil
}

func ExampleGate_Bind() {
	rules := gate.New()
	gate.DefineUser(rules, "see-reports", func(_ context.Context, m *Member) bool { return m.Staff })

	var c Connection
	rules.Bind(&c.gate, &c)
	fmt.Println(c.gate.Inspect(context.Background(), "see-reports").Status())
	c.member = &Member{ID: 1, Staff: true} // the login
	fmt.Println(c.gate.Inspect(context.Background(), "see-reports").Status())
	// Output:
	// 401
	// 200
}

func ExampleGate_SetReporter() {
	rules := gate.New()
	rules.SetReporter(func(_ context.Context, ability, reason string, _ error) {
		fmt.Printf("ability %s: %s\n", ability, reason)
	})

	rules.ForUser(&Member{ID: 1}).Allows(context.Background(), "see-report")
	// Output: ability "see-report": no such ability
}
