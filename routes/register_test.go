package routes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

func registration(email string) fields {
	return fields{"name": "Ann", "email": email, "password": testapp.NewPassword}
}

func hideTaken(c *ginauth.Config) { c.Account.HideAccountExistence = true }

func TestRegisterSendsVerificationLink(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		c := a.Client()
		r := c.Post("/register", registration("ann@example.com")).Want(t, 201)
		if want := `{"user":{"email":"ann@example.com","email_verified":false,"id":"3","name":"Ann"}}`; r.Text != want {
			t.Errorf("body %s, want %s", r.Text, want)
		}
		c.Get("/me").Want(t, 401) // not logged in
		c.Post(testapp.PathOf(a, a.Outbox.Next(a, mail.VerifyEmail, "ann@example.com")), "{}").Want(t, 200)
		c.LogIn("ANN@example.com", testapp.NewPassword).Want(t, 200)
		c.Post("/register", registration("ann@EXAMPLE.com")).WantField(t, "email")
		testapp.WantEvents[events.Registered](a, 1)
		testapp.WantEvents[events.Verified](a, 1)
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

func TestRegistrationsHaveALimitOfTheirOwn(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		people := func(a *testapp.App, domain string, from, to, want int) (last *testapp.Response) {
			for i := from; i < to; i++ {
				last = a.Client().Post("/register", registration(fmt.Sprintf("ann%d@%s", i, domain))).Want(t, want)
			}
			return last
		}
		a := newApp(t, b, setup{})
		people(a, "example.com", 0, 35, 201)
		few := newApp(t, testapp.Memory(t), setup{config: func(c *ginauth.Config) {
			c.Throttle.Register = ginauth.Limit{Attempts: 3, Per: time.Hour}
		}})
		people(few, "example.com", 0, 3, 201)
		res := people(few, "example.com", 3, 4, 429)
		if got := res.Header.Get("Retry-After"); got != "3600" {
			t.Errorf("Retry-After %q", got)
		}
		few.Clock.Advance(time.Hour)
		people(few, "example.com", 4, 5, 201)
	})
}

// E06: with HideAccountExistence the response is the same for a free address
// and a taken one. The owner of a taken address is informed, at most once a
// minute.
func TestRegisterHidesTakenAddress(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{config: hideTaken})
		fresh := a.Client().Post("/register", registration("ann@example.com")).Want(t, 202)
		taken := a.Client().Post("/register", registration("Alice@Example.COM"))
		testapp.Same(t, taken, fresh)
		got := map[string]string{}
		for range 2 { // the order is not defined
			m := a.Outbox.Any(t)
			got[m.Kind] = m.To.Email
		}
		if got[mail.VerifyEmail] != "ann@example.com" || got[mail.AlreadyRegistered] != testapp.Alice {
			t.Errorf("mails %v", got)
		}
		testapp.Same(t, a.Client().Post("/register", registration(testapp.Alice)), fresh)
		if u := a.User(a.Alice.AuthID()); u.Name != "Alice" {
			t.Error("the existing user was changed")
		}
		a.Client().LogIn(testapp.Alice, testapp.NewPassword).Want(t, 401)
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200)
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("a second mail within the minute: %v", rest)
		}
	})
}

// D01: additional fields in the body of a registration do not set fields of the
// user.
func TestRegisterIgnoresOtherFields(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		extra := fields{
			"id": 1, "is_admin": true, "IsAdmin": true, "role": "admin", "email_verified_at": "2020-01-01T00:00:00Z",
			"EmailVerifiedAt": "2020-01-01T00:00:00Z", "email_verified": true, "remember_token": "x", "password_hash": "x",
			"SecurityStamp": "x", "two_factor_secret": "x", "created_at": "2020-01-01T00:00:00Z", "user": fields{"id": 1},
			"user.id": 1, "disabled_at": nil, "Fields": fields{"role": "admin"}, "guard": "token",
		}
		for name, value := range registration("ann@example.com") {
			extra[name] = value
		}
		a.Client().Post("/register", extra).Want(t, 201)
		form := "name=Ann&email=eve%40example.com&password=CANARY+ocelots+juggle+nine&id=1&is_admin=1&user%5Bid%5D=1" +
			"&email_verified_at=2020-01-01&EmailVerifiedAt=1&SecurityStamp=x"
		a.Client().Form("/register", form).Want(t, 201)
		for _, id := range []string{"3", "4"} {
			u := a.User(id)
			if u.EmailVerifiedAt != nil || u.DisabledAt != nil || u.SecurityStamp == "x" || !strings.HasPrefix(u.Password, "$argon2id$") {
				t.Errorf("user %s has a value that the client sent", id)
			}
			if u.CreatedAt.Year() == 2020 {
				t.Errorf("user %s has a creation time that the client sent", id)
			}
		}
		if a.User("1").Name != "Alice" {
			t.Error("another user was changed")
		}
	})
}

