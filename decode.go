package ginauth

import (
	"errors"
	"fmt"
	"io"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth/autherr"
	"github.com/ginauth/ginauth/internal/jsonbody"
)

// MaxBody is the largest body that DecodeJSON reads, in bytes.
const MaxBody = 64 * 1024 // 64 KiB

// DecodeJSON reads the request's body as one JSON value into a pointer. It is
// stricter than gin's binding, which takes the last of two equal keys, ignores
// what follows the value, and reads fields from the query string where the
// media type is not one it knows. Keys match fields as in encoding/json. What
// the target held before is replaced. The errors, each
// answered rightly by Abort:
//
//   - ErrMediaType: the body does not say that it is JSON. 415.
//   - ErrBodyTooLarge: it is over MaxBody. 413.
//   - ErrMalformed: it is not one JSON value. 400.
//   - *InputError: a key occurs twice, also in another case; a text is not
//     valid Unicode; a value is of another type than the field. 422.
//
// The target is not touched unless all is well.
func DecodeJSON(c *gin.Context, into any) error {
	if !jsonbody.MediaType(c.Request.Header.Get("Content-Type")) || len(c.Request.Header["Content-Type"]) != 1 {
		return ErrMediaType
	}
	var body io.Reader = c.Request.Body
	if body == nil {
		return fmt.Errorf("%w: no body", ErrMalformed)
	}
	return inputError(jsonbody.Decode(body, MaxBody, into))
}

// inputError turns what was wrong with a body into an error of this package.
func inputError(err error) error {
	var duplicate *jsonbody.DuplicateError
	var field *jsonbody.FieldError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsonbody.ErrTooLarge):
		return ErrBodyTooLarge
	case errors.As(err, &duplicate):
		return autherr.Invalid(duplicate.Key, "occurs twice")
	case errors.As(err, &field):
		return autherr.Invalid(field.Field, field.Reason)
	case errors.Is(err, jsonbody.ErrText):
		return autherr.Invalid("body", "is not valid Unicode")
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}
