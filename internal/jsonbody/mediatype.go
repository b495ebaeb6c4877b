package jsonbody

import (
	"mime"
	"strings"
)

// MediaType reports whether a Content-Type header says that the body is JSON:
// application/json, or a type such as application/problem+json. If the header
// has a charset, it must be UTF-8.
func MediaType(header string) bool {
	mediaType, params, err := mime.ParseMediaType(header)
	if err != nil {
		return false
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	if mediaType == "application/json" {
		return true
	}
	subtype, ok := strings.CutPrefix(mediaType, "application/")
	name, suffixed := strings.CutSuffix(subtype, "+json")
	return ok && suffixed && name != "" && !strings.Contains(name, "*")
}