// D01: Prepare receives the declared fields as strings, and no other fields.
func TestPrepareReceivesDeclaredFields(t *testing.T) {
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		var got []map[string]string
		a := newApp(t, b, setup{
			options: routes.Options{RegisterFields: []string{"company", "country"}},
			config: func(c *ginauth.Config) {
				c.Account.Prepare = func(_ context.Context, u models.Authenticatable, r ginauth.Registration) error {
					got = append(got, r.Fields)
					if r.Fields["country"] == "Atlantis" {
						return &ginauth.InputError{Field: "country", Reason: "is not one"}
					}
					return nil
				}
			},
		})
		n := 0
		with := func(more fields) fields {
			n++
			all := registration(fmt.Sprintf("n%d@example.com", n))
			for name, value := range more {
				all[name] = value
			}
			return all
		}
		encode := func(f fields) string {
			values := url.Values{}
			for name, value := range f {
				values.Set(name, fmt.Sprint(value))
			}
			return values.Encode()
		}
		undeclared := fields{"is_admin": "1", "id": "1", "SecurityStamp": "x", "Fields": "x", "company_id": "1", "guard": "token"}
		sent := fields{"company": "Acme & Sons", "country": ""}
		for name, value := range undeclared {
			sent[name] = value
		}
		want := map[string]string{"company": "Acme & Sons", "country": ""}
		a.Client().Post("/register", with(sent)).Want(t, 201)
		a.Client().Form("/register", encode(with(sent))).Want(t, 201)
		a.Client().Post("/register", with(fields{"Company": "Acme & Sons", "country": ""})).Want(t, 201) // names match in any case, as those of other fields
		for i, fields := range got {
			if !maps.Equal(fields, want) {
				t.Errorf("registration %d: %q, want %q", i, fields, want)
			}
		}
		got = nil
		a.Client().Post("/register", with(fields{"company": nil, "is_admin": true})).Want(t, 201)
		a.Client().Form("/register", encode(with(nil))).Want(t, 201)
		for i, fields := range got {
			if len(fields) != 0 {
				t.Errorf("registration %d without any: %q", i, fields)
			}
		}
		got = nil
		for _, value := range []any{1, true, []string{"a"}, fields{"a": "b"}} {
			a.Client().Post("/register", with(fields{"company": value})).WantField(t, "company")
		}
		a.Client().Post("/register", `{"company":"a","COMPANY":"b","name":"N","email":"x@example.com","password":"`+testapp.NewPassword+`"}`).Want(t, 422)
		a.Client().Form("/register", encode(with(fields{"company": "a"}))+"&company=b").WantField(t, "company")
		a.Client().Form("/register", encode(with(fields{"Company": "a"}))).WantField(t, "Company")
		if len(got) != 0 {
			t.Errorf("Prepare was called with refused fields: %q", got)
		}
		a.Client().Post("/register", with(fields{"country": "Atlantis"})).WantField(t, "country")
	})
}

func TestMountRefusesDuplicateRegisterFields(t *testing.T) {
	m, err := ginauth.New(ginauth.Config{Users: new(ginauthtest.Users)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close(t.Context()) }()
	for _, names := range [][]string{{""}, {"Company"}, {"a b"}, {"a.b"}, {"email"}, {"a", "a"}, {"ſ"}, {strings.Repeat("a", 65)}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q are accepted", names)
				}
			}()
			routes.Mount(gin.New(), m, routes.Options{RegisterFields: names})
		}()
	}
}

