// Package breach asks the Pwned Passwords service, or a mirror of it, whether a
// password is known from a data breach (OWASP ASVS 5.0, 6.2.12).
//
// The password stays in the process. What leaves it are the first five of the
// forty hexadecimal digits of its SHA-1, which about one in a million passwords
// share; the service answers with the rest of all hashes that begin so. It is
// asked to pad its answer, so that an eavesdropper cannot tell the five digits
// from the length: https://haveibeenpwned.com/API/v3#PwnedPasswords.
//
// Ask when a password is set, never at login. When the service does not answer,
// nothing is known of the password: the error wraps ErrUnavailable, and the
// password should not be set; a server answers 503. An application that would
// rather accept it says so in a function of its own around Breached.
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

// DefaultBaseURL is the address of Have I Been Pwned.
const DefaultBaseURL = "https://api.pwnedpasswords.com"

const (
	defaultTimeout = time.Second
	maxTimeout     = 30 * time.Second
	// maxAnswer is far more than a padded answer, which has about 40 KiB.
	maxAnswer = 1 << 20
	// prefixDigits is how much of a hash leaves the process.
	prefixDigits = 5
	userAgent    = "ginauth"
)

var (
	// ErrUnavailable says that the service did not answer in time, or not as
	// its interface describes.
	ErrUnavailable = errors.New("ginauth: breach service is unavailable")
	// ErrConfig says that a Config is not acceptable.
	ErrConfig = errors.New("ginauth: invalid configuration of the breach service")
)

// Config says whom to ask. The zero value asks Have I Been Pwned.
type Config struct {
	// BaseURL is the address before "/range/". Empty means DefaultBaseURL. It
	// begins with https, or with http if the host is this machine: whoever can
	// change an answer can have bad passwords accepted.
	BaseURL string
	// HTTPClient sends the requests. It is copied; its redirects are not
	// followed and its cookies are not sent. Nil means one with the transport
	// of http.DefaultClient.
	HTTPClient *http.Client
	// Timeout bounds one question, from connecting to the last byte of the
	// answer. Zero means 1 s. At most 30 s.
	Timeout time.Duration
}

// A Client asks the service. It is safe for concurrent use.
type Client struct {
	base    string
	http    http.Client
	timeout time.Duration
}

// New returns a client, or all that is wrong with the configuration, joined and
// wrapping ErrConfig. It asks nobody.
func New(c Config) (*Client, error) {
	c.BaseURL = strings.TrimSuffix(cmp.Or(c.BaseURL, DefaultBaseURL), "/")
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	var faults []error
	if !validBase(c.BaseURL) {
		faults = append(faults, fmt.Errorf("%w: BaseURL: %q is not an https address without query", ErrConfig, c.BaseURL))
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		faults = append(faults, fmt.Errorf("%w: Timeout: %v is not up to %v", ErrConfig, c.Timeout, maxTimeout))
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

// Breached reports whether the password is known. The error wraps
// ErrUnavailable, and neither the password nor any part of its hash is in it.
func (c *Client) Breached(ctx context.Context, password string) (bool, error) {
	// SHA-1 is the name under which the service lists passwords; nothing is
	// kept secret by it.
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

// ask returns the service's answer to a prefix.
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
		err = ctx.Err() // a connection that the deadline cut may look like an end
	}
	switch {
	case err != nil:
		return "", withoutURL(err)
	case len(body) > maxAnswer:
		return "", fmt.Errorf("answer is longer than %d bytes", maxAnswer)
	}
	return string(body), nil
}

// withoutURL returns what went wrong without the address, which ends with digits
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
