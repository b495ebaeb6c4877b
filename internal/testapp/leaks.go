package testapp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// leaks looks for secrets in what an application says.
type leaks struct {
	mu      sync.Mutex
	bodies  bytes.Buffer // of all responses, but for those that hand secrets out
	secrets []string     // that responses have handed out
}

// hiddenToken is the field in which the page of a reset link sends back the token that the link brought.
var hiddenToken = regexp.MustCompile(`<input name="token" type="hidden" value="gpr_[^"]*">`)

// FormTokenPath is the path of a route with the handler FormToken.
const FormTokenPath = "/form-token"

// FormToken shows the session's token of forms.
func FormToken(c *gin.Context) {
	token, err := ginauth.From(c).Session().Token()
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.String(200, token)
}

// CheckLeaks looks for secrets when the test ends and nothing runs any more. It
// reports an error if a log or an event has one, or a response other than the one
// that hands it out (attack cases L01 and D05). What every application has that
// nobody may see holds the word CANARY.
func CheckLeaks() Option { return func(s *settings) { s.leaks = new(leaks) } }

// response remembers the body, or the secrets in it: cookies, tokens, tokens of
// forms.
func (l *leaks) response(r *Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, cookie := range r.Cookies() {
		l.keep(cookie.Value)
	}
	if r.Request.URL.Path == FormTokenPath {
		l.keep(r.Text)
		return
	}
	var body map[string]any
	handsOut := false
	if json.Unmarshal([]byte(r.Text), &body) == nil {
		for _, name := range []string{"access_token", "refresh_token", "token"} {
			text, _ := body[name].(string)
			l.keep(text)
			handsOut = handsOut || text != ""
		}
	}
	if !handsOut {
		l.bodies.WriteString(hiddenToken.ReplaceAllString(r.Text, ""))
	}
}

func (l *leaks) keep(secret string) {
	if len(secret) >= 16 {
		l.secrets = append(l.secrets, secret)
	}
}

// check reports the secrets that are where none may be.
func (l *leaks) check(a *App) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A log says which error of a driver there was. A response does not.
	log := strings.ReplaceAll(a.Logs.String(), ErrRefused.Error(), "")
	said := map[string]string{"log": log, "responses": l.bodies.String()}
	for _, e := range a.Events.All() {
		data, err := json.Marshal(e)
		said["events"] += fmt.Sprintf("%+v %s %v\n", e, data, err)
	}
	for _, m := range a.Outbox.Messages() {
		for _, found := range link.FindAllString(m.Text, -1) {
			l.keep(found[strings.LastIndexAny(found, "=/")+1:])
		}
	}
	secrets := append(l.secrets, "CANARY", "$argon2id$", "password_hash", "security_stamp", "SecurityStamp", "email_canonical")
	for where, text := range said {
		for _, secret := range secrets {
			if i := strings.Index(text, secret); i >= 0 {
				a.Errorf("a secret is in the %s: …%q", where, text[max(0, i-100):i+min(len(secret), 8)])
			}
		}
	}
}
