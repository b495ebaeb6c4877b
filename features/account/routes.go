package account

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/routes"
)

// Mount adds the endpoints:
//
//	PUT    /profile  {name}      204. POST /profile does the same, for forms
//	DELETE /account  {password}  204. POST /account/delete does the same, for forms
//
// It panics if there is no guard of Options.Guards, or if two of them have different users.
func (f *Feature) Mount(group routes.Router) {
	guards := routes.FeatureGuards(f.auth, f.options.Guards)
	for _, guard := range guards {
		if f.owner(guard) != f.owner(guards[0]) {
			panic(fmt.Sprintf("account: Mount: guards %q and %q have different users, and Options.Delete knows only one kind: "+
				"name guards of one kind in Options.Guards", guards[0], guard))
		}
	}
	f.guard = guards[0]
	start, users := f.auth.StartSession(), f.auth.Auth(guards...)
	throttle := f.auth.ThrottleLogins()
	group.PUT("/profile", routes.NoStore, start, users, f.rename)
	group.POST("/profile", routes.NoStore, start, users, f.rename)
	group.DELETE("/account", routes.NoStore, start, users, throttle, f.remove)
	group.POST("/account/delete", routes.NoStore, start, users, throttle, f.remove)
}

func (f *Feature) rename(c *gin.Context) {
	var name string
	err := routes.Decode(c, map[string]*string{"name": &name})
	if err == nil {
		err = f.Rename(c.Request.Context(), ginauth.From(c), name)
	}
	routes.Answer(c, routes.Response{Status: http.StatusNoContent, Err: err})
}

func (f *Feature) remove(c *gin.Context) {
	var password string
	err := routes.Decode(c, map[string]*string{"password": &password})
	if err == nil {
		err = f.Delete(c.Request.Context(), ginauth.From(c), password)
	}
	routes.Answer(c, routes.Response{Status: http.StatusNoContent, Err: err})
}
