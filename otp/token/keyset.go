// SPDX-License-Identifier: Apache-2.0

package token

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
)

const signingKeyBits = 2048

// keySet is the realm's signing key. It lives in the store, sealed, so that
// every node signs and verifies with the same one.
type keySet struct {
	record otp.Record

	mu  sync.Mutex
	key *signingKey
}

type signingKey struct {
	id      string
	private *rsa.PrivateKey
	public  jose.JSONWebKey
}

func newKeySet(s *otp.Service) *keySet {
	return &keySet{record: s.Record("signing key")}
}

// current loads the key, or makes the realm's first one.
func (k *keySet) current(ctx context.Context) (*signingKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		return k.key, nil
	}
	der, err := k.record.LoadOrCreate(ctx, newSigningKey)
	if err != nil {
		return nil, err
	}
	key, err := parseSigningKey(der)
	if err != nil {
		return nil, err
	}
	k.key = key
	return key, nil
}

func newSigningKey() ([]byte, error) {
	private, err := rsa.GenerateKey(rand.Reader, signingKeyBits)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS1PrivateKey(private), nil
}

func parseSigningKey(der []byte) (*signingKey, error) {
	private, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("signing key in the store: %w", err)
	}
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.RS256), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256) // RFC 7638
	if err != nil {
		return nil, err
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return &signingKey{id: public.KeyID, private: private, public: public}, nil
}
