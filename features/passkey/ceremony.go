package passkey

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/ginauth/ginauth"
)

// Ceremony is what a client needs to ask an authenticator.
type Ceremony struct {
	// Token is the sealed challenge. The client returns it with the authenticator's answer within 5 minutes.
	Token string `json:"ceremony"`
	// Options are those of WebAuthn as JSON, for PublicKeyCredential.parseCreationOptionsFromJSON or
	// parseRequestOptionsFromJSON.
	Options json.RawMessage `json:"publicKey"`
}

// Response is what a client sends to complete a ceremony.
type Response struct {
	// Ceremony is Ceremony.Token.
	Ceremony string `json:"ceremony"`
	// Credential is what PublicKeyCredential.toJSON returned. At most 32 KiB.
	Credential json.RawMessage `json:"credential"`
	// Identifier is that of BeginLogin, or "".
	Identifier string `json:"identifier"`
	// Name is what the user calls a new passkey, or "" for a name that is made from its kind.
	Name string `json:"name"`
}

// maxCredential is the most that is parsed of an authenticator's answer, in bytes.
const maxCredential = 32 * 1024

// purpose says what a challenge is for. A challenge of one purpose is no other's.
type purpose byte

const (
	registering purpose = 'r'
	loggingIn   purpose = 'l'
	answering   purpose = 'a'
	confirming  purpose = 'c'
)

const challengeSize = 32

// challenge is what an authenticator signs.
type challenge struct {
	value  [challengeSize]byte
	issued time.Time
}

// b64 is a value in base64url, as WebAuthn has it in JSON.
type b64 []byte

// String returns the text.
func (b b64) String() string { return base64.RawURLEncoding.EncodeToString(b) }

// MarshalText encodes the value.
func (b b64) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// challengeFor makes a challenge and seals it, for an owner ("" if nobody is known) and for the session, if there is one.
func (f *Feature) challengeFor(a *ginauth.Authenticator, p purpose, owner string) (c challenge, sealed string, err error) {
	_, _ = rand.Read(c.value[:])
	now := f.now()
	c.issued = f.issue(now)
	bound, err := f.bound(a, true)
	if err != nil {
		return c, "", err
	}
	value := binary.BigEndian.AppendUint64(c.value[:], uint64(c.issued.UnixMicro()))
	sealed, err = f.ceremonies.Seal(now, lifetime, value, []byte{byte(p)}, []byte(owner), bound)
	return c, sealed, err
}

// issue returns a time of issue that no other challenge of this process has.
func (f *Feature) issue(now time.Time) time.Time {
	for {
		last := f.issued.Load()
		next := max(now.UnixMicro(), last+1)
		if f.issued.CompareAndSwap(last, next) {
			return time.UnixMicro(next)
		}
	}
}

// open returns the challenge of a ceremony that this session, or client, began for the same purpose and owner.
func (f *Feature) open(a *ginauth.Authenticator, p purpose, owner, sealed string) (c challenge, err error) {
	bound, err := f.bound(a, false)
	if err != nil {
		return c, err
	}
	value, _, ok := f.ceremonies.Open(f.now(), sealed, []byte{byte(p)}, []byte(owner), bound)
	if !ok || len(value) != challengeSize+8 {
		return c, errCeremony
	}
	copy(c.value[:], value)
	c.issued = time.UnixMicro(int64(binary.BigEndian.Uint64(value[challengeSize:])))
	return c, nil
}

var errCeremony = &ginauth.InputError{Field: "ceremony", Reason: "is not valid, was used, or has expired"}

// bound returns what binds a challenge to the request's session, or nothing if there is no session yet: a client
// without one must not fill the store. The session is then the sealed challenge, which nobody else has.
func (f *Feature) bound(a *ginauth.Authenticator, create bool) ([]byte, error) {
	s := a.Session()
	if s == nil || s.ID() == "" {
		return nil, nil
	}
	nonce := f.nonce.Get(s)
	if nonce != nil || !create {
		return nonce, nil
	}
	nonce = make([]byte, 16)
	_, _ = rand.Read(nonce)
	return nonce, f.nonce.Put(s, nonce)
}

// descriptor names a credential in options.
type descriptor struct {
	Type       string   `json:"type"`
	ID         b64      `json:"id"`
	Transports []string `json:"transports,omitempty"`
}

const publicKey = "public-key"

