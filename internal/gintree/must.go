package gintree

import "github.com/gin-gonic/gin"

// Must returns what StartSession or Auth left on the context. It panics with what to do if neither ran.
func Must[T any](c *gin.Context, key any) T {
	v, _ := c.Get(key)
	found, ok := v.(T)
	if !ok {
		panic("ginauth: From: neither StartSession nor Auth ran before: put r.Use(auth.StartSession()) above the routes")
	}
	return found
}
