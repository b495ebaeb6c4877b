package pages_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/pages"
)

// word is a value with a method of the name that views have, too.
type word string

func (w word) T(text string) string { return string(w) + " says " + text }

// What templates of the application call is called for each page, and texts are escaped in every language.
func TestTextsInTemplates(t *testing.T) {
	const words = `{{define "content"}}{{range .Data}}<i>{{.T "Profile"}}</i>{{end}}{{.T "Profile"}}{{end}}`
	r, cookies := signedIn(t, pages.Options{
		Templates: fstest.MapFS{"words.html": {Data: []byte(words)}},
		Texts:     map[string]map[string]string{"de": {"Profile": `<b>"Profil"</b> {{.Name}}`}},
	})
	r.GET("/words", ginauth.Public(), func(c *gin.Context) { pages.Render(c, 200, "words", "Words", []word{"Bob", "Eve"}) })
	for path, rows := range map[string]map[string]string{
		"/words": {
			"de": "<i>Bob says Profile</i><i>Eve says Profile</i>&lt;b&gt;&#34;Profil&#34;&lt;/b&gt; {{.Name}}",
			"fr": "<i>Bob says Profile</i><i>Eve says Profile</i>Profil",
		},
		"/profile": {"de": ">&lt;b&gt;&#34;Profil&#34;&lt;/b&gt; {{.Name}}</a>", "fr": ">Profil</a>", "en": ">Profile</a>"},
	} {
		for lang, want := range rows {
			req, res := get(path, "text/html", cookies), httptest.NewRecorder()
			req.Header.Set("Accept-Language", lang)
			if r.ServeHTTP(res, req); res.Code != 200 || !strings.Contains(res.Body.String(), want) {
				t.Errorf("%s in %s = %d, without %s: %s", path, lang, res.Code, want, res.Body)
			}
		}
	}
}
