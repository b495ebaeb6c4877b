package jsonbody_test

import (
	"testing"

	"github.com/ginauth/ginauth/internal/jsonbody"
)

func TestMediaType(t *testing.T) {
	for _, tt := range []struct {
		header string
		want   bool
	}{
		{"application/json", true},
		{"Application/JSON", true},
		{" application/json ", true},
		{"application/json;charset=utf-8", true},
		{`application/json; charset="UTF-8"`, true},
		{"application/json; profile=x", true},
		{"application/problem+json", true},
		{"application/vnd.api+json; charset=utf-8", true},
		{"", false},
		{"json", false},
		{"text/json", false},
		{"text/plain", false},
		{"text/plain; a=application/json", false},
		{"text/x+json", false},
		{"application/x-www-form-urlencoded", false},
		{"multipart/form-data; boundary=application/json", false},
		{"application/jsonp", false},
		{"application/json-seq", false},
		{"application/+json", false},
		{"application/*+json", false},
		{"application/json; charset=utf-16", false},
		{"application/json; charset=iso-8859-1", false},
		{"application/json; charset=", false},
		{"application/json; charset=utf-8; charset=utf-7", false},
		{"application/json, text/plain", false},
		{"application/json; charset=utf-8, text/plain", false},
		{"application/json; =", false},
		{"application/json/x", false},
		{"application /json", false},
	} {
		if got := jsonbody.MediaType(tt.header); got != tt.want {
			t.Errorf("MediaType(%q) = %t", tt.header, got)
		}
	}
}
