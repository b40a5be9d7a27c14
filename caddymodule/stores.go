// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
)

const storeNamespace = "otp.stores"

// Store is a guest module in the namespace otp.stores: where codes, throttles
// and sessions are kept, configured but not opened.
type Store interface {
	// Identity names the resource: two configurations with the same identity
	// share one store, also across reloads.
	Identity() string
	// Secret returns the secret that is kept with the store, for
	// deployments that configure none, or an error that says to configure
	// one. It changes nothing.
	Secret() ([]byte, error)
	// Keep writes a secret that Secret made, if it isn't written yet.
	Keep(secret []byte) error
	// Open opens the store.
	Open(logger *slog.Logger) (OpenStore, error)
	// Patience is how long an operation may take.
	Patience() time.Duration
}

// OpenStore is a store in use.
type OpenStore interface {
	otp.Store
	io.Closer
}

// stores are the stores of all configurations, so that a reload goes on with
// the one that is open, and still hears of revocations for requests that came
// in under an earlier one. Their values hold data only; limits and keys belong
// to the configurations.
var stores = caddy.NewUsagePool()

// pooledStore is a store that is opened with its first use: Caddy may serve
// requests before an app is started, and `caddy validate` starts nothing.
type pooledStore struct {
	module Store
	secret []byte
	logger *slog.Logger
	// watch runs while the store is open.
	watch *otp.Watch

	opened  atomic.Pointer[OpenStore]
	opening sync.Mutex
	closed  bool
}

// loadStore returns the pool's store of a module.
func loadStore(module Store, logger *slog.Logger) (*pooledStore, error) {
	value, _, err := stores.LoadOrNew(module.Identity(), func() (caddy.Destructor, error) {
		p := &pooledStore{module: module, logger: logger}
		p.watch = otp.NewWatch(p, module.Patience(), logger)
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*pooledStore), nil
}

// keptSecret returns the secret that is kept with the store. One that is made
// now is written when the store is opened.
func (p *pooledStore) keptSecret() ([]byte, error) {
	p.opening.Lock()
	defer p.opening.Unlock()
	if p.secret != nil {
		return p.secret, nil
	}
	secret, err := p.module.Secret()
	if err == nil && p.opened.Load() != nil {
		err = p.module.Keep(secret)
	}
	if err != nil {
		return nil, err
	}
	p.secret = secret
	return secret, nil
}

// Destruct closes the store when no configuration uses it any more.
func (p *pooledStore) Destruct() error {
	p.opening.Lock()
	defer p.opening.Unlock()
	p.closed = true
	if store := p.opened.Load(); store != nil {
		p.watch.Stop()
		return (*store).Close()
	}
	return nil
}

// open returns the store, opened.
func (p *pooledStore) open() (otp.Store, error) {
	if store := p.opened.Load(); store != nil {
		return *store, nil
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	if store := p.opened.Load(); store != nil {
		return *store, nil
	}
	if p.closed {
		return nil, fmt.Errorf("%w: it is closed", otp.ErrUnavailable)
	}
	if p.secret != nil {
		if err := p.module.Keep(p.secret); err != nil {
			return nil, fmt.Errorf("%w: %w", otp.ErrUnavailable, err)
		}
	}
	store, err := p.module.Open(p.lasting())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", otp.ErrUnavailable, err)
	}
	p.opened.Store(&store)
	p.watch.Start()
	return store, nil
}

func (p *pooledStore) Start(ctx context.Context, c otp.Challenge, m *otp.Envelope, charges ...otp.Charge) (otp.Outcome, error) {
	store, err := p.open()
	if err != nil {
		return otp.Outcome{}, err
	}
	return store.Start(ctx, c, m, charges...)
}

func (p *pooledStore) Verify(ctx context.Context, g otp.Guess, s otp.SessionRecord, charges ...otp.Charge) (otp.Outcome, error) {
	store, err := p.open()
	if err != nil {
		return otp.Outcome{}, err
	}
	return store.Verify(ctx, g, s, charges...)
}

func (p *pooledStore) Claim(ctx context.Context, realms []string, limit int, lease time.Duration) ([]otp.Lease, error) {
	store, err := p.open()
	if err != nil {
		return nil, err
	}
	return store.Claim(ctx, realms, limit, lease)
}

func (p *pooledStore) Settle(ctx context.Context, l otp.Lease, again time.Duration) error {
	store, err := p.open()
	if err != nil {
		return err
	}
	return store.Settle(ctx, l, again)
}

func (p *pooledStore) Renew(ctx context.Context, id otp.SessionID, old []otp.Tag, next otp.Tag) (otp.SessionRecord, error) {
	store, err := p.open()
	if err != nil {
		return otp.SessionRecord{}, err
	}
	return store.Renew(ctx, id, old, next)
}

func (p *pooledStore) Revoke(ctx context.Context, r otp.Revocation) error {
	store, err := p.open()
	if err != nil {
		return err
	}
	return store.Revoke(ctx, r)
}

func (p *pooledStore) Sessions(ctx context.Context, owner string) ([]otp.SessionRecord, error) {
	store, err := p.open()
	if err != nil {
		return nil, err
	}
	return store.Sessions(ctx, owner)
}

func (p *pooledStore) Revocations(ctx context.Context, since otp.Cursor) ([]otp.Revocation, otp.Cursor, error) {
	store, err := p.open()
	if err != nil {
		return nil, since, err
	}
	return store.Revocations(ctx, since)
}

func (p *pooledStore) Get(ctx context.Context, key string) ([]byte, error) {
	store, err := p.open()
	if err != nil {
		return nil, err
	}
	return store.Get(ctx, key)
}

func (p *pooledStore) Swap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	store, err := p.open()
	if err != nil {
		return false, err
	}
	return store.Swap(ctx, key, old, next, ttl)
}

// Interface guards
var (
	_ otp.Store        = (*pooledStore)(nil)
	_ caddy.Destructor = (*pooledStore)(nil)
)
