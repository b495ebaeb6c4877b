package routes

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

// linkPage is what a GET of a mailed link shows. Mail scanners open every link, so a GET
// reads and changes nothing: a person presses the button, which sends a POST to the same URL.
type linkPage struct {
	message string // for API clients
	html    string
}

var (
	verifyPage = newLinkPage("Send a POST request to this URL to verify the email address.",
		"Verify your email address", `<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
<p>Enter your password if you registered on another device. Without it, the password and the logins of this account end
here, and you choose a new password with a link that is mailed to you. The browser that you registered with needs no
password.</p>
`)
	confirmPage = newLinkPage("Send a POST request to this URL to confirm the email address.", "Confirm your new email address", "")
)

// newLinkPage returns a page with a form. The form has no action, so it posts to the URL of
// the page. The text of the link is not in the page.
func newLinkPage(message, title, fields string) linkPage {
	return linkPage{message, `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>` + title + `</title>
<h1>` + title + `</h1>
<form method="post">
` + fields + `<p><button>` + title + `</button></p>
</form>
</html>
`}
}

// showLink returns the handler of a GET of a mailed link.
func (s *server) showLink(route Route, page linkPage) gin.HandlerFunc {
	return func(c *gin.Context) {
		c.Header("Vary", "Accept")
		if responded(c, Response{Route: route, Status: http.StatusOK}) {
			return
		}
		if !ginauth.WantsHTML(c) {
			c.JSON(http.StatusOK, map[string]string{"method": http.MethodPost, "message": page.message})
			return
		}
		c.Header("Content-Security-Policy", "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		c.Data(http.StatusOK, "text/html; charset=utf-8", []byte(page.html))
	}
}
