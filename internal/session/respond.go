package session

import (
	"net/http"
	"time"

	"github.com/ginauth/ginauth/internal/request"
)

// DiscardAll drops the changes of a request and of its session. The log says why, if there are any.
func (s *Session) DiscardAll(x *request.State, reason string) {
	session := s.Discard()
	if pending := x.Discard(); session || pending {
		x.Log.WarnContext(x.Context(), "ginauth: changes discarded", "reason", reason, "session", session)
	}
}

// CommitTo stores the session of a request and completes the headers of its response. MaxAge is that
// of the session cookie.
func (s *Session) CommitTo(x *request.State, h http.Header, status int, maxAge time.Duration) error {
	ctx := x.Context()
	defer x.RunIfDisconnected(ctx)
	if failure := x.Outcome(); failure != nil {
		s.DiscardAll(x, "the request failed")
		return failure
	}
	if status == http.StatusServiceUnavailable {
		// A request that failed has changed nothing, and a 503 sets no cookie.
		s.DiscardAll(x, "the response has status 503")
		return nil
	}
	// The request's own context: if the client disconnected, its changes are dropped. What had to end
	// ended when the handler asked for it.
	x.Settle()
	change, err := s.Commit(ctx)
	if err == nil {
		err = x.RunBeforeResponse(ctx)
	}
	if err != nil {
		s.Fail(err)
		x.LogDisconnected(s.Unsaved())
		return err
	}
	x.RunAfterCommit()
	switch {
	case change.Set != "":
		x.Jar.Set(h, x.Jar.Session(), change.Set, maxAge)
	case change.Clear:
		x.Jar.Clear(h, x.Jar.Session())
	}
	cookie := x.Send(h, change.Set != "" || change.Clear)
	if cookie || change.Consulted || x.Private.Load() {
		request.KeepPrivate(h, cookie)
	}
	return nil
}