func (a *account) descriptors() []descriptor {
	list := make([]descriptor, len(a.passkeys))
	for i, c := range a.passkeys {
		list[i] = descriptor{publicKey, c.ID, c.Transports}
	}
	return list
}

type parameter struct {
	Type      string `json:"type"`
	Algorithm int    `json:"alg"`
}

// algorithms are those of WebAuthn level 3, 5.4: EdDSA, ES256 and RS256, and ES384 and ES512.
var algorithms = []webauthncose.COSEAlgorithmIdentifier{
	webauthncose.AlgES256, webauthncose.AlgEdDSA, webauthncose.AlgES384, webauthncose.AlgES512, webauthncose.AlgRS256,
}

func parameters() (list []parameter) {
	for _, a := range algorithms {
		list = append(list, parameter{publicKey, int(a)})
	}
	return list
}

type entity struct {
	ID          any    `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName,omitempty"`
}

type selection struct {
	ResidentKey        string       `json:"residentKey"`
	RequireResidentKey bool         `json:"requireResidentKey"`
	UserVerification   Verification `json:"userVerification"`
}

// creation are the options of a registration (WebAuthn level 3, 5.4).
type creation struct {
	RP          entity       `json:"rp"`
	User        entity       `json:"user"`
	Challenge   b64          `json:"challenge"`
	Parameters  []parameter  `json:"pubKeyCredParams"`
	Timeout     int64        `json:"timeout"`
	Exclude     []descriptor `json:"excludeCredentials"`
	Selection   selection    `json:"authenticatorSelection"`
	Attestation string       `json:"attestation"`
}

// request are the options of a login (WebAuthn level 3, 5.5).
type request struct {
	Challenge        b64          `json:"challenge"`
	Timeout          int64        `json:"timeout"`
	RPID             string       `json:"rpId"`
	Allow            []descriptor `json:"allowCredentials"`
	UserVerification Verification `json:"userVerification"`
}

// ask begins a ceremony that asks for one of some passkeys, or for any if there are none.
func (f *Feature) ask(a *ginauth.Authenticator, p purpose, owner string, v Verification, allow []descriptor) (*Ceremony, error) {
	c, sealed, err := f.challengeFor(a, p, owner)
	if err != nil {
		return nil, err
	}
	if allow == nil {
		allow = []descriptor{}
	}
	options, err := json.Marshal(request{
		Challenge: c.value[:], Timeout: timeout.Milliseconds(), RPID: f.options.RPID, Allow: allow, UserVerification: v,
	})
	return &Ceremony{Token: sealed, Options: options}, err
}

// session returns what the verifier compares an answer with.
func (c *challenge) session(acc *account, v Verification) webauthn.SessionData {
	data := webauthn.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(c.value[:]), UserID: acc.user.Handle,
		UserVerification: protocol.UserVerificationRequirement(v),
	}
	for _, a := range algorithms {
		data.CredParams = append(data.CredParams, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: a})
	}
	return data
}

// errCredential says that a credential cannot be read. What a client sent is not repeated.
var errCredential = &ginauth.InputError{Field: "credential", Reason: "is not the answer of an authenticator"}

// parseAssertion reads the answer of an authenticator at a login.
func parseAssertion(raw json.RawMessage) (*protocol.ParsedCredentialAssertionData, error) {
	if len(raw) == 0 || len(raw) > maxCredential {
		return nil, errCredential
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(raw)
	if err != nil || len(parsed.RawID) > maxID || len(parsed.Response.UserHandle) > handleSize {
		return nil, errCredential
	}
	return parsed, nil
}

// parseAttestation reads the answer of an authenticator at a registration. Attestations other than those of the
// passkey itself are not asked for, and not looked at.
func parseAttestation(raw json.RawMessage) (*protocol.ParsedCredentialCreationData, error) {
	if len(raw) == 0 || len(raw) > maxCredential {
		return nil, errCredential
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(raw)
	if err != nil {
		return nil, errCredential
	}
	data := &parsed.Response.AttestationObject
	if id := data.AuthData.AttData.CredentialID; len(id) == 0 || len(id) > maxID || len(data.AuthData.AttData.CredentialPublicKey) > maxKey {
		return nil, errCredential
	}
	if data.Format != "none" && data.Format != "packed" {
		return nil, &ginauth.InputError{Field: "credential", Reason: fmt.Sprintf("has an attestation %.20q, and none was asked for", data.Format)}
	}
	return parsed, nil
}
