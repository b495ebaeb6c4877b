package routes

import (
	"encoding/json"
	"strings"

	"github.com/ginauth/ginauth"
)

// registerInput is the body of POST /register.
type registerInput struct {
	registerFields
	// declared are the names of the additional fields. Their values in a form
	// are stored in more.
	declared []string
	more     map[string]string
	// sent are all fields of a JSON body. They are kept because the decoder
	// calls UnmarshalJSON on a new value, which has no declared.
	sent map[string]json.RawMessage
}

type registerFields struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Password string `json:"password"`
}

func (in *registerInput) fields() []field {
	list := []field{
		{name: "name", text: &in.Name}, {name: "email", text: &in.Email}, {name: "password", text: &in.Password},
	}
	for _, name := range in.declared {
		list = append(list, field{name: name, into: in.more})
	}
	return list
}

// UnmarshalJSON implements json.Unmarshaler.
func (in *registerInput) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &in.registerFields); err != nil {
		return err
	}
	return json.Unmarshal(data, &in.sent)
}

// further returns the additional fields that the client sent. As for all JSON
// fields, names match in any case. The decoder has refused names that differ
// only in case.
func (in *registerInput) further(declared []string) (map[string]string, error) {
	if in.sent == nil {
		return in.more, nil // the body is a form
	}
	return textsOf(in.sent, declared)
}

// textsOf returns the texts of some fields of a JSON body.
func textsOf(sent map[string]json.RawMessage, names []string) (map[string]string, error) {
	texts := make(map[string]string)
	for key, value := range sent {
		for _, name := range names {
			if !strings.EqualFold(key, name) || string(value) == "null" {
				continue
			}
			var text string
			if json.Unmarshal(value, &text) != nil {
				return nil, &ginauth.InputError{Field: name, Reason: "must be a string"}
			}
			texts[name] = text
		}
	}
	return texts, nil
}
