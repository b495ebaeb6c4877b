package pages

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
)

//go:embed assets/pages.css
var css []byte

//go:embed assets/reset.js
var resetScript []byte

//go:embed assets/press.js
var pressScript []byte

// asset is a file that browsers keep. Its path changes with it.
type asset struct {
	name, kind, hash string
	data             []byte
}

var (
	stylesheet = newAsset("pages.css", "text/css; charset=utf-8", css)
	script     = newAsset("reset.js", "text/javascript; charset=utf-8", resetScript)
	pressing   = newAsset("press.js", "text/javascript; charset=utf-8", pressScript)
)

func newAsset(name, kind string, data []byte) asset {
	sum := sha256.Sum256(data)
	return asset{name, kind, hex.EncodeToString(sum[:6]), data}
}

func (a asset) path() string { return "/ginauth/" + a.hash + "/" + a.name }

// mountAssets adds the stylesheet and the scripts.
func (s *site) mountAssets(r Router) {
	for _, a := range []asset{stylesheet, script, pressing} {
		r.GET(a.path(), ginauth.Public(), func(c *gin.Context) {
			h := c.Writer.Header()
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
			h.Set("X-Content-Type-Options", "nosniff")
			c.Data(http.StatusOK, a.kind, a.data)
		})
	}
}
