package routes

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/internal/answers"
)

// object is a JSON object of the document.
type object = map[string]any

// OpenAPI returns an OpenAPI 3.1 document, in JSON, that describes what Mount mounts with the same arguments, and what the
// features mount in the same group. It is made from the table that Mount uses, and from those of the features. It panics
// where Mount does.
//
// Serve it where clients look for it, as in
//
//	r.GET("/openapi.json", ginauth.Public(), func(c *gin.Context) { c.Data(200, "application/json", document) })
func OpenAPI(group Router, manager *ginauth.Manager, options Options, features ...Described) []byte {
	s := newServer(manager, options)
	endpoints := s.endpoints()
	s.options.check(endpoints)
	paths := make(object)
	add := func(route Route, op operation) {
		method, path, _ := strings.Cut(string(route), " ")
		path, parameters := pathTemplate(strings.TrimSuffix(group.BasePath(), "/") + path)
		if paths[path] == nil {
			paths[path] = make(object)
		}
		paths[path].(object)[strings.ToLower(method)] = s.describe(route, op, method, parameters)
	}
	for _, e := range endpoints {
		if e.served && !s.options.without(e.route) {
			add(e.route, operations[e.route])
		}
	}
	for _, f := range features {
		for _, e := range f.Endpoints() {
			add(e.Route, e.operation())
		}
	}
	name := manager.MailConfig().AppName
	if name == "" {
		name = "Accounts"
	}
	document, err := json.Marshal(object{
		"openapi": "3.1.1",
		"info":    object{"title": name, "version": "1", "description": "Registration, login, passwords, email addresses, devices and tokens."},
		"servers": []object{{"url": manager.PublicPath("/")}},
		"paths":   paths,
		"components": object{
			"schemas": schemas(), "responses": errorResponses(), "securitySchemes": s.securitySchemes(),
		},
	})
	if err != nil {
		panic(fmt.Sprintf("routes: OpenAPI: %v", err)) // it holds texts and lists
	}
	return document
}

// pathTemplate turns the parameters of a path of Gin into those of OpenAPI.
func pathTemplate(path string) (string, []object) {
	var parameters []object
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
			parameters = append(parameters, object{
				"name": name, "in": "path", "required": true, "schema": object{"type": "string"},
			})
		}
	}
	return strings.Join(parts, "/"), parameters
}

// describe returns the operation of a route.
func (s *server) describe(route Route, op operation, method string, parameters []object) object {
	description := object{
		"operationId": op.id, "summary": op.summary, "tags": []string{op.tag},
		"responses": op.responses(method, len(parameters) > 0), "security": s.security(op.access),
	}
	if len(parameters) > 0 {
		description["parameters"] = parameters
	}
	switch {
	case op.input != nil:
		description["requestBody"] = requestBody(s.body(route, op), false)
	case op.body != nil:
		description["requestBody"] = requestBody(op.body, op.onlyJSON)
	}
	return description
}

// requestBody describes a body by its schema.
func requestBody(schema object, onlyJSON bool) object {
	content := object{"application/json": object{"schema": schema}}
	if !onlyJSON {
		content[formType] = object{"schema": formSchema(schema)}
	}
	return object{"required": len(schema["required"].([]string)) > 0, "content": content}
}

