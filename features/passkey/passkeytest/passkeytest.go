// Package passkeytest is an authenticator in software, for tests of applications that use passkeys:
//
//	device := passkeytest.New("https://app.example")
//	credential, err := device.Create(options) // "publicKey" of POST /passkeys/options
//	assertion, err := device.Get(options)     // "publicKey" of POST /login/passkey/options
//
// It signs with ES256, as an authenticator and its browser do together. It protects nothing: its keys are in memory.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
)

// Flags of an authenticator's data.
const (
	userPresent    = 1 << 0
	userVerified   = 1 << 2
	backupEligible = 1 << 3
	backedUp       = 1 << 4
	attested       = 1 << 6
)

// Device is an authenticator with its browser. Change its fields between ceremonies. Its methods are safe for concurrent
// use.
type Device struct {
	// Origin is what the browser says that the page is at, as in "https://app.example".
	Origin string
	// RPID is the domain that is signed for, whatever the options say. Default: that of the options.
	RPID string
	// AAGUID says which model the authenticator is. It is 16 bytes.
	AAGUID [16]byte
	// NotPresent and NotVerified say that nobody touched the authenticator, and that it did not verify its user.
	NotPresent, NotVerified bool
	// BackupEligible and BackedUp are the flags of passkeys that are copied to other devices.
	BackupEligible, BackedUp bool
	// Counts says that the sign count rises with each signature. Otherwise it is 0, as that of most passkeys.
	Counts bool
	// Packed makes attestations of the format "packed", signed by the passkey itself, in place of "none".
	Packed bool
	// Transports are reported at a registration.
	Transports []string
	// WithoutHandle leaves the user handle out of answers, as some authenticators do where passkeys are named.
	WithoutHandle bool

	mu   sync.Mutex
	keys []*Key
}

// Key is a passkey of a Device.
type Key struct {
	// ID is the id of the credential, RPID its domain, and User the handle of its user.
	ID, User []byte
	RPID     string
	// Count is the last sign count.
	Count   uint32
	private *ecdsa.PrivateKey
}

// New returns a device that visits an origin and verifies its user.
func New(origin string) *Device {
	return &Device{Origin: origin, Transports: []string{"internal"}}
}

// Keys returns the passkeys of the device, the oldest first.
func (d *Device) Keys() []*Key {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*Key(nil), d.keys...)
}

// Forget removes all passkeys.
func (d *Device) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys = nil
}

// text is a value in base64url, as WebAuthn has it in JSON.
type text []byte

// MarshalText encodes the value.
func (t text) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(t)), nil
}

// UnmarshalText decodes the value.
func (t *text) UnmarshalText(from []byte) (err error) {
	*t, err = base64.RawURLEncoding.DecodeString(string(from))
	return err
}

// descriptor names a credential.
type descriptor struct {
	ID text `json:"id"`
}

