package pages

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// message is a text of the catalogue with what is filled in.
type message struct {
	Text string            `json:"t"`
	With map[string]string `json:"w,omitempty"`
}

// flash is what a form leaves for the page that comes after it. It is in a cookie and not in the session, so that
// guests who send wrong forms fill no store. It holds no secret. It is not signed: a client can only send itself texts,
// which are escaped.
type flash struct {
	// Notice tells of a success, and Failure of an error of no field.
	Notice  *message `json:"n,omitempty"`
	Failure *message `json:"f,omitempty"`
	// Errors are those of fields, and Values what was typed.
	Errors map[string][]message `json:"e,omitempty"`
	Values map[string]string    `json:"v,omitempty"`
	// At is the page that it is for, or "" for whatever comes next.
	At string `json:"a,omitempty"`
}

const (
	flashCookie   = "ginauth_form"
	emailCookie   = "ginauth_reset"
	flashLifetime = time.Minute
	emailLifetime = time.Hour
	// maxFlash is the longest value of the cookie, in bytes. Browsers keep cookies of 4096.
	maxFlash = 3500
	// maxValue is how much of a field is kept, in bytes.
	maxValue = 400
)

// leave sets the cookie.
func (s *site) leave(c *gin.Context, f flash) {
	for name, value := range f.Values {
		if len(value) > maxValue {
			delete(f.Values, name) // a part of it would be mistaken for all
		}
	}
	text := encodeFlash(f)
	if len(text) > maxFlash {
		f.Values = nil
		text = encodeFlash(f)
	}
	if len(text) <= maxFlash {
		s.setCookie(c, flashCookie, text, flashLifetime)
	}
}

func encodeFlash(f flash) string {
	data, err := json.Marshal(f)
	if err != nil {
		return "" // cannot happen: it holds texts
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// take returns what the former form left, once.
func (s *site) take(c *gin.Context, page string) flash {
	text, err := c.Cookie(flashCookie)
	if err != nil || s.m == nil {
		return flash{}
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	var f flash
	if err != nil || len(text) > maxFlash || !utf8.Valid(data) || json.Unmarshal(data, &f) != nil {
		f = flash{}
	}
	if f.At != "" && f.At != page {
		return flash{}
	}
	s.setCookie(c, flashCookie, "", -time.Second)
	return f
}

// setCookie sets a cookie of the pages. It is Secure wherever browsers come by HTTPS.
func (s *site) setCookie(c *gin.Context, name, value string, lifetime time.Duration) {
	secure := c.Request.TLS != nil || strings.EqualFold(c.GetHeader("X-Forwarded-Proto"), "https") ||
		strings.HasPrefix(s.m.MailConfig().BaseURL, "https://")
	cookie := http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(lifetime / time.Second), Secure: secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
	c.Writer.Header().Add("Set-Cookie", cookie.String())
}

// Notice leaves an English text that tells of a success for the page after a redirect, where Notice of the View returns
// it, translated with Options.Texts. Call it before the response begins. It panics if Mount was not called for a router
// of the route.
func Notice(c *gin.Context, text string) {
	s := siteOf(c)
	if s == nil {
		panic("pages: Notice: call pages.Mount before the route is added")
	}
	s.leave(c, flash{Notice: &message{Text: text}})
}
