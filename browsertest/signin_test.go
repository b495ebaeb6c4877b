package browsertest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/features/social/socialtest"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/models"
)

// TestSignIn signs in at the provider of the example.
func TestSignIn(t *testing.T) {
	chromium(t) // or skip before the example is built
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			base := startExample(t, "-demo-oidc")
			b := open(t, base, m)
			b.visit("/login")
			b.look("login with a provider")
			b.press(`form[action="/auth/demo"] button`)
			b.until("it is at the provider", `document.readyState === "complete" && location.pathname === "/authorize"`)
			b.press(`button[value="1"]`)
			b.until("somebody is signed in", `document.readyState === "complete" && document.querySelector("form[action='/logout']") !== null`)
			b.visit("/profile")
			b.sees("Olga")
			b.visit("/identities")
			b.look("connected accounts")
			b.sees("olga@example.com")
			b.press(`form[action='/logout'] button`)
			b.until("nobody is signed in", `document.readyState === "complete" && document.querySelector("form[action='/logout']") === null`)
			b.visit("/login")
			b.press(`form[action="/auth/demo"] button`)
			b.until("it is at the provider", `document.readyState === "complete" && location.pathname === "/authorize"`)
			b.press(`button[value="3"]`) // with the address of an account that there is
			b.until("it is at the login page", `document.readyState === "complete" && location.pathname === "/login"`)
			b.sees(map[string]string{
				"en": "There is an account with this email address", "de": "Zu dieser E-Mail-Adresse gibt es", "ar": "يوجد حساب بهذا البريد الإلكتروني",
			}[m.language])
			b.look("login refused")
		})
	}
}

// TestSignInByForm signs in with a provider on another site that responds with a form. Browsers send no cookies with it.
func TestSignInByForm(t *testing.T) {
	chromium(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	base := "http://localhost:" + port // another site than 127.0.0.1
	var provider *socialtest.Provider
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { provider.ServeHTTP(w, r) }))
	t.Cleanup(idp.Close)
	provider = socialtest.New(idp.URL, "client", "secret", socialtest.User{Subject: "1", Name: "Olga", Email: "olga@example.com", EmailVerified: true})
	provider.RedirectURIs = []string{base + "/auth/apple/callback"}
	signIn := social.New(social.Options{Providers: []social.Provider{social.OIDC(social.OIDCConfig{
		Name: "apple", Issuer: idp.URL, ClientID: "client", ClientSecret: "secret", FormPost: true,
	})}})
	auth, err := ginauth.New(ginauth.Config{
		Users: new(ginauthtest.Users), Mail: ginauth.MailConfig{BaseURL: base}, Features: []ginauth.Feature{signIn}, Pages: ginauth.PagesConfig{Home: "/me"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(t.Context()) })
	gin.SetMode(gin.TestMode)
	r := gin.New()
	r.Use(auth.StartSession()) // of the whole engine, which refuses what other sites post
	signIn.Mount(r)
	r.GET("/", ginauth.Public(), func(c *gin.Context) {
		c.Header("Content-Security-Policy", "default-src 'self'; form-action 'self'")
		c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(`<!DOCTYPE html><html lang="en"><title>Home</title><form method="post" action="/auth/apple"><button>Go</button></form>`))
	})
	r.GET("/me", auth.Auth("web"), func(c *gin.Context) {
		u, _ := ginauth.UserAs[*models.User](c)
		c.String(http.StatusOK, "I am "+u.Name)
	})
	server := httptest.NewUnstartedServer(r)
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)

	b := open(t, base, modes[0])
	b.visit("/")
	b.press("button")
	b.until("it is at the provider", `document.readyState === "complete" && location.pathname === "/authorize"`)
	b.press(`button[value="1"]`)
	b.at("/me")
	b.sees("I am Olga")
}
