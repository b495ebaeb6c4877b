package main

import (
	"bytes"
	"os"
	"testing"
)

// TestTypesAreThoseOfTheRoutes compares src/types.ts with the endpoints.
func TestTypesAreThoseOfTheRoutes(t *testing.T) {
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("src/types.ts")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("src/types.ts is not that of the routes (%v): run go run ./client", err)
	}
}
