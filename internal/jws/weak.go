package jws

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
)

// minDistinct is the minimum number of different byte values in a secret. Of
// random texts of 32 hexadecimal digits, only one in 20 million has fewer than
// 8.
const minDistinct = 8

// weakness returns why a text must not be used as a secret, or "". It never
// quotes the text.
func weakness(secret []byte) string {
	switch {
	case isOtherKey(secret):
		return otherKey
	case hasPlaceholder(secret):
		return "is a placeholder"
	case isPattern(secret):
		return "is a simple pattern, not random"
	}
	return ""
}

const otherKey = "is a key of another type"

func isOtherKey(secret []byte) bool {
	return isPublicText(secret) || isDER(secret) || isEncodedDER(secret)
}

// confusion is weakness for a published test key: it may be known to everyone, but must not be
// a key of another type.
func confusion(secret []byte) string {
	if isOtherKey(secret) {
		return otherKey
	}
	return ""
}

// isPublicText reports whether data is an encoded key: PEM, a JWK, or a line of
// SSH.
func isPublicText(data []byte) bool {
	data = bytes.TrimSpace(data)
	if bytes.Contains(data, []byte("-----BEGIN ")) || bytes.HasPrefix(data, []byte("{")) && json.Valid(data) {
		return true
	}
	for _, prefix := range []string{"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"} {
		if bytes.HasPrefix(data, []byte(prefix)) {
			return true
		}
	}
	return false
}

// isDER reports whether data is an X.509, PKCS #1 or PKCS #8 key or a
// certificate in DER.
func isDER(data []byte) bool {
	if len(data) == 0 || data[0] != 0x30 { // not an ASN.1 sequence
		return false
	}
	for _, parse := range []func([]byte) error{
		func(der []byte) error { _, err := x509.ParsePKIXPublicKey(der); return err },
		func(der []byte) error { _, err := x509.ParsePKCS1PublicKey(der); return err },
		func(der []byte) error { _, err := x509.ParseCertificate(der); return err },
		func(der []byte) error { _, err := x509.ParsePKCS8PrivateKey(der); return err },
		func(der []byte) error { _, err := x509.ParsePKCS1PrivateKey(der); return err },
		func(der []byte) error { _, err := x509.ParseECPrivateKey(der); return err },
	} {
		if parse(data) == nil {
			return true
		}
	}
	return false
}

// isEncodedDER reports whether data is DER in hexadecimal or in base64, such as
// PEM without its first and last line.
func isEncodedDER(data []byte) bool {
	text := strings.Join(strings.Fields(string(data)), "")
	if der, err := hex.DecodeString(text); err == nil && isDER(der) {
		return true
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	der, err := base64.RawStdEncoding.DecodeString(text)
	return err == nil && isDER(der)
}

// hasPlaceholder reports whether a secret contains a word that is common in
// placeholders. The words are long: a random secret in base64 contains one of
// them with a probability of one in a thousand million.
func hasPlaceholder(secret []byte) bool {
	letters := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, string(secret))
	for _, word := range []string{
		"changeme", "changethis", "changeinproduction", "replaceme", "replacethis", "replacewith",
		"yoursecret", "yoursuper", "your256bit", "your384bit", "your512bit", "yoursigningkey", "yourprivate",
		"mysecret", "mysupersecret", "supersecret", "topsecret", "verysecret", "secretkey", "secretphrase",
		"jwtsecret", "tokensecret", "appsecret", "sharedsecret", "secretatleast", "thisisasecret",
		"password", "passphrase", "placeholder", "donotuse", "insecure", "notasecret", "notsosecret",
		"keyboardcat", "correcthorse", "developmentonly", "examplekey", "examplesecret", "defaultkey", "defaultsecret",
	} {
		if strings.Contains(letters, word) {
			return true
		}
	}
	return false
}

// isPattern reports whether data has few different bytes, repeats itself, or
// counts up or down.
func isPattern(data []byte) bool {
	distinct := make(map[byte]bool)
	steps := 0
	for i, b := range data {
		distinct[b] = true
		if i > 0 && (b == data[i-1]+1 || b == data[i-1]-1) {
			steps++
		}
	}
	if len(distinct) < minDistinct || steps > len(data)*3/4 {
		return true
	}
	for period := 1; period <= len(data)/2; period++ {
		if bytes.Equal(data[period:], data[:len(data)-period]) {
			return true
		}
	}
	return false
}
