package experiments_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testapp"
)

func TestConfirmPasswordOutageIs503(t *testing.T) { // F01
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b, testapp.Configure(testapp.StoreTime(200*time.Millisecond)))
	c := a.Remembered(testapp.Alice).Only(testapp.RememberCookie)
	c.Get("/me").Want(t, 200)
	for _, mode := range testapp.Outages(b) {
		for _, op := range []testapp.Op{testapp.LoadSession, testapp.UserByID} {
			f.Set(mode, op)
			c.Get("/sudo").Want(t, 503)
			c.Confirm(testapp.Password).Want(t, 503)
		}
		for _, op := range []testapp.Op{testapp.ReserveSlots, testapp.UpdateSession, testapp.ResetSlots} {
			f.Set(mode, op)
			before := c.Session()
			c.Confirm(testapp.Password).Want(t, 503)
			if c.Session() != before {
				t.Errorf("%s: a 503 sets a cookie", op)
			}
		}
		f.Clear()
		f.Set(mode, testapp.Lives)
		c.Get("/sudo").Want(t, 503)
		f.Clear()
		c.Get("/sudo").WantConfirmation(t)
	}
	c.Confirm(testapp.Password).Want(t, 204)
	c.Get("/sudo").Want(t, 200)
}

func TestDeviceOutageIs503(t *testing.T) { // F01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NotInCookies(t, "no store lists them")
		b, faults := b.Faulty()
		a := testapp.New(t, b, testapp.Configure(testapp.StoreTime(200*time.Millisecond)))
		here, there, other := a.LoggedIn(testapp.Alice), a.Remembered(testapp.Alice), a.LoggedIn(testapp.Alice)
		back := there.Only(testapp.RememberCookie)
		back.Get("/me").Want(t, 200)
		a.IssueTokens(testapp.Alice)
		id := here.Device("remember").ID
		plain := other.OwnSession().ID
		for _, mode := range testapp.Outages(b) {
			for _, row := range []struct {
				op           testapp.Op
				method, path string
			}{
				{testapp.TokensOf, "GET", "/devices"}, {testapp.SessionsOf, "GET", "/devices"},
				{testapp.TokensOf, "DELETE", "/devices/" + id}, {testapp.RevokeFamily, "DELETE", "/devices/" + id},
				{testapp.DeleteSession, "DELETE", "/devices/" + plain},
			} {
				faults.Set(mode, row.op)
				if res := here.Do(row.method, row.path, "", ""); res.StatusCode != 503 {
					t.Errorf("%s, %s: %s %s: status %d", row.op, mode, row.method, row.path, res.StatusCode)
				}
				faults.Clear()
			}
		}
		if n := len(testapp.EventsOf[events.TokenRevoked](a)); n != 0 {
			t.Errorf("%d events of what did not happen", n)
		}
		other.Get("/me").Want(t, 200)
		there.Only(testapp.SessionCookie).Get("/me").Want(t, 200)
		back.Only(testapp.SessionCookie).Get("/me").Want(t, 200)
	})
}

func TestRevokeUserOutageIsReported(t *testing.T) {
	b, f := testapp.Memory(t).Faulty()
	a := testapp.New(t, b)
	c := a.LoggedIn(testapp.Alice)
	f.Set(testapp.Refuse, testapp.RevokeOwner)
	if err := a.RevokeUser(t.Context(), "web", a.Alice.AuthID()); !errors.Is(err, ginauth.ErrUnavailable) {
		t.Errorf("tokens cannot be revoked: %v", err)
	}
	c.Get("/me").Want401(t) // what could be ended is
	f.Clear()
	f.Set(testapp.Refuse, testapp.SessionsOf) // they end with the stamp
	if err := a.RevokeUser(t.Context(), "web", a.Alice.AuthID()); err != nil {
		t.Errorf("sessions cannot be deleted: %v", err)
	}
	c.Get("/me").Want401(t)
}

