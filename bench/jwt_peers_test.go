package bench_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	ginjwt "github.com/appleboy/gin-jwt/v3"
	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
)

// jwtKey signs the tokens of the other libraries: HS256 with 32 bytes, as for
// ginauth.
var jwtKey = []byte("a key of 32 bytes to sign tokens")[:32]

// ginJWTApp is an application with gin-jwt.
func ginJWTApp(tb testing.TB) http.Handler {
	tb.Helper()
	m, err := ginjwt.New(&ginjwt.GinJWTMiddleware{
		Realm:       "bench",
		Key:         jwtKey,
		Timeout:     15 * time.Minute,
		IdentityKey: "sub",
		PayloadFunc: func(user any) jwt.MapClaims {
			return jwt.MapClaims{
				"sub": user, "iss": "ginauth", "aud": "ginauth", "jti": rand.Text(), "iat": time.Now().Unix(), "kind": "access",
			}
		},
		Authenticator: func(c *gin.Context) (any, error) { return c.Param("user"), nil },
	})
	if err != nil {
		tb.Fatal(err)
	}
	r := newEngine()
	r.POST("/login/:user", m.LoginHandler)
	r.GET("/me", m.MiddlewareFunc(), func(c *gin.Context) {
		id, _ := c.Get("sub")
		user, _ := id.(string)
		c.Writer.WriteHeader(http.StatusOK)
		_, _ = c.Writer.WriteString(user)
	})
	return r
}

func openGinJWT(tb testing.TB) target { return ginJWTTarget(tb, clients) }

// openGinJWTFirst uses as many tokens as openFirst. They do not all fit into
// the processor's cache.
func openGinJWTFirst(tb testing.TB) target { return ginJWTTarget(tb, firstTokens(tb)) }

func ginJWTTarget(tb testing.TB, tokens int) target {
	app := ginJWTApp(tb)
	t := serve(app, tokenRequests(tb, app, tokens))
	t.check = func(tb testing.TB) { checkTokens(tb, app) }
	return t
}

func openGinJWTIssue(tb testing.TB) target {
	app := ginJWTApp(tb)
	t := serve(app, issueRequests(tb))
	t.check = func(tb testing.TB) { checkTokens(tb, app) }
	return t
}

// openGolangJWT verifies tokens of gin-jwt with golang-jwt only.
func openGolangJWT(tb testing.TB) target {
	issuer := ginJWTApp(tb)
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithIssuer("ginauth"))
	r := newEngine()
	r.POST("/login/:user", gin.WrapH(issuer))
	r.GET("/me", func(c *gin.Context) {
		text := strings.TrimPrefix(c.Request.Header.Get("Authorization"), "Bearer ")
		token, err := parser.Parse(text, func(*jwt.Token) (any, error) { return jwtKey, nil })
		if err != nil {
			c.AbortWithStatus(http.StatusUnauthorized)
			return
		}
		user, _ := token.Claims.GetSubject()
		c.Writer.WriteHeader(http.StatusOK)
		_, _ = c.Writer.WriteString(user)
	})
	t := serve(r, tokenRequests(tb, r, clients))
	t.check = func(tb testing.TB) { checkTokens(tb, r) }
	return t
}

// openHMAC checks only the signature of tokens of gin-jwt and, if decode is
// set, decodes the claims.
func openHMAC(decode bool) func(testing.TB) target {
	return func(tb testing.TB) target {
		issuer := ginJWTApp(tb)
		r := newEngine()
		r.GET("/me", func(c *gin.Context) {
			user, ok := hmacUser(strings.TrimPrefix(c.Request.Header.Get("Authorization"), "Bearer "), decode)
			if !ok {
				c.AbortWithStatus(http.StatusUnauthorized)
				return
			}
			c.Writer.WriteHeader(http.StatusOK)
			_, _ = c.Writer.WriteString(user)
		})
		requests := tokenRequests(tb, issuer, clients)
		if !decode {
			for i := range requests {
				requests[i].body = "somebody"
			}
		}
		t := serve(r, requests)
		t.check = func(tb testing.TB) {
			want(tb, r, "GET", "/me", bearer("e30.e30."+strings.Repeat("A", 43)), http.StatusUnauthorized, anyBody)
		}
		return t
	}
}

func hmacUser(token string, decode bool) (string, bool) {
	end := strings.LastIndexByte(token, '.')
	if end < 0 {
		return "", false
	}
	var sent, sum [sha256.Size]byte
	if n, err := base64.RawURLEncoding.Decode(sent[:], []byte(token[end+1:])); err != nil || n != len(sent) {
		return "", false
	}
	mac := hmac.New(sha256.New, jwtKey)
	mac.Write([]byte(token[:end]))
	if !hmac.Equal(mac.Sum(sum[:0]), sent[:]) {
		return "", false
	}
	if !decode {
		return "somebody", true
	}
	_, payload, _ := strings.Cut(token[:end], ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "", false
	}
	var claims struct {
		Subject string  `json:"sub"`
		Expires float64 `json:"exp"`
	}
	err = json.Unmarshal(text, &claims)
	return claims.Subject, err == nil
}

// openGolangJWTSign signs the claims that openSign signs.
func openGolangJWTSign(testing.TB) target {
	return target{worker: func() func() bool {
		return func() bool {
			now := time.Now()
			token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
				"iss": "ginauth", "aud": "ginauth", "jti": rand.Text(), "sub": "100000", "kind": "bench",
				"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "role": "member",
			}).SignedString(jwtKey)
			return err == nil && token != ""
		}
	}}
}