// body returns the schema of the request body of an operation: the fields that the handler reads.
func (s *server) body(route Route, op operation) object {
	properties, required := make(object), []string{}
	fields, optional := op.input().fields(), op.optional
	switch route {
	case Login:
		fields, optional = s.describeLogin(s.options.SessionGuard, false, optional)
	case IssueTokens:
		fields, optional = s.describeLogin(s.options.AccessGuard, true, optional)
	}
	switch names := s.loginFields(s.main); route {
	case ForgotPassword, ResendVerification:
		if fields = newIdentifierInput(names).fields(); len(names) > 1 {
			optional = names
		}
	case Register:
		fields, optional = s.describeRegister(fields)
	}
	for _, f := range fields {
		properties[f.name] = f.schema()
		if !slices.Contains(optional, f.name) {
			required = append(required, f.name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}

// describeRegister returns the fields of a registration. Those that Options names are optional, and
// so is the email address where users need other identifiers.
func (s *server) describeRegister(fields []field) (all []field, optional []string) {
	for _, name := range s.registerFields() {
		fields = append(fields, field{name: name, text: new(string)})
		if !slices.Contains(s.can.RegisterFields, name) {
			optional = append(optional, name)
		}
	}
	if len(s.can.RegisterFields) > 0 {
		optional = append(optional, "email")
	}
	return fields, optional
}

// describeLogin returns the fields of a login. Of several identifiers one is sent, so none is
// required.
func (s *server) describeLogin(guard string, device bool, optional []string) ([]field, []string) {
	names := s.loginFields(guard)
	if len(names) > 1 {
		optional = append(slices.Clone(optional), names...)
	}
	return newLoginInput(names, device).fields(), optional
}

// schema returns the schema of a field in JSON.
func (f field) schema() object {
	switch {
	case f.list != nil:
		return object{"type": "array", "items": object{"type": "string"}}
	case f.flag != nil:
		return object{"type": "boolean"}
	case f.number != nil:
		return object{"type": "integer", "format": "int64"}
	case strings.Contains(f.name, "password"):
		return object{"type": "string", "format": "password"}
	}
	return object{"type": "string"}
}

// formSchema returns the schema of a form, where lists are separated by spaces and flags are words.
func formSchema(schema object) object {
	properties := maps.Clone(schema["properties"].(object))
	for name, property := range properties {
		switch property.(object)["type"] {
		case "array":
			properties[name] = object{"type": "string", "description": "Separated by spaces."}
		case "boolean":
			properties[name] = object{"type": "string", "enum": []string{"", "on", "off", "1", "0", "true", "false"}}
		}
	}
	form := maps.Clone(schema)
	form["properties"] = properties
	return form
}

// responses returns the responses of an operation, by status.
func (op operation) responses(method string, named bool) object {
	responses := make(object)
	for status, schema := range op.success {
		response := object{"description": http.StatusText(status)}
		if schema != nil {
			response["content"] = object{cmp.Or(op.media, "application/json"): object{"schema": schema}}
		}
		responses[strconv.Itoa(status)] = response
	}
	for _, status := range op.failures(method, named) {
		responses[strconv.Itoa(status)] = object{"$ref": "#/components/responses/" + errorName(status)}
	}
	return responses
}

// failures returns the statuses with which an operation may fail.
func (op operation) failures(method string, named bool) []int {
	statuses := []int{429, 500, 503}
	if op.access != anybody || op.guesses {
		statuses = append(statuses, 401)
	}
	if op.access != anybody || method != http.MethodGet {
		statuses = append(statuses, 403, 409) // another site sent it; the session changed meanwhile
	}
	if named {
		statuses = append(statuses, 404)
	}
	if op.input != nil || op.body != nil || method != http.MethodGet {
		statuses = append(statuses, 400, 413, 415, 422)
	}
	return statuses
}

func errorName(status int) string { return strings.ReplaceAll(http.StatusText(status), " ", "") }

// errorResponses returns the responses to errors by name, with an example each.
func errorResponses() object {
	responses := make(object)
	for status, code := range answers.Codes() {
		example := object{"code": code.Code, "message": code.Message}
		response := object{
			"description": http.StatusText(status),
			"content": object{"application/json": object{
				"schema": object{"$ref": "#/components/schemas/Error"}, "example": example,
			}},
		}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			response["headers"] = object{"Retry-After": object{
				"description": "The seconds to wait.", "schema": object{"type": "integer"},
			}}
		}
		responses[errorName(status)] = response
	}
	return responses
}

// securitySchemes returns the ways to authenticate that the manager has.
func (s *server) securitySchemes() object {
	schemes := make(object)
	if s.sessions {
		schemes["session"] = object{
			"type": "apiKey", "in": "cookie", "name": "__Host-ginauth",
			"description": "The session cookie. Session.Cookie.Name changes its name.",
		}
	}
	if s.access {
		schemes["accessToken"] = object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
	}
	if s.personal {
		schemes["personalToken"] = object{"type": "http", "scheme": "bearer", "description": "A personal access token."}
	}
	return schemes
}

// security returns what an operation accepts.
func (s *server) security(who access) []object {
	var list []object
	accept := func(exists bool, name string) {
		if exists {
			list = append(list, object{name: []string{}})
		}
	}
	switch who {
	case anybody:
		return []object{{}} // nothing is needed
	case everyToken:
		accept(s.personal, "personalToken")
		fallthrough
	case users:
		accept(s.sessions, "session")
		accept(s.access, "accessToken")
	}
	return list
}
