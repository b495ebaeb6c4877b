package pages

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// Options configure Mount. The zero value is ready to use.
type Options struct {
	// Name is the name of the application in headings and titles. Default Mail.AppName of the manager.
	Name string
	// Home is the path that the name in the heading links to. Default: the page "/profile".
	Home string
	// Logo is the path of an image that is shown beside the name. Default none.
	Logo string
	// Stylesheets are paths of stylesheets that come after that of the package. They can set its CSS variables, such as
	// --accent, and change everything else. Default none.
	Stylesheets []string
	// Templates holds files that replace templates of the package or add new ones for Render. The names are those of
	// the package, as in "login.html". Default none.
	Templates fs.FS
	// RegisterFields are further fields of the page to register. List their names in routes.Options.RegisterFields too.
	RegisterFields []Field
	// Links are further links of the navigation for users who are logged in. The texts are translated with Texts.
	Links []Link
	// SignIn returns the buttons to sign in with other sites: the method Buttons of the feature social. It is called once
	// all routes are mounted. Default: no buttons.
	SignIn func() []routes.SignInButton
	// Sections are further parts of pages, such as a hint of the application.
	Sections []Section
	// Languages limits the languages, as in []string{"en", "de"}. The first is the default. Default: English, and all
	// that the package or Texts has.
	Languages []string
	// Language returns the language of a request, such as that of the user, or "" for that of the Accept-Language
	// header. Default: the header.
	Language func(c *gin.Context) string
	// Texts adds texts or replaces those of the package: by language and English text, as in {"de": {"Sign in":
	// "Einloggen"}}. It can add a language.
	Texts map[string]map[string]string
	// SessionGuard and PersonalGuard are those of routes.Options. Default "web" and "token".
	SessionGuard  string
	PersonalGuard string
	// ContentSecurityPolicy is the policy of the pages. Default: "default-src 'self'; base-uri 'none'; form-action
	// 'self'; frame-ancestors 'none'; object-src 'none'".
	ContentSecurityPolicy string
}

// Field is a field of a form.
type Field struct {
	// Name is the name that is sent.
	Name string
	// Label is the English text of the label, which is translated with Options.Texts.
	Label string
	// Type is the type of the HTML input. Default "text".
	Type string
	// Autocomplete is the HTML attribute of this name, as in "organization". Default "off".
	Autocomplete string
	// Hint is a text below the label, which is translated. Default none.
	Hint string
	// Required says that browsers do not send the form without the field.
	Required bool
}

// Link is a link of the navigation. Path is as browsers see it.
type Link struct{ Text, Path string }

// Section is a part of a page that a template of the application shows.
type Section struct {
	// Page is the page: "login", "register", "verify_notice", "forgot", "second_factor" or "profile".
	Page string
	// Template is the name of a template in Options.Templates, which is executed with a View whose Data is the result of
	// Section.Data.
	Template string
	// Data returns the data of the template. An error is answered by ginauth.Abort. Default: no data.
	Data func(c *gin.Context) (any, error)
}

const defaultPolicy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

func (o Options) withDefaults(m *ginauth.Manager, base string) Options {
	o.Stylesheets, o.RegisterFields = slices.Clone(o.Stylesheets), slices.Clone(o.RegisterFields)
	o.Links, o.Sections, o.Languages = slices.Clone(o.Links), slices.Clone(o.Sections), slices.Clone(o.Languages)
	if m != nil {
		o.Name = cmp.Or(o.Name, m.MailConfig().AppName)
		o.Home = cmp.Or(o.Home, m.PublicPath(base+"/profile"))
	}
	o.Home = cmp.Or(o.Home, "/")
	o.SessionGuard = cmp.Or(o.SessionGuard, "web")
	o.PersonalGuard = cmp.Or(o.PersonalGuard, "token")
	o.ContentSecurityPolicy = cmp.Or(o.ContentSecurityPolicy, defaultPolicy)
	for i := range o.RegisterFields {
		f := &o.RegisterFields[i]
		f.Type, f.Autocomplete = cmp.Or(f.Type, "text"), cmp.Or(f.Autocomplete, "off")
	}
	return o
}

// Config returns Config.Pages for pages that are mounted at a base path, such as "/auth", or "" for the root. Home is
// the page "/profile": set it to the page that your users start with.
func Config(base string) ginauth.PagesConfig {
	base = strings.TrimSuffix(base, "/")
	return ginauth.PagesConfig{
		Login: base + "/login", Home: base + "/profile", ConfirmPassword: base + "/confirm-password",
		SecondFactor: base + secondFactorPath, EnrolFactor: base + enrolPath, VerifyEmail: base + "/verify-email",
	}
}

// checkLinks panics if the reset links in mails do not lead to the page.
func (s *site) checkLinks() {
	mails := s.m.MailConfig()
	page := s.base + "/reset-password"
	if s.can.Reset && mails.ResetPath != page && !strings.HasSuffix(mails.BaseURL+mails.ResetPath, page) {
		panic(fmt.Sprintf("pages: Mount: mails link to %s%s, but the page is at %s: set Config.Mail.ResetPath to %q",
			mails.BaseURL, mails.ResetPath, page, page))
	}
}
