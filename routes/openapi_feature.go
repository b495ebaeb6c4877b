package routes

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// Endpoint describes an endpoint of a feature for OpenAPI.
type Endpoint struct {
	// Route is its method and its path below the group.
	Route Route
	// ID names the operation in the document, as in "beginTOTP". Tag is the section that it belongs to, and Summary one
	// sentence about it.
	ID, Tag, Summary string
	// Users says that it is for users with a session or an access token. Others are for anybody.
	Users bool
	// Guesses says that what a client sends may be refused with 401.
	Guesses bool
	// Input is a struct whose JSON fields are those of the body, or nil if there is no body. Fields with "omitempty" may be
	// missing. A body is JSON or a form, or with OnlyJSON no form.
	Input    any
	OnlyJSON bool
	// Success has the bodies of success by status: a struct that is written as JSON, a LoginAnswer, or nil for no body.
	Success map[int]any
	// Media is the media type of these bodies. Default: JSON.
	Media string
}

// LoginAnswer is, in Endpoint.Success, what AnswerLogin responds with: the user of a session, tokens, or both if the endpoint
// serves both. The login may also be pending.
type LoginAnswer struct{ Session, Tokens bool }

// Described is a feature that describes its endpoints.
type Described interface {
	// Endpoints returns what the feature mounts. Endpoints for forms that do what another one does are left out. The
	// manager of the feature is complete.
	Endpoints() []Endpoint
}

// operation returns the endpoint as the table of this package has it.
func (e Endpoint) operation() operation {
	op := operation{id: e.ID, tag: e.Tag, summary: e.Summary, guesses: e.Guesses, media: e.Media, success: make(map[int]object)}
	if e.Users {
		op.access = users
	}
	for status, body := range e.Success {
		op.success[status] = bodySchema(body)
	}
	if e.Input != nil {
		op.body = structSchema(reflect.TypeOf(e.Input))
		op.onlyJSON = e.OnlyJSON
	}
	return op
}

// bodySchema returns the schema of a body of success, or nil for none.
func bodySchema(body any) object {
	switch body := body.(type) {
	case nil:
		return nil
	case LoginAnswer:
		var complete []object
		if body.Session {
			complete = append(complete, withUser[200])
		}
		if body.Tokens {
			complete = append(complete, ref("TokenPair"))
		}
		return object{"anyOf": append(complete, properties(object{"pending": ref("PendingLogin")}))}
	}
	return typeSchema(reflect.TypeOf(body))
}

// structSchema returns the schema of a struct as encoding/json writes it.
func structSchema(t reflect.Type) object {
	fields, required := make(object), []string{}
	addFields(t, fields, &required)
	return object{"type": "object", "properties": fields, "required": required}
}

// addFields adds the fields of a struct, also those of embedded ones.
func addFields(t reflect.Type, fields object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			addFields(inner, fields, required)
			continue
		case name == "" || name == "-":
			continue
		}
		fields[name] = typeSchema(f.Type)
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}

func typeSchema(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{"type": "object"}
	case reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	}
	for schema, of := range shared {
		if t == of {
			return ref(schema)
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return object{"anyOf": []object{typeSchema(t.Elem()), {"type": "null"}}}
	case reflect.Struct:
		return structSchema(t)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer", "format": "int64"}
	case reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": typeSchema(t.Elem())}
	}
	return object{"type": "string"}
}
