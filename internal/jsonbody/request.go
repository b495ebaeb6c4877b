package jsonbody

import (
	"fmt"
	"net/http"

	"github.com/ginauth/ginauth/autherr"
)

// DecodeRequest decodes the body of a request that is declared as JSON. The errors are those of
// package autherr.
func DecodeRequest(r *http.Request, limit int64, into any) error {
	types := r.Header["Content-Type"]
	if len(types) != 1 || !MediaType(types[0]) {
		return autherr.ErrMediaType
	}
	if r.Body == nil {
		return fmt.Errorf("%w: no body", autherr.ErrMalformed)
	}
	return Error(Decode(r.Body, limit, into))
}
