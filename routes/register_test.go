package routes_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/events"
	"github.com/ginauth/ginauth/internal/testsize"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

func registration(email string) fields {
	return fields{"name": "Ann", "email": email, "password": newPass}
}

func hideTaken(c *ginauth.Config) { c.Account.HideAccountExistence = true }

func TestRegister(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		c := a.client()
		r := c.post("/register", registration("ann@example.com")).want(t, 201)
		if want := `{"user":{"email":"ann@example.com","email_verified":false,"id":"3","name":"Ann"}}`; r.body != want {
			t.Errorf("body %s, want %s", r.body, want)
		}
		c.get("/me").want(t, 401) // not logged in
		c.get(a.link(a.mail(mail.VerifyEmail, "ann@example.com"))).want(t, 200)
		c.login("ANN@example.com", newPass).want(t, 200)
		c.post("/register", registration("ann@EXAMPLE.com")).wantField(t, "email")
		wantEvents[events.Registered](a, 1)
		wantEvents[events.Verified](a, 1)
		if rest := a.rest(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// E06: with HideAccountExistence the response is the same for a free address
// and a taken one. The owner of a taken address is informed, at most once a
// minute.
func TestRegisterHidesTaken(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{config: hideTaken})
		fresh := a.client().post("/register", registration("ann@example.com")).want(t, 202)
		taken := a.client().post("/register", registration("Alice@Example.COM"))
		same(t, taken, fresh)
		got := map[string]string{}
		for range 2 { // the order is not defined
			m := <-a.mails
			got[m.Kind] = m.To.Email
		}
		if got[mail.VerifyEmail] != "ann@example.com" || got[mail.AlreadyRegistered] != alice {
			t.Errorf("mails %v", got)
		}
		same(t, a.client().post("/register", registration(alice)), fresh)
		if u := a.user(a.alice); u.Name != "Alice" {
			t.Error("the existing user was changed")
		}
		a.client().login(alice, newPass).want(t, 401)
		a.client().login(alice, pass).want(t, 200)
		if rest := a.rest(); len(rest) != 0 {
			t.Errorf("a second mail within the minute: %v", rest)
		}
	})
}

// EXP-10, D04: of concurrent registrations of one address, in any spelling, one
// creates a user and sends a mail. Without HideAccountExistence the others get
// an error.
func TestRegistrationsRace(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		t.Run(fmt.Sprintf("hidden=%v", hidden), func(t *testing.T) {
			eachOfAccounts(t, func(t *testing.T, b backend) {
				a := newApp(t, b, setup{config: func(c *ginauth.Config) {
					c.Account.HideAccountExistence = hidden
					manyLinks(c)
				}})
				rounds := testsize.Rounds(50, 1)
				for round := range rounds {
					a.clock.advance(time.Hour)
					a.raceRegistrations(round, hidden)
					if t.Failed() {
						break
					}
				}
				rest := a.rest()
				if len(rest) != rounds || slices.ContainsFunc(rest, func(kind string) bool { return kind != mail.VerifyEmail }) {
					t.Errorf("mails %v, want %d to verify an address", rest, rounds)
				}
			})
		})
	}
}

func (a *app) raceRegistrations(round int, hidden bool) {
	a.Helper()
	variants := []string{"kate%d@bücher.example", "KATE%d@bücher.example", "Kate%d@Bücher.Example", "kate%d@BÜCHER.EXAMPLE"}
	answers := make([]*response, racers())
	a.together(len(answers), func(i int) {
		answers[i] = a.client().post("/register", registration(fmt.Sprintf(variants[i%len(variants)], round)))
	})
	var made, refused []*response
	for _, r := range answers {
		if r.StatusCode == 201 || r.StatusCode == 202 {
			made = append(made, r)
		} else {
			refused = append(refused, r)
		}
	}
	for _, others := range [][]*response{made, refused} {
		for i := 1; i < len(others); i++ {
			same(a, others[i], others[0])
		}
	}
	if want := map[bool]int{true: len(answers), false: 1}[hidden]; len(made) != want {
		a.Errorf("%d successful responses, want %d", len(made), want)
	}
	if len(refused) > 0 {
		refused[0].wantField(a, "email")
	}
	if n, want := a.b.users.count(), 2+round+1; n != want {
		a.Errorf("%d users, want %d", n, want)
	}
	wantEvents[events.Registered](a, round+1)
	// This spelling is not a valid address.
	a.client().post("/register", registration(fmt.Sprintf("kate%d@bu\u0308cher.example", round))).wantField(a, "email")
}