// P01, P02, P03, P04, P05, P09, P13: which passwords are accepted, and that
// only exactly the same password logs in.
func TestNewPasswordsAreChecked(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	n := 0
	register := func(password string) *testapp.Response {
		a.Clock.Advance(time.Minute)
		n++
		quoted := `"` + password + `"` // not escaped: some cases are JSON escapes
		return a.Client().Post("/register", fmt.Sprintf(`{"name":"N","email":"n%d@example.org","password":%s}`, n, quoted))
	}
	login := func(password string) *testapp.Response {
		a.Clock.Advance(time.Minute)
		return a.Client().Post("/login", fmt.Sprintf(`{"email":"n%d@example.org","password":"%s"}`, n, password))
	}
	for name, refused := range map[string]string{
		"empty": "", "14 characters": "tundra-46-plum", "common": "passwordpassword", "one character": strings.Repeat("a", 72),
		"the address": "example.org example", "too long": strings.Repeat("ab cd ", 700),
		"half a pair": `long enough to be good \ud800`, "the other half": `long enough to be good \udc01`, "not UTF-8": "long enough to be good \xff",
	} {
		if r := register(refused); r.StatusCode != 422 {
			t.Errorf("%s: status %d, want 422", name, r.StatusCode)
		}
	}
	long := strings.Repeat("tundra plum ", 6) // 72 bytes
	register(long).Want(t, 201)
	login(long+"X").Want(t, 401)
	login(long[:71]).Want(t, 401)
	login(long).Want(t, 200)
	long = strings.Repeat("lavendel ört ", 19) // 247 characters, more bytes
	register(long).Want(t, 201)
	login(long).Want(t, 200)

	register(`tundra plum elk \u0000 c`).Want(t, 201)
	login(`tundra plum elk \u0000 d`).Want(t, 401)
	login(`tundra plum elk `).Want(t, 401)
	login(`tundra plum elk \u0000 c`).Want(t, 200)

	register(`  tundra plum \u00e9lk  `).Want(t, 201)
	login(`  tundra plum e\u0301lk  `).Want(t, 401) // passwords are not trimmed
	login(`tundra plum \u00e9lk`).Want(t, 401)      // nor normalized
	login(`  tundra plum élk  `).Want(t, 200)
}

// P05, X03, X09: bodies with another format than the route expects are refused.
func TestOtherBodyFormatsAreRefused(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	c := a.Client()
	good := `{"email":"` + testapp.Alice + `","password":"` + testapp.Password + `"}`
	form := "email=alice%40example.com&password=" + strings.ReplaceAll(testapp.Password, " ", "+")
	query := "/login?" + form
	for _, contentType := range []string{"", "text/plain", "multipart/form-data; boundary=x", "application/xml",
		"application/x-www-form-urlencoded; charset=utf-16", "application/json; charset=latin1", "text/html"} {
		c.Do("POST", query, contentType, good).Want(t, 415)
		if r := c.Do("POST", query, contentType, form).Want(t, 415); strings.Contains(r.Text, "JSON") {
			t.Errorf("the response to a form is %s", r.Text)
		}
	}
	double := a.Client()
	double.Header["Content-Type"] = []string{"application/json", "application/x-www-form-urlencoded"}
	double.Do("POST", "/login", "", good).Want(t, 415)

	huge := strings.Repeat("a", 70<<10)
	c.Post("/login", `{"email":"`+testapp.Alice+`","password":"`+huge+`"}`).Want(t, 413)
	c.Post("/login", `{"email":"`+huge+`","password":"x"}`).Want(t, 413)
	c.Form("/login", form+"&x="+huge).Want(t, 413)
	c.Post("/login", `{"email":"`+testapp.Alice+`","password":"`+huge[:5000]+`"}`).WantField(t, "password")

	c.Post(query, "{}").WantField(t, "email") // the query is not read
	c.Form(query, "").WantField(t, "email")
	for _, body := range []string{"", "{", good + good, "email"} {
		c.Post("/login", body).Want(t, 400)
	}
	for _, body := range []string{
		`{"email":"bob@example.com","email":"` + testapp.Alice + `","password":"x"}`,
		`{"email":"bob@example.com","EMAIL":"` + testapp.Alice + `","password":"x"}`,
		`{"email":["` + testapp.Alice + `"],"password":"x"}`, `{"email":{"a":"b"},"password":"x"}`, `{"email":1,"password":"x"}`,
		`{"email":"` + testapp.Alice + `","password":["x"]}`, `{"email":"` + testapp.Alice + `","password":true}`, `[]`, `null`,
		`{"email":"` + testapp.Alice + `","password":"x","remember":"yes"}`,
	} {
		c.Post("/login", body).Want(t, 422)
	}
	for _, body := range []string{
		form + "&email=bob%40example.com", form + "&EMAIL=bob%40example.com", form + "&pa%C5%BFsword=x", "Email=a&password=b", "email=a&paſſword=b",
		"email=%zz&password=x", "email=a;password=x", "email=%ff&password=x", "email=" + testapp.Alice + "&password=%ff", form + "&remember=maybe",
		form + strings.Repeat("&", 10) + manyFields(100), "%ff=1&" + form, form + "&other=1&other=2",
	} {
		c.Form("/login", body).Want(t, 422)
	}
	c.Get("/me").Want(t, 401)
	c.Form("/login", form+"&remember=on&other=1").Want(t, 200)
	if c.Cookies[testapp.RememberCookie] == "" {
		t.Error("the form did not set a remember-me cookie")
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "f%d=1&", i)
	}
	return b.String()
}

