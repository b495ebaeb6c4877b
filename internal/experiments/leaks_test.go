package experiments_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

func TestStoresHoldNoSecret(t *testing.T) { // S11
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b.NeedsAtRest(t)
		a := testapp.New(t, b)
		c := a.LoggedIn(testapp.Alice)
		raw, _ := base64.RawURLEncoding.DecodeString(c.Session())
		dump := b.Dump(t)
		if !strings.Contains(dump, hex.EncodeToString(raw[:16])) {
			t.Fatalf("the row is not in what the store holds, %d bytes", len(dump))
		}
		secret := raw[16:]
		for _, text := range []string{
			c.Session(), c.Session()[22:], string(secret), base64.StdEncoding.EncodeToString(secret),
			base64.RawURLEncoding.EncodeToString(secret), hex.EncodeToString(secret), fmt.Sprint(secret),
		} {
			if strings.Contains(dump, text) {
				t.Error("the store holds the session's secret")
			}
		}
	})
}

func TestLogsAreOneLineAndHoldNoSecret(t *testing.T) { // L01–L03, L06
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		b, f := b.Faulty()
		a := testapp.New(t, b, testapp.Routes(func(_ *testapp.App, r *gin.Engine) {
			r.GET("/panic", func(c *gin.Context) { panic("CANARY-panic-value") })
		}))
		c := a.LoggedIn(testapp.Alice)
		c.Get("/panic").Want(t, 500)
		secrets := []string{testapp.Password, c.Session(), "CANARY-panic-value", string(testapp.Key)[7:], a.Alice.Password, "CANARY-wrong"}
		c.LogIn("x\nlevel=ERROR msg=forged\x1b[31m\u2028@example.com", "CANARY-wrong")
		c.LogIn(testapp.Alice, "CANARY-wrong").Want(t, 401)
		for _, op := range []testapp.Op{testapp.LoadSession, testapp.UserByID, testapp.ReserveSlots, testapp.UserByIdentifier} {
			f.Set(testapp.Refuse, op)
			c.Get("/me")
			c.LogIn(testapp.Alice, "CANARY-wrong")
		}
		logs := a.Logs.String()
		for _, e := range a.Events.All() {
			logs += fmt.Sprintf("%v %+v %#v\n", e, e, e)
		}
		logs += fmt.Sprintf("%v %+v %#v %s\n", a.Manager, a.Manager, a.Manager, a.Manager)
		logs += fmt.Sprintf("%v %+v %#v %s\n", a.Alice, a.Alice, *a.Alice, *a.Alice)
		logs += fmt.Sprintf("%v %+v %#v %s\n", testapp.Key, ginauth.Config{Key: testapp.Key}, testapp.Key, testapp.Key)
		for _, secret := range secrets {
			if strings.Contains(logs, secret) {
				t.Errorf("%q was logged", secret)
			}
		}
		for line := range strings.Lines(a.Logs.String()) {
			if !strings.HasPrefix(line, "time=") || len(line) > 16<<10 {
				t.Errorf("log line %.100q", line)
			}
		}
	})
}
