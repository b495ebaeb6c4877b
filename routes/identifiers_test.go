package routes_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/testapp"
	"github.com/ginauth/ginauth/models"
	"github.com/ginauth/ginauth/routes"
	"github.com/ginauth/ginauth/stores/gormstore"
)

// named is a user with a user name, which is also in the credential "login".
type named struct {
	models.User
	Username string `gorm:"size:64;not null;uniqueIndex"`
}

func (named) TableName() string { return "named_users" }

// TestLoginByConfiguredIdentifier logs in by each of the identifiers that the provider has, in
// JSON and by a form, with a session and with tokens.
func TestLoginByConfiguredIdentifier(t *testing.T) {
	b := testapp.SQLite(t)
	if err := b.DB.AutoMigrate(&named{}); err != nil {
		t.Fatal(err)
	}
	users := gormstore.Users[named](b.DB, gormstore.WithIdentifier("email", "Email"),
		gormstore.WithIdentifier("username", "Username"), gormstore.WithLogin("login", "email", "username"))
	a := testapp.New(t, b, testapp.Configure(func(c *ginauth.Config) { c.Users = users }),
		testapp.OnlyRoutes(func(a *testapp.App, r *gin.Engine) { routes.Mount(r, a.Manager, routes.Options{}) }))
	hash, err := a.Hasher().Hash(context.Background(), testapp.Password)
	if err != nil {
		t.Fatal(err)
	}
	kim := &named{User: models.User{Name: "Kim", Email: "kim@example.com", Password: hash}, Username: "kimono"}
	if err := users.CreateUser(t.Context(), kim); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/login", "/token"} {
		for field, value := range map[string]string{"email": "Kim@example.com", "username": "KIMONO"} {
			for _, name := range []string{field, "login"} {
				a.Client().Post(path, map[string]any{name: value, "password": testapp.Password, "remember": false}).Want(t, 200)
				a.Client().Form(path, name+"="+value+"&password="+strings.ReplaceAll(testapp.Password, " ", "+")).Want(t, 200)
				a.Client().Post(path, map[string]any{name: value, "password": "wrong"}).Want401(t)
			}
		}
		for body, want := range map[string]string{
			`{"password":"x"}`: "login", `{"login":"","password":"x"}`: "login",
			`{"email":"kim@example.com","username":"kimono","password":"x"}`: "username",
			`{"username":7,"password":"x"}`:                                  "username",
		} {
			res := a.Client().Post(path, body).Want(t, 422)
			if !strings.Contains(res.Text, `"field":"`+want+`"`) {
				t.Errorf("POST %s %s: %s", path, body, res.Text)
			}
		}
	}
	document := string(routes.OpenAPI(gin.New(), a.Manager, routes.Options{}))
	for _, field := range []string{"login", "username"} {
		if !strings.Contains(document, `"`+field+`": {`) && !strings.Contains(document, `"`+field+`":{`) {
			t.Errorf("the document does not name the field %s", field)
		}
	}
}
