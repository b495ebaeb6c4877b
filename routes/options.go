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

// Options say what Mount mounts. The zero value mounts all that the manager can
// serve.
type Options struct {
	// Without lists routes that are left out.
	Without []Route
	// SessionGuard, AccessGuard and PersonalGuard name the guards that read
	// sessions, access tokens and personal access tokens. Routes of a guard that
	// does not exist are left out. Default "web", "api" and "token". Their users
	// are the same ones: those of SessionGuard, where they differ.
	SessionGuard  string
	AccessGuard   string
	PersonalGuard string
	// Pages are where browsers are redirected to. A route without one answers
	// them as it answers programs.
	Pages map[Route]Page
	// RegisterFields name further fields of POST /register, which Config.Account's
	// Prepare finds in Registration.Fields: texts as the client sent them, for
	// Prepare to check, and only those that it did send. A field that is not
	// named here is ignored. Default none.
	RegisterFields []string
	// User returns what JSON shows of a user to that user. Default: the
	// identifier as "id", and as far as the type knows them "name", "email" and
	// "email_verified"; never the user itself, whose fields nobody has looked at.
	User func(u models.Authenticatable) any
}

// Page is where browsers are redirected to: paths on this site.
type Page struct {
	// Done is for requests that succeed. For Login it is Config.Pages.Home, and
	// left empty here.
	Done string
	// Failed is for requests that the user can put right. Its query gets "error",
	// the code of the error, and "field" where one is at fault. Outages, and
	// requests that no form of the application sends, are not redirected.
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

// check panics if the options name what does not exist.
func (o *Options) check(endpoints []endpoint) {
	exists := func(option string, r Route) {
		if !slices.ContainsFunc(endpoints, func(e endpoint) bool { return e.route == r }) {
			panic(fmt.Sprintf("routes: Mount: Options.%s: there is no route %q", option, r))
		}
	}
	for _, route := range o.Without {
		exists("Without", route)
	}
	o.checkRegisterFields()
	for route, page := range o.Pages {
		exists("Pages", route)
		if route == Login && page.Done != "" {
			panic("routes: Mount: Options.Pages: after a login browsers go to Config.Pages.Home: set that")
		}
		for _, path := range []string{page.Done, page.Failed} {
			if path != "" && ginauth.SafeRedirect(path, "") != path {
				panic(fmt.Sprintf("routes: Mount: Options.Pages[%q]: %q is not a path on this site", route, path))
			}
		}
	}
}

// checkRegisterFields panics if a name could be taken for that of another field.
func (o *Options) checkRegisterFields() {
	taken := []string{"name", "email", "password"}
	for _, name := range o.RegisterFields {
		if !fieldName.MatchString(name) {
			panic(fmt.Sprintf("routes: Mount: Options.RegisterFields: %q is not a name: use lower-case letters, digits and _", name))
		}
		if slices.Contains(taken, name) {
			panic(fmt.Sprintf("routes: Mount: Options.RegisterFields: %q is a field already", name))
		}
		taken = append(taken, name)
	}
}

// fieldName matches names of fields.
var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// pathOf returns the path of a URL.
func pathOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(u.Path, "/")
}

// defaultUser shows what ginauth itself knows of a user.
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
