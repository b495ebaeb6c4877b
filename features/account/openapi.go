package account

import "github.com/ginauth/ginauth/routes"

// Endpoints describes the endpoints for routes.OpenAPI.
func (f *Feature) Endpoints() []routes.Endpoint {
	return []routes.Endpoint{
		{Route: "PUT /profile", ID: "changeName", Tag: "account", Summary: "Change the name.", Users: true,
			Input: struct {
				Name string `json:"name"`
			}{}, Success: map[int]any{204: nil}},
		{Route: "DELETE /account", ID: "deleteAccount", Tag: "account", Summary: "Delete the account.", Users: true,
			Input: struct {
				Password string `json:"password"`
			}{}, Success: map[int]any{204: nil}},
	}
}