// W12: no mail is sent to an invalid address. Mail is sent to the stored
// address.
func TestMailGoesOnlyToStoredAddress(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		for _, path := range []string{"/forgot-password", "/verify-email/resend", "/register"} {
			for _, email := range []any{
				[]string{testapp.Alice}, fields{"a": testapp.Alice}, 7, true, nil, "", "alice", "alice@example.com\r\nBcc: eve@example.com",
				"alice@example.com,eve@example.com", "alice@example.com eve@example.com", strings.Repeat("a", 2000) + "@example.com",
				"alice@exam\x00ple.com",
			} {
				a.Clock.Advance(time.Minute)
				body := fields{"name": "Eve", "password": testapp.NewPassword, "email": email}
				if r := a.Client().Post(path, body); r.StatusCode != 422 {
					t.Errorf("%s with %q: status %d, want 422", path, email, r.StatusCode)
				}
			}
		}
		// These spellings are the same account: other case, Kelvin sign, full
		// width letters.
		a.AddUser("Kay", "Kay.ss@example.com", testapp.Password)
		for _, typed := range []string{"KAY.SS@example.com", "\u212aay.ss@example.com", "kay.ß@example.com", "ｋay.ss@example.com"} {
			a.Clock.Advance(time.Hour)
			a.Client().Post("/forgot-password", fields{"email": typed}).Want(t, 202)
			a.Outbox.Next(a, mail.ResetPassword, "Kay.ss@example.com")
		}
		a.Clock.Advance(time.Hour)
		a.Client().Post("/forgot-password", fields{"email": "kay.s\u0131@example.com"}).Want(t, 202) // a different account
		if rest := a.RestOfMails(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// W11: one client address cannot cause mails to any number of accounts.
func TestMailRequestsAreLimitedByAddress(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := newApp(t, b, setup{})
		for i := range 30 {
			path := []string{"/forgot-password", "/verify-email/resend"}[i%2]
			a.Client().Post(path, fields{"email": fmt.Sprintf("u%d@example.com", i)}).Want(t, 202)
		}
		r := a.Client().Post("/forgot-password", fields{"email": testapp.Alice}).Want(t, 429)
		if r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 200) // counted separately
		testapp.WantEvents[events.Lockout](a, 1)
		a.Clock.Advance(time.Minute)
		a.Client().Post("/forgot-password", fields{"email": testapp.Alice}).Want(t, 202)
	})
}

// D05: the default of Options.User returns only the documented fields.
func TestDefaultUserHidesOtherFields(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	var body map[string]json.RawMessage
	a.LoggedIn(testapp.Alice).Get("/me").Want(t, 200).JSON(t, &body)
	if len(body) != 1 || strings.Contains(string(body["user"]), "created_at") {
		t.Errorf("body %s", body)
	}
}
