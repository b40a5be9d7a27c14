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
	"sync/atomic"

	"github.com/go-jose/go-jose/v4"

	"github.com/caddy-otp/caddy-otp/otp"
)

const signingKeyBits = 2048

// keySet is the realm's signing key. It lives in the store, sealed, so that
// every node signs and verifies with the same one.
type keySet struct {
	record otp.Record

	key atomic.Pointer[signingKey]

	mu      sync.Mutex
	loading *keyLoad
}

// keyLoad is a question to the store that all who need the key share: with a
// store that hangs they would otherwise wait for one another.
type keyLoad struct {
	done chan struct{}
	key  *signingKey
	err  error
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
	if key := k.key.Load(); key != nil {
		return key, nil
	}
	k.mu.Lock()
	load := k.loading
	if load == nil {
		load = &keyLoad{done: make(chan struct{})}
		k.loading = load
		go k.load(context.WithoutCancel(ctx), load)
	}
	k.mu.Unlock()
	select {
	case <-load.done:
		return load.key, load.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", otp.ErrUnavailable, ctx.Err())
	}
}

func (k *keySet) load(ctx context.Context, load *keyLoad) {
	defer close(load.done)
	der, err := k.record.LoadOrCreate(ctx, newSigningKey)
	if err == nil {
		load.key, err = parseSigningKey(der)
	}
	load.err = err
	if err == nil {
		k.key.Store(load.key)
	}
	k.mu.Lock()
	k.loading = nil
	k.mu.Unlock()
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
