package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/ginauth/ginauth/mail"
)

// TLSMode selects how a connection is encrypted.
type TLSMode int

const (
	// RequireSTARTTLS begins unencrypted and sends nothing until STARTTLS
	// succeeded.
	RequireSTARTTLS TLSMode = iota
	// ImplicitTLS uses TLS from the first byte.
	ImplicitTLS
	// InsecurePlaintext uses no encryption: anyone on the network path can read
	// and use the links in the messages.
	InsecurePlaintext
)

// Options configure a Mailer. Host and From are required.
type Options struct {
	// Host is the host name or IP address of the server, without port.
	Host string
	// Port is the port of the server. Default 587 with RequireSTARTTLS, 465
	// with ImplicitTLS, 25 with InsecurePlaintext.
	Port int
	// Username and Password authenticate the client, with the mechanism PLAIN
	// or LOGIN. Leave both empty if the server requires no authentication. They
	// are sent only over TLS.
	Username string
	Password Password
	// AccessToken returns an OAuth 2.0 access token, which authenticates the client
	// in place of Password, with the mechanism XOAUTH2 (Gmail, Microsoft 365). It is
	// called for each message, under the context of Send, and is expected to keep a
	// token until it expires, as an oauth2.TokenSource of golang.org/x/oauth2 does.
	// Its errors are temporary and are logged. The token is sent only over TLS.
	AccessToken func(ctx context.Context) (Password, error)
	// From is the sender, both in the message header and in the SMTP envelope.
	// Delivery failures are reported to it.
	From mail.Address
	// TLS selects how the connection is encrypted. Default RequireSTARTTLS.
	TLS TLSMode
	// TLSConfig is the TLS configuration, or nil for the default. New copies
	// it. If ServerName is empty, it is set to Host. MinVersion must be TLS 1.2
	// or later, and zero means TLS 1.2.
	TLSConfig *tls.Config
	// Timeout is the time limit for sending one message. Default 30 s.
	Timeout time.Duration
	// HELO is the host name that the client sends in EHLO. Default "localhost".
	// A server that accepts mail from the whole internet expects the full name
	// of this host. A server that requires authentication usually ignores it.
	HELO string
}

// Password is a password that prints as a placeholder in fmt, slog and JSON.
type Password string

const redacted = "[REDACTED]"

// Format writes a placeholder, for every verb.
func (Password) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder. Package encoding/json uses it too.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// complete checks the options, reports all faults at once, and sets the
// defaults.
func (o *Options) complete() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: %s: %s", mail.ErrConfig, field, fmt.Sprintf(format, args...)))
	}
	ports := map[TLSMode]int{RequireSTARTTLS: 587, ImplicitTLS: 465, InsecurePlaintext: 25}
	if ports[o.TLS] == 0 {
		fault("TLS", "%d is not a TLSMode", o.TLS)
	}
	if o.Port == 0 {
		o.Port = ports[o.TLS]
	}
	if o.HELO == "" {
		o.HELO = "localhost"
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if !isHost(o.Host) {
		fault("Host", "%q is not a host name or IP address without port", o.Host)
	}
	if o.Port < 0 || o.Port > 65535 {
		fault("Port", "%d is not a port number", o.Port)
	}
	if !isHost(strings.Trim(o.HELO, "[]")) { // brackets enclose an address literal
		fault("HELO", "%q is not a host name", o.HELO)
	}
	if o.Timeout < 0 {
		fault("Timeout", "%v is negative", o.Timeout)
	}
	if err := o.From.Check(); err != nil {
		fault("From", "%v", err)
	}
	o.checkLogin(fault)
	o.completeTLS(fault)
	return errors.Join(faults...)
}

func (o *Options) checkLogin(fault func(field, format string, args ...any)) {
	switch {
	case o.Username == "" && o.Password == "" && o.AccessToken == nil:
		return
	case o.Username == "":
		fault("Username", "is required if Password or AccessToken is set")
	case o.Password == "" && o.AccessToken == nil:
		fault("Password", "or AccessToken is required if Username is set")
	case o.Password != "" && o.AccessToken != nil:
		fault("AccessToken", "is set beside Password: only one of them can authenticate the client")
	}
	if o.TLS == InsecurePlaintext {
		fault("TLS", "InsecurePlaintext cannot be used with a password or a token")
	}
	// The mechanism PLAIN separates the fields with zero bytes (RFC 4616, 2).
	if strings.ContainsRune(o.Username+string(o.Password), 0) {
		fault("Username and Password", "must not contain a zero byte")
	}
	if strings.ContainsRune(o.Username, 1) { // the separator of XOAUTH2
		fault("Username", "must not contain a byte of value 1")
	}
}

func (o *Options) completeTLS(fault func(field, format string, args ...any)) {
	config := o.TLSConfig.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName = o.Host
	}
	if config.MinVersion == 0 {
		config.MinVersion = tls.VersionTLS12
	}
	if config.MinVersion < tls.VersionTLS12 {
		fault("TLSConfig.MinVersion", "must be TLS 1.2 or later")
	}
	o.TLSConfig = config
}

// isHost reports whether s can be a host: it consists of letters, digits and
// the other characters of host names and IP addresses. It must not contain
// exactly one colon, which would separate a port.
func isHost(s string) bool {
	return s != "" && len(s) <= 255 && strings.Count(s, ":") != 1 && !strings.ContainsFunc(s, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') && !strings.ContainsRune(".-_:%", r)
	})
}
