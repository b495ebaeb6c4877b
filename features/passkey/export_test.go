package passkey

import (
	"encoding/json"
	"time"
)

// ParseForTest reads an answer of an authenticator in both ways.
func ParseForTest(raw json.RawMessage) (assertion, attestation bool) {
	_, err := parseAssertion(raw)
	assertion = err == nil
	_, err = parseAttestation(raw)
	return assertion, err == nil
}

// ModelsForTest are the AAGUIDs of known models.
func ModelsForTest() map[string]string { return modelNames }

// UsesForTest are the challenges that were answered.
type UsesForTest struct{ uses }

// TakeForTest uses a challenge, which n names and which was issued at a time.
func (u *UsesForTest) TakeForTest(n byte, issued, now time.Time) bool {
	return u.take(challenge{value: [challengeSize]byte{n}, issued: issued}, now)
}

// SizeForTest is how many challenges are kept.
func (u *UsesForTest) SizeForTest() int { return len(u.Used) / useSize }
