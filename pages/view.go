package pages

import (
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/routes"
)

// View is what templates are executed with.
type View struct {
	// Page is the name of the template, and Title its title in the language of the request.
	Page, Title string
	// Lang is the language and Dir the direction of its script, "ltr" or "rtl".
	Lang, Dir string
	// User is the user who is logged in, or nil.
	User *Account
	// Can says which pages there are.
	Can Can
	// Data is what the page shows: that of Render, or the body of the route's JSON.
	Data any
	// Name, Home, Logo, Stylesheets, Links and RegisterFields are those of the Options.
	Name, Home, Logo string
	Stylesheets      []string
	Links            []Link
	RegisterFields   []Field
	// Status is the status of an error page, and 0 elsewhere.
	Status int

	site     *site
	builtIn  bool
	outcome  routes.Outcome
	email    string
	token    string // of a reset link
	press    bool   // the button is pressed by a script
	sections []template.HTML
	fields   map[string]bool // those that were asked for
	focused  bool
}

func (s *site) view(c *gin.Context, p page, data any) *View {
	lang := s.language(c)
	return &View{
		Page: p.template, Title: s.texts.text(lang, p.title), Lang: lang, Dir: direction(lang), Can: s.can, Data: data,
		Name: s.options.Name, Home: s.options.Home, Logo: s.options.Logo,
		Stylesheets: append([]string{s.path(stylesheet.path())}, s.options.Stylesheets...),
		Links:       s.options.Links, RegisterFields: s.options.RegisterFields,
		site: s, builtIn: p.builtIn, fields: make(map[string]bool),
	}
}

// sameForGuests reports whether nothing in the view is of one request. The text of an error page is of few.
func (v *View) sameForGuests() bool {
	_, text := v.Data.(string)
	return v.User == nil && (v.Data == nil || text && v.Status != 0) && v.email == "" && v.token == "" && !v.press && len(v.sections) == 0 && v.outcome.Route == "" && v.outcome.Notice == ""
}

// T returns an English text in the language of the view. Pairs of name and value fill in what stands in braces.
func (v *View) T(english string, with ...string) string {
	return v.site.texts.text(v.Lang, english, with...)
}

// Path returns the path of a page of the package, such as "/login", as browsers see it.
func (v *View) Path(page string) string { return v.site.path(page) }

// Script returns the path of the script that reads the token of a reset link.
func (v *View) Script() string { return v.site.path(script.path()) }

// Press returns the path of the script that presses the button of the page, or "". Mail scanners open links as well: the
// script is there only if the link to verify an address was opened in the browser that registered, or is logged in.
func (v *View) Press() string {
	if !v.press || v.Failed() {
		return ""
	}
	return v.site.path(pressing.path())
}

// Sections returns the further parts of the page.
func (v *View) Sections() []template.HTML { return v.sections }

// Notice returns the text that tells of a success, or "".
func (v *View) Notice() string {
	if text := v.site.noticeOf(v.outcome); text != "" {
		return v.T(text)
	}
	return ""
}

// Failure returns the text of an error that is not about a field, or "".
func (v *View) Failure() string { return v.say(failureOf(v.outcome)) }

// Failed reports whether the page shows any error.
func (v *View) Failed() bool { return v.outcome.Failed() }

// Faults returns what is wrong with input that the page has no field for, after all fields of the page were asked for
// with Field.
func (v *View) Faults() []string {
	var list []string
	for name, reasons := range v.outcome.Errors {
		if v.fields[name] {
			continue
		}
		for _, reason := range reasons {
			list = append(list, v.site.texts.reason(v.Lang, v.T(name), reason))
		}
	}
	slices.Sort(list)
	return list
}

func (v *View) say(m *message) string {
	if m == nil {
		return ""
	}
	var with []string
	for name, value := range m.with {
		with = append(with, name, value)
	}
	return v.T(m.text, with...)
}

// Input is a field of a form with its label, its value and what is wrong with it.
type Input struct {
	Field
	// ID is the HTML id: the name, unless two forms of a page have a field of that name.
	ID       string
	Value    string
	Problems []string
	// Focus says that the field is focused when the page opens: the first with a fault, or that of the page.
	Focus bool
	// Digits says that the field is for digits.
	Digits bool
	// Passkeys says that browsers offer passkeys in the field, by the script of the feature passkey.
	Passkeys bool
}

// Field returns a field of a form, with the value that was typed before. Type is that of the HTML input.
func (v *View) Field(name, label, kind, autocomplete string) *Input {
	return v.input(Field{Name: name, Label: label, Type: kind, Autocomplete: autocomplete, Required: true})
}

