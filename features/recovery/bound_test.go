package recovery_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/features/passkey/passkeytest"
	"github.com/ginauth/ginauth/features/recovery"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// fullApp is an application with recovery codes beside an authenticator app and passkeys.
type fullApp struct{ *testapp.App }

func full(t *testing.T, b *testapp.Backend) *fullApp {
	t.Helper()
	codes, apps, keys := recovery.New(recovery.Options{}), totp.New(totp.Options{}), passkey.New(passkey.Options{})
	return &fullApp{testapp.New(t, b, testapp.Configure(testapp.Unlimited, func(c *ginauth.Config) {
		c.Features = []ginauth.Feature{codes, apps, keys}
	}), testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
		codes.Mount(r)
		apps.Mount(r)
		keys.Mount(r)
	}))}
}

// enrol sets an authenticator app up, and returns its secret.
func (a *fullApp) enrol(t *testing.T, c *testapp.Client) string {
	t.Helper()
	a.Clock.Advance(time.Minute)
	var begun struct{ Enrolment, Secret string }
	c.Post("/totp/enrolment", nil).Want(t, 200).JSON(t, &begun)
	code, err := totp.Code(begun.Secret, a.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.Post("/totp", map[string]string{"enrolment": begun.Enrolment, "code": code}).Want(t, 204)
	return begun.Secret
}

// addPasskey registers a passkey.
func (a *fullApp) addPasskey(t *testing.T, c *testapp.Client) {
	t.Helper()
	a.Clock.Advance(time.Minute)
	var begun struct {
		Ceremony  string
		PublicKey json.RawMessage
	}
	c.Post("/passkeys/options", nil).Want(t, 200).JSON(t, &begun)
	credential, err := passkeytest.New(testapp.BaseURL).Create(begun.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	c.Post("/passkeys", map[string]any{"ceremony": begun.Ceremony, "credential": credential}).Want(t, 201)
}

// make makes codes.
func (a *fullApp) make(t *testing.T, c *testapp.Client) []string {
	t.Helper()
	var made struct{ Codes []string }
	c.Post("/recovery-codes", nil).Want(t, 200).JSON(t, &made)
	return made.Codes
}

// answer logs in by a password, and answers with a code.
func (a *fullApp) answer(t *testing.T, email, password, code string) *testapp.Response {
	t.Helper()
	c := a.Client()
	c.Post("/login", testapp.Credentials(email, password)).Want(t, 200)
	c.Get("/me").Want(t, 401)
	return c.Post("/login/recovery", codeForm{Code: code})
}

// TestCodesNeedAnotherFactor makes codes for an account without a factor, as somebody does who knew the password for a moment.
func TestCodesNeedAnotherFactor(t *testing.T) {
	a := start(t, testapp.Memory(t))
	c := a.LoggedIn(testapp.Alice)
	c.Post("/recovery-codes", nil).Want(t, 409)
	if text := c.Get("/recovery-codes").Text; text != `{"left":0}` {
		t.Error(text)
	}
	a.codes(t, c)
}

// TestCodesEndWithTheirFactor sets an app up again: the codes of the former one replace the new one no more.
func TestCodesEndWithTheirFactor(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := full(t, b)
		c := a.LoggedIn(testapp.Alice)
		a.enrol(t, c)
		codes := a.make(t, c)
		c.Delete("/totp").Want(t, 204)
		if text := c.Get("/recovery-codes").Text; text != `{"left":0}` {
			t.Errorf("without a factor: %s", text)
		}
		a.enrol(t, c)
		if text := c.Get("/recovery-codes").Text; text != `{"left":0}` {
			t.Errorf("beside another app: %s", text)
		}
		if r := a.answer(t, testapp.Alice, testapp.Password, codes[0]); r.StatusCode == 200 {
			t.Error("an old code replaces a new app")
		}
		fresh := a.make(t, c)
		a.answer(t, testapp.Alice, testapp.Password, fresh[0]).Want(t, 200)
	})
}

// TestCodesOutliveOtherChanges changes the password, and goes over from an app to a passkey, step by step.
func TestCodesOutliveOtherChanges(t *testing.T) {
	testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
		a := full(t, b)
		c := a.LoggedIn(testapp.Alice)
		a.enrol(t, c)
		codes := a.make(t, c)
		const password = "another long password of the owner"
		if err := a.Reset(testapp.Alice, a.ResetToken(testapp.Alice), password); err != nil {
			t.Fatal(err)
		}
		c = a.Client()
		c.Post("/login", testapp.Credentials(testapp.Alice, password)).Want(t, 200)
		c.Post("/login/recovery", codeForm{Code: codes[0]}).Want(t, 200)
		a.addPasskey(t, c)
		c.Delete("/totp").Want(t, 204)
		a.answer(t, testapp.Alice, password, codes[1]).Want(t, 200)
		if text := c.Get("/recovery-codes").Text; text != `{"left":8}` {
			t.Error(text)
		}
	})
}

// TestCodesOfAFormerUser gives the identifier of a user to another one.
func TestCodesOfAFormerUser(t *testing.T) {
	a := full(t, testapp.SQLite(t))
	c := a.LoggedIn(testapp.Alice)
	a.enrol(t, c)
	codes := a.make(t, c)
	a.Backend.Users.Remove(a.Alice.AuthID())
	a.AddUser("Eve", "eve@example.com", testapp.Password, func(u *models.User) { u.ID = a.Alice.ID })
	c = a.LoggedIn("eve@example.com")
	a.enrol(t, c)
	if r := a.answer(t, "eve@example.com", testapp.Password, codes[0]); r.StatusCode == 200 {
		t.Error("a code of a former user replaces the factor")
	}
	fresh := a.make(t, c)
	a.answer(t, "eve@example.com", testapp.Password, fresh[0]).Want(t, 200)
}

// heldFactors holds the storing of codes.
type heldFactors struct {
	stores.Factors
	hold *testapp.Hold
	on   atomic.Bool
}

func (h *heldFactors) ReplaceFactors(ctx context.Context, owner, kind string, factors []stores.Factor) error {
	if kind == "recovery" && len(factors) > 0 && h.on.CompareAndSwap(true, false) {
		h.hold.Wait()
	}
	return h.Factors.ReplaceFactors(ctx, owner, kind, factors)
}

// TestNoCodesAfterReset makes codes while the factors of the user are reset: none are left.
func TestNoCodesAfterReset(t *testing.T) {
	b := testapp.Memory(t)
	held := &heldFactors{Factors: b.Set.Factors, hold: testapp.NewHold()}
	b.Set.Factors = held
	a := full(t, b)
	c := a.LoggedIn(testapp.Alice)
	a.enrol(t, c)
	held.on.Store(true)
	done := make(chan *testapp.Response)
	go func() { done <- c.Copy().Post("/recovery-codes", nil) }()
	held.hold.Arrived()
	if err := a.ResetFactors(t.Context(), "web", a.Alice.AuthID()); err != nil {
		t.Fatal(err)
	}
	held.hold.Release()
	(<-done).Want(t, 401)
	found, err := b.Set.Factors.FactorsOf(t.Context(), a.Owner("web", a.Alice.AuthID()))
	if err != nil || len(found) != 0 {
		t.Errorf("%d factors are left, %v", len(found), err)
	}
}