// D01: additional fields in the body of a registration do not set fields of the
// user.
func TestRegisterIgnoresOtherFields(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
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
		a.client().post("/register", extra).want(t, 201)
		form := "name=Ann&email=eve%40example.com&password=CANARY+ocelots+juggle+nine&id=1&is_admin=1&user%5Bid%5D=1" +
			"&email_verified_at=2020-01-01&EmailVerifiedAt=1&SecurityStamp=x"
		a.client().form("/register", form).want(t, 201)
		for _, id := range []string{"3", "4"} {
			u := a.user(id)
			if u.EmailVerifiedAt != nil || u.DisabledAt != nil || u.SecurityStamp == "x" || !strings.HasPrefix(u.Password, "$argon2id$") {
				t.Errorf("user %s has a value that the client sent", id)
			}
			if u.CreatedAt.Year() == 2020 {
				t.Errorf("user %s has a creation time that the client sent", id)
			}
		}
		if a.user("1").Name != "Alice" {
			t.Error("another user was changed")
		}
	})
}

// D01: Prepare receives the declared fields as strings, and no other fields.
func TestRegisterFields(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
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
		a.client().post("/register", with(sent)).want(t, 201)
		a.client().form("/register", encode(with(sent))).want(t, 201)
		a.client().post("/register", with(fields{"Company": "Acme & Sons", "country": ""})).want(t, 201) // names match in any case, as those of other fields
		for i, fields := range got {
			if !maps.Equal(fields, want) {
				t.Errorf("registration %d: %q, want %q", i, fields, want)
			}
		}
		got = nil
		a.client().post("/register", with(fields{"company": nil, "is_admin": true})).want(t, 201)
		a.client().form("/register", encode(with(nil))).want(t, 201)
		for i, fields := range got {
			if len(fields) != 0 {
				t.Errorf("registration %d without any: %q", i, fields)
			}
		}
		got = nil
		for _, value := range []any{1, true, []string{"a"}, fields{"a": "b"}} {
			a.client().post("/register", with(fields{"company": value})).wantField(t, "company")
		}
		a.client().post("/register", `{"company":"a","COMPANY":"b","name":"N","email":"x@example.com","password":"`+newPass+`"}`).want(t, 422)
		a.client().form("/register", encode(with(fields{"company": "a"}))+"&company=b").wantField(t, "company")
		a.client().form("/register", encode(with(fields{"Company": "a"}))).wantField(t, "Company")
		if len(got) != 0 {
			t.Errorf("Prepare was called with refused fields: %q", got)
		}
		a.client().post("/register", with(fields{"country": "Atlantis"})).wantField(t, "country")
	})
}

