package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
)

//go:embed web
var web embed.FS

// newFront returns the server of the front end: the files of web/, the built TypeScript client, and the address of the
// API. The pages of the front end have no files: all paths show index.html.
func newFront(api, client string) (http.Handler, error) {
	if _, err := os.Stat(filepath.Join(client, "ginauth.js")); err != nil {
		return nil, fmt.Errorf("the TypeScript client is not built: run npm ci and npm run build in client/: %w", err)
	}
	config, err := json.Marshal(map[string]string{"api": api})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /client/", http.StripPrefix("/client/", http.FileServer(http.Dir(client))))
	mux.HandleFunc("GET /config.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(config)
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		name := path.Join("web", path.Clean("/"+r.URL.Path))
		if info, err := web.Open(name); err != nil || name == "web" {
			name = "web/index.html"
		} else {
			_ = info.Close()
		}
		http.ServeFileFS(w, r, web, name)
	})
	policy := "default-src 'self'; connect-src 'self' " + api + "; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		mux.ServeHTTP(w, r)
	}), nil
}