// options are what both ceremonies read.
type options struct {
	Challenge text   `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID text `json:"id"`
	} `json:"user"`
	Parameters []struct {
		Algorithm int `json:"alg"`
	} `json:"pubKeyCredParams"`
	Exclude []descriptor `json:"excludeCredentials"`
	Allow   []descriptor `json:"allowCredentials"`
}

// read reads options, and returns the domain that is signed for.
func (d *Device) read(given []byte) (o options, domain string, err error) {
	if err := json.Unmarshal(given, &o); err != nil {
		return o, "", fmt.Errorf("passkeytest: read options: %w", err)
	}
	domain = o.RPID + o.RP.ID // one of them is ""
	if d.RPID != "" {
		return o, d.RPID, nil
	}
	u, err := url.Parse(d.Origin)
	if err != nil {
		return o, "", fmt.Errorf("passkeytest: origin: %w", err)
	}
	if host := u.Hostname(); host != domain && !strings.HasSuffix(host, "."+domain) {
		return o, "", fmt.Errorf("passkeytest: the page at %s may not use passkeys of %q", d.Origin, domain)
	}
	return o, domain, nil
}

// ErrNoPasskey means that the device has no passkey that the options ask for.
var ErrNoPasskey = errors.New("passkeytest: no passkey fits the options")

// ErrExcluded means that the device has a passkey that must not be registered twice.
var ErrExcluded = errors.New("passkeytest: the device has a passkey of the user")

// Create makes a passkey as the options of a registration say, and returns what PublicKeyCredential.toJSON does.
func (d *Device) Create(given []byte) (json.RawMessage, error) {
	o, domain, err := d.read(given)
	if err != nil {
		return nil, err
	}
	supported := false
	for _, p := range o.Parameters {
		supported = supported || p.Algorithm == -7
	}
	if !supported {
		return nil, errors.New("passkeytest: the options do not accept ES256")
	}
	for _, x := range o.Exclude {
		if d.find(domain, []descriptor{x}) != nil {
			return nil, ErrExcluded
		}
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key := &Key{ID: make([]byte, 32), User: o.User.ID, RPID: domain, private: private}
	_, _ = rand.Read(key.ID)
	d.mu.Lock()
	d.keys = append(d.keys, key)
	d.mu.Unlock()
	return d.Attest(key, o.Challenge)
}

// Attest returns what PublicKeyCredential.toJSON does at the registration of a passkey, signed for a challenge.
func (d *Device) Attest(key *Key, challenge []byte) (json.RawMessage, error) {
	public, err := publicKey(key.private)
	if err != nil {
		return nil, err
	}
	data := d.data(key, attested)
	data = append(data, d.AAGUID[:]...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(key.ID)))
	data = append(append(data, key.ID...), public...)
	client, err := d.client("webauthn.create", challenge)
	if err != nil {
		return nil, err
	}
	object, err := d.object(key, data, client)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{
		"id": text(key.ID), "rawId": text(key.ID), "type": "public-key", "clientExtensionResults": struct{}{},
		"authenticatorAttachment": "platform",
		"response": map[string]any{
			"clientDataJSON": text(client), "attestationObject": text(object), "authenticatorData": text(data),
			"publicKeyAlgorithm": -7, "transports": d.Transports,
		},
	})
}

// Get signs as the options of a login say, with the newest passkey that fits, and returns what PublicKeyCredential.toJSON
// does. The error wraps ErrNoPasskey if none fits.
func (d *Device) Get(given []byte) (json.RawMessage, error) {
	o, domain, err := d.read(given)
	if err != nil {
		return nil, err
	}
	key := d.find(domain, o.Allow)
	if key == nil {
		return nil, ErrNoPasskey
	}
	return d.Sign(key, o.Challenge)
}

// Sign signs a challenge with a passkey, and returns what PublicKeyCredential.toJSON does.
func (d *Device) Sign(key *Key, challenge []byte) (json.RawMessage, error) {
	client, err := d.client("webauthn.get", challenge)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	if d.Counts {
		key.Count++
	}
	data := d.data(key, 0)
	d.mu.Unlock()
	signature, err := sign(key.private, data, client)
	if err != nil {
		return nil, err
	}
	response := map[string]any{"clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(signature)}
	if !d.WithoutHandle {
		response["userHandle"] = text(key.User)
	}
	return json.Marshal(map[string]any{
		"id": text(key.ID), "rawId": text(key.ID), "type": "public-key", "clientExtensionResults": struct{}{},
		"authenticatorAttachment": "platform", "response": response,
	})
}

// find returns the newest passkey of a domain, among those that are named if any are.
func (d *Device) find(domain string, named []descriptor) *Key {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.keys) - 1; i >= 0; i-- {
		if d.keys[i].RPID != domain {
			continue
		}
		fits := len(named) == 0
		for _, n := range named {
			fits = fits || string(n.ID) == string(d.keys[i].ID)
		}
		if fits {
			return d.keys[i]
		}
	}
	return nil
}

// data returns the beginning of an authenticator's data (WebAuthn level 3, 6.1).
func (d *Device) data(key *Key, flags byte) []byte {
	for flag, set := range map[byte]bool{
		userPresent: !d.NotPresent, userVerified: !d.NotVerified, backupEligible: d.BackupEligible, backedUp: d.BackedUp,
	} {
		if set {
			flags |= flag
		}
	}
	domain := sha256.Sum256([]byte(key.RPID))
	return binary.BigEndian.AppendUint32(append(domain[:], flags), key.Count)
}

// client returns what the browser signs (WebAuthn level 3, 5.8.1).
func (d *Device) client(ceremony string, challenge []byte) ([]byte, error) {
	return json.Marshal(map[string]any{
		"type": ceremony, "challenge": text(challenge), "origin": d.Origin, "crossOrigin": false,
	})
}

// object returns an attestation object (WebAuthn level 3, 6.5) in CBOR.
func (d *Device) object(key *Key, data, client []byte) ([]byte, error) {
	format, statement := "none", []byte{0xa0}
	if d.Packed {
		signature, err := sign(key.private, data, client)
		if err != nil {
			return nil, err
		}
		format, statement = "packed", append([]byte{0xa2}, append(cborText("alg"), 0x26)...)
		statement = append(statement, append(cborText("sig"), cborBytes(signature)...)...)
	}
	object := append([]byte{0xa3}, cborText("fmt")...)
	object = append(append(object, cborText(format)...), cborText("attStmt")...)
	object = append(append(object, statement...), cborText("authData")...)
	return append(object, cborBytes(data)...), nil
}

// sign signs an authenticator's data and the hash of what the browser signs.
func sign(private *ecdsa.PrivateKey, data, client []byte) ([]byte, error) {
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	return ecdsa.SignASN1(rand.Reader, private, sum[:])
}

// publicKey returns a COSE_Key (RFC 9053, 7.1.1).
func publicKey(private *ecdsa.PrivateKey) ([]byte, error) {
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	key := append([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21}, cborBytes(point[1:33])...)
	return append(append(key, 0x22), cborBytes(point[33:])...), nil
}

func cborText(s string) []byte { return append([]byte{0x60 | byte(len(s))}, s...) }

func cborBytes(b []byte) []byte {
	switch {
	case len(b) < 24:
		return append([]byte{0x40 | byte(len(b))}, b...)
	case len(b) < 256:
		return append([]byte{0x58, byte(len(b))}, b...)
	}
	return append(binary.BigEndian.AppendUint16([]byte{0x59}, uint16(len(b))), b...)
}
