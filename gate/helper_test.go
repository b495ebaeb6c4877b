package gate_test

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/ginauth/ginauth/gate"
	"github.com/ginauth/ginauth/models"
)

type (
	post    struct{ AuthorID uint64 }
	comment struct{ AuthorID uint64 }
	admin   struct{ models.User }
)

// looseUser may have no identifier. Comparing two of them panics.
type looseUser struct {
	id   string
	tags []string
}

func (u looseUser) AuthID() string     { return u.id }
func (looseUser) AuthPassword() string { return "" }

// hollowUser embeds a pointer that is nil, so its methods panic.
type hollowUser struct{ *models.User }

func userWithID(id uint64) *models.User { return &models.User{ID: id} }

func owns(_ context.Context, u *models.User, p *post) bool { return u.ID == p.AuthorID }

func yes(context.Context, *models.User) bool { return true }

// logLines collects what a gate reports.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) log(_ context.Context, ability, reason string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%s: %s: %v", ability, reason, err))
}

func (l *logLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// newTestGate returns a gate with rules of every kind, and what it reports.
func newTestGate() (*gate.Gate, *logLines) {
	g, lines := gate.New(), new(logLines)
	g.SetReporter(lines.log)
	gate.Define(g, "edit-post", owns)
	gate.DefineUser(g, "enter", yes)
	gate.DefineUserGuest(g, "look", yes)
	gate.Define(g, "touch", func(context.Context, *models.User, any) bool { return true })
	gate.DefineGuest(g, "read", func(_ context.Context, u *models.User, p *post) gate.Decision {
		if u == nil && p.AuthorID != 0 {
			return gate.Deny("members only")
		}
		return gate.Allow()
	})
	gate.DefineUser(g, "explode", func(context.Context, *models.User) bool { panic("s3cret") })
	gate.RegisterPolicy[*models.User, *post](g, postPolicy{})
	return g, lines
}

// userFunc is a Source.
type userFunc func(ctx context.Context) (models.Authenticatable, error)

func (f userFunc) User(ctx context.Context) (models.Authenticatable, error) { return f(ctx) }

// recordingSource is a Source that records failures.
type recordingSource struct {
	userFunc
	failures []error
}

func (s *recordingSource) Fail(err error) { s.failures = append(s.failures, err) }

// bind returns a gate bound to s.
func bind(g *gate.Gate, s gate.Source) *gate.Gate {
	var request struct{ gate gate.Gate }
	g.Bind(&request.gate, s)
	return &request.gate
}
