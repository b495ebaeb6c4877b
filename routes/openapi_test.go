package routes_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/routes"
)

// document is what the tests read of an OpenAPI document.
type document struct {
	OpenAPI    string
	Paths      map[string]map[string]operation
	Components struct {
		Responses       map[string]any
		SecuritySchemes map[string]any
	}
}

type operation struct {
	OperationID string
	Summary     string
	Security    []map[string]any
	Responses   map[string]any
	RequestBody struct {
		Content map[string]struct {
			Schema struct {
				Properties map[string]any
				Required   []string
			}
		}
	}
}

func read(t *testing.T, data []byte) (d document) {
	t.Helper()
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// The document has what is mounted, nothing else, and tells who may use it.
func TestOpenAPIDescribesWhatIsMounted(t *testing.T) {
	var group *gin.RouterGroup
	options := routes.Options{Without: []routes.Route{routes.JWKS}, RegisterFields: []string{"company"}}
	a := testapp.New(t, testapp.Memory(t), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) {
		group = r.Group("/")
		routes.Mount(group, a.Manager, options)
	}))
	d := read(t, routes.OpenAPI(group, a.Manager, options))
	mounted := map[string]bool{}
	for _, route := range a.Engine.Routes() {
		mounted[route.Method+" "+route.Path] = true
	}
	ids := map[string]bool{}
	for path, item := range d.Paths {
		for method, op := range item {
			name := strings.ToUpper(method) + " " + strings.NewReplacer("{", ":", "}", "").Replace(path)
			if !mounted[name] {
				t.Errorf("%s is not mounted", name)
			}
			delete(mounted, name)
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Responses) < 3 {
				t.Errorf("%s: %+v", name, op)
			}
			ids[op.OperationID] = true
			r := a.Client().Do(strings.ToUpper(method), strings.NewReplacer("{", "", "}", "").Replace(path), "application/json", "{}")
			if anybody := len(op.Security[0]) == 0; anybody == strings.Contains(r.Text, `"unauthenticated"`) {
				t.Errorf("%s: without a login the response is %d %s, but security is %v", name, r.StatusCode, r.Text, op.Security)
			}
		}
	}
	for name := range mounted {
		if !strings.HasPrefix(name, "POST") { // those for forms are left out
			t.Errorf("%s is not described", name)
		}
	}
	register := d.Paths["/register"]["post"].RequestBody.Content["application/json"].Schema
	if register.Properties["company"] == nil || strings.Join(register.Required, " ") != "name email password" {
		t.Errorf("registration: %+v", register)
	}
}

// What the manager does not have is not described.
func TestOpenAPIBelowAGroup(t *testing.T) {
	var group *gin.RouterGroup
	a := testapp.New(t, testapp.Memory(t), testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) { group = r.Group("/api") }))
	d := read(t, routes.OpenAPI(group, a.Manager, routes.Options{SessionGuard: "none"}))
	if d.OpenAPI != "3.1.1" || d.Paths["/api/login"] != nil || d.Paths["/api/token"] == nil || d.Components.SecuritySchemes["session"] != nil {
		t.Errorf("paths %v, schemes %v", d.Paths, d.Components.SecuritySchemes)
	}
}
