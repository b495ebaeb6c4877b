package routes

import (
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// Response is what a route responds with.
type Response struct {
	// Route is the route. For an endpoint of a feature it is the method and the whole path, with that of the group.
	Route Route
	// Status and Body are what an API client gets. Body is nil without a body, and for the pages of mailed links.
	Status int
	Body   any
	// Err is an error that the user of a form can correct, or nil: wrong credentials, invalid input, a wrong code, an
	// invalid link or too many attempts. Other errors go to ginauth.Abort.
	Err error
	// Old is what was typed into the form, by field, without passwords, tokens and other secrets, and without long texts.
	Old map[string]string
	// Page is the page that the browser was going to when it was redirected to this one, or "".
	Page string
}

// Responder responds to a browser in place of a route, and reports whether it did. It can read the form
// again with c.PostForm.
type Responder func(c *gin.Context, r Response) bool

// responderKey is where Browsers leaves the responder on the context.
type responderKey struct{}

// Browsers returns a middleware that lets a Responder respond to browsers. Use it before Mount; it comes before
// Options.Pages. Package pages has one.
func Browsers(respond Responder) gin.HandlerFunc {
	return func(c *gin.Context) { c.Set(responderKey{}, respond) }
}

// responded lets the responder of the request respond, if there is one, and reports whether it did.
func responded(c *gin.Context, r Response) bool {
	v, _ := c.Get(responderKey{})
	respond, ok := v.(Responder)
	if !ok || !ginauth.WantsHTML(c) || r.Err != nil && !correctable(r.Err) {
		return false
	}
	if r.Err != nil {
		ginauth.CountFailure(c)
	}
	r.Old = oldInput(c)
	return respond(c, r)
}
