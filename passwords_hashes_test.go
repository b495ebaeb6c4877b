package ginauth_test

import (
	"strings"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/hashing"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
)

// TestLegacyHashIsReplacedAtLogin logs in a user who comes from another framework.
func TestLegacyHashIsReplacedAtLogin(t *testing.T) { // P10
	const password = "correct horse"
	for name, hash := range map[string]string{
		"Django":    "pbkdf2_sha256$1000$seasalt2$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8=",
		"WordPress": "$wp$2y$05$CCCCCCCCCCCCCCCCCCCCC.9bvoAGqBQPYiJ.jrM2YFGcUAm8XPAK.",
	} {
		t.Run(name, func(t *testing.T) {
			testapp.EachBackendOfAccounts(t, func(t *testing.T, b *testapp.Backend) {
				a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Hashing.Also = hashing.Legacy() }))
				b.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.Password = hash })
				a.Client().LogIn(testapp.Alice, "wrong horse").Want(t, 401)
				a.Client().LogIn(testapp.Alice, password).Want(t, 200)
				if now := a.User(a.Alice.AuthID()).AuthPassword(); !strings.HasPrefix(now, "$argon2id$") {
					t.Errorf("the hash is still %.16q", now)
				}
				a.Client().LogIn(testapp.Alice, password).Want(t, 200)
			})
		})
	}
}

// TestUnreadableHashIsLoggedOnce tells the developer, and not the client, why a user cannot log in.
func TestUnreadableHashIsLoggedOnce(t *testing.T) {
	for hash, want := range map[string]string{
		"pbkdf2_sha256$1000$seasalt2$oksQ9Bdi8Bce0okH61Cis7qICJfP+cYfDOnMdNPMzK8=": "hashing.Legacy()",
		"CANARY plain text": "unknown",
		"":                  "",
	} {
		a := testapp.New(t, testapp.Memory(t))
		a.Backend.Users.Change(a.Alice.AuthID(), func(u *models.User) { u.Password = hash })
		for range 3 {
			a.Client().LogIn(testapp.Alice, testapp.Password).Want(t, 401)
		}
		logs := a.Logs.String()
		if n := strings.Count(logs, "level=WARN msg=\"ginauth: a stored password hash"); n > 1 || (n == 1) != (want != "") || !strings.Contains(logs, want) {
			t.Errorf("%.12q: %d warnings in %s", hash, n, logs)
		}
		if hash != "" && strings.Contains(logs, hash) {
			t.Error("the log has the stored text")
		}
	}
}

// TestPasswordsInOtherUnicodeForms sets and checks a password in two forms that look alike.
func TestPasswordsInOtherUnicodeForms(t *testing.T) {
	const composed, decomposed = "vier müde Bären am Flußufer", "vier mu\u0308de Ba\u0308ren am Flußufer"
	for name, c := range map[string]struct {
		normalize      bool
		set, typed     string
		loggedIn, same int
	}{
		"composed, typed decomposed": {true, composed, decomposed, 200, 200},
		"decomposed, typed composed": {true, decomposed, composed, 200, 200},
		"as they are":                {false, composed, decomposed, 401, 200},
	} {
		a := testapp.New(t, testapp.Memory(t), testapp.Configure(func(cfg *ginauth.Config) { cfg.Passwords.NormalizeNFC = c.normalize }))
		if err := a.Reset(testapp.Alice, a.ResetToken(testapp.Alice), c.set); err != nil {
			t.Fatal(name, err)
		}
		a.Client().LogIn(testapp.Alice, c.typed).Want(t, c.loggedIn)
		client := a.Client()
		client.LogIn(testapp.Alice, c.set).Want(t, c.same)
		if c.normalize {
			client.Confirm(c.typed).Want(t, 204)
		}
	}
	// A hash from before the setting was turned on.
	before := testapp.New(t, testapp.Memory(t))
	if err := before.Reset(testapp.Alice, before.ResetToken(testapp.Alice), decomposed); err != nil {
		t.Fatal(err)
	}
	after := before.Sibling(func(cfg *ginauth.Config) { cfg.Passwords.NormalizeNFC = true })
	after.Client().LogIn(testapp.Alice, decomposed).Want(t, 200)
	after.Client().LogIn(testapp.Alice, "another "+decomposed).Want(t, 401)
}
