// SPDX-License-Identifier: Apache-2.0

package jwks

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// fixed are keys that don't change.
type fixed []jose.JSONWebKey

// Current implements [Keys].
func (f fixed) Current(context.Context) ([]jose.JSONWebKey, error) { return f, nil }

// Newer implements [Keys].
func (f fixed) Newer(context.Context) ([]jose.JSONWebKey, bool) { return nil, false }

// ParsePEM returns the public keys of a PEM text (RFC 7468): RSA of at least
// 2048 bits or ECDSA on P-256, each as PUBLIC KEY, RSA PUBLIC KEY or
// CERTIFICATE, of which only the key is taken. Several are for the time in
// which one takes another's place.
func ParsePEM(text []byte) (Keys, error) {
	var keys fixed
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		key, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		if err := check(key); err != nil {
			return nil, err
		}
		keys = append(keys, jose.JSONWebKey{Key: key})
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no key in PEM form (-----BEGIN PUBLIC KEY-----)")
	}
	return keys, nil
}

func parseBlock(block *pem.Block) (key any, err error) {
	switch {
	case block.Type == "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case block.Type == "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("it holds a private key, which is the client's alone; make its public key with `openssl pkey -pubout`")
	default:
		return nil, fmt.Errorf("it holds a %s; a PUBLIC KEY is needed", block.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("its %s can't be read", block.Type)
	}
	return key, nil
}
