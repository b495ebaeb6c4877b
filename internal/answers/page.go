package answers

import (
	"bytes"
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"strings"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/config"
)

// plain is the page for browsers, unless the application has a template of its own.
var plain = template.Must(template.New("error").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
</head>
<body>
<h1>{{.Title}}</h1>
<p>{{.Message}}</p>
</body>
</html>
`))

// Page returns the page that shows the body of an answer, made from a template or, if that is nil
// or fails, the plain one. The plain page needs nothing else, which h then says.
func Page(log *slog.Logger, h http.Header, custom *template.Template, status int, body map[string]any) []byte {
	page := config.ErrorPage{Status: status, Title: http.StatusText(status)}
	page.Code, _ = body["code"].(string)
	page.Message, _ = body["message"].(string)
	page.Field, _ = body["field"].(string)
	var b bytes.Buffer
	if custom != nil {
		err := custom.Execute(&b, page)
		if err == nil {
			return b.Bytes()
		}
		log.ErrorContext(context.Background(), "ginauth: template Pages.Error failed", "error", err)
		b.Reset()
	}
	if h.Get("Content-Security-Policy") == "" {
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	}
	_ = plain.Execute(&b, page) // which cannot fail: it writes to memory
	return b.Bytes()
}

// Page returns the page that a browser is redirected to after an error, or "". Login is the login
// page, and path that of the request: no page redirects to itself.
func (a Answer) Page(p *config.Pages, login, path string) string {
	page := ""
	switch a.Err {
	case autherr.ErrPasswordConfirmation:
		page = p.ConfirmPassword
	case autherr.ErrSecondFactor, autherr.ErrStepUp:
		page = p.SecondFactor
	case autherr.ErrFactorRequired:
		page = p.EnrolFactor
	case autherr.ErrEmailNotVerified:
		page = p.VerifyEmail
	case autherr.ErrUnauthenticated, autherr.ErrSessionEnded:
		page = login
	}
	if own, _, _ := strings.Cut(page, "?"); own == path {
		return ""
	}
	return page
}
