package account

import (
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
// It panics if there is no guard of Options.Guards.
func (f *Feature) Mount(group routes.Router) {
	start, users := f.auth.StartSession(), f.auth.Auth(routes.FeatureGuards(f.auth, f.options.Guards)...)
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