func TestMountRefusesDuplicateRegisterFields(t *testing.T) {
	m, err := ginauth.New(ginauth.Config{Users: newMemoryUsers()})
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
func TestNewPasswords(t *testing.T) {
	a := newApp(t, memory(t), setup{})
	n := 0
	register := func(password string) *response {
		a.clock.advance(time.Minute)
		n++
		quoted := `"` + password + `"` // not escaped: some cases are JSON escapes
		return a.client().post("/register", fmt.Sprintf(`{"name":"N","email":"n%d@example.org","password":%s}`, n, quoted))
	}
	login := func(password string) *response {
		a.clock.advance(time.Minute)
		return a.client().post("/login", fmt.Sprintf(`{"email":"n%d@example.org","password":"%s"}`, n, password))
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
	register(long).want(t, 201)
	login(long+"X").want(t, 401)
	login(long[:71]).want(t, 401)
	login(long).want(t, 200)
	long = strings.Repeat("lavendel ört ", 19) // 247 characters, more bytes
	register(long).want(t, 201)
	login(long).want(t, 200)

	register(`tundra plum elk \u0000 c`).want(t, 201)
	login(`tundra plum elk \u0000 d`).want(t, 401)
	login(`tundra plum elk `).want(t, 401)
	login(`tundra plum elk \u0000 c`).want(t, 200)

	register(`  tundra plum \u00e9lk  `).want(t, 201)
	login(`  tundra plum e\u0301lk  `).want(t, 401) // passwords are not trimmed
	login(`tundra plum \u00e9lk`).want(t, 401)      // nor normalized
	login(`  tundra plum élk  `).want(t, 200)
}

// P05, X03, X09: bodies with another format than the route expects are refused.
func TestBodies(t *testing.T) {
	a := newApp(t, memory(t), setup{})
	c := a.client()
	good := `{"email":"` + alice + `","password":"` + pass + `"}`
	form := "email=alice%40example.com&password=" + strings.ReplaceAll(pass, " ", "+")
	query := "/login?" + form
	for _, contentType := range []string{"", "text/plain", "multipart/form-data; boundary=x", "application/xml",
		"application/x-www-form-urlencoded; charset=utf-16", "application/json; charset=latin1", "text/html"} {
		c.do("POST", query, contentType, good).want(t, 415)
		if r := c.do("POST", query, contentType, form).want(t, 415); strings.Contains(r.body, "JSON") {
			t.Errorf("the response to a form is %s", r.body)
		}
	}
	double := a.client()
	double.header["Content-Type"] = []string{"application/json", "application/x-www-form-urlencoded"}
	double.do("POST", "/login", "", good).want(t, 415)

	huge := strings.Repeat("a", 70<<10)
	c.post("/login", `{"email":"`+alice+`","password":"`+huge+`"}`).want(t, 413)
	c.post("/login", `{"email":"`+huge+`","password":"x"}`).want(t, 413)
	c.form("/login", form+"&x="+huge).want(t, 413)
	c.post("/login", `{"email":"`+alice+`","password":"`+huge[:5000]+`"}`).wantField(t, "password")

	c.post(query, "{}").wantField(t, "password") // the query is not read
	c.form(query, "").wantField(t, "password")
	for _, body := range []string{"", "{", good + good, "email"} {
		c.post("/login", body).want(t, 400)
	}
	for _, body := range []string{
		`{"email":"bob@example.com","email":"` + alice + `","password":"x"}`,
		`{"email":"bob@example.com","EMAIL":"` + alice + `","password":"x"}`,
		`{"email":["` + alice + `"],"password":"x"}`, `{"email":{"a":"b"},"password":"x"}`, `{"email":1,"password":"x"}`,
		`{"email":"` + alice + `","password":["x"]}`, `{"email":"` + alice + `","password":true}`, `[]`, `null`,
		`{"email":"` + alice + `","password":"x","remember":"yes"}`,
	} {
		c.post("/login", body).want(t, 422)
	}
	for _, body := range []string{
		form + "&email=bob%40example.com", form + "&EMAIL=bob%40example.com", form + "&pa%C5%BFsword=x", "Email=a&password=b", "email=a&paſſword=b",
		"email=%zz&password=x", "email=a;password=x", "email=%ff&password=x", "email=" + alice + "&password=%ff", form + "&remember=maybe",
		form + strings.Repeat("&", 10) + manyFields(100), "%ff=1&" + form, form + "&other=1&other=2",
	} {
		c.form("/login", body).want(t, 422)
	}
	c.get("/me").want(t, 401)
	c.form("/login", form+"&remember=on&other=1").want(t, 200)
	if c.cookies["__Host-ginauth_remember_web"] == "" {
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
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		for _, path := range []string{"/forgot-password", "/verify-email/resend", "/register"} {
			for _, email := range []any{
				[]string{alice}, fields{"a": alice}, 7, true, nil, "", "alice", "alice@example.com\r\nBcc: eve@example.com",
				"alice@example.com,eve@example.com", "alice@example.com eve@example.com", strings.Repeat("a", 2000) + "@example.com",
				"alice@exam\x00ple.com",
			} {
				a.clock.advance(time.Minute)
				body := fields{"name": "Eve", "password": newPass, "email": email}
				if r := a.client().post(path, body); r.StatusCode != 422 {
					t.Errorf("%s with %q: status %d, want 422", path, email, r.StatusCode)
				}
			}
		}
		// These spellings are the same account: other case, Kelvin sign, full
		// width letters.
		a.addUser("Kay", "Kay.ss@example.com")
		for _, typed := range []string{"KAY.SS@example.com", "\u212aay.ss@example.com", "kay.ß@example.com", "ｋay.ss@example.com"} {
			a.clock.advance(time.Hour)
			a.client().post("/forgot-password", fields{"email": typed}).want(t, 202)
			a.mail(mail.ResetPassword, "Kay.ss@example.com")
		}
		a.clock.advance(time.Hour)
		a.client().post("/forgot-password", fields{"email": "kay.s\u0131@example.com"}).want(t, 202) // a different account
		if rest := a.rest(); len(rest) != 0 {
			t.Errorf("mails %v", rest)
		}
	})
}

// W11: one client address cannot cause mails to any number of accounts.
func TestMailRequestsAreLimitedByAddress(t *testing.T) {
	eachOfAccounts(t, func(t *testing.T, b backend) {
		a := newApp(t, b, setup{})
		for i := range 30 {
			path := []string{"/forgot-password", "/verify-email/resend"}[i%2]
			a.client().post(path, fields{"email": fmt.Sprintf("u%d@example.com", i)}).want(t, 202)
		}
		r := a.client().post("/forgot-password", fields{"email": alice}).want(t, 429)
		if r.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		a.client().login(alice, pass).want(t, 200) // counted separately
		wantEvents[events.Lockout](a, 1)
		a.clock.advance(time.Minute)
		a.client().post("/forgot-password", fields{"email": alice}).want(t, 202)
	})
}

// D05: the default of Options.User returns only the documented fields.
func TestUserOption(t *testing.T) {
	a := newApp(t, memory(t), setup{})
	var body map[string]json.RawMessage
	a.loggedIn(alice).get("/me").want(t, 200).json(t, &body)
	if len(body) != 1 || strings.Contains(string(body["user"]), "created_at") {
		t.Errorf("body %s", body)
	}
}
