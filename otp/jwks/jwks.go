// SPDX-License-Identifier: Apache-2.0

// Package jwks verifies signatures by the public keys of somebody else: of a
// PEM file, or of a JSON Web Key Set (RFC 7517) that they publish.
package jwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// ErrUnverified says that a text is no JWS, or that none of the keys made its
// signature.
var ErrUnverified = errors.New("signature can't be verified")

// minRSABits is the shortest RSA key that is taken (RFC 7518 §3.3).
const minRSABits = 2048

// Keys are somebody's public keys.
type Keys interface {
	// Current returns the keys as they are known, or an error that wraps
	// [otp.ErrUnavailable] where they can't be had.
	Current(ctx context.Context) ([]jose.JSONWebKey, error)
	// Newer returns the keys once more where those of Current didn't do, and
	// whether they may be others.
	Newer(ctx context.Context) (keys []jose.JSONWebKey, asked bool)
}

// Verify returns the payload of a JWS in compact form (RFC 7515) that one of
// the keys signed with one of the algorithms. It returns [ErrUnverified], or an
// error of [Keys]. What a token says of its own key besides kid isn't looked at
// (RFC 8725 §3.10).
func Verify(ctx context.Context, keys Keys, raw string, algorithms []jose.SignatureAlgorithm) ([]byte, error) {
	if strings.Count(raw, ".") != 2 {
		return nil, ErrUnverified
	}
	signed, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, ErrUnverified
	}
	known, err := keys.Current(ctx)
	if err != nil {
		return nil, err
	}
	if payload, ok := verifyBy(known, signed); ok {
		return payload, nil
	}
	if newer, asked := keys.Newer(ctx); asked {
		if payload, ok := verifyBy(newer, signed); ok {
			return payload, nil
		}
	}
	return nil, ErrUnverified
}

// verifyBy tries those of the keys that a signature may be by.
func verifyBy(keys []jose.JSONWebKey, signed *jose.JSONWebSignature) ([]byte, bool) {
	header := signed.Signatures[0].Protected
	for _, key := range keys {
		named := header.KeyID == "" || key.KeyID == "" || key.KeyID == header.KeyID
		if !named || !suits(key, jose.SignatureAlgorithm(header.Algorithm)) {
			continue
		}
		if payload, err := signed.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// suits reports whether a key is for an algorithm (RFC 8725 §3.1).
func suits(key jose.JSONWebKey, algorithm jose.SignatureAlgorithm) bool {
	if key.Algorithm != "" && key.Algorithm != string(algorithm) {
		return false
	}
	if _, isRSA := key.Key.(*rsa.PublicKey); isRSA {
		return slices.Contains([]jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.PS256}, algorithm)
	}
	return algorithm == jose.ES256
}

// check refuses a key that nothing may be verified by.
func check(key any) error {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits {
			return fmt.Errorf("an RSA key has %d bits; at least %d are needed", bits, minRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return fmt.Errorf("a key is on the curve %s; P-256 is needed", key.Curve.Params().Name)
		}
		return nil
	}
	return errors.New("a key is neither RSA nor ECDSA")
}
