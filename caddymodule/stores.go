// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
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

// reconfigurer is a Store whose open store can go on with a configuration that
// differs in what isn't its identity, such as a password.
type reconfigurer interface {
	Reconfigure(open OpenStore) error
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
	// measured is the store as the domain uses it.
	measured otp.Store
	// watch runs while the store is open.
	watch *otp.Watch
	// breakers are those of the realms, by name, which reloads don't reset.
	breakers sync.Map

	opened  atomic.Pointer[OpenStore]
	opening sync.Mutex
	closed  bool
	// running are the configurations that run, the newest last.
	running []Store
}

// loadStore returns the pool's store of a module.
func loadStore(module Store, logger *slog.Logger) (*pooledStore, error) {
	value, _, err := stores.LoadOrNew(module.Identity(), func() (caddy.Destructor, error) {
		p := &pooledStore{module: module, logger: logger}
		p.measured = meters.measured(p, module)
		p.watch = otp.NewWatch(p.measured, module.Patience(), logger)
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*pooledStore), nil
}

// breaker returns the breaker of a realm.
func (p *pooledStore) breaker(realm string) *otp.Breaker {
	b, _ := p.breakers.LoadOrStore(realm, otp.NewBreaker(time.Now))
	return b.(*otp.Breaker)
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

// adopt makes the store go by a configuration that begins to run.
func (p *pooledStore) adopt(module Store) error {
	p.opening.Lock()
	defer p.opening.Unlock()
	if err := p.goBy(module); err != nil {
		return err
	}
	p.running = append(p.running, module)
	return nil
}

// abandon ends what adopt began: the store goes by the newest configuration
// that still runs, also where a newer one was given up at its start.
func (p *pooledStore) abandon(module Store) error {
	p.opening.Lock()
	defer p.opening.Unlock()
	p.running = slices.DeleteFunc(p.running, func(s Store) bool { return s == module })
	if len(p.running) == 0 {
		return nil
	}
	return p.goBy(p.running[len(p.running)-1])
}

func (p *pooledStore) goBy(module Store) error {
	if store := p.opened.Load(); store != nil && module != p.module {
		if m, ok := module.(reconfigurer); ok {
			if err := m.Reconfigure(*store); err != nil {
				return err
			}
		}
	}
	p.module = module
	p.watch.Allow(module.Patience())
	return nil
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

func (p *pooledStore) Unlock(ctx context.Context, h otp.Handle) error {
	store, err := p.open()
	if err != nil {
		return err
	}
	return store.Unlock(ctx, h)
}

func (p *pooledStore) Claim(ctx context.Context, realms []string, limit int, lease time.Duration) ([]otp.Lease, error) {
	store, err := p.open()
	if err != nil {
		return nil, err
	}
	return store.Claim(ctx, realms, limit, lease)
}

func (p *pooledStore) Settle(ctx context.Context, ends ...otp.Settlement) error {
	store, err := p.open()
	if err != nil {
		return err
	}
	return store.Settle(ctx, ends...)
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
