package models_test

import (
	"encoding/json"
	"testing"

	"github.com/ginauth/ginauth/models"
)

// TestIDInJSONIsAuthID checks that clients see one form of the identifier, also of one that
// JavaScript would round.
func TestIDInJSONIsAuthID(t *testing.T) {
	user := &models.User{ID: 1<<53 + 1}
	data, err := json.Marshal(user)
	if err != nil {
		t.Fatal(err)
	}
	var shown struct{ ID any }
	if err := json.Unmarshal(data, &shown); err != nil {
		t.Fatal(err)
	}
	if shown.ID != user.AuthID() {
		t.Errorf("id is %v, AuthID is %q", shown.ID, user.AuthID())
	}
	var back models.User
	if err := json.Unmarshal(data, &back); err != nil || back.ID != user.ID {
		t.Errorf("read back: %d, %v", back.ID, err)
	}
}
