package routes_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

// all are the routes of a manager that supports everything.
var all = []routes.Route{
	routes.Register, routes.Login, routes.Logout, routes.Me, routes.ChangePassword, routes.ConfirmPassword,
	routes.PasswordConfirmed, routes.ForgotPassword, routes.ResetPassword, routes.VerifyEmail, routes.ResendVerification,
	routes.ShowVerifyEmail, routes.ShowConfirmEmail,
	routes.ChangeEmail, routes.ConfirmEmail, routes.Devices, routes.RevokeDevice, routes.LogoutDevices, routes.IssueTokens,
	routes.RefreshTokens, routes.RevokeToken, routes.PersonalTokens, routes.CreateToken, routes.DeleteToken, routes.JWKS,
}

// aliases are POSTs in place of PUT and DELETE.
var aliases = []string{
	"POST /password", "POST /email", "POST /devices/:id/delete", "POST /devices/delete", "POST /tokens/:id/delete",
}

// plainUsers is a user provider that can only look users up.
type plainUsers struct{ models.UserProvider }

func mounted(t *testing.T, cfg ginauth.Config, o routes.Options) []routes.Route {
	t.Helper()
	m, err := ginauth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	engine := gin.New()
	routes.Mount(engine, m, o)
	var found []routes.Route
	for _, r := range engine.Routes() {
		if route := r.Method + " " + r.Path; !slices.Contains(aliases, route) {
			found = append(found, routes.Route(route))
		}
	}
	return found
}

func TestMountServesSupportedRoutes(t *testing.T) {
	users := new(ginauthtest.Users)
	mails := ginauth.MailConfig{Mailer: mail.MailerFunc(func(context.Context, mail.Message) error { return nil }), BaseURL: testapp.BaseURL}
	mailed := []routes.Route{
		routes.ForgotPassword, routes.ResetPassword, routes.VerifyEmail, routes.ResendVerification, routes.ChangeEmail, routes.ConfirmEmail,
		routes.ShowVerifyEmail, routes.ShowConfirmEmail,
	}
	issued := []routes.Route{routes.IssueTokens, routes.RefreshTokens, routes.JWKS}
	personal := []routes.Route{routes.PersonalTokens, routes.CreateToken, routes.DeleteToken}
	session := []routes.Route{routes.Login}
	for name, c := range map[string]struct {
		config  ginauth.Config
		options routes.Options
		lacks   []routes.Route
	}{
		"everything": {config: ginauth.Config{Users: users, Mail: mails}},
		"no mail":    {config: ginauth.Config{Users: users}, lacks: mailed},
		"sessions alone": {
			config: ginauth.Config{Users: users, Mail: mails, Guards: map[string]ginauth.GuardConfig{"web": {}}},
			lacks:  slices.Concat(issued, personal, []routes.Route{routes.RevokeToken}),
		},
		"other names": {
			config: ginauth.Config{Users: users, Mail: mails, DefaultGuard: "site", Guards: map[string]ginauth.GuardConfig{
				"site": {}, "jwt": {New: ginauth.JWTGuard}, "pat": {New: ginauth.TokenGuard},
			}},
			options: routes.Options{SessionGuard: "site", AccessGuard: "jwt", PersonalGuard: "pat"},
		},
		"access tokens alone": {
			config: ginauth.Config{Users: users, Mail: mails, Guards: map[string]ginauth.GuardConfig{"api": {New: ginauth.JWTGuard}}},
			lacks:  slices.Concat(session, personal),
		},
		"a provider that changes nothing": {
			config: ginauth.Config{Users: plainUsers{users}, Mail: mails},
			lacks:  slices.Concat(mailed, []routes.Route{routes.Register, routes.ChangePassword, routes.LogoutDevices}),
		},
		"left out": {
			config:  ginauth.Config{Users: users, Mail: mails},
			options: routes.Options{Without: []routes.Route{routes.Register, routes.JWKS}},
			lacks:   []routes.Route{routes.Register, routes.JWKS},
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := slices.DeleteFunc(slices.Clone(all), func(r routes.Route) bool { return slices.Contains(c.lacks, r) })
			got := mounted(t, c.config, c.options)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("mounted %q,\nwant %q", got, want)
			}
		})
	}
}

