package routes

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/factor"
	"github.com/ginauth/ginauth/internal/accounts"
	"github.com/ginauth/ginauth/models"
)

// Decode reads the texts of a request's body, JSON or form, for endpoints of features. The query is not read, other
// fields are ignored, and a field that is missing stays as it is. The errors are those of ginauth.DecodeJSON.
func Decode(c *gin.Context, texts map[string]*string) error { return decodeFields(c, texts, nil) }

// DecodeAnswer is Decode for the answer to a challenge. It also reads the flag "trust", which makes the device skip the
// second factor from then on, as factor.TrustDevice says.
func DecodeAnswer(c *gin.Context, texts map[string]*string) (options []factor.AnswerOption, err error) {
	trust := false
	if err := decodeFields(c, texts, map[string]*bool{"trust": &trust}); err != nil {
		return nil, err
	}
	if trust {
		options = append(options, factor.TrustDevice())
	}
	return options, nil
}

func decodeFields(c *gin.Context, texts map[string]*string, flags map[string]*bool) error {
	types := c.Request.Header["Content-Type"]
	if len(types) == 1 && isForm(types[0]) {
		return decode(c, formFields{texts, flags})
	}
	var body map[string]any
	if err := ginauth.DecodeJSON(c, &body); err != nil {
		return err
	}
	for name, into := range texts {
		value, given := body[name]
		text, ok := value.(string)
		if given && !ok {
			return &ginauth.InputError{Field: name, Reason: "is not a string"}
		}
		if given {
			*into = text
		}
	}
	for name, into := range flags {
		value, given := body[name]
		flag, ok := value.(bool)
		if given && !ok {
			return &ginauth.InputError{Field: name, Reason: "is not a boolean"}
		}
		*into = flag
	}
	return nil
}

// formFields is the input of a form of texts and flags.
type formFields struct {
	texts map[string]*string
	flags map[string]*bool
}

func (f formFields) fields() (all []field) {
	for name, into := range f.texts {
		all = append(all, field{name: name, text: into})
	}
	for name, into := range f.flags {
		all = append(all, field{name: name, flag: into})
	}
	return all
}

// Answer responds as the routes of this package do, for endpoints of features: it asks the Responder of Browsers, and
// otherwise sends Status and Body, or gives Err to ginauth.Abort. Route and Old of the response are filled in. The body
// may come with an error, for a Responder that shows the form again; API clients do not get it then.
func Answer(c *gin.Context, r Response) {
	r.Route = Route(c.Request.Method + " " + c.FullPath())
	switch {
	case responded(c, r):
	case r.Err != nil:
		ginauth.Abort(c, r.Err)
	case r.Page != "" && ginauth.WantsHTML(c):
		c.Redirect(http.StatusSeeOther, r.Page)
	case r.Body == nil:
		c.Status(r.Status)
	default:
		c.JSON(r.Status, r.Body)
	}
}

// AnswerLogin responds to what a login led to as Answer does: with the tokens, the pending login, or the user. Browsers
// are redirected to the page that they wanted, or to Pages.SecondFactor. The Authenticator is that of the guard that
// logged the user in. More is added to the JSON of a complete login.
func AnswerLogin(c *gin.Context, a *ginauth.Authenticator, res *ginauth.LoginResult, more ...Field) {
	r := Response{Status: http.StatusOK}
	switch {
	case res.Pending != nil:
		r.Body, r.Page = pendingReply(res.Pending).body, res.Pending.Page
	default:
		r.Body = loginBody(res, more)
		if res.Tokens == nil && ginauth.WantsHTML(c) {
			r.Page = a.Intended()
		}
	}
	Answer(c, r)
}

// SignInButton is what a page needs to offer to sign in with another site: a form with one button.
type SignInButton struct {
	// Name is the name of the site in the application's paths, Title what people call it, and Path where the form posts to.
	Name  string `json:"name"`
	Title string `json:"title"`
	Path  string `json:"path"`
}

// Field is a field of a JSON object.
type Field struct {
	Name  string
	Value any
}

// loginBody returns the response to a complete login, as a value for JSON.
func loginBody(res *ginauth.LoginResult, more []Field) any {
	body := make(map[string]any)
	switch {
	case res.Tokens != nil && len(more) == 0:
		return res.Tokens
	case res.Tokens != nil:
		data, _ := json.Marshal(res.Tokens) // texts and numbers
		_ = json.Unmarshal(data, &body)
	default:
		body["user"] = defaultUser(res.User)
		if res.MustEnrol {
			body["must_enrol"] = true
		}
	}
	for _, f := range more {
		body[f.Name] = f.Value
	}
	return body
}

// CheckName returns an *InputError of the field "name" for a text that cannot be the name of a user.
func CheckName(name string) error { return accounts.CheckName(name) }

// FeatureGuards returns the guards of a feature's endpoints: those that are named, or else "web" and "api", as far as
// there are such guards with users.
func FeatureGuards(m *ginauth.Manager, named []string) []string {
	if len(named) > 0 {
		return named
	}
	var guards []string
	for _, name := range []string{"web", "api"} {
		if can, ok := m.Capabilities(name); ok && can.Users {
			guards = append(guards, name)
		}
	}
	return guards
}

// NoStore is a middleware that keeps responses with secrets out of caches, and their address out of Referer headers.
func NoStore(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.Header("Referrer-Policy", "no-referrer")
}

// Owner returns the request's user, who may change what the account is secured by. The errors are
// ginauth.ErrUnauthenticated, ginauth.ErrForbidden for a request by a personal access token, which may not do that, and
// ginauth.ErrUnavailable.
func Owner(ctx context.Context, a *ginauth.Authenticator) (models.Authenticatable, error) {
	u, err := a.User(ctx)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, ginauth.ErrUnauthenticated
	}
	if token, err := a.Token(ctx); err != nil || token != nil && token.Scoped {
		return nil, errors.Join(ginauth.ErrForbidden, err)
	}
	return u, nil
}
