package jsonbody

import (
	"encoding/json"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// checker searches for strings and keys that have more than one interpretation.
// Its data is valid JSON of limited depth, so it does not check the syntax and
// may recurse.
type checker struct {
	data []byte
	pos  int
}

// next skips white space and returns the next byte, or 0 at the end.
func (c *checker) next() byte {
	for ; c.pos < len(c.data); c.pos++ {
		switch b := c.data[c.pos]; b {
		case ' ', '\t', '\r', '\n':
		default:
			return b
		}
	}
	return 0
}

func (c *checker) value() error {
	switch c.next() {
	case '{':
		return c.object()
	case '[':
		return c.array()
	case '"':
		_, err := c.text()
		return err
	}
	for c.pos < len(c.data) { // a number, true, false or null
		switch c.data[c.pos] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return nil
		}
		c.pos++
	}
	return nil
}

func (c *checker) array() error {
	for c.pos++; c.next() != ']'; {
		if c.next() == ',' {
			c.pos++
		}
		if err := c.value(); err != nil {
			return err
		}
	}
	c.pos++
	return nil
}

func (c *checker) object() error {
	seen := make(map[string]struct{})
	for c.pos++; c.next() != '}'; {
		if c.next() == ',' {
			c.pos++
			c.next()
		}
		key, err := c.key()
		if err != nil {
			return err
		}
		folded := fold(key)
		if _, dup := seen[folded]; dup {
			return duplicateError(key)
		}
		seen[folded] = struct{}{}
		c.next()
		c.pos++ // the colon
		if err := c.value(); err != nil {
			return err
		}
	}
	c.pos++
	return nil
}

func (c *checker) key() (string, error) {
	literal, err := c.text()
	if err != nil {
		return "", err
	}
	var key string
	err = json.Unmarshal(literal, &key)
	return key, err
}

// text returns the string literal at the current position, including its
// quotes. The data is valid UTF-8, so only escapes can contain half of a
// surrogate pair.
func (c *checker) text() ([]byte, error) {
	start := c.pos
	for c.pos++; c.data[c.pos] != '"'; c.pos++ {
		if c.data[c.pos] != '\\' {
			continue
		}
		c.pos++
		if c.data[c.pos] != 'u' {
			continue
		}
		first := c.hex(c.pos + 1)
		c.pos += 4
		if !utf16.IsSurrogate(first) {
			continue
		}
		if c.data[c.pos+1] != '\\' || c.data[c.pos+2] != 'u' ||
			utf16.DecodeRune(first, c.hex(c.pos+3)) == utf8.RuneError {
			return nil, ErrText
		}
		c.pos += 6
	}
	c.pos++
	return c.data[start:c.pos], nil
}

// hex returns the value of the four hexadecimal digits at i.
func (c *checker) hex(i int) rune {
	n, err := strconv.ParseUint(string(c.data[i:i+4]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

// fold returns the same text for all keys that encoding/json treats as equal,
// which are those equal under simple case folding. It replaces each character
// by the smallest one that folds to the same.
func fold(key string) string {
	folded := make([]byte, 0, len(key))
	for _, r := range key {
		folded = utf8.AppendRune(folded, smallest(r))
	}
	return string(folded)
}

func smallest(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next // the smallest character begins the cycle
		}
		r = next
	}
}
