package routes

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/models"
)

// Options configure Mount. The zero value mounts all routes that the manager
// supports.
type Options struct {
	// Without lists routes that are not mounted.
	Without []Route
	// SessionGuard, AccessGuard and PersonalGuard are the names of the guards
	// for sessions, access tokens and personal access tokens. Routes of a guard
	// that does not exist are not mounted. All three should have the same
	// users. If they differ, the routes use the users of SessionGuard. Default
	// "web", "api" and "token".
	SessionGuard  string
	AccessGuard   string
	PersonalGuard string
	// Pages are the pages to which browsers are redirected. A route without a
	// page responds to browsers as to API clients.
	Pages map[Route]Page
	// Back redirects browsers to the page whose form they sent, on this site,
	// where Pages names no page: after a success without further content, and
	// after an error that the user can correct. Pages with forms must not be
	// sent with the header Referrer-Policy: no-referrer. Default false.
	Back bool
	// RegisterFields lists additional fields of POST /register. Identifiers of the
	// provider, such as a user name, are stored. The hook Config.Account.Prepare
	// receives all of them in Registration.Fields: the strings that the client
	// sent, only the fields that it sent, and unchecked but for identifiers. Fields
	// that are not listed are ignored. Default none.
	RegisterFields []string
	// LoginAfterRegister logs a new user into the session. A client that keeps
	// tokens logs in with POST /token. With Config.Account.HideAccountExistence it
	// has no effect, because a login would tell that the account is new. Default
	// false: a registration does not log in.
	LoginAfterRegister bool
	// User returns the JSON value that represents a user in responses to that
	// user. By default it is an object with the identifier as "id" and, if the
	// user type provides them, "name", "email" and "email_verified". The user
	// value itself is not encoded, because its fields may contain secrets.
	User func(u models.Authenticatable) any
}

// Page holds the paths on this site to which browsers are redirected.
type Page struct {
	// Done is the page after a successful request. It must be empty for Login,
	// for which Config.Pages.Home is used.
	Done string
	// Failed is the page after an error that the user can correct: wrong
	// credentials, invalid input, an invalid link or too many attempts. OutcomeOf
	// tells the page what is wrong, and what was typed. The query gets "error"
	// with the code of the error, and "field" with the first field that is not
	// acceptable. Browsers are not redirected after other errors.
	Failed string
}

func (o Options) withDefaults() Options {
	o.Without, o.Pages = slices.Clone(o.Without), maps.Clone(o.Pages)
	o.RegisterFields = slices.Clone(o.RegisterFields)
	o.SessionGuard = cmp.Or(o.SessionGuard, "web")
	o.AccessGuard = cmp.Or(o.AccessGuard, "api")
	o.PersonalGuard = cmp.Or(o.PersonalGuard, "token")
	if o.User == nil {
		o.User = defaultUser
	}
	return o
}

// without reports whether a route is not mounted. The page of a link is nothing without the
// route that it posts to.
func (o *Options) without(route Route) bool {
	posts := map[Route]Route{ShowVerifyEmail: VerifyEmail, ShowConfirmEmail: ConfirmEmail}
	return slices.Contains(o.Without, route) || slices.Contains(o.Without, posts[route])
}

// check panics if the options are not acceptable.
func (o *Options) check(endpoints []endpoint) {
	exists := func(option string, r Route) {
		if !slices.ContainsFunc(endpoints, func(e endpoint) bool { return e.route == r }) {
			panic(fmt.Sprintf("routes: Mount: Options.%s: unknown route %q", option, r))
		}
	}
	for _, route := range o.Without {
		exists("Without", route)
	}
	o.checkRegisterFields()
	for route, page := range o.Pages {
		exists("Pages", route)
		if route == Login && page.Done != "" {
			panic("routes: Mount: Options.Pages: Login must have no Done: set Config.Pages.Home instead")
		}
		for _, path := range []string{page.Done, page.Failed} {
			if path != "" && ginauth.SafeRedirect(path, "") != path {
				panic(fmt.Sprintf("routes: Mount: Options.Pages[%q]: %q is not a path on this site", route, path))
			}
		}
	}
}

// checkRegisterFields panics if a name is not valid or is the name of another
// field.
func (o *Options) checkRegisterFields() {
	taken := []string{"name", "email", "password"}
	for _, name := range o.RegisterFields {
		if !fieldName.MatchString(name) {
			panic(fmt.Sprintf("routes: Mount: Options.RegisterFields: %q is not a field name: use lower-case letters, digits and _", name))
		}
		if slices.Contains(taken, name) {
			panic(fmt.Sprintf("routes: Mount: Options.RegisterFields: field %q already exists", name))
		}
		taken = append(taken, name)
	}
}

// fieldName matches valid names of fields.
var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// pathOf returns the path of a URL without a trailing slash.
func pathOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

// defaultUser is the default of Options.User.
func defaultUser(u models.Authenticatable) any {
	view := map[string]any{"id": u.AuthID()}
	if n, ok := u.(models.Named); ok {
		view["name"] = n.AuthName()
	}
	if v, ok := u.(models.EmailVerifiable); ok {
		view["email"], view["email_verified"] = v.AuthEmail(), v.AuthEmailVerified()
	}
	return view
}
