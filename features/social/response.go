package social

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// maxParam is the longest parameter of an authorization response, in bytes.
const maxParam = 4096

// response is what a provider sends back by way of the browser.
type response struct {
	State    string `json:"s"`
	Code     string `json:"c,omitempty"`
	Error    string `json:"e,omitempty"`
	Issuer   string `json:"i,omitempty"`
	User     string `json:"u,omitempty"`
	Provider string `json:"p"`
}

// read reads a response from parameters, of which each may occur once (RFC 6749, 3.1).
func read(values url.Values) (r response, err error) {
	for name, into := range map[string]*string{
		"state": &r.State, "code": &r.Code, "error": &r.Error, "iss": &r.Issuer, "user": &r.User,
	} {
		given := values[name]
		if len(given) > 1 || len(given) == 1 && len(given[0]) > maxParam {
			return response{}, ErrAttempt
		}
		if len(given) == 1 {
			*into = given[0]
		}
	}
	return r, nil
}

// answerTime is how long a browser has to follow the redirect of a form.
const answerTime = time.Minute

// formPost is POST /auth/{provider}/callback. The form comes from another site, so browsers send no cookie with it that is
// not SameSite=None. None is needed: the response is sealed into a redirect to the GET, which decides. So the code is in
// no history, and this endpoint does nothing else, whoever posts to it.
func (f *Feature) formPost(p Provider) gin.HandlerFunc {
	return func(c *gin.Context) {
		r, err := readForm(c.Request)
		if err != nil || len(r.State) != stateLength {
			c.AbortWithStatus(http.StatusBadRequest)
			return
		}
		r.Provider = p.Name()
		data, err := json.Marshal(r)
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		sealed, err := f.answers.Seal(f.now(), answerTime, data, []byte(p.Name()))
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.Redirect(http.StatusSeeOther, f.auth.PublicPath(f.mounted+"/auth/"+p.Name()+"/callback")+"?response="+url.QueryEscape(sealed))
	}
}

func readForm(r *http.Request) (response, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return response{}, ErrAttempt
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, ginauth.MaxBody))
	if err != nil {
		return response{}, ErrAttempt
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return response{}, ErrAttempt
	}
	return read(values)
}

// readQuery reads a response from the query: as the provider sent it, or as formPost sealed it.
func (f *Feature) readQuery(c *gin.Context, p Provider) (response, error) {
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		return response{}, ErrAttempt
	}
	sealed, ok := values["response"]
	if !ok {
		r, err := read(values)
		r.User = "" // only a form has it
		return r, err
	}
	data, _, ok := f.answers.Open(f.now(), sealed[0], []byte(p.Name()))
	var r response
	if !ok || len(sealed) > 1 || json.Unmarshal(data, &r) != nil || r.Provider != p.Name() {
		return response{}, ErrAttempt
	}
	return r, nil
}
