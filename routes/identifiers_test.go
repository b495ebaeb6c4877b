package routes_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// named is a user with a user name, which is also in the credential "login".
type named struct {
	models.User
	Username string `gorm:"size:64;not null;uniqueIndex"`
}

func (named) TableName() string { return "named_users" }

// TestLoginByConfiguredIdentifier logs in by each of the identifiers that the provider has, in
// JSON and by a form, with a session and with tokens.
func TestLoginByConfiguredIdentifier(t *testing.T) {
	b := testapp.SQLite(t)
	if err := b.DB.AutoMigrate(&named{}); err != nil {
		t.Fatal(err)
	}
	users := gormstore.Users[named](b.DB, gormstore.WithIdentifier("email", "Email"),
		gormstore.WithIdentifier("username", "Username"), gormstore.WithLogin("login", "email", "username"))
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users = users }),
		testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) { routes.Mount(r, a.Manager, routes.Options{}) }))
	hash, err := a.Hasher().Hash(context.Background(), testapp.Password)
	if err != nil {
		t.Fatal(err)
	}
	kim := &named{User: models.User{Name: "Kim", Email: "kim@example.com", Password: hash}, Username: "kimono"}
	if err := users.CreateUser(t.Context(), kim); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/login", "/token"} {
		for field, value := range map[string]string{"email": "Kim@example.com", "username": "KIMONO"} {
			for _, name := range []string{field, "login"} {
				a.Client().Post(path, map[string]any{name: value, "password": testapp.Password, "remember": false}).Want(t, 200)
				a.Client().Form(path, name+"="+value+"&password="+strings.ReplaceAll(testapp.Password, " ", "+")).Want(t, 200)
				a.Client().Post(path, map[string]any{name: value, "password": "wrong"}).Want401(t)
			}
		}
		for body, want := range map[string]string{
			`{"password":"x"}`: "login", `{"login":"","password":"x"}`: "login",
			`{"email":"kim@example.com","username":"kimono","password":"x"}`: "username",
			`{"username":7,"password":"x"}`:                                  "username",
		} {
			res := a.Client().Post(path, body).Want(t, 422)
			if !strings.Contains(res.Text, `"field":"`+want+`"`) {
				t.Errorf("POST %s %s: %s", path, body, res.Text)
			}
		}
	}
	document := string(routes.OpenAPI(gin.New(), a.Manager, routes.Options{}))
	for _, field := range []string{"login", "username"} {
		if !strings.Contains(document, `"`+field+`": {`) && !strings.Contains(document, `"`+field+`":{`) {
			t.Errorf("the document does not name the field %s", field)
		}
	}
}

// onSQL runs a test on the databases that there are, each with an empty table of named users.
func onSQL(t *testing.T, test func(t *testing.T, b *testapp.Backend)) {
	t.Helper()
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		if b.DB == nil {
			t.Skip("has no tables")
		}
		if err := b.DB.AutoMigrate(&named{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.DB.Migrator().DropTable(&named{}) })
		test(t, b)
	})
}

// newNamedApp has users with user names.
func newNamedApp(t *testing.T, b *testapp.Backend, config func(*ginauth.Config), options ...gormstore.UserOption) *testapp.App {
	t.Helper()
	return testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) {
		c.Users = gormstore.Users[named](b.DB, options...)
		if config != nil {
			config(c)
		}
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		routes.Mount(r, a.Manager, routes.Options{})
		r.GET("/basic", a.Basic(), func(c *gin.Context) { c.String(200, "in") })
	}))
}

