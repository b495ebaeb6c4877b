package routes

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/answers"
)

// Outcome says what became of a form, on the page to which the browser was
// redirected. It is kept for the next page that the browser shows.
type Outcome struct {
	// Route is the route that the form was sent to.
	Route Route `json:"route"`
	// Code is the code of the error, as in JSON, or "" after a success.
	Code string `json:"code,omitempty"`
	// Message is a sentence about the error.
	Message string `json:"message,omitempty"`
	// Errors are the reasons why fields are not acceptable, as in JSON.
	Errors map[string][]string `json:"errors,omitempty"`
	// Old is what was typed, by field, for the form to show it again. It never
	// holds a password or a token, and no long text.
	Old map[string]string `json:"old,omitempty"`
	// RetryAfter is how many seconds the client has to wait, or 0.
	RetryAfter int64 `json:"retry_after,omitempty"`
	// Result is what JSON says after a success, such as "verified".
	Result map[string]bool `json:"result,omitempty"`
	// Notice is a text that the application left for the page, such as that of pages.Notice, or "".
	Notice string `json:"notice,omitempty"`
	// At is the path of the page that the outcome is for, without Config.BasePath, or "" for whatever page comes next.
	At string `json:"at,omitempty"`

	field string // the first that is not acceptable
}

// Failed reports whether the form was not accepted.
func (o Outcome) Failed() bool { return o.Code != "" }

// Error returns a sentence that says what is wrong with a field, or "".
func (o Outcome) Error(field string) string {
	if reasons := o.Errors[field]; len(reasons) > 0 {
		return answers.Sentence(field, reasons[0])
	}
	return ""
}

const (
	// outcomeKey is the session key of the outcome.
	outcomeKey = "routes.outcome"
	// maxOutcome is how much is kept, in bytes: for a guest it has to fit into a cookie.
	maxOutcome = 2560
)

// OutcomeOf returns what became of the form that the browser sent before it was
// redirected to this page, and whether there was one. The page needs StartSession.
func OutcomeOf(c *gin.Context) (Outcome, bool) {
	var o Outcome
	s := ginauth.From(c).Session()
	if s == nil {
		return o, false
	}
	text, ok := ginauth.Value[string](s, outcomeKey)
	if !ok || json.Unmarshal([]byte(text), &o) != nil {
		return Outcome{}, false
	}
	if o.At != "" && o.At != c.Request.URL.Path {
		_ = s.Keep(outcomeKey)
		return Outcome{}, false
	}
	return o, true
}

// Leave keeps an outcome for the next page that calls OutcomeOf: in the session of a user, and in a sealed cookie of a
// guest. Without StartSession nothing is kept. Call it before the response begins.
func (o Outcome) Leave(c *gin.Context) {
	s := ginauth.From(c).Session()
	if s == nil {
		return
	}
	text, err := json.Marshal(o)
	if len(text) > maxOutcome {
		o.Old = nil
		text, err = json.Marshal(o)
	}
	if len(text) > maxOutcome {
		text, err = json.Marshal(Outcome{Route: o.Route, Code: o.Code, Message: o.Message, RetryAfter: o.RetryAfter, At: o.At})
	}
	if err == nil {
		_ = s.Flash(outcomeKey, string(text)) // a failure of the store is the response's
	}
}

// Outcome returns what became of the form.
func (r Response) Outcome() Outcome {
	o := Outcome{Route: r.Route, Old: r.Old}
	if r.Err == nil {
		o.Result, _ = r.Body.(map[string]bool)
		return o
	}
	err := r.Err
	body := answers.For(err).Body(err, "")
	o.Code, _ = body["code"].(string)
	o.Message, _ = body["message"].(string)
	o.Errors, _ = body["errors"].(map[string][]string)
	o.field, _ = body["field"].(string)
	var throttled *ginauth.ThrottledError
	if errors.As(err, &throttled) {
		o.RetryAfter = retrySeconds(throttled.RetryAfter)
	}
	return o
}

func retrySeconds(d time.Duration) int64 { return max(1, int64((d+time.Second-1)/time.Second)) }

// formKey is where decode keeps the fields of a form in the gin.Context.
const formKey = "ginauth/routes.form"

const (
	maxOld    = 512  // bytes of a value that is kept
	maxAllOld = 1536 // bytes of all of them, so that they fit into a cookie
)

// oldInput returns what was typed into the form of a request.
func oldInput(c *gin.Context) map[string]string {
	fields, _ := c.Value(formKey).([]field)
	old, size := make(map[string]string), 0
	for _, f := range fields {
		value := f.typed()
		size += len(f.name) + len(value)
		if value == "" || secret(f.name) || len(value) > maxOld || size > maxAllOld {
			continue
		}
		old[f.name] = value
	}
	return old
}

// secret reports whether a field may hold a secret, by its name: so may fields of
// the application.
func secret(name string) bool {
	for _, part := range []string{"pass", "token", "secret", "enrolment"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return slices.ContainsFunc(strings.Split(name, "_"), func(word string) bool {
		return slices.Contains([]string{"pin", "otp", "key", "code", "cvv", "cvc"}, word)
	})
}
