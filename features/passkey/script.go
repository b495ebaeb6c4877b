package passkey

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"
)

//go:embed passkey.js
var script []byte

// Script returns the script for pages, which Mount serves at /passkeys.js. It is not inline, has no dependency, and needs
// no more of a Content-Security-Policy than "default-src 'self'". See docs/passkeys.md for its attributes and functions.
func Script() []byte { return append([]byte(nil), script...) }

func serveScript(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Cache-Control", "public, max-age=3600")
	c.Data(http.StatusOK, "text/javascript; charset=utf-8", script)
}
