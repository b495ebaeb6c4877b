package experiments_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
)

// TestRefreshCanBeRepeatedAfterAnOutage cuts the store off at each step of a refresh.
func TestRefreshCanBeRepeatedAfterAnOutage(t *testing.T) { // R08, F01, F05, F09
	for _, op := range []testapp.Op{testapp.FindToken, testapp.RotateToken, testapp.RotatedToken} {
		for _, mode := range []testapp.Fault{testapp.Refuse, testapp.Hang, testapp.Corrupt} {
			t.Run(fmt.Sprint(op, " ", mode), func(t *testing.T) {
				testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
					b, f := b.Faulty()
					a := testapp.New(t, b)
					hasty := a.Sibling(testapp.StoreTime(100 * time.Millisecond))
					p := a.IssueTokens(testapp.Alice)
					f.Set(mode, op)
					hasty.Refresh(p.RefreshToken).Want(t, 503)
					f.Clear()
					next := a.Refresh(p.RefreshToken).Tokens(t) // whether or not it was stored
					a.Bearer(next.AccessToken).Get("/api/me").Want(t, 200)
					a.Refresh(next.RefreshToken).Tokens(t)
					if len(testapp.EventsOf[events.TokenReused](a)) != 0 {
						t.Errorf("%s, %s: a retry after an outage is taken for theft", op, mode)
					}
				})
			})
		}
	}
}

func TestRevocationOutageIs503(t *testing.T) { // F01, F05
	for _, mode := range []testapp.Fault{testapp.Refuse, testapp.Hang, testapp.Slow, testapp.Corrupt} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
				b, f := b.Faulty()
				a := testapp.New(t, b)
				hasty := a.Sibling(testapp.StoreTime(100 * time.Millisecond))
				p := a.IssueTokens(testapp.Alice)
				token := a.LoggedIn(testapp.Alice).Personal("read").Text
				f.Set(mode, testapp.TokenOps()...)
				began := time.Now()
				for _, res := range []*testapp.Response{
					hasty.Bearer(p.AccessToken).Get("/api/me"), hasty.Bearer(token).Get("/token/me"),
					hasty.Bearer(p.AccessToken).Post("/api/logout", nil), hasty.Client().Post("/api/login", testapp.Credentials(testapp.Alice, testapp.Password)),
				} {
					res.Want(t, 503)
					if res.Header.Get("Set-Cookie") != "" || res.Header.Get("Retry-After") == "" || strings.Contains(res.Text, "CANARY") {
						t.Errorf("%v %s", res.Header, res.Text)
					}
				}
				if took := time.Since(began); took > 4*600*time.Millisecond {
					t.Errorf("took %v", took)
				}
				f.Clear()
				a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
				a.Bearer(p.AccessToken).Post("/api/logout", nil).Want(t, 204)
			})
		})
	}
}

func TestRevocationOutageCanBeIgnored(t *testing.T) { // F05
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.JWT.InsecureIgnoreRevocationOutage = true }))
	p := a.IssueTokens(testapp.Alice)
	f.Set(testapp.Refuse, testapp.Lives)
	a.Bearer(p.AccessToken).Get("/api/me").Want(t, 200)
	if !strings.Contains(a.Logs.String(), "revocation could not be checked") {
		t.Error("the log does not say so")
	}
	found := false
	for _, finding := range a.Preflight(context.Background(), a.Engine) {
		found = found || strings.Contains(finding.Subject, "InsecureIgnoreRevocationOutage")
	}
	if !found {
		t.Error("Preflight does not report it")
	}
}
