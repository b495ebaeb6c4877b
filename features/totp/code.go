package totp

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/ginauth/ginauth"
)

const (
	// period is how long a code is shown.
	period = 30 * time.Second
	// digits is how many digits a code has.
	digits = 6
	// skew is how many steps the clock of a device may be off.
	skew = 1
	// secretSize is the size of a secret in bytes: 160 bits (RFC 4226, 4).
	secretSize = 20
)

// stepOf returns the number of a time step (RFC 6238, 4.2).
func stepOf(t time.Time) int64 { return t.Unix() / int64(period/time.Second) }

// codeAt returns the code of a step (RFC 4226, 5.3). SHA-1 is what all apps support, and as a MAC it is not broken.
func codeAt(secret []byte, step int64, digits int) string {
	mac := hmac.New(sha1.New, secret)
	_ = binary.Write(mac, binary.BigEndian, uint64(step))
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	text := fmt.Sprintf("%010d", number)
	return text[len(text)-digits:]
}

// Code returns the code that an app with a secret in base32 shows at a time, for tests and demonstrations.
func Code(secret string, at time.Time) (string, error) {
	raw, err := encoding.DecodeString(secret)
	if err != nil {
		return "", &ginauth.InputError{Field: "secret", Reason: "is not base32"}
	}
	return codeAt(raw, stepOf(at), digits), nil
}

// match returns the step after the last used one of which code is the code at a time. It compares with all steps, and
// each in constant time.
func match(secret []byte, code string, at time.Time, used int64) (step int64, ok bool) {
	now := stepOf(at)
	for s := now - skew; s <= now+skew; s++ {
		same := subtle.ConstantTimeCompare([]byte(codeAt(secret, s, digits)), []byte(code)) == 1
		if same && s > used && !ok {
			step, ok = s, true
		}
	}
	return step, ok
}

// normalize returns the digits of a code as people type it, with spaces and in other scripts' width.
func normalize(text string) (string, error) {
	if len(text) <= 64 {
		text = strings.NewReplacer(" ", "", "-", "").Replace(norm.NFKC.String(text))
	}
	if len(text) != digits || strings.Trim(text, "0123456789") != "" {
		return "", &ginauth.InputError{Field: "code", Reason: fmt.Sprintf("is not %d digits", digits)}
	}
	return text, nil
}