// TestMailsByConfiguredIdentifier asks for mails by each identifier. They go to the address of the user, share one
// count, and the answer does not tell whether there is such a user.
func TestMailsByConfiguredIdentifier(t *testing.T) {
	onSQL(t, func(t *testing.T, b *testapp.Backend) {
		a := newNamedApp(t, b, nil, gormstore.WithIdentifier("email", "Email"),
			gormstore.WithIdentifier("username", "Username"), gormstore.WithLogin("login", "email", "username"))
		kim := &named{User: models.User{Name: "Kim", Email: "kim@example.com", Password: "none"}, Username: "kimono"}
		if err := gormstore.Users[named](b.DB).CreateUser(t.Context(), kim); err != nil {
			t.Fatal(err)
		}
		for path, kind := range map[string]string{"/forgot-password": mail.ResetPassword, "/verify-email/resend": mail.VerifyEmail} {
			for _, asked := range []fields{{"username": "KIMONO"}, {"login": "kimono"}, {"login": "Kim@example.com"}, {"email": "kim@example.com"}} {
				known := a.Client().Post(path, asked).Want(t, 202)
				a.Outbox.Next(t, kind, "kim@example.com")
				a.Client().Post(path, fields{"email": "kim@example.com"}).Want(t, 202)
				a.Client().Post(path, fields{"username": "kimono"}).Want(t, 202)
				testapp.Same(t, a.Client().Post(path, fields{"username": "nobody"}), known)
				a.Clock.Advance(time.Minute)
			}
			a.Client().Form(path, "username=kimono").Want(t, 202)
			a.Outbox.Next(t, kind, "kim@example.com")
			a.Client().Post(path, fields{}).WantField(t, "login")
			a.Client().Post(path, fields{"username": "kimono", "login": "kimono"}).WantField(t, "username")
			a.Client().Post(path, fields{"username": 7}).WantField(t, "username")
			a.Clock.Advance(time.Hour)
		}
		a.BasicAuth("KIMONO", "wrong").Get("/basic").Want401(t)
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("more than one mail within a minute: %v", rest)
		}
	})
}

// TestResetByTokenAlone resets a password without the email address, and refuses that of another user.
func TestResetByTokenAlone(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		token := forgot(a, testapp.Alice)
		for _, email := range []string{testapp.Bob, "nobody@example.com"} {
			a.Client().Post("/reset-password", fields{"email": email, "token": token, "password": testapp.NewPassword}).WantField(t, "token")
		}
		a.Client().Post("/reset-password", fields{"email": "no address", "token": token, "password": testapp.NewPassword}).WantField(t, "email")
		a.Client().Post("/reset-password", fields{"token": "gpr_x", "password": testapp.NewPassword}).WantField(t, "token")
		a.Client().Post("/reset-password", fields{"token": token, "password": testapp.NewPassword}).Want(t, 204)
		a.Client().LogIn(testapp.Alice, testapp.NewPassword).Want(t, 200)
		a.Client().Post("/reset-password", fields{"token": token, "password": testapp.Password}).WantField(t, "token")
	})
}

