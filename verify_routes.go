package ginauth

import (
	"errors"
	"net/http"
	"reflect"

	"github.com/gin-gonic/gin"
)

// route is a route with the code addresses of all its handlers.
type route struct {
	method, path string
	handlers     []uintptr
}

// routeHandlers reads gin's routing trees. Their fields are not exported, so
// they are read by reflection, once at start, and nothing is called or changed;
// a gin whose trees look different makes it an error.
func routeHandlers(engine *gin.Engine) ([]route, error) {
	trees := reflect.ValueOf(engine).Elem().FieldByName("trees")
	if !trees.IsValid() || trees.Kind() != reflect.Slice {
		return nil, errors.New("no trees")
	}
	var routes []route
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

func walkRoutes(routes []route, method string, node reflect.Value) ([]route, error) {
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
		r := route{method: method, path: path.String()}
		for i := range handlers.Len() {
			r.handlers = append(r.handlers, handlers.Index(i).Pointer())
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

// clientIPOf returns what gin takes for the client's address of a request from
// peer with an X-Forwarded-For header.
func clientIPOf(engine *gin.Engine, peer, forwarded string) string {
	c := gin.CreateTestContextOnly(nil, engine)
	c.Request = &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {forwarded}}}
	return c.ClientIP()
}
