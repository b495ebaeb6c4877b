// Package breach checks whether a password is known from a data breach (OWASP
// ASVS 5.0, 6.2.12). It asks the Pwned Passwords service or a mirror of it.
//
// The password does not leave the process. The request contains the first five
// of the forty hexadecimal digits of the password's SHA-1, which about one in a
// million passwords share. The service responds with the remaining digits of
// all known hashes that begin so. The request asks for a padded response, so
// that its length does not reveal the five digits to an eavesdropper. See
// https://haveibeenpwned.com/API/v3#PwnedPasswords.
//
// Check a password when it is set, never at login. If the service cannot be
// reached, the error wraps ErrUnavailable. The password should then not be set,
// and a server should respond with 503. An application that accepts passwords
// in this case must wrap Breached in a function of its own.
package breach

import (
	"cmp"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultBaseURL is the URL of the Pwned Passwords service of Have I Been
// Pwned.
const DefaultBaseURL = "https://api.pwnedpasswords.com"

const (
	defaultTimeout = time.Second
	maxTimeout     = 30 * time.Second
	// maxAnswer is the maximum length of a response, in bytes. A padded
	// response has about 40 KiB.
	maxAnswer = 1 << 20
	// prefixDigits is the number of digits of the hash that are sent.
	prefixDigits = 5
	userAgent    = "ginauth"
)

var (
	// ErrUnavailable says that the service did not respond in time, or sent a
	// response that is not in its documented format.
	ErrUnavailable = errors.New("ginauth: breach service is unavailable")
	// ErrConfig says that a setting of Config is not acceptable. The error's
	// text names the setting.
	ErrConfig = errors.New("ginauth: invalid configuration of the breach service")
)

// Config configures a Client. The zero value uses the service of Have I Been
// Pwned.
type Config struct {
	// BaseURL is the URL before "/range/". Empty means DefaultBaseURL. The
	// scheme is https, or http if the host is localhost or a loopback address.
	// Other hosts need https, because an attacker who changes responses could
	// have breached passwords accepted.
	BaseURL string
	// HTTPClient sends the requests. New copies it. The copy follows no
	// redirects and sends no cookies. Nil means a client with
	// http.DefaultTransport.
	HTTPClient *http.Client
	// Timeout is the time limit for one check, from connecting to the last byte
	// of the response. Zero means 1 s. The maximum is 30 s.
	Timeout time.Duration
}

// Client checks passwords. It is safe for concurrent use.
type Client struct {
	base    string
	http    http.Client
	timeout time.Duration
}

// New returns a client. The error wraps ErrConfig and joins all faults of the
// configuration. New sends no request.
func New(c Config) (*Client, error) {
	c.BaseURL = strings.TrimSuffix(cmp.Or(c.BaseURL, DefaultBaseURL), "/")
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	var faults []error
	if !validBase(c.BaseURL) {
		faults = append(faults, fmt.Errorf("%w: BaseURL: %q is not an https URL without query, fragment and user", ErrConfig, c.BaseURL))
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		faults = append(faults, fmt.Errorf("%w: Timeout: %v is not between 0 and %v", ErrConfig, c.Timeout, maxTimeout))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	client := &Client{base: c.BaseURL, timeout: c.Timeout}
	if c.HTTPClient != nil {
		client.http = *c.HTTPClient
	}
	client.http.Jar = nil
	client.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client, nil
}

// validBase reports whether a path can be appended to base.
func validBase(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(base, "?#") {
		return false
	}
	host := u.Hostname()
	local := host == "localhost" || net.ParseIP(host).IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}

// Breached reports whether the password is known from a data breach. The error
// wraps ErrUnavailable. It never contains the password or any part of its hash.
func (c *Client) Breached(ctx context.Context, password string) (bool, error) {
	// The service identifies passwords by their SHA-1. Nothing depends on the
	// security of SHA-1.
	sum := sha1.Sum([]byte(password))
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	answer, err := c.ask(ctx, digits[:prefixDigits])
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	known, err := find(answer, digits[prefixDigits:])
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return known, nil
}

// ask requests the hashes with a prefix and returns the response body.
func (c *Client) ask(ctx context.Context, prefix string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/range/"+prefix, nil)
	if err != nil {
		return "", withoutURL(err)
	}
	request.Header.Set("Add-Padding", "true")
	request.Header.Set("User-Agent", userAgent)
	response, err := c.http.Do(request)
	if err != nil {
		return "", withoutURL(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil {
		err = ctx.Err() // a connection cut by the deadline may look like a complete response
	}
	switch {
	case err != nil:
		return "", withoutURL(err)
	case len(body) > maxAnswer:
		return "", fmt.Errorf("response is longer than %d bytes", maxAnswer)
	}
	return string(body), nil
}

// withoutURL returns the cause of err without the URL, which ends with digits
// of the hash.
func withoutURL(err error) error {
	for {
		wrapped, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = wrapped.Err
	}
}
