package routes

import (
	"bytes"
	"errors"
	"io"
	"math"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/ginauth/ginauth"
	"github.com/ginauth/ginauth/autherr"
)

// field is a field of a form, with exactly one destination.
type field struct {
	name   string
	text   *string
	flag   *bool
	list   *[]string
	number *int64
	into   map[string]string // the key is the name of the field
}

// input is a request body. Its struct tags define the same fields for JSON.
type input interface{ fields() []field }

const (
	formType = "application/x-www-form-urlencoded"
	// maxPairs is the maximum number of fields in a form, including ignored
	// ones.
	maxPairs = 64
	// maxField is the maximum length of a client's field name in an error, in
	// bytes.
	maxField = 64
)

// decode reads the request's body, JSON or form, into an input. It does not
// read the query. The errors are those of ginauth.DecodeJSON.
func decode(c *gin.Context, in input) error {
	types := c.Request.Header["Content-Type"]
	if len(types) != 1 || !isForm(types[0]) {
		return ginauth.DecodeJSON(c, in)
	}
	fields := in.fields()
	c.Set(formKey, fields)
	if c.Request.Body == nil {
		return readForm("", fields)
	}
	body, err := io.ReadAll(io.LimitReader(c.Request.Body, ginauth.MaxBody+1))
	switch {
	case err != nil:
		return errors.Join(ginauth.ErrMalformed, err)
	case len(body) > ginauth.MaxBody:
		return ginauth.ErrBodyTooLarge
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body)) // a Responder shows the input again
	return readForm(string(body), fields)
}

// isForm reports whether a Content-Type header is that of an HTML form in
// UTF-8.
func isForm(header string) bool {
	media, params, err := mime.ParseMediaType(header)
	charset, named := params["charset"]
	return err == nil && media == formType && (!named || strings.EqualFold(charset, "utf-8"))
}

// readForm parses a form strictly, so that it has only one meaning: it refuses
// names that occur twice, also in another case, and text that is not valid
// UTF-8. It returns the faults of all values together.
func readForm(body string, fields []field) error {
	seen := make(map[string]bool)
	var faults []error
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(rawName)
		value, valueErr := url.QueryUnescape(rawValue)
		if nameErr != nil || valueErr != nil || !utf8.ValidString(name) || strings.Contains(pair, ";") {
			return &ginauth.InputError{Field: "body", Reason: "is not form data"}
		}
		folded := strings.ToLower(name)
		switch {
		case seen[folded]:
			return &ginauth.InputError{Field: quoteName(name), Reason: "occurs twice"}
		case len(seen) == maxPairs:
			return &ginauth.InputError{Field: "body", Reason: "has too many fields"}
		}
		seen[folded] = true
		faults = append(faults, setField(fields, name, value))
	}
	return autherr.AllInput(faults...)
}

// setField stores a value in the field with the name. Unknown names are
// ignored. A name that differs from a field only in case is refused, because
// another parser could accept it.
func setField(fields []field, name, value string) error {
	for _, f := range fields {
		if f.name == name {
			return f.set(value)
		}
		if strings.EqualFold(f.name, name) {
			return &ginauth.InputError{Field: quoteName(name), Reason: "is not a field; its name is in lower case"}
		}
	}
	return nil
}

func (f *field) set(value string) error {
	if !utf8.ValidString(value) {
		return &ginauth.InputError{Field: f.name, Reason: "is not valid UTF-8"}
	}
	switch {
	case f.text != nil:
		*f.text = value
	case f.into != nil:
		f.into[f.name] = value
	case f.list != nil:
		*f.list = strings.Fields(value)
	case f.flag != nil:
		switch value {
		case "on", "1", "true":
			*f.flag = true
		case "", "off", "0", "false":
			*f.flag = false
		default:
			return &ginauth.InputError{Field: f.name, Reason: "must be true or false"}
		}
	case f.number != nil:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n == math.MinInt64 {
			return &ginauth.InputError{Field: f.name, Reason: "must be a whole number in range"}
		}
		*f.number = n
	}
	return nil
}

// typed returns the value as it is typed into a form.
func (f *field) typed() string {
	switch {
	case f.text != nil:
		return *f.text
	case f.into != nil:
		return f.into[f.name]
	case f.list != nil:
		return strings.Join(*f.list, " ")
	case f.flag != nil && *f.flag:
		return "on"
	case f.number != nil && *f.number != 0:
		return strconv.FormatInt(*f.number, 10)
	}
	return ""
}

// quoteName returns a client's field name as it may appear in an error: escaped
// and shortened.
func quoteName(name string) string {
	quoted := strconv.QuoteToASCII(name)
	return strings.ToValidUTF8(quoted[1:min(len(quoted)-1, maxField)], "")
}
