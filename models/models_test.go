package models_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ginauth/ginauth/models"
)

func TestUserHidesItsSecrets(t *testing.T) { // D05, L06
	u := models.User{
		ID: 7, Name: "Alice", Email: "alice@example.com", EmailCanonical: "CANARY-canonical",
		Password: "CANARY-hash", SecurityStamp: "CANARY-stamp",
	}
	type embedding struct {
		models.User
		Company string
	}
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	logger.Info("x", "user", u, "pointer", &u)
	for _, v := range []any{u, &u, embedding{User: u, Company: "x"}, &embedding{User: u}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data) + fmt.Sprintf("%v %+v %#v %s %d", v, v, v, v, v) + log.String()
		if strings.Contains(text, "CANARY") {
			t.Errorf("%T reveals a secret: %s", v, text)
		}
		if !strings.Contains(string(data), `"email":"alice@example.com"`) {
			t.Errorf("JSON %s", data)
		}
	}
	if data, _ := json.Marshal(embedding{User: u, Company: "acme"}); !strings.Contains(string(data), "acme") {
		t.Errorf("JSON of an embedding type misses a field: %s", data)
	}
}

func TestUserCapabilities(t *testing.T) {
	var u models.User
	if u.AuthID() != "" || u.AuthEmailVerified() || u.AuthDisabled() {
		t.Error("a new user has an id or a verified address, or is disabled")
	}
	u.ID = 42
	if u.AuthID() != "42" {
		t.Errorf("id %q", u.AuthID())
	}
	var none *models.User
	for v, want := range map[models.Authenticatable]bool{nil: true, none: true, &u: false} {
		if models.IsNil(v) != want {
			t.Errorf("IsNil(%T) is %v", v, !want)
		}
	}
	if len(models.All()) != 8 {
		t.Error("a model is missing from All")
	}
}
