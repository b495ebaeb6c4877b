package social

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// Provider identifies users. OIDC, OAuth2 and the constructors for single sites make one. The methods are safe for
// concurrent use.
type Provider interface {
	// Name is part of paths and of stored identities, so it never changes: 1 to 32 lower-case letters, digits and hyphens.
	Name() string
	// Title is what a button says, as in "GitHub".
	Title() string
	// Check returns what is wrong with the configuration, or nil. It sends nothing.
	Check() error
	// AuthorizationURL returns the address that the browser is sent to.
	AuthorizationURL(ctx context.Context, a Authorization) (string, error)
	// Exchange redeems the code of an authorization response and returns who the user is. The error wraps ErrRefused if
	// the provider's answer is not acceptable, and otherwise is an outage.
	Exchange(ctx context.Context, e Exchange) (*Profile, error)
}

// Authorization is what an authorization request carries.
type Authorization struct {
	RedirectURI, State, Nonce string
	// Challenge is that of PKCE with S256.
	Challenge string
	// Again asks the provider to authenticate the user again, also one who is logged in there.
	Again bool
}

// Exchange is what an authorization response carried, and what its request was made with.
type Exchange struct {
	RedirectURI, Code, Verifier, Nonce string
	// Issuer is the parameter iss of RFC 9207, or "".
	Issuer string
	// User is what Apple sends about the user, once, or "".
	User string
}

// Optional abilities of a Provider.
type (
	// IDTokenVerifier is a Provider whose ID tokens apps may send to POST /social/{provider}/token.
	IDTokenVerifier interface {
		// VerifyIDToken returns who an ID token is about. The errors are those of Exchange.
		VerifyIDToken(ctx context.Context, token, nonce string) (*Profile, error)
	}
	// LogoutVerifier is a Provider with back-channel logout.
	LogoutVerifier interface {
		// VerifyLogout checks a logout token. The errors are those of Exchange.
		VerifyLogout(ctx context.Context, token string) (Logout, error)
	}
	// SessionEnder is a Provider that ends its own session at an address.
	SessionEnder interface {
		// EndSessionURL returns the address that the browser is sent to, or "" if the provider has none. The provider
		// sends it back to redirect.
		EndSessionURL(ctx context.Context, redirect string) (string, error)
	}
	// FormPoster is a Provider whose responses are forms (response_mode=form_post).
	FormPoster interface {
		AnswersByForm() bool
	}
	// Refresher is a Provider that renews tokens.
	Refresher interface {
		// Refresh returns a token that has not expired.
		Refresh(ctx context.Context, token *oauth2.Token) (*oauth2.Token, error)
	}
)

// Logout is what a logout token says (OpenID Connect Back-Channel Logout 1.0).
type Logout struct {
	// Subject and SID say whose sessions end, and which: one of the two may be "".
	Subject, SID string
	// ID identifies the token, which is accepted once.
	ID string
}

// Profile is who a user is, as a provider says.
type Profile struct {
	// Subject is the user's identifier at the provider. It never changes.
	Subject string
	// Email is the address at the provider, or "". EmailVerified says that the provider knows it to be the user's own,
	// today, and not only that somebody typed it.
	Email         string
	EmailVerified bool
	// Name is what the user is called, or "".
	Name string
	// Claims are all that the provider said.
	Claims map[string]any
	// ACR and AMR say how the provider authenticated the user, if it says so.
	ACR string
	AMR []string
	// AuthTime is when the user logged in there, or zero if the provider does not say.
	AuthTime time.Time
	// authTimeMissing means that the provider says so where it is asked.
	authTimeMissing bool
	// SID is the provider's session, for back-channel logout, or "".
	SID string
	// Token has the tokens of the provider, or is nil.
	Token *oauth2.Token `json:"-"`
}

// Format writes the type's name: a Profile holds tokens and what is personal.
func (*Profile) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("social.Profile")) }

// LogValue returns the type's name.
func (*Profile) LogValue() slog.Value { return slog.StringValue("social.Profile") }

// Secret is a client secret. It is redacted in fmt, slog and JSON.
type Secret string

const redacted = "[REDACTED]"

// String returns a placeholder.
func (Secret) String() string { return redacted }

// Format writes a placeholder, whatever the verb.
func (Secret) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ErrRefused says that a provider's answer is not acceptable: the code is not its own or was used, or a token is not
// signed by the provider, is for somebody else, or is not of this login. The response is 401.
var ErrRefused = errors.New("social: the answer of the provider is refused")

// refuse returns an error that wraps ErrRefused. The text is for logs, and holds nothing of what the provider sent.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Limits of what a provider may send.
const (
	maxBody    = 1 << 20   // of a response, in bytes
	maxProfile = 256 << 10 // of claims, in bytes
	maxToken   = 64 << 10  // of a token that is verified, in bytes
	callTime   = 10 * time.Second
)

// bounded returns a client whose responses end at maxBody bytes, that follows no redirects, and whose requests end
// after 10 seconds.
func bounded(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &http.Client{
		Transport: limited{transport}, Timeout: callTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// limited limits the bodies of responses.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, maxBody)
	}
	return res, err
}

// secureURL returns an error unless a text is an absolute https URL, or http on this machine, which is for development.
func secureURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("%.100q is not an absolute URL", text)
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%.100q is not an https URL", text)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// getJSON reads a JSON object from an address with an access token.
func getJSON(ctx context.Context, client *http.Client, address string, header http.Header, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header = header
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return plainError(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return &statusError{req.URL.Host, res.StatusCode}
	}
	decoder := json.NewDecoder(http.MaxBytesReader(nil, res.Body, maxProfile))
	decoder.UseNumber() // identifiers are numbers that a float64 does not hold
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("social: the response of %s is no JSON, or too large", req.URL.Host)
	}
	return nil
}

// statusError says that a provider's API responded with another status than 200.
type statusError struct {
	host string
	code int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("social: %s responded with status %d", e.host, e.code)
}

// plainError removes the URL of a request from an error, which can hold what is secret.
func plainError(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return fmt.Errorf("social: %s to a provider: %w", failed.Op, failed.Err)
	}
	return err
}
