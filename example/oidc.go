package main

import (
	"net"
	"net/http"
	"net/url"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/features/passkey"
	"github.com/ginauth/ginauth/features/social"
	"github.com/ginauth/ginauth/features/social/socialtest"
)

// demoProvider is an OpenID Connect provider in this program, so that a newcomer sees how signing in with another site
// works. It believes everybody, so it listens on this machine only.
type demoProvider struct {
	*socialtest.Provider
	server *http.Server
}

// startProvider starts a provider for the blog at url, if it is wanted, and otherwise returns nil.
func startProvider(url string, wanted bool) (*demoProvider, error) {
	if !wanted {
		return nil, nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := socialtest.New("http://"+listener.Addr().String(), "notebook", "demo",
		socialtest.User{Subject: "1", Name: "Olga", Email: "olga@example.com", EmailVerified: true},
		socialtest.User{Subject: "2", Name: "Pavel"},
		socialtest.User{Subject: "3", Name: "Alice", Email: "alice@example.com", EmailVerified: true})
	p.RedirectURIs = []string{url + "/auth/demo/callback"}
	d := &demoProvider{p, newServer(p)}
	go func() { _ = d.server.Serve(listener) }() // until close
	return d, nil
}

func (d *demoProvider) close() {
	if d != nil {
		_ = d.server.Close()
	}
}

// addSignIn lets users sign in with the provider, if there is one: a feature, and a button on the login page.
func (b *blog) addSignIn(d *demoProvider) {
	if d == nil {
		return
	}
	b.signIn = social.New(social.Options{
		Providers: []social.Provider{social.OIDC(social.OIDCConfig{
			Name: "demo", Title: "Demo provider", Issuer: d.Issuer, ClientID: d.ClientID, ClientSecret: social.Secret(d.ClientSecret),
		})},
		ErrorPage: "/login", Home: "/identities", OtherWays: []string{passkey.Name},
	})
	b.pages.SignIn = b.signIn.Buttons
}

// addKeys lets users have passkeys, which browsers have at a name only. No user of the seed has one: add one at /passkeys.
func (b *blog) addKeys(base string) {
	if u, err := url.Parse(base); err == nil && net.ParseIP(u.Hostname()) == nil {
		b.keys = passkey.New(passkey.Options{})
	}
}

func (b *blog) features() []ginauth.Feature {
	list := []ginauth.Feature{b.codes, b.recovery, b.profiles}
	if b.keys != nil {
		list = append(list, b.keys)
	}
	if b.signIn != nil {
		list = append(list, b.signIn)
	}
	return list
}
