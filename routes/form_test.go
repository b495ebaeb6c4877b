package routes_test

import (
	"testing"

	"github.com/ginauth/ginauth/internal/testapp"
)

// All faults of an input are told at once, and "field" is the first.
func TestAllFaultsAreTold(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	var body struct {
		Code, Message, Field string
		Errors               map[string][]string
	}
	a.Client().Post("/register", fields{"name": "", "email": "x", "password": "short"}).Want(t, 422).JSON(t, &body)
	if body.Code != "invalid_input" || body.Field != "name" || body.Message == "" || len(body.Errors) != 3 ||
		len(body.Errors["email"]) != 1 || len(body.Errors["password"]) != 1 {
		t.Errorf("%+v", body)
	}
	body.Errors = nil
	c := a.LoggedIn(testapp.Alice)
	c.Post("/password", fields{}).Want(t, 422).JSON(t, &body)
	if body.Field != "current_password" || len(body.Errors) != 2 {
		t.Errorf("%+v", body)
	}
	c.Post("/password", fields{"current_password": "wrong", "password": testapp.NewPassword}).Want(t, 422).JSON(t, &body)
	if body.Message != "The current password is incorrect." {
		t.Errorf("message %q", body.Message)
	}
}

// Forms have only GET and POST.
func TestFormsNeedNoOtherMethods(t *testing.T) {
	a := newApp(t, testapp.Memory(t), setup{})
	c := a.LoggedIn(testapp.Alice)
	a.LoggedIn(testapp.Alice)
	var made struct{ ID string }
	c.Post("/tokens", fields{"name": "x"}).Want(t, 201).JSON(t, &made)
	c.Form("/tokens/"+made.ID+"/delete", "").Want(t, 204)
	c.Form("/tokens/"+made.ID+"/delete", "").Want(t, 404)
	c.Form("/devices/session-x/delete", "").Want(t, 404)
	c.Form("/email", "email=new%40example.com").Want(t, 202)
	c.Form("/devices/delete", "password="+testapp.Password).Want(t, 204)
	c.Form("/password", "current_password=wrong&password=x").Want(t, 422)
}
