package jws

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// ParsePEM reads a key for NewCryptoKey from one block of PEM: a private key
// (PKCS #8, PKCS #1 or SEC 1), a public key (PKIX or PKCS #1), or the public key
// of an X.509 certificate, of which neither the dates nor the issuer are looked
// at. Encrypted keys are refused: decrypt them first.
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

// onlyBlock returns the block of data, which may have nothing else but white
// space.
func onlyBlock(data []byte) (*pem.Block, error) {
	if len(data) > maxKeyText {
		return nil, fmt.Errorf("%w: PEM has at most %d bytes", ErrKey, maxKeyText)
	}
	data = bytes.TrimSpace(data)
	begin := []byte("-----BEGIN ")
	block, rest := pem.Decode(data)
	switch {
	case block == nil || !bytes.HasPrefix(data, begin):
		return nil, fmt.Errorf("%w: it is not PEM", ErrKey)
	case len(bytes.TrimSpace(rest)) > 0 || bytes.Count(data, begin) > 1:
		return nil, fmt.Errorf("%w: PEM of more than one block; keep the one with the key", ErrKey)
	}
	return block, nil
}

// blockKey returns the key of a block. Errors of the parsers are left out: they
// may tell of the content.
func blockKey(block *pem.Block) (key any, err error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" || block.Headers["Proc-Type"] != "" {
		return nil, fmt.Errorf("%w: it is encrypted; decrypt it first", ErrKey)
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
		return nil, fmt.Errorf("%w: PEM blocks of type %.32q are not supported", ErrKey, block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the content of its PEM block is not what %q says", ErrKey, block.Type)
	}
	return key, nil
}

// certificateKey returns the key of a certificate for signatures.
func certificateKey(der []byte) (any, error) {
	certificate, err := x509.ParseCertificate(der)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: its certificate cannot be read", ErrKey)
	case certificate.PublicKey == nil:
		return nil, fmt.Errorf("%w: the key of its certificate is not supported", ErrKey)
	case certificate.KeyUsage != 0 && certificate.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, fmt.Errorf("%w: its certificate is not for digital signatures", ErrKey)
	}
	return certificate.PublicKey, nil
}
