// Package gintree reads the routes of a gin.Engine with their handlers, which Gin does
// not export.
package gintree

import (
	"errors"
	"reflect"
	"slices"

	"github.com/gin-gonic/gin"
)

// Route is a route with the code addresses of all its handlers.
type Route struct {
	Method, Path string
	Handlers     []uintptr
}

// Without returns the routes, as "GET /path", that have no handler before their last
// one that satisfies the condition, which takes the code address. The last one is what
// the route is for: what comes after it cannot guard it. The error is that of Routes.
func Without(engine *gin.Engine, condition func(uintptr) bool) ([]string, error) {
	routes, err := Routes(engine)
	var found []string
	for _, r := range routes {
		if !slices.ContainsFunc(r.Handlers[:len(r.Handlers)-1], condition) {
			found = append(found, r.Method+" "+r.Path)
		}
	}
	return found, err
}

// Routes reads Gin's routing trees by reflection, because their fields are not
// exported. It changes nothing. It returns an error if the trees of this version of
// Gin have another form.
func Routes(engine *gin.Engine) ([]Route, error) {
	trees := reflect.ValueOf(engine).Elem().FieldByName("trees")
	if !trees.IsValid() || trees.Kind() != reflect.Slice {
		return nil, errors.New("no trees")
	}
	var routes []Route
	for i := range trees.Len() {
		tree := reflect.Indirect(trees.Index(i))
		method, root := field(tree, "method", reflect.String), field(tree, "root", reflect.Pointer)
		if !method.IsValid() || !root.IsValid() {
			return nil, errors.New("no method or root")
		}
		var err error
		if routes, err = walkRoutes(routes, method.String(), root); err != nil {
			return nil, err
		}
	}
	if len(routes) != len(engine.Routes()) {
		return nil, errors.New("routes are missing")
	}
	return routes, nil
}

func walkRoutes(routes []Route, method string, node reflect.Value) ([]Route, error) {
	if node.IsNil() {
		return routes, nil
	}
	node = node.Elem()
	handlers := field(node, "handlers", reflect.Slice)
	children := field(node, "children", reflect.Slice)
	path := field(node, "fullPath", reflect.String)
	if !handlers.IsValid() || !children.IsValid() || !path.IsValid() {
		return nil, errors.New("no handlers, children or fullPath")
	}
	if handlers.Len() > 0 {
		r := Route{Method: method, Path: path.String()}
		for i := range handlers.Len() {
			r.Handlers = append(r.Handlers, handlers.Index(i).Pointer())
		}
		routes = append(routes, r)
	}
	for i := range children.Len() {
		var err error
		if routes, err = walkRoutes(routes, method, children.Index(i)); err != nil {
			return nil, err
		}
	}
	return routes, nil
}

// field returns a field of a struct if it has one of that name and kind.
func field(v reflect.Value, name string, kind reflect.Kind) reflect.Value {
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	f := v.FieldByName(name)
	if !f.IsValid() || f.Kind() != kind {
		return reflect.Value{}
	}
	return f
}
