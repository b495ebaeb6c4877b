package magiclink

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// PageKind says which page is shown.
type PageKind string

const (
	// PageWaiting says that a mail is on its way. It shows Page.Screen, and asks for the code of the mail if Page.Codes.
	// It says the same whether or not there is such a user.
	PageWaiting PageKind = "waiting"
	// PageContinue is the page of a link in the browser that asked for it. It sends a POST to its own URL, without a
	// body, by itself or by a button.
	PageContinue PageKind = "continue"
	// PageScreen is the page of a link in another browser. It asks for the code on the screen of the first one, and
	// sends it as "code" by a POST to its own URL. The field may be left empty.
	PageScreen PageKind = "screen"
	// PageFailed says that a link cannot be used.
	PageFailed PageKind = "failed"
)

// Page is what is shown to a browser.
type Page struct {
	Kind PageKind
	// Screen is the code that the browser shows, as in "ABCD-EFGH", or "" if it asked for no link.
	Screen string
	// Codes says that mails contain codes, which PageWaiting sends as "code" by a POST to Action.
	Codes bool
	// Action is the path that PageWaiting posts to.
	Action string
	// Err is what was wrong, or nil.
	Err error
}

// PageFunc shows a page to a browser. API clients get JSON without it. Responses have headers that keep them out of
// caches and frames, and a Content-Security-Policy without scripts, which the function may replace.
type PageFunc func(c *gin.Context, status int, p Page)

// show shows a page, or says in JSON what to do.
func (f *Feature) show(c *gin.Context, status int, p Page) {
	c.Header("Vary", "Accept")
	if ginauth.WantsHTML(c) {
		f.options.Page(c, status, p)
		return
	}
	body := gin.H{"method": http.MethodPost}
	switch p.Kind {
	case PageWaiting:
		body["message"] = "Open the link in the mail."
		if p.Codes {
			body["message"] = "Send the code of the mail by a POST request to the path in action."
			body["action"] = p.Action
		}
		if p.Screen != "" {
			body["code"] = p.Screen
		}
	case PageContinue:
		body["message"], body["code_required"] = "Send a POST request to this URL to log in.", false
	default:
		body["message"] = "Send a POST request to this URL to log in, with the code that is shown where the link was asked for."
		body["code_required"] = true
	}
	c.JSON(status, body)
}

// showError shows a page that says what was wrong. Err is none of a broken store.
func (f *Feature) showError(c *gin.Context, a *ginauth.Authenticator, err error, again PageKind) {
	ginauth.CountFailure(c)
	var throttled *ginauth.ThrottledError
	if errors.As(err, &throttled) {
		c.Header("Retry-After", strconv.FormatInt(max(1, int64((throttled.RetryAfter+time.Second-1)/time.Second)), 10))
	}
	p := Page{Kind: again, Err: err}
	switch {
	case errors.Is(err, ginauth.ErrInvalidLink), errors.Is(err, ginauth.ErrInvalidCredentials), errors.Is(err, ginauth.ErrForbidden):
		p.Kind = PageFailed
	case again == PageWaiting:
		p.Codes, p.Action = true, f.auth.PublicPath(c.FullPath())
		if f.options.Mails != Codes {
			p.Screen = a.OneTime().Waiting(purpose)
		}
	}
	f.options.Page(c, ginauth.StatusOf(err), p)
}

// script sends the form of the page. A page that is rendered before a person opens it waits for that.
const script = `(function(){function go(){document.forms[0].submit()}` +
	`if(document.prerendering){document.addEventListener("prerenderingchange",go,{once:true})}else{go()}})()`

// scriptHash allows the script in a Content-Security-Policy.
func scriptHash() string {
	sum := sha256.Sum256([]byte(script))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

var plain = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<h1>{{.Title}}</h1>
{{with .Message}}<p role="alert">{{.}}</p>
{{end}}{{if eq .Kind "waiting"}}<p>If there is an account with this email address, a mail is on its way. It is valid for 10 minutes.</p>
{{with .Screen}}<p>Open the link in this browser. In another browser, type this code there:</p>
<p><strong>{{.}}</strong></p>
{{end}}{{if .Codes}}<form method="post" action="{{.Action}}">
<p><label>Code of the mail <input name="code" autocomplete="one-time-code" autocapitalize="characters" spellcheck="false"></label></p>
<p><button>Log in</button></p>
</form>
{{end}}{{end}}{{if eq .Kind "continue"}}<form method="post">
<p><button>Log in</button></p>
</form>
<script>{{.Script}}</script>
{{end}}{{if eq .Kind "screen"}}<p>You asked for this link in another browser. Type the code that it shows. If somebody
else asked you to open this link, close this page.</p>
<form method="post">
<p><label>Code <input name="code" autocomplete="off" autocapitalize="characters" spellcheck="false"></label></p>
<p><button>Log in</button></p>
</form>
{{end}}{{if eq .Kind "failed"}}<p>The link has been used, or has expired. Please ask for a new one.</p>
{{end}}</html>
`))

// plainPage is the default of Options.Page.
func plainPage(c *gin.Context, status int, p Page) {
	policy := "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if p.Kind == PageContinue {
		policy += "; script-src " + scriptHash()
	}
	c.Header("Content-Security-Policy", policy)
	titles := map[PageKind]string{
		PageWaiting: "Look into your mail", PageContinue: "Log in", PageScreen: "Log in", PageFailed: "This link does not work",
	}
	var text strings.Builder
	if err := plain.Execute(&text, map[string]any{
		"Kind": string(p.Kind), "Title": titles[p.Kind], "Message": messageOf(p), "Screen": p.Screen, "Codes": p.Codes,
		"Action": p.Action, "Script": template.JS(script), //nolint:gosec // a constant
	}); err != nil {
		ginauth.Abort(c, err)
		return
	}
	c.Data(status, "text/html; charset=utf-8", []byte(text.String()))
}

func messageOf(p Page) string {
	switch {
	case p.Err == nil || p.Kind == PageFailed:
		return ""
	case errors.Is(p.Err, ginauth.ErrThrottled):
		return "Too many attempts. Please ask for a new link later."
	case errors.Is(p.Err, ginauth.ErrInvalidCode):
		return "The code is not right."
	}
	return "Please type the code."
}
