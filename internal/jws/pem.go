package jws

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// ParsePEM parses the key in a PEM file for NewCryptoKey. The file contains one
// private key (PKCS #8, PKCS #1 or SEC 1), public key (PKIX or PKCS #1), or X.509
// certificate, whose dates and issuer are not checked. Encrypted keys are refused:
// decrypt them first.
//
// The file may be as tools write it: with a block EC PARAMETERS before the key,
// with text around the blocks, such as bag attributes (RFC 7468, 5.2), and with
// line breaks written as \n, in quotes or not, as in environment variables.
func ParsePEM(kid, alg string, data []byte) (Key, error) {
	block, err := onlyBlock(data)
	if err != nil {
		return Key{}, err
	}
	key, err := blockKey(block)
	if err != nil {
		return Key{}, err
	}
	return NewCryptoKey(kid, alg, key)
}

// onlyBlock returns the only block in data that holds a key.
func onlyBlock(data []byte) (*pem.Block, error) {
	if len(data) > maxKeyText {
		return nil, fmt.Errorf("%w: PEM is longer than %d bytes", ErrKey, maxKeyText)
	}
	data = unescaped(data)
	var found []*pem.Block
	begins := bytes.Count(data, []byte("-----BEGIN "))
	blocks := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if blocks++; block.Type != "EC PARAMETERS" { // the key names its curve, too
			found = append(found, block)
		}
	}
	switch {
	case begins == 0 || blocks == 0:
		return nil, fmt.Errorf("%w: not PEM", ErrKey)
	case blocks != begins: // what cannot be read could be the key that is meant
		return nil, fmt.Errorf("%w: a PEM block is damaged", ErrKey)
	case len(found) == 0:
		return nil, fmt.Errorf("%w: PEM has EC parameters and no key", ErrKey)
	case len(found) > 1:
		return nil, fmt.Errorf("%w: PEM has more than one block with a key or certificate (%.32q and %.32q): keep only the one that is meant",
			ErrKey, found[0].Type, found[1].Type)
	}
	return found[0], nil
}

// unescaped returns data with line breaks in place of the two characters \n that
// environment variables and JSON have for them. Base64 has no backslash.
func unescaped(data []byte) []byte {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	for _, quote := range []string{`"`, "'"} {
		if n := len(data); n > 1 && data[0] == quote[0] && data[n-1] == quote[0] {
			data = data[1 : n-1]
		}
	}
	data = bytes.ReplaceAll(data, []byte(`\r`), nil)
	return bytes.ReplaceAll(data, []byte(`\n`), []byte("\n"))
}

// blockKey returns the key of a block. The errors of the parsers are dropped,
// because they may reveal parts of the key.
func blockKey(block *pem.Block) (key any, err error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" || block.Headers["Proc-Type"] != "" {
		return nil, fmt.Errorf("%w: PEM block is encrypted: decrypt it first", ErrKey)
	}
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		return certificateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("%w: PEM block type %.32q is not supported", ErrKey, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: PEM block is not a valid %q", ErrKey, block.Type)
	}
	return key, nil
}

// certificateKey returns the public key of a certificate. The certificate must
// allow digital signatures.
func certificateKey(der []byte) (any, error) {
	certificate, err := x509.ParseCertificate(der)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: certificate cannot be parsed", ErrKey)
	case certificate.PublicKey == nil:
		return nil, fmt.Errorf("%w: key of the certificate is not supported", ErrKey)
	case certificate.KeyUsage != 0 && certificate.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, fmt.Errorf("%w: certificate is not for digital signatures", ErrKey)
	}
	return certificate.PublicKey, nil
}
