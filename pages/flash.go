package pages

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// message is a text of the catalogue with what is filled in.
type message struct {
	Text string            `json:"t"`
	With map[string]string `json:"w,omitempty"`
}

// flash is what a form leaves for the page that comes after it. It is flashed, so that it is in the session of a user
// and in a sealed cookie of a guest: wrong forms of guests fill no store.
type flash struct {
	// Notice tells of a success, and Failure of an error of no field.
	Notice  *message `json:"n,omitempty"`
	Failure *message `json:"f,omitempty"`
	// Errors are the reasons by field, and Values what was typed.
	Errors map[string][]string `json:"e,omitempty"`
	Values map[string]string   `json:"v,omitempty"`
	// At is the page that it is for, or "" for whatever comes next.
	At string `json:"a,omitempty"`
}

func (f flash) empty() bool {
	return f.Notice == nil && f.Failure == nil && f.Errors == nil && f.Values == nil
}

const (
	flashKey      = "ginauth/pages.flash"
	emailCookie   = "ginauth_reset"
	emailLifetime = time.Hour
	// maxFlash is how much is left, in bytes: it has to fit into a cookie.
	maxFlash = 2048
	// maxValue is how much of a field is kept, in bytes.
	maxValue = 400
)

// leave leaves something for the next page.
func (s *site) leave(c *gin.Context, f flash) {
	session := sessionOf(c)
	if session == nil {
		return
	}
	for name, value := range f.Values {
		if len(value) > maxValue {
			delete(f.Values, name) // a part of it would be mistaken for all
		}
	}
	text, err := json.Marshal(f)
	if len(text) > maxFlash {
		f.Values = nil
		text, err = json.Marshal(f)
	}
	if err == nil && len(text) <= maxFlash {
		_ = session.Flash(flashKey, string(text)) // a failure of the store is the response's
	}
}

// take returns what the former form left for a page, once.
func (s *site) take(c *gin.Context, page string) flash {
	session := sessionOf(c)
	if session == nil {
		return flash{}
	}
	text, ok := ginauth.Value[string](session, flashKey)
	var f flash
	if !ok || json.Unmarshal([]byte(text), &f) != nil {
		return flash{}
	}
	if f.At != "" && f.At != page {
		_ = session.Keep(flashKey)
		return flash{}
	}
	return f
}

// sessionOf returns the session of a request, or nil.
func sessionOf(c *gin.Context) *ginauth.Session {
	a := authOf(c)
	if a == nil {
		return nil
	}
	return a.Session()
}

// authOf returns the Authenticator of a request, or nil.
func authOf(c *gin.Context) *ginauth.Authenticator {
	v, _ := c.Get("auth")
	a, _ := v.(*ginauth.Authenticator)
	return a
}

// setEmail keeps the address that asked for a reset link, so that the page of the link can fill it in. The cookie is
// Secure wherever browsers come by HTTPS.
func (s *site) setEmail(c *gin.Context, email string, lifetime time.Duration) {
	secure := c.Request.TLS != nil || strings.EqualFold(c.GetHeader("X-Forwarded-Proto"), "https") ||
		strings.HasPrefix(s.m.MailConfig().BaseURL, "https://")
	cookie := http.Cookie{
		Name: emailCookie, Value: email, Path: s.path("/reset-password"), MaxAge: int(lifetime / time.Second),
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	c.Writer.Header().Add("Set-Cookie", cookie.String())
}

// Notice leaves an English text that tells of a success for the page after a redirect, where Notice of the View returns
// it, translated with Options.Texts. Call it before the response begins, after StartSession. It panics if Mount was not
// called for a router of the route.
func Notice(c *gin.Context, text string) {
	s := siteOf(c)
	if s == nil {
		panic("pages: Notice: call pages.Mount before the route is added")
	}
	s.leave(c, flash{Notice: &message{Text: text}})
}
