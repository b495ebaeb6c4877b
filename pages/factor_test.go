package pages_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/totp"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/pages"
	"github.com/ginauth/ginauth/routes"
)

// codeOf returns the code of a secret at a time (RFC 6238).
func codeOf(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
}

func TestSecondFactorIsAskedFor(t *testing.T) {
	codes := totp.New(totp.Options{})
	a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(c *ginauth.Config) {
		c.Pages, c.ErrorHandler, c.Features = pages.Config(""), pages.ErrorHandler, []ginauth.Feature{codes}
	}), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		pages.Mount(r, a.Manager, pages.Options{})
		routes.Mount(r, a.Manager, routes.Options{})
		codes.Mount(r)
	}))
	program := a.Client()
	program.LogIn(testapp.Alice, testapp.Password).Want(t, 200)
	var e struct{ Enrolment, Secret string }
	program.Post("/totp/enrolment", nil).Want(t, 200).JSON(t, &e)
	program.Post("/totp", map[string]string{"enrolment": e.Enrolment, "code": codeOf(t, e.Secret, a.Clock.Now())}).Want(t, 204)
	a.Clock.Advance(time.Minute)

	const page = "/login/second-factor"
	c := a.Browser()
	c.Get(page).WantRedirect(t, "/login")
	c.Get("/devices").WantRedirect(t, "/login")
	c.Form("/login", form("email", testapp.Alice, "password", testapp.Password)).WantRedirect(t, page)
	asked := c.Get(page).Want(t, 200)
	checkPage(t, asked)
	wants(t, asked, "One more step", `autocomplete="one-time-code"`, `action="/login/totp"`)
	lacks(t, asked, "/login/recovery")
	c.Form("/login/totp", form("code", "x")).WantRedirect(t, page)
	wants(t, c.Get(page).Want(t, 200), "Type the 6 digits of the code.", `aria-invalid="true"`)
	c.Form("/login/totp", form("code", "000000")).WantRedirect(t, page)
	wants(t, c.Get(page).Want(t, 200), "This code is not right, or was used before.")
	c.Form("/login/totp", form("code", codeOf(t, e.Secret, a.Clock.Now()))).WantRedirect(t, "/devices")
	c.Get("/devices").Want(t, 200)
}
