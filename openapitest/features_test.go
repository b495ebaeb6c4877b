package openapitest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/account"
	"github.com/ginauth/ginauth/features/magiclink"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/features/passkey/passkeytest"
	"github.com/ginauth/ginauth/features/recovery"
	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/ginauthtest"
	"github.com/ginauth/ginauth/mail"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
)

const site = "https://app.example"

// feature is what the features of the suite have in common.
type feature interface {
	ginauth.Feature
	routes.Described
	Mount(group routes.Router)
}

// featuresApp starts an application with all features.
func featuresApp(t *testing.T) (*client, outbox, gin.RoutesInfo) {
	t.Helper()
	gin.SetMode(gin.TestMode)
	mails, codes := make(outbox, 100), make(outbox, 100)
	pager := magiclink.ChannelFunc(func(ctx context.Context, _ models.Authenticatable, code string) error {
		return codes.Send(ctx, mail.Message{Text: code})
	})
	everybody := func(context.Context, models.Authenticatable) (bool, error) { return false, nil }
	users := new(ginauthtest.Users)
	own := account.Options{
		Rename: func(_ context.Context, id, name string) error {
			users.Update(id, func(u *models.User) { u.Name = name })
			return nil
		},
		Delete: func(_ context.Context, id string) error {
			users.Delete(id)
			return nil
		},
	}
	all := []feature{
		totp.New(totp.Options{}), recovery.New(recovery.Options{}), passkey.New(passkey.Options{}), account.New(own),
		magiclink.New(magiclink.Options{Mails: magiclink.LinksAndCodes, Channels: []magiclink.ChannelOptions{
			{Name: "pager", Channel: pager, Login: true, Method: "tel"}, {Name: "sms", Channel: pager, Second: everybody},
		}}),
		social.New(social.Options{Providers: []social.Provider{
			social.GitHub(social.Client{ID: "id", Secret: "secret of the client"}),
		}}),
	}
	auth, err := ginauth.New(ginauth.Config{
		Users: users, Hashing: ginauthtest.CheapHashing(), Logger: slog.New(slog.DiscardHandler), Features: configured(all),
		Mail:     ginauth.MailConfig{Mailer: mails, BaseURL: site},
		Throttle: ginauth.ThrottleConfig{InsecureDisable: true},
		Account:  ginauth.AccountConfig{MailPerMinute: 1000, MailPerHour: 1000},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := gin.New()
	routes.Mount(r, auth, routes.Options{})
	described := make([]routes.Described, len(all))
	for i, f := range all {
		f.Mount(r)
		described[i] = f
	}
	server := httptest.NewTLSServer(r)
	t.Cleanup(func() { server.Close(); _ = auth.Close(context.Background()) })
	c := &client{t: t, http: server.Client(), url: server.URL, succeeded: map[string]bool{}}
	if c.http.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	c.document = routes.OpenAPI(r, auth, routes.Options{}, described...)
	document, err := libopenapi.NewDocument(c.document)
	if err != nil {
		t.Fatal(err)
	}
	var faults []error
	if c.validator, faults = validator.NewValidator(document); len(faults) > 0 {
		t.Fatal(faults)
	}
	return c, mails, r.Routes()
}

func configured(all []feature) []ginauth.Feature {
	list := make([]ginauth.Feature, len(all))
	for i, f := range all {
		list[i] = f
	}
	return list
}

// TestFeaturesAreDescribed compares what features mount with what they describe.
func TestFeaturesAreDescribed(t *testing.T) {
	c, _, mounted := featuresApp(t)
	if ok, faults := c.validator.ValidateDocument(); !ok {
		for _, fault := range faults {
			t.Errorf("%s: %s: %+v", fault.Message, fault.Reason, fault.SchemaValidationErrors)
		}
	}
	var d struct {
		Paths map[string]map[string]struct{ OperationID, Summary string }
	}
	if err := json.Unmarshal(c.document, &d); err != nil {
		t.Fatal(err)
	}
	left, ids := make(map[string]bool), make(map[string]bool)
	for _, route := range mounted {
		left[route.Method+" "+route.Path] = true
	}
	for path, item := range d.Paths {
		for method, op := range item {
			name := strings.ToUpper(method) + " " + strings.NewReplacer("{", ":", "}", "").Replace(path)
			if !left[name] || ids[op.OperationID] || !strings.HasSuffix(op.Summary, ".") {
				t.Errorf("%s is not mounted, or is described badly: %+v", name, op)
			}
			ids[op.OperationID] = true
			delete(left, name)
		}
	}
	for name := range left {
		method, path, _ := strings.Cut(name, " ")
		form := method == "POST" && (strings.HasSuffix(path, "/delete") || strings.HasSuffix(path, "/rename") || path == "/profile" ||
			left["PUT "+path] || d.Paths[path]["put"].OperationID != "")
		browser := strings.HasPrefix(path, "/auth/") && method == "GET" // the provider's way back
		if !form && !browser {
			t.Errorf("%s is not described", name)
		}
	}
}

// sign answers a challenge of a passkey.
func (c *client) sign(device *passkeytest.Device, path string, body any) object {
	c.t.Helper()
	begun := c.do("POST", path, body, 200)
	options, _ := json.Marshal(begun["publicKey"])
	do := device.Get
	if path == "/passkeys/options" {
		do = device.Create
	}
	credential, err := do(options)
	if err != nil {
		c.t.Fatal(err)
	}
	return object{"ceremony": begun["ceremony"], "credential": credential}
}

// TestResponsesOfFeaturesAreAsDescribed sends requests to the endpoints of features.
func TestResponsesOfFeaturesAreAsDescribed(t *testing.T) {
	c, mails, _ := featuresApp(t)
	c.do("POST", "/register", object{"name": "Alice", "email": alice, "password": password}, 201)
	link := mails.link(t, mail.VerifyEmail)
	c.do("POST", link, object{"password": password}, 200)
	login := object{"email": alice, "password": password}
	c.do("POST", "/login", login, 200)
	c.do("PUT", "/profile", object{"name": "Alicia"}, 204)
	c.do("GET", "/identities", nil, 200)
	c.do("DELETE", "/identities/none", nil, 404)
	c.do("GET", "/totp", nil, 200)
	c.do("GET", "/recovery-codes", nil, 200)
	c.do("GET", "/passkeys", nil, 200)

	begun := c.do("POST", "/totp/enrolment", nil, 200)
	code := func(later time.Duration) string {
		text, err := totp.Code(begun["secret"].(string), time.Now().Add(later))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	c.do("POST", "/totp", object{"enrolment": begun["enrolment"], "code": code(-30 * time.Second)}, 204)
	c.do("GET", "/totp", nil, 200)
	device := passkeytest.New(site)
	in := c.sign(device, "/passkeys/options", nil)
	in["name"] = "Key"
	made := c.do("POST", "/passkeys", in, 201)
	id := fmt.Sprint(made["passkey"].(object)["id"])
	c.do("PATCH", "/passkeys/"+id, object{"name": "Blue key"}, 200)
	c.do("GET", "/passkeys", nil, 200)
	c.do("POST", "/passkeys/confirm", c.sign(device, "/passkeys/confirm/options", nil), 200)
	spare := c.do("POST", "/recovery-codes", nil, 200)["codes"].([]any)
	c.do("POST", "/totp/confirm", object{"code": code(0)}, 204)
	c.do("POST", "/logout", nil, 204)

	c.do("POST", "/login/totp", object{"code": "000000"}, 401)
	c.do("POST", "/login", login, 200)
	c.do("POST", "/login/totp", object{"code": "0"}, 422)
	c.do("POST", "/login/totp", object{"code": code(30 * time.Second), "trust": true}, 200)
	c.do("POST", "/logout", nil, 204)
	in = c.sign(device, "/login/passkey/options", object{"identifier": alice})
	c.do("POST", "/login/passkey", in, 200)
	c.do("POST", "/token/passkey", c.sign(device, "/login/passkey/options", object{}), 200)
	pending := c.do("POST", "/token", login, 200)["pending"].(object)
	in = c.sign(device, "/login/passkey/second/options", object{"token": pending["token"]})
	in["token"] = pending["token"]
	pair := c.do("POST", "/login/passkey/second", in, 200)
	c.do("POST", "/token/revoke", object{"token": pair["refresh_token"]}, 204)
	pending = c.do("POST", "/token", login, 200)["pending"].(object)
	c.do("POST", "/login/recovery", object{"token": pending["token"], "code": spare[0]}, 200)

	c.do("DELETE", "/passkeys/"+id, nil, 200)
	c.do("DELETE", "/totp", nil, 204)
	c.do("POST", "/logout", nil, 204)
	asked := c.do("POST", "/magic-link", object{"email": alice}, 202)
	c.do("POST", "/magic-link/code", object{"request": asked["request"], "code": "ABCD-EFGH"}, 401)
	link = mails.link(t, mail.LoginLink)
	c.do("GET", "/magic-link", nil, 200)
	c.do("GET", link, nil, 200)
	c.do("POST", link, nil, 200)
	c.do("POST", "/code/pager", object{"email": alice}, 202)
	c.do("POST", "/code/pager/use", object{"request": "x", "code": "ABCD-EFGH"}, 401)
	c.do("POST", "/auth/github", nil, 200)
	c.do("DELETE", "/account", object{"password": password}, 204)
}