func TestMountPanicsOnMistakes(t *testing.T) {
	users := new(ginauthtest.Users)
	mailer := mail.MailerFunc(func(context.Context, mail.Message) error { return nil })
	mails := ginauth.MailConfig{Mailer: mailer, BaseURL: testapp.BaseURL}
	for says, c := range map[string]struct {
		config  ginauth.Config
		options routes.Options
		group   string
	}{
		`unknown route "GET /logout"`:    {options: routes.Options{Without: []routes.Route{"GET /logout"}}},
		`unknown route "login"`:          {options: routes.Options{Pages: map[routes.Route]routes.Page{"login": {}}}},
		`"//evil.example" is not a path`: {options: routes.Options{Pages: map[routes.Route]routes.Page{routes.Logout: {Done: "//evil.example"}}}},
		`"sign-in" is not a path`:        {options: routes.Options{Pages: map[routes.Route]routes.Page{routes.Login: {Failed: "sign-in"}}}},
		`Config.Pages.Home`:              {options: routes.Options{Pages: map[routes.Route]routes.Page{routes.Login: {Done: "/x"}}}},
		`guard "a" has no sessions`:      {options: routes.Options{SessionGuard: "a", AccessGuard: "b"}},
		`guard "api" has no sessions`:    {options: routes.Options{SessionGuard: "api", AccessGuard: "web"}},
		`set Config.Mail.VerifyPath to "/auth/verify-email"`: {
			config: ginauth.Config{Mail: mails}, group: "/auth",
		},
		`set Config.Mail.ConfirmPath to "/auth/confirm-email"`: {
			config: ginauth.Config{Mail: ginauth.MailConfig{Mailer: mailer, BaseURL: testapp.BaseURL, VerifyPath: "/auth/verify-email"}}, group: "/auth",
		},
	} {
		t.Run(says, func(t *testing.T) {
			c.config.Users = users
			m, err := ginauth.New(c.config)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = m.Close(context.Background())
				if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "routes: Mount: ") || !strings.Contains(p, says) {
					t.Errorf("panic %q, want %q", p, says)
				}
			}()
			routes.Mount(gin.New().Group(c.group), m, c.options)
		})
	}
}

// The group is below the base URL of the site, and a proxy removes a prefix of
// the path.
func TestLinksLeadIntoTheGroup(t *testing.T) {
	for name, c := range map[string]struct{ baseURL, verifyPath, confirmPath, link string }{
		"group":         {testapp.BaseURL, "/auth/verify-email", "/auth/confirm-email", "/auth/verify-email/"},
		"path of group": {testapp.BaseURL + "/auth", "/verify-email", "/confirm-email", "/auth/verify-email/"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, testapp.Memory(t), setup{group: "/auth", config: func(cfg *ginauth.Config) {
				cfg.Mail.BaseURL, cfg.Mail.VerifyPath, cfg.Mail.ConfirmPath = c.baseURL, c.verifyPath, c.confirmPath
			}})
			a.Client().Post("/auth/register", registration("ann@example.com")).Want(t, 201)
			link := testapp.PathOf(a, a.Outbox.Next(a, mail.VerifyEmail, "ann@example.com"))
			if !strings.HasPrefix(link, c.link) {
				t.Errorf("link %s", link)
			}
			a.Client().Post(link, "{}").Want(t, 200)
		})
	}
}

func TestPreflightFindsNoUndecidedRoutes(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	for _, finding := range a.Preflight(context.Background(), a.Engine) {
		if strings.Contains(finding.Problem, "neither Auth nor Guest") {
			t.Errorf("%v", finding)
		}
	}
}

func TestJWKSIsPublic(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	r := a.Client().Get("/.well-known/jwks.json").Want(t, 200)
	if r.Text != `{"keys":[]}` || r.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("body %s, Cache-Control %q", r.Text, r.Header.Get("Cache-Control"))
	}
}
