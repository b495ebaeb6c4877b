package smtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/ginauth/ginauth/mail"
)

// TLSMode says how a connection is encrypted.
type TLSMode int

const (
	// RequireSTARTTLS begins in the clear and goes on over TLS, or not at all.
	RequireSTARTTLS TLSMode = iota
	// ImplicitTLS is TLS from the first byte.
	ImplicitTLS
	// InsecurePlaintext is no encryption: everybody on the way can read the
	// links in the messages, and use them.
	InsecurePlaintext
)

// Options set up a Mailer. Host and From are required.
type Options struct {
	// Host is the name or IP address of the server, without port.
	Host string
	// Port is that of the server. Default 587 with RequireSTARTTLS, 465 with
	// ImplicitTLS, 25 with InsecurePlaintext.
	Port int
	// Username and Password log in, with the mechanism PLAIN or else LOGIN. Both
	// are empty for a server that asks for none. They are sent over TLS alone.
	Username string
	Password Password
	// From is the sender, in the message as well as for replies that it cannot
	// be delivered.
	From mail.Address
	// TLS is how the connection is encrypted. Default RequireSTARTTLS.
	TLS TLSMode
	// TLSConfig is what TLS is set up with, or nil. It is copied. Where its
	// ServerName is empty it is Host, and its MinVersion is TLS 1.2 at least.
	TLSConfig *tls.Config
	// Timeout is how long sending a message may take in all. Default 30 s.
	Timeout time.Duration
	// HELO is the name this host introduces itself with. Default "localhost".
	// Servers that receive from the whole internet want the full name of the
	// host; those one logs in to do not care.
	HELO string
}

// Password is a password that hides itself in fmt, slog and JSON.
type Password string

const redacted = "[REDACTED]"

// Format writes a placeholder, whatever the verb.
func (Password) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, which is also what JSON gets.
func (Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// complete checks options, all at once, and fills in defaults.
func (o *Options) complete() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: %s: %s", mail.ErrConfig, field, fmt.Sprintf(format, args...)))
	}
	ports := map[TLSMode]int{RequireSTARTTLS: 587, ImplicitTLS: 465, InsecurePlaintext: 25}
	if ports[o.TLS] == 0 {
		fault("TLS", "%d is no mode", o.TLS)
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
		fault("Host", "%q is not the name or address of a host, without port", o.Host)
	}
	if o.Port < 0 || o.Port > 65535 {
		fault("Port", "%d is no port", o.Port)
	}
	if !isHost(strings.Trim(o.HELO, "[]")) { // of an address literal
		fault("HELO", "%q is not the name of a host", o.HELO)
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
	case o.Username == "" && o.Password == "":
		return
	case o.Username == "":
		fault("Username", "is missing beside Password")
	case o.Password == "":
		fault("Password", "is missing beside Username")
	}
	if o.TLS == InsecurePlaintext {
		fault("TLS", "a password is not sent without encryption")
	}
	// What separates the two in the mechanism PLAIN (RFC 4616, 2).
	if strings.ContainsRune(o.Username+string(o.Password), 0) {
		fault("Username and Password", "must not hold a zero byte")
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
		fault("TLSConfig.MinVersion", "is older than TLS 1.2")
	}
	o.TLSConfig = config
}

// isHost reports whether s can be a host: letters, digits and what else there is
// in names and addresses. A single colon would be that before a port.
func isHost(s string) bool {
	return s != "" && len(s) <= 255 && strings.Count(s, ":") != 1 && !strings.ContainsFunc(s, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') && !strings.ContainsRune(".-_:%", r)
	})
}