// LoginField returns the field in which users say who they are: the first that the provider looks users up by. Apart
// from "email", "username" and "phone" that is taken for one of several identifiers.
func (v *View) LoginField() *Input {
	login := v.Page == "login"
	complete := "username"
	if login {
		complete = "username webauthn"
	}
	in := v.identifier(v.site.login, complete)
	in.Passkeys = login && v.Can.Passkeys
	return in
}

// Check is a checkbox of a form.
type Check struct {
	ID, Name, Label string
	Checked         bool
}

// Trust returns the checkbox by which a second factor is not asked for again on the device, or nil if no device is
// trusted. The id tells it from that of another form of the page.
func (v *View) Trust(id string) *Check {
	a, ok := v.Data.(asked)
	if !ok || a.TrustFor <= 0 {
		return nil
	}
	label := v.T("Do not ask again on this device for a while")
	if days := a.TrustDays(); days > 1 {
		label = v.T("Do not ask again on this device for {n} days", "n", strconv.Itoa(days))
	}
	return &Check{ID: id, Name: "trust", Label: label, Checked: v.Typed("trust") != ""}
}

// SignIn returns the buttons of Options.SignIn.
func (v *View) SignIn() []routes.SignInButton {
	if v.site.options.SignIn == nil {
		return nil
	}
	return v.site.options.SignIn()
}

func (v *View) identifier(name, complete string) *Input {
	switch name {
	case "email":
		return v.Field("email", "Email address", "email", complete).Valued(v.Email())
	case "username":
		return v.Field("username", "User name", "text", complete)
	case "phone":
		return v.Field("phone", "Phone number", "tel", complete)
	}
	return v.Field(name, "Email address or user name", "text", complete)
}

// Identifiers returns the fields in which a new user says how to be found: the email address, or what users have in
// place of it and then the email address. Those of RegisterFields are not among them.
func (v *View) Identifiers() []*Input {
	needed := v.site.needed
	if len(needed) == 0 {
		return []*Input{v.Field("email", "Email address", "email", "username")}
	}
	var list []*Input
	for _, name := range needed {
		if !slices.ContainsFunc(v.RegisterFields, func(f Field) bool { return f.Name == name }) {
			list = append(list, v.identifier(name, "username"))
		}
	}
	return append(list, v.Field("email", "Email address", "email", "email").Optional())
}

// ResetToken returns the token of a reset link in whose query it was, or "".
func (v *View) ResetToken() string { return v.token }

// Own returns one of the RegisterFields as Field does.
func (v *View) Own(f Field) *Input { return v.input(f) }

func (v *View) input(f Field) *Input {
	f.Label = v.T(f.Label)
	if f.Hint != "" {
		f.Hint = v.T(f.Hint)
	}
	in := &Input{Field: f, ID: f.Name}
	if f.Type != "password" {
		in.Value = v.outcome.Old[f.Name]
	}
	for _, reason := range v.outcome.Errors[f.Name] {
		in.Problems = append(in.Problems, v.site.texts.reason(v.Lang, f.Label, reason))
	}
	v.fields[f.Name] = true
	in.Focus = len(in.Problems) > 0 && !v.focused
	v.focused = v.focused || in.Focus
	return in
}

// Optional returns the field as one that may be left empty.
func (in *Input) Optional() *Input { in.Required = false; return in }

// Named returns the field as one that is sent under another name.
func (in *Input) Named(name string) *Input { in.Name = name; return in }

// Numeric returns the field as one for digits, for which phones show a keypad.
func (in *Input) Numeric() *Input { in.Digits = true; return in }

// Hinted returns the field with a hint.
func (in *Input) Hinted(hint string) *Input { in.Hint = hint; return in }

// Valued returns the field with a value, unless one was typed before.
func (in *Input) Valued(value string) *Input {
	if in.Value == "" {
		in.Value = value
	}
	return in
}

// Typed returns what was typed before into a field.
func (v *View) Typed(name string) string { return v.outcome.Old[name] }

// Email returns the address to fill in: that of the user, or the one that asked for a reset link in this browser.
func (v *View) Email() string {
	if v.User != nil {
		return v.User.Email
	}
	if text, err := url.QueryUnescape(v.email); err == nil && len(text) <= maxEmail {
		return text
	}
	return ""
}

// Time returns a time as people and programs read it everywhere.
func (v *View) Time(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// Machine returns a time for the HTML attribute datetime.
func (v *View) Machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Lifetimes returns the lifetimes of new tokens to choose from: days by seconds.
func (v *View) Lifetimes() map[int]string {
	const day = 24 * 60 * 60
	return map[int]string{7 * day: "7", 30 * day: "30", 90 * day: "90", 365 * day: "365"}
}