func TestRememberOutageForgetsNoDevice(t *testing.T) { // M10, F01
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b, testapp.Configure(testapp.StoreTime(200*time.Millisecond)))
		c := a.Remembered(testapp.Alice)
		for _, mode := range testapp.Outages(b) {
			for _, row := range []struct {
				op     testapp.Op
				method string
				path   string
			}{
				{testapp.FindToken, "GET", "/me"}, {testapp.RotateToken, "GET", "/me"}, {testapp.RotatedToken, "GET", "/me"},
				{testapp.CreateSession, "GET", "/me"}, {testapp.UserByID, "GET", "/me"},
				{testapp.FindToken, "GET", "/via"}, {testapp.FindToken, "GET", "/guest"},
				{testapp.FindToken, "POST", "/logout"}, {testapp.RevokeFamily, "POST", "/logout"},
				{testapp.CreateToken, "POST", "/remember"},
			} {
				f.Set(mode, row.op)
				body := ""
				if row.path == "/remember" {
					body = `{"email":"` + testapp.Alice + `","password":"` + testapp.Password + `"}`
				}
				res := c.Only(testapp.RememberCookie).Do(row.method, row.path, "application/json", body).Want(t, 503)
				if len(res.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s %s: cookies %q", row.op, row.path, res.Header["Set-Cookie"])
				}
				f.Clear()
			}
			next := c.Only(testapp.RememberCookie)
			next.Get("/me").Want(t, 200)
			// A session that a cookie began asks whether the cookie's series lives.
			f.Set(mode, testapp.Lives)
			if res := next.Only(testapp.SessionCookie).Get("/me").Want(t, 503); len(res.Header["Set-Cookie"]) > 0 {
				t.Errorf("lives: cookies %q", res.Header["Set-Cookie"])
			}
			f.Clear()
			next.Only(testapp.SessionCookie).Get("/me").Want(t, 200)
			a.Clock.Advance(time.Hour)
			c = next
		}
		if n := len(testapp.EventsOf[events.TokenReused](a)); n != 0 {
			t.Errorf("%d events of theft", n)
		}
	})
}

// An answer that never left gave nobody anything: the cookie that it should have
// replaced is still good, however long the outage lasts. What did leave counts.
func TestRememberCookieIsGoodAfterAnOutage(t *testing.T) { // M03, M10, F08
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.GET("/panics", a.Auth(), func(*gin.Context) { panic("x") })
			r.GET("/fails", a.Auth(), func(c *gin.Context) { c.Status(503) })
		}))
		thefts := func() int { return len(testapp.EventsOf[events.TokenReused](a)) }
		for name, row := range map[string]struct {
			op     testapp.Op
			path   string
			status int
			times  int // the last time an hour before the outage ends
		}{
			"no session can be stored":  {testapp.CreateSession, "/me", 503, 3},
			"no note can be made":       {testapp.MarkDelivered, "/me", 503, 3},
			"the answer is lost":        {testapp.RotatedToken, "/me", 503, 1},
			"the handler panics":        {"", "/panics", 500, 3},
			"the handler says that 503": {"", "/fails", 503, 3},
		} {
			c, before := a.Remembered(testapp.Alice), thefts()
			for range row.times {
				if row.op != "" {
					f.Set(testapp.Refuse, row.op)
				}
				if res := c.Only(testapp.RememberCookie).Get(row.path).Want(t, row.status); len(res.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s: cookies %q", name, res.Header["Set-Cookie"])
				}
				f.Clear()
				a.Clock.Advance(time.Hour)
			}
			next := c.Only(testapp.RememberCookie)
			next.Get("/me").Want(t, 200)
			if thefts() != before {
				t.Errorf("%s: taken for a theft", name)
			}
			// This answer was given: who comes with the cookie again is another.
			a.Clock.Advance(10 * time.Second)
			c.Only(testapp.RememberCookie).Get("/me").Want401(t)
			next.Get("/me").Want401(t)
			if thefts() != before+1 {
				t.Errorf("%s: %d thefts found, want 1", name, thefts()-before)
			}
		}
	})
}

// A logout that could not forget the device has ended nothing that another try
// would need, also if the client no longer has the cookie that is to be forgotten.
func TestLogoutCanBeRepeatedAfterAnOutage(t *testing.T) { // F04, M07
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b)
		for _, op := range []testapp.Op{testapp.RevokeFamily, testapp.DeleteSession} {
			for _, cookies := range [][]string{{testapp.SessionCookie}, {testapp.RememberCookie}, {testapp.SessionCookie, testapp.RememberCookie}} {
				c := a.Remembered(testapp.Alice)
				out := a.Client()
				for _, name := range cookies {
					out.Cookies[name] = c.Cookies[name]
				}
				f.Set(testapp.Refuse, op)
				res := out.Post("/logout", nil)
				f.Clear()
				if cookies[0] == testapp.SessionCookie || op == testapp.RevokeFamily { // else no session is there to end
					if res.Want(t, 503); len(res.Header["Set-Cookie"]) > 0 {
						t.Errorf("%s with %q: cookies %q", op, cookies, res.Header["Set-Cookie"])
					}
				}
				out.Post("/logout", nil).Want(t, 204)
				c.Only(testapp.RememberCookie).Get("/me").Want401(t)
				if cookies[0] == testapp.SessionCookie {
					c.Only(testapp.SessionCookie).Get("/me").Want401(t)
				}
			}
		}
		if n := len(testapp.EventsOf[events.Logout](a)); n != 4 {
			t.Errorf("%d logouts, want those of the four sessions", n)
		}
	})
}
