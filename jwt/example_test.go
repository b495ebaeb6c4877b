package jwt_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/jwt"
)

func ExampleService_Encode() {
	auth, err := ginauth.New(ginauth.Config{})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	invitation, err := auth.JWT().Encode(jwt.Spec{
		Kind: "invitation", Subject: "carol@example.com", Lifetime: 48 * time.Hour, Claims: map[string]string{"team": "red"},
	})
	if err != nil {
		panic(err)
	}
	decoded, err := auth.JWT().Decode(ctx, "invitation", invitation)
	if err != nil {
		panic(err)
	}
	var claims struct{ Team string }
	if err := decoded.Claims(&claims); err != nil {
		panic(err)
	}
	fmt.Println(decoded.Subject, claims.Team)

	_, err = auth.JWT().Decode(ctx, "password reset", invitation)
	fmt.Println(err)
	// Output:
	// carol@example.com red
	// ginauth: token is not valid
}

func ExampleCryptoKey() {
	// One key signs, the one before it still verifies, and JWKS serves the public
	// halves of both.
	private := ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes, okay"))
	former := ed25519.NewKeyFromSeed([]byte("an earlier seed of 32 bytes, too"))
	auth, err := ginauth.New(ginauth.Config{JWT: ginauth.JWTConfig{
		SigningKey:    jwt.CryptoKey("2026-11", "", private),
		VerifyingKeys: []jwt.Key{jwt.CryptoKey("2026-05", "", former.Public())},
		Issuer:        "https://auth.example.com",
		Audience:      "https://api.example.com",
	}})
	if err != nil {
		panic(err)
	}
	r := gin.New()
	r.GET("/.well-known/jwks.json", auth.JWKS())
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
	var set struct{ Keys []struct{ Kid, Alg string } }
	_ = json.Unmarshal(w.Body.Bytes(), &set)
	for _, key := range set.Keys {
		fmt.Println(key.Kid, key.Alg)
	}
	// Output:
	// 2026-11 EdDSA
	// 2026-05 EdDSA
}
