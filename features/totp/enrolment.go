package totp

import (
	"fmt"
	"log/slog"

	qr "github.com/piglig/go-qr"
)

// Enrolment is what a user needs to set up an authenticator app. Its JSON shows the secret, once; fmt and slog do not.
type Enrolment struct {
	// Token is the sealed enrolment, for Feature.Confirm within 10 minutes.
	Token string `json:"enrolment"`
	// Secret is what the user types into the app, in base32.
	Secret string `json:"secret"`
	// URL is the same for apps, as in "otpauth://totp/…". QR codes contain it.
	URL string `json:"url"`
}

const redacted = "[REDACTED]"

// Format writes a placeholder, whatever the verb.
func (Enrolment) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (Enrolment) LogValue() slog.Value { return slog.StringValue(redacted) }

// The size of QR codes: pixels for each module, and the margin of 4 modules that the standard asks for.
const (
	scale  = 6
	margin = 4
)

// PNG returns a QR code of the URL as a PNG image.
func (e *Enrolment) PNG() ([]byte, error) {
	code, err := qr.EncodeText(e.URL, qr.Medium)
	if err != nil {
		return nil, fmt.Errorf("totp: QR code: %w", err)
	}
	return code.ToPNGBytes(qr.NewQrCodeImgConfig(scale, margin))
}

// SVG returns a QR code of the URL as an SVG image, which has no script and no style.
func (e *Enrolment) SVG() ([]byte, error) {
	code, err := qr.EncodeText(e.URL, qr.Medium)
	if err != nil {
		return nil, fmt.Errorf("totp: QR code: %w", err)
	}
	return code.ToSVGBytes(qr.NewQrCodeImgConfig(1, margin)) // whose margin is not scaled
}
