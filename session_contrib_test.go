package ginauth_test

import (
	"encoding/gob"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gin-contrib/sessions"
	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
)

// Types that an application keeps in its sessions.
type (
	contribCart struct {
		Items []string
		Since time.Time
	}
	contribRole  string
	contribOther struct{ N int }
)

func TestContribSessionKeepsTypes(t *testing.T) {
	gob.Register(contribCart{})
	gob.Register(contribRole(""))
	gob.Register(time.Duration(0))
	gob.Register(map[string]any{})
	values := map[string]any{
		"struct": contribCart{[]string{"tea"}, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}, "named": contribRole("admin"),
		"strings": []string{"a", "b"}, "ints": []int{1, 2}, "duration": 90 * time.Second, "map": map[string]any{"a": "b", "n": 7},
		"string": "x", "int": 7, "time": time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC), "bytes": []byte("x"), "bool": true, "float": 1.5,
	}
	testapp.EachBackend(t, func(t *testing.T, b *testapp.Backend) {
		a := testapp.New(t, b, testapp.Routes(func(a *testapp.App, r *gin.Engine) {
			r.POST("/set-all", func(c *gin.Context) {
				s := sessions.Default(c)
				for key, value := range values {
					s.Set(key, value)
				}
				s.AddFlash(values["struct"])
				s.AddFlash(nil)
				if err := s.Save(); err != nil {
					t.Error(err)
				}
			})
			r.GET("/get-all", func(c *gin.Context) {
				s := sessions.Default(c)
				for key, want := range values {
					if got := s.Get(key); !reflect.DeepEqual(got, want) {
						t.Errorf("%s came back as %T %v", key, got, got)
					}
				}
				if got := s.Flashes(); !reflect.DeepEqual(got, []any{values["struct"], nil}) {
					t.Errorf("flashes %v", got)
				}
				if cart, ok := ginauth.Value[contribCart](ginauth.From(c).Session(), "struct"); !ok || cart.Items[0] != "tea" {
					t.Errorf("Value: %v, %v", cart, ok)
				}
			})
			r.POST("/set-nil", func(c *gin.Context) { sessions.Default(c).Set("struct", nil) })
			r.GET("/get-nil", func(c *gin.Context) { c.String(200, "%v", sessions.Default(c).Get("struct") == nil) })
			r.POST("/bad/:kind", func(c *gin.Context) {
				s := sessions.Default(c)
				s.Set("x", map[string]any{
					"unregistered": contribOther{1}, "pointer": &contribCart{}, "func": func() {}, "nil-pointer": (*contribCart)(nil),
				}[c.Param("kind")])
				c.String(200, fmt.Sprint(s.Save()))
			})
		}))
		c := a.Client()
		c.Post("/set-all", nil).Want(t, 200)
		c.Get("/get-all").Want(t, 200)
		c.Post("/set-nil", nil).Want(t, 200)
		if got := c.Get("/get-nil").Text; got != "true" {
			t.Error("a nil value does not come back as nil")
		}
		for _, kind := range []string{"unregistered", "pointer", "func", "nil-pointer"} {
			c.Post("/bad/"+kind, nil).Want(t, 500)
		}
		if !strings.Contains(a.Logs.String(), "gob.Register") {
			t.Errorf("log %s", a.Logs.String())
		}
	})
}
