// Package passkey adds passkeys (WebAuthn level 3): logins by a touch, a face or a PIN in place of a password, and a
// second factor beside one. A passkey signs for one site only, so a page that imitates it gets nothing.
//
//	keys := passkey.New(passkey.Options{})
//	auth, err := ginauth.New(ginauth.Config{…, Features: []ginauth.Feature{keys}})
//	keys.Mount(r)
//
// Nothing is stored for a ceremony that has begun: its challenge is sealed and given to the client. A challenge works once,
// within 5 minutes. What is stored of a passkey is its public key.
package passkey

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/stores"
)

// Name names the factor in PendingLogin.Factors.
const Name = "passkey"

const (
	// Max is how many passkeys a user can have.
	Max = 10
	// lifetime is how long a challenge can be answered.
	lifetime = 5 * time.Minute
	// timeout is how long a browser asks its user.
	timeout = 60 * time.Second
	// fresh is how long ago the proof may be that a change of passkeys needs.
	fresh = 15 * time.Minute
)

// Verification says whether an authenticator has to verify its user, by a PIN, a finger or a face.
type Verification string

const (
	// Required is the default. An authenticator that cannot verify its user cannot be used.
	Required Verification = "required"
	// Preferred also accepts authenticators that only ask for a touch, as a second factor.
	Preferred Verification = "preferred"
	// Discouraged asks for a touch alone, for a passkey that is a second factor.
	Discouraged Verification = "discouraged"
)

// Options configure the feature. The zero value is ready for use where Config.Mail.BaseURL is set.
type Options struct {
	// RPID is the domain that passkeys belong to, as in "example.com". The hosts of all origins are this domain or below
	// it. All passkeys of another domain stop working, so it does not change. Default: the host of Config.Mail.BaseURL.
	RPID string
	// Origins are where the pages are that ask for passkeys, as in "https://www.example.com", beside the origin of
	// Config.Mail.BaseURL, and the apps, as in "android:apk-key-hash:…". An origin of a request is never believed.
	Origins []string
	// AppName is the application's name in the dialogs of browsers. Default Config.Mail.AppName, or RPID.
	AppName string
	// UserVerification says whether registration and the second factor need user verification. A login by a passkey
	// alone always does. Default Required.
	UserVerification Verification
	// Guards are the guards whose users manage their passkeys. Default: "web" and "api", if there are such guards.
	Guards []string
	// Users finds the user whom a client names before the login, usually the value of Config.Users. It is needed by
	// clients that do not find passkeys by themselves. Whether there is such a user is not told. Default: no user is
	// named, and the browser offers the passkeys that it has.
	Users models.UserProvider
	// IdentifierField is the field by which Users finds a user. Default: its first of models.LoginFields, or "email".
	IdentifierField string
	// OtherWayIn reports whether a user without a password can log in in another way than by a passkey, so that the
	// last passkey can be removed. Default: there is none.
	OtherWayIn func(ctx context.Context, u models.Authenticatable) (bool, error)
	// InsecureAllowCounterBack accepts a passkey whose sign count did not rise, which a copy of it may have raised. The
	// event CounterWentBack is dispatched all the same.
	InsecureAllowCounterBack bool
}

// Feature is the passkeys of an application, for ginauth.Config.Features. It belongs to one Manager. It is safe for
// concurrent use.
type Feature struct {
	options    Options
	auth       *ginauth.Manager
	store      stores.Factors
	identities stores.Identities
	ceremonies stores.Sealer
	secrets    stores.Sealer
	nonce      ginauth.SessionSlot
	now        func() time.Time
	rp         *webauthn.WebAuthn
	decoys     decoys
	issued     atomic.Int64
}

// New returns the feature.
func New(o Options) *Feature { return &Feature{options: o} }

// Name returns "passkey".
func (*Feature) Name() string { return Name }