// TestUsersWithoutEmailAsIdentifier registers users who are looked up by user name alone. The email address is where
// mails go, if they give one.
func TestUsersWithoutEmailAsIdentifier(t *testing.T) {
	onSQL(t, func(t *testing.T, b *testapp.Backend) {
		a := newNamedApp(t, b, nil, gormstore.WithIdentifier("username", "Username"))
		register := func(more fields) *testapp.Response {
			body := fields{"name": "Kim", "password": testapp.NewPassword}
			for name, value := range more {
				body[name] = value
			}
			return a.Client().Post("/register", body)
		}
		register(fields{"username": " Kimono "}).Want(t, 201)
		register(fields{"username": "sandal"}).Want(t, 201)
		register(fields{"username": "KIMONO"}).WantField(t, "username")
		register(fields{}).WantField(t, "username")
		register(fields{"username": "two words"}).WantField(t, "username")
		register(fields{"username": 7}).WantField(t, "username")
		register(fields{"username": "third", "email": "no address"}).WantField(t, "email")
		register(fields{"username": "third", "email": "third@example.com"}).Want(t, 201)
		register(fields{"username": "fourth", "email": "third@example.com"}).WantField(t, "email")
		link := testapp.PathOf(a, a.Outbox.Next(t, mail.VerifyEmail, "third@example.com"))
		c := a.Client()
		c.Post("/login", fields{"username": "third", "password": testapp.NewPassword}).Want(t, 200)
		c.Post(link, nil).Want(t, 200)
		if me := c.Get("/me").Want(t, 200).Text; !strings.Contains(me, `"email_verified":true`) {
			t.Errorf("GET /me: %s", me)
		}
		c.Call("PUT", "/email", fields{"email": "moved@example.com"}).Want(t, 202)
		c.Post(testapp.PathOf(a, a.Outbox.Next(t, mail.EmailChange, "moved@example.com")), nil).Want(t, 200)
		a.Outbox.Next(t, mail.EmailChanged, "third@example.com")

		a.Client().Post("/forgot-password", fields{"username": "THIRD"}).Want(t, 202)
		token := testapp.TokenOf(t, testapp.PathOf(a, a.Outbox.Next(t, mail.ResetPassword, "moved@example.com")))
		a.Client().Post("/reset-password", fields{"email": "third@example.com", "token": token, "password": testapp.Password}).WantField(t, "token")
		a.Client().Post("/reset-password", fields{"email": "Moved@example.com", "token": token, "password": testapp.Password}).Want(t, 204)
		a.BasicAuth("Third", testapp.Password).Get("/basic").Want(t, 200)
		a.Client().Post("/forgot-password", fields{"username": "sandal"}).Want(t, 202) // has no mailbox
		a.Outbox.Next(t, mail.PasswordChanged, "moved@example.com")
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// TestHiddenRegistrationByUserName hides which user names are taken: the mail tells.
func TestHiddenRegistrationByUserName(t *testing.T) {
	onSQL(t, func(t *testing.T, b *testapp.Backend) {
		a := newNamedApp(t, b, hideTaken, gormstore.WithIdentifier("username", "Username"))
		body := func(name, email string) fields {
			return fields{"name": "Kim", "username": name, "email": email, "password": testapp.NewPassword}
		}
		a.Client().Post("/register", body("kimono", "")).WantField(t, "email")
		fresh := a.Client().Post("/register", body("kimono", "kim@example.com")).Want(t, 202)
		a.Outbox.Next(t, mail.VerifyEmail, "kim@example.com")
		taken := a.Client().Post("/register", body("Kimono", "other@example.com")).Want(t, 202)
		testapp.Same(t, taken, fresh)
		if m := a.Outbox.Next(t, mail.RegistrationFailed, "other@example.com"); !strings.Contains(m.Text, "username") {
			t.Errorf("the mail does not name the field: %s", m.Text)
		}
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("mails to %v", rest)
		}
	})
}

// TestRegisterFieldsAreIdentifiers stores further identifiers without a hook.
func TestRegisterFieldsAreIdentifiers(t *testing.T) {
	onSQL(t, func(t *testing.T, b *testapp.Backend) {
		users := gormstore.Users[named](b.DB, gormstore.WithIdentifier("email", "Email"), gormstore.WithIdentifier("username", "Username"))
		a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users = users }),
			testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
				routes.Mount(r, a.Manager, routes.Options{RegisterFields: []string{"username"}})
			}))
		form := url.Values{"name": {"Kim"}, "email": {"kim@example.com"}, "username": {"Kimono"}, "password": {testapp.NewPassword}}
		a.Client().Form("/register", form.Encode()).Want(t, 201)
		a.Client().Post("/login", fields{"username": "kimono", "password": testapp.NewPassword}).Want(t, 200)
		form.Set("email", "other@example.com")
		a.Client().Form("/register", form.Encode()).WantField(t, "username")
		form.Set("username", "")
		a.Client().Form("/register", form.Encode()).WantField(t, "username")
	})
}

// member is a user with a login name and a password, and nothing else.
type member struct {
	Handle string `gorm:"primaryKey;size:64"`
	Login  string `gorm:"size:254;not null;uniqueIndex"`
	Hash   string `gorm:"size:255;not null"`
}

func (m *member) AuthID() string       { return m.Handle }
func (m *member) AuthPassword() string { return m.Hash }

// TestRoutesOfUsersWithoutAddress mounts nothing that could only answer with an error.
func TestRoutesOfUsersWithoutAddress(t *testing.T) {
	b := testapp.SQLite(t)
	if err := b.DB.AutoMigrate(&member{}); err != nil {
		t.Fatal(err)
	}
	users := gormstore.Users[member](b.DB, gormstore.WithIdentifier("login", "Login"), gormstore.WithPasswordField("Hash"))
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users = users }),
		testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) { routes.Mount(r, a.Manager, routes.Options{}) }))
	if can, _ := a.Capabilities("web"); can.VerifyEmail || can.ChangeEmail || can.ChangeStamp {
		t.Errorf("%+v", can)
	}
	c := a.Client()
	for route, status := range map[routes.Route]int{
		routes.VerifyEmail: 404, routes.ResendVerification: 404, routes.ChangeEmail: 404, routes.LogoutDevices: 405, routes.Me: 401,
	} {
		method, path, _ := strings.Cut(string(route), " ")
		if r := c.Call(method, path, map[string]string{}); r.StatusCode != status && (status != 405 || r.StatusCode != 404) {
			t.Errorf("%s: %d, want %d", route, r.StatusCode, status)
		}
	}
	if can, _ := testapp.New(t, testapp.SQLite(t)).Capabilities("web"); !can.VerifyEmail || !can.ChangeEmail || !can.ChangeStamp {
		t.Errorf("models.User: %+v", can)
	}
}
