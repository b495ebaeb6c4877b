package experiments_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"sync"
	"testing"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/jwt"
)

// TestKeyRotationUnderLoad changes both keys step by step while clients go on.
func TestKeyRotationUnderLoad(t *testing.T) { // EXP-24, C09
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	oldKey, newKey := jwt.CryptoKey("old", "", edKey), jwt.CryptoKey("new", "", ecKey)
	appKey := ginauth.NewKey()
	configure := func(signing jwt.Key, keys []ginauth.Key, verifying ...jwt.Key) func(*ginauth.Config) {
		return func(c *ginauth.Config) {
			c.Throttle.InsecureDisable = true
			c.JWT = ginauth.JWTConfig{SigningKey: signing, VerifyingKeys: verifying, Issuer: "i", Audience: "a"}
			c.Key, c.PreviousKeys = keys[0], keys[1:]
		}
	}
	front := testapp.New(t, testapp.Memory(t), testapp.Configure(configure(oldKey, []ginauth.Key{testapp.Key})))
	stages := []*testapp.App{
		front,
		front.Sibling(configure(oldKey, []ginauth.Key{testapp.Key}, newKey)),         // every machine knows the new key
		front.Sibling(configure(newKey, []ginauth.Key{appKey, testapp.Key}, oldKey)), // it signs
		front.Sibling(configure(newKey, []ginauth.Key{appKey, testapp.Key}, oldKey)), // and all clients have come by
	}
	const clients = 16
	steps := make(chan struct{})
	arrived := make(chan bool, clients)
	old := make([]ginauth.TokenPair, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			web := front.Client()
			if res := web.LogIn(testapp.Alice, testapp.Password); res.StatusCode != 200 {
				t.Errorf("login: status %d", res.StatusCode)
			}
			p := front.IssueTokens(testapp.Alice)
			old[i] = p
			for range steps {
				for range 10 {
					if res := web.Get("/me"); res.StatusCode != 200 {
						t.Errorf("a session is lost: %d", res.StatusCode)
					}
					if res := front.Bearer(p.AccessToken).Get("/api/me"); res.StatusCode != 200 {
						t.Errorf("an access token is lost: %d", res.StatusCode)
					}
				}
				p = front.Refresh(p.RefreshToken).Tokens(t)
				arrived <- true
			}
		})
	}
	for _, stage := range stages {
		front.Serve(stage.Engine)
		for range clients {
			steps <- struct{}{}
		}
		for range clients {
			<-arrived
		}
	}
	close(steps)
	wg.Wait()
	front.Serve(front.Sibling(configure(newKey, []ginauth.Key{appKey})).Engine)
	for i := range clients {
		front.Bearer(old[i].AccessToken).Get("/api/me").WantBadToken(t)
	}
}