// Setup registers the factor. The application's stores must have Factors and
// Identities.
func (f *Feature) Setup(s *ginauth.Setup) error {
	f.auth, f.store, f.identities, f.now = s.Manager(), s.Stores().Factors, s.Stores().Identities, s.Clock()
	f.ceremonies, f.secrets, f.nonce = s.Sealer("ceremony"), s.Sealer("secret"), s.SessionSlot("ceremony")
	if f.store == nil || f.identities == nil {
		return errors.New("Config.Stores.Factors or Identities is missing; package memstore, gormstore or redisstore has both")
	}
	if err := f.fill(); err != nil {
		return err
	}
	var err error
	if f.decoys.key, err = newDecoyKey(); err != nil {
		return err
	}
	f.rp, err = f.relyingParty()
	s.Challenge(ginauth.Challenge{Name: Name, Methods: []string{"swk", "user"}, Has: f.has, Reset: f.reset})
	s.BeforeLogin(f.checkUser)
	return err
}

// fill checks the options and fills in their defaults.
func (f *Feature) fill() error {
	o := &f.options
	if o.UserVerification == "" {
		o.UserVerification = Required
	}
	if o.UserVerification != Required && o.UserVerification != Preferred && o.UserVerification != Discouraged {
		return fmt.Errorf("Options.UserVerification is %.40q", string(o.UserVerification))
	}
	if models.IsNilProvider(o.Users) {
		o.Users = nil
	}
	if o.IdentifierField == "" {
		o.IdentifierField = "email"
		if named, ok := o.Users.(models.LoginFields); ok {
			o.IdentifierField = named.LoginFields()[0]
		}
	}
	if o.Users == nil {
		return nil
	}
	if _, err := o.Users.CanonicalIdentifier(o.IdentifierField, "a"); errors.Is(err, models.ErrUnknownField) {
		return fmt.Errorf("Options.IdentifierField: users are not looked up by %.40q", o.IdentifierField)
	}
	return nil
}

// relyingParty returns the verifier of ceremonies. Its domain and origins are those of the configuration.
func (f *Feature) relyingParty() (*webauthn.WebAuthn, error) {
	o, mail := &f.options, f.auth.MailConfig()
	var origins, apps []string
	if mail.BaseURL != "" {
		o.Origins = append([]string{originOf(mail.BaseURL)}, o.Origins...)
	}
	for _, origin := range o.Origins {
		if protocol.IsOpaqueOrigin(origin) {
			apps = append(apps, origin)
			continue
		}
		origins = append(origins, origin)
	}
	if len(origins) == 0 {
		return nil, errors.New("Config.Mail.BaseURL or Options.Origins is missing: passkeys are bound to the origin of the application")
	}
	if o.RPID == "" {
		first, err := url.Parse(origins[0])
		if err != nil {
			return nil, fmt.Errorf("the origin %.80q is not one", origins[0])
		}
		o.RPID = first.Hostname()
	}
	if err := protocol.ValidateRPID(o.RPID); err != nil {
		return nil, fmt.Errorf("the domain %.80q cannot have passkeys: %w", o.RPID, err)
	}
	for _, origin := range origins {
		if err := checkOrigin(origin, o.RPID); err != nil {
			return nil, err
		}
	}
	if o.AppName == "" {
		o.AppName = mail.AppName
	}
	if o.AppName == "" {
		o.AppName = o.RPID
	}
	return webauthn.New(&webauthn.Config{
		RPID: o.RPID, RPDisplayName: o.AppName, RPOrigins: origins, RPOpaqueOrigins: apps,
		// Some browsers answer extensions that nobody asked for. None is used.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
}

// originOf returns the origin of an address.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// checkOrigin returns an error if browsers have no passkeys of a domain at an origin.
func checkOrigin(origin, domain string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || origin != strings.ToLower(u.Scheme+"://"+u.Host) {
		return fmt.Errorf("the origin %.80q is not one, as in https://app.example", origin)
	}
	host := u.Hostname()
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	switch {
	case net.ParseIP(host) != nil:
		return fmt.Errorf("the origin %.80q is an address, which cannot have passkeys: use a name, or localhost", origin)
	case u.Scheme != "https" && !local:
		return fmt.Errorf("the origin %.80q is not https, without which browsers have no passkeys", origin)
	case host != domain && !strings.HasSuffix(host, "."+domain):
		return fmt.Errorf("the origin %.80q is not of the domain %.80q or below it", origin, domain)
	}
	return nil
}
