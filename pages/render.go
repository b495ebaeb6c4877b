package pages

import (
	"bytes"
	"html/template"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// page is a template and its title.
type page struct {
	template, title string
	builtIn         bool            // the title belongs to the template
	outcome         *routes.Outcome // of the request itself, or nil
}

// verifyTemplate is the page of a link to verify an address.
const verifyTemplate = "verify"

// show returns the handler of a page without data.
func (s *site) show(name, title string) gin.HandlerFunc {
	return func(c *gin.Context) {
		s.render(c, http.StatusOK, page{template: name, title: title, builtIn: true}, nil)
	}
}

// Render responds with a page of the application in the layout of the package: name is that of a file in
// Options.Templates without ".html", which defines "content", and title an English text that is translated with
// Options.Texts. The template is executed with a View. Render panics if Mount was not called for a router of the route,
// or if there is no such template.
func Render(c *gin.Context, status int, name, title string, data any) {
	s := siteOf(c)
	if s == nil {
		panic("pages: Render: call pages.Mount before the route is added")
	}
	s.render(c, status, page{template: name, title: title}, data)
}

// render responds with a page.
func (s *site) render(c *gin.Context, status int, p page, data any) {
	user, err := s.user(c)
	if err != nil {
		ginauth.Abort(c, err)
		return
	}
	v := s.view(c, p, data)
	v.User = user
	if v.sections, err = s.sections(c, v); err != nil {
		ginauth.Abort(c, err)
		return
	}
	if p.outcome != nil {
		v.outcome = *p.outcome
	} else {
		v.outcome = take(c)
	}
	if a := authOf(c); a != nil && p.template == verifyTemplate {
		v.press, err = a.Guard(s.options.SessionGuard).OwnsVerification(c.Request.Context(), c.Request.URL)
		if err != nil {
			ginauth.Abort(c, err)
			return
		}
	}
	v.email, _ = c.Cookie(emailCookie)
	v.token = s.tokenOf(c, p)
	s.write(c, status, v)
}

// write responds with the page of a view.
func (s *site) write(c *gin.Context, status int, v *View) {
	html := s.execute(v)
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", s.options.ContentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	// With "no-referrer" the forms would be sent with "Origin: null", which looks like another site.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Language", v.Lang)
	h.Add("Vary", "Accept, Accept-Language")
	c.Data(status, "text/html; charset=utf-8", html)
}

// keptPage names HTML that is kept.
type keptPage struct {
	page, lang, text string
	status           int
}

// maxKept is how many pages are kept: an application may have many messages of denials.
const maxKept = 1024

// execute returns the HTML of a view. Pages that are the same for every guest are kept, and error pages.
func (s *site) execute(v *View) []byte {
	text, _ := v.Data.(string)
	key := keptPage{v.Page, v.Lang, text, v.Status}
	same := v.builtIn && v.sameForGuests()
	if html, ok := s.kept.Load(key); ok && same {
		return html.([]byte)
	}
	t := s.pages.in(s, v.Page, v.Lang)
	if t == nil {
		panic("pages: Render: there is no template " + v.Page + ".html")
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", v); err != nil {
		panic("pages: template " + v.Page + ".html: " + err.Error())
	}
	if same && s.keptCount.Load() < maxKept {
		s.keptCount.Add(1)
		s.kept.Store(key, b.Bytes())
	}
	return b.Bytes()
}

// sections executes the templates of the sections of a page.
func (s *site) sections(c *gin.Context, v *View) ([]template.HTML, error) {
	var all []template.HTML
	for _, section := range s.options.Sections {
		if section.Page != v.Page {
			continue
		}
		own := *v
		if section.Data != nil {
			data, err := section.Data(c)
			if err != nil {
				return nil, err
			}
			own.Data = data
		}
		t := s.pages.in(s, strings.TrimSuffix(section.Template, ".html"), v.Lang)
		if t == nil {
			panic("pages: Options.Sections: there is no template " + section.Template)
		}
		var b bytes.Buffer
		if err := t.ExecuteTemplate(&b, "section", &own); err != nil {
			panic("pages: template " + section.Template + ": " + err.Error())
		}
		all = append(all, template.HTML(b.String())) // escaped by the template
	}
	return all, nil
}
