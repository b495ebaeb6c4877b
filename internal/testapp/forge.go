package testapp

import (
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ginauth/ginauth"
	signed "github.com/ginauth/ginauth/jwt"
)

// The key, issuer and audience of applications that are given access tokens made
// by hand, see SignByJWTSecret.
const (
	JWTSecret   = "an HMAC secret for tests, of 40 bytes ok"
	JWTKeyID    = "k1"
	JWTIssuer   = "https://issuer.example"
	JWTAudience = "https://api.example"
)

// SignByJWTSecret lets an application sign access tokens with JWTSecret.
func SignByJWTSecret(c *ginauth.Config) {
	c.JWT.SigningKey = signed.Secret(JWTKeyID, "", []byte(JWTSecret))
	c.JWT.Issuer, c.JWT.Audience = JWTIssuer, JWTAudience
}

// ForgeJWT returns a token with these claims, whatever they are, and a right
// signature. Of the headers those in header are changed.
func ForgeJWT(t testing.TB, claims jwt.MapClaims, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	token.Header["kid"], token.Header["typ"] = JWTKeyID, "at+jwt"
	for name, value := range header {
		token.Header[name] = value
	}
	text, err := token.SignedString([]byte(JWTSecret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// UnsignedJWT returns a token with these claims and no signature.
func UnsignedJWT(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodNone, claims)
	token.Header["kid"], token.Header["typ"] = JWTKeyID, "at+jwt"
	text, err := token.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// JWTClaims returns the claims of a token, unchecked.
func JWTClaims(t testing.TB, token string) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
