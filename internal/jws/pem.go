package jws

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// ParsePEM parses one PEM block for NewCryptoKey. The block contains a private
// key (PKCS #8, PKCS #1 or SEC 1), a public key (PKIX or PKCS #1), or an X.509
// certificate, whose dates and issuer are not checked. Encrypted keys are
// refused: decrypt them first.
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

// onlyBlock returns the only block in data. Apart from it, data may contain
// only white space.
func onlyBlock(data []byte) (*pem.Block, error) {
	if len(data) > maxKeyText {
		return nil, fmt.Errorf("%w: PEM is longer than %d bytes", ErrKey, maxKeyText)
	}
	data = bytes.TrimSpace(data)
	begin := []byte("-----BEGIN ")
	block, rest := pem.Decode(data)
	switch {
	case block == nil || !bytes.HasPrefix(data, begin):
		return nil, fmt.Errorf("%w: not PEM", ErrKey)
	case len(bytes.TrimSpace(rest)) > 0 || bytes.Count(data, begin) > 1:
		return nil, fmt.Errorf("%w: PEM has more than one block: keep only the block with the key", ErrKey)
	}
	return block, nil
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
