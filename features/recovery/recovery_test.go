package recovery_test

import (
	"context"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/recovery"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

// otherFactor is a factor that all users have while it is on.
type otherFactor struct{ on atomic.Bool }

func (*otherFactor) Name() string { return "other" }

func (f *otherFactor) Setup(s *ginauth.Setup) error {
	s.Challenge(ginauth.Challenge{Name: "other", Has: func(context.Context, string, models.Authenticatable) (bool, error) {
		return f.on.Load(), nil
	}})
	return nil
}

type app struct {
	*testapp.App
	other *otherFactor
}

func start(t *testing.T, b *testapp.Backend, change ...func(*ginauth.Config)) *app {
	t.Helper()
	f, other := recovery.New(recovery.Options{}), new(otherFactor)
	change = append(change, func(c *ginauth.Config) { c.Features = []ginauth.Feature{other, f} })
	mount := func(a *testapp.App, r *gin.Engine) {
		f.Mount(r)
		r.POST("/other", a.StartSession(), a.Auth(), func(c *gin.Context) {
			right := func(context.Context, string, models.Authenticatable) (bool, error) { return true, nil }
			err := ginauth.From(c).ConfirmFactor(c.Request.Context(), "other", right)
			routes.Answer(c, routes.Response{Status: 204, Err: err})
		})
	}
	return &app{testapp.New(t, b, testapp.Configure(change...), testapp.Routes(mount)), other}
}

type codeForm struct {
	Token string `json:"token,omitempty"`
	Code  string `json:"code"`
}

// codes makes codes for Alice, who has the other factor from now on.
func (a *app) codes(t *testing.T, c *testapp.Client) []string {
	t.Helper()
	a.other.on.Store(true)
	c.Post("/other", nil).Want(t, 204)
	var made struct{ Codes []string }
	c.Post("/recovery-codes", nil).Want(t, 200).JSON(t, &made)
	if len(made.Codes) != 10 {
		t.Fatalf("%d codes", len(made.Codes))
	}
	return made.Codes
}

func (a *app) pending(t *testing.T, c *testapp.Client, path string) string {
	t.Helper()
	var got struct{ Pending *ginauth.PendingLogin }
	c.Post(path, testapp.Credentials(testapp.Alice, testapp.Password)).Want(t, 200).JSON(t, &got)
	if got.Pending == nil || strings.Join(got.Pending.Factors, " ") != "other recovery" {
		t.Fatalf("pending %+v", got.Pending)
	}
	return got.Pending.Token
}

func TestCodesReplaceTheFactor(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, testapp.Unlimited)
		owner := a.LoggedIn(testapp.Alice)
		former := a.codes(t, owner)
		codes := a.codes(t, owner) // replaces them
		for _, code := range codes {
			if !regexp.MustCompile(`^([A-Z2-7]{6}-){3}[A-Z2-7]{6}$`).MatchString(code) {
				t.Fatalf("code %q", code)
			}
		}
		a.other.on.Store(false)
		a.LoggedIn(testapp.Alice) // codes alone are no second factor
		a.other.on.Store(true)
		c := a.Client()
		token := a.pending(t, c, "/login")
		c.Post("/login/recovery", codeForm{token, former[0]}).Want(t, 401)
		if r := c.Post("/login/recovery", codeForm{token, codes[0]}).Want(t, 200); strings.Contains(r.Text, "left") {
			t.Errorf("with 9 codes left: %s", r.Text)
		}
		c.Get("/me").Want(t, 200)
		if text := c.Get("/recovery-codes").Text; text != `{"left":9}` {
			t.Error(text)
		}
		told := make(map[string]int) // mails are sent at the same time
		for range 3 {
			m := a.Outbox.Next(t, mail.FactorChanged, testapp.Alice)
			for _, kind := range []string{"New recovery codes", "was used"} {
				if strings.Contains(m.Text, kind) {
					told[kind]++
				}
			}
		}
		if told["New recovery codes"] != 2 || told["was used"] != 1 {
			t.Errorf("mails %v", told)
		}
		testapp.WantEvents[recovery.Regenerated](a.App, 2)
		a.Clock.Advance(16 * time.Minute)
		c.Confirm(testapp.Password).Want(t, 204)
		c.Post("/recovery-codes", nil).Want(t, 403) // a password does not replace the second factor
		if used := testapp.WantEvents[recovery.Used](a.App, 1); used[0].Left != 9 || used[0].UserID != a.Alice.AuthID() {
			t.Errorf("event %+v", used[0])
		}
		a.pending(t, c, "/login")
		c.Post("/login/recovery", codeForm{"", codes[0]}).Want(t, 401) // used
		for i, code := range codes[1:] {
			token := a.pending(t, a.Client(), "/api/login")
			written := strings.ToLower(strings.ReplaceAll(code, "-", " "))
			r := a.Client().Post("/login/recovery", codeForm{token, written}).Want(t, 200)
			if told := strings.Contains(r.Text, `"recovery_codes_left"`); told != (8-i < 3) || !strings.Contains(r.Text, "access_token") {
				t.Errorf("with %d codes left: %s", 8-i, r.Text)
			}
		}
	})
}

// TestParallelUsesOfOneCode sends one code with 200 requests at once (K05, EXP-03).
func TestParallelUsesOfOneCode(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := start(t, b, testapp.Unlimited)
		code := a.codes(t, a.LoggedIn(testapp.Alice))[0]
		a.other.on.Store(true)
		tokens := make([]string, 5)
		for i := range tokens {
			tokens[i] = a.pending(t, a.Client(), "/api/login")
		}
		var won atomic.Int32
		a.Race(200, func(i int) {
			r, err := a.Client().TryPost("/login/recovery", codeForm{tokens[i%len(tokens)], code})
			switch {
			case err != nil:
				t.Error(err)
			case r.StatusCode == 200:
				won.Add(1)
			case r.StatusCode != 401 && r.StatusCode != 429:
				t.Errorf("status %d: %s", r.StatusCode, r.Text)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d logins by one code", won.Load())
		}
	})
}

func TestCodesAreRefused(t *testing.T) {
	b := testapp.Memory(t)
	a := start(t, b)
	a.Client().Post("/recovery-codes", nil).Want(t, 401)
	a.LoggedIn(testapp.Bob).Post("/recovery-codes", nil).Want(t, 403) // the address is not verified
	owner := a.LoggedIn(testapp.Alice)
	codes := a.codes(t, owner)
	stored, err := b.Set.Factors.FactorsOf(t.Context(), "users:"+a.Alice.AuthID())
	if err != nil || len(stored) != 10 {
		t.Fatal(stored, err)
	}
	for _, f := range stored {
		if strings.Contains(strings.Join(codes, " "), f.ID) || len(f.Data) > 32 {
			t.Errorf("stored %+v", f)
		}
	}
	a.other.on.Store(true)
	c := a.Client()
	a.pending(t, c, "/login")
	for _, malformed := range []string{"", "123456", strings.Repeat("A", 25), strings.Repeat("x", 1<<10), "ABCDEF-ABCDEF-ABCDEF-ABCDE9"} {
		c.Post("/login/recovery", codeForm{"", malformed}).WantField(t, "code")
	}
	c.Post("/login/recovery", codeForm{"", "ABCDEF-ABCDEF-ABCDEF-ABCDEF"}).Want(t, 401)
}
