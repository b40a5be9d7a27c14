// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
)

func init() { caddy.RegisterModule(App{}) }

// App is what all sites with passwordless login share: the secrets and the
// store. Any option of a site may stand here too, as the default for all.
type App struct {
	// Secrets of at least 32 bytes each, best as `{env.NAME}` or
	// `{file.path}`. The first signs and seals, every one verifies and opens,
	// and the last derives the names in the store: put new ones in front and
	// keep the last one last. Default with bolt: one that is made and kept
	// beside the database. Redis requires one.
	Secrets []string `json:"secrets,omitempty"`

	// Where codes, throttles and sessions are kept. Default: `bolt`.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=otp.stores inline_key=store"`

	// What sites share that belong together, by the names under which they
	// ask for it. Whoever is signed in at one site of a realm is so at all of
	// them. Default: each site is a realm of its own.
	Realms map[string]Options `json:"realms,omitempty"`

	// Defaults for all sites.
	Options

	ctx     caddy.Context // for Start, which has none of its own
	logger  *slog.Logger
	poolKey string
	module  Store // where the store is, in this configuration's words
	store   *pooledStore
	keys    *otp.Keys
	timeout time.Duration
	courier *otp.Courier
	watch   *otp.Watch
	issuers map[string]*token.Issuer // by realm
	sites   map[string]string        // the realms, by the hosts of public URLs
	homes   map[string]string        // the hosts of homes, by realm
	// services are those of the sites.
	services []*otp.Service
	// dismiss ends what the watch does for this configuration.
	dismiss func()

	// standing and events tell admins how things are and what happens.
	standing  *standing
	events    *events
	observers []*siteObserver
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "otp", New: func() caddy.Module { return new(App) }}
}

// Provision resolves the secrets and finds the store. It opens nothing.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.logger = ctx.Slogger()
	a.issuers = make(map[string]*token.Issuer)
	a.sites = make(map[string]string)
	a.homes = make(map[string]string)
	if err := a.checkRealms(); err != nil {
		return err
	}
	secrets, err := a.resolveSecrets()
	if err != nil {
		return err
	}
	module, err := a.loadStoreModule(ctx)
	if err != nil {
		return err
	}
	a.module = module
	a.store, err = loadStore(module, a.logger)
	if err != nil {
		return err
	}
	a.poolKey = module.Identity() // Cleanup runs after a failed Provision too
	if len(secrets) == 0 {
		secret, err := a.store.keptSecret()
		if err != nil {
			return err
		}
		secrets = [][]byte{secret}
	}
	if a.keys, err = otp.NewKeys(secrets...); err != nil {
		return fmt.Errorf("%w; make one with `openssl rand -base64 32`", err)
	}
	a.timeout = module.Patience()
	a.courier = otp.NewCourier(a.store.measured, a.timeout, a.logger)
	a.watch = a.store.watch
	a.standing = newStanding(a.watch)
	if err := meters.register(ctx.GetMetricsRegistry(), a.standing); err != nil {
		return err
	}
	a.events, err = newEvents(ctx, a.logger, a.runs)
	return err
}

// runs reports whether the app is that of the configuration that runs: then all
// apps are started.
func (a *App) runs() bool {
	app, err := caddy.ActiveContext().AppIfConfigured("otp")
	return err == nil && app == any(a)
}

func (a *App) resolveSecrets() ([][]byte, error) {
	repl := caddy.NewReplacer()
	var secrets [][]byte
	for _, text := range a.Secrets {
		secret, err := replaced(repl, "secret", text)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, []byte(secret))
	}
	return secrets, nil
}

func (a *App) loadStoreModule(ctx caddy.Context) (Store, error) {
	if a.StoreRaw == nil {
		store := new(BoltStore)
		return store, store.Provision(ctx)
	}
	module, err := ctx.LoadModule(a, "StoreRaw")
	if err != nil {
		return nil, fmt.Errorf("loading the store: %w", err)
	}
	store, ok := module.(Store)
	if !ok {
		return nil, fmt.Errorf("%T is no store", module)
	}
	return store, nil
}

// claimSite makes sure that a site has one set of options.
func (a *App) claimSite(host, realm string) error {
	if _, twice := a.sites[host]; twice {
		return errors.New("two otp directives have this public_url; give each site its own " +
			"(a site whose addresses have several ports counts once for each port)")
	}
	a.sites[host] = realm
	return nil
}

// Start opens the store, whose revocations are followed from then on, and
// begins to deliver messages.
func (a *App) Start() error {
	if err := checkPlacement(a.ctx); err != nil {
		return err
	}
	if err := a.checkHomes(); err != nil {
		return err
	}
	a.warnOfOrder()
	a.warnOfTrustHeader()
	a.warnOfAddresses()
	if err := a.store.adopt(a.module); err != nil {
		return err
	}
	if err := a.store.start(a.ctx); err != nil {
		return errors.Join(err, a.store.abandon(a.module))
	}
	for _, o := range a.observers {
		o.meters.show(o.channels, o.factors)
	}
	a.events.start()
	a.courier.Start()
	a.dismiss = a.watch.Appoint(a.logger, a.services...)
	// A new site's first visitor needn't wait for its signing key to be made.
	// Where the store isn't there yet, whoever needs the key loads it.
	go func() {
		for _, issuer := range a.issuers { // one of each realm, for its key
			_ = issuer.Prepare(context.Background())
		}
	}()
	return nil
}

// Stop ends what Start began; messages that wait go back to the outbox.
func (a *App) Stop() error {
	a.courier.Stop()
	a.dismiss()
	a.events.stop()
	return a.store.abandon(a.module)
}

// Cleanup gives up the store.
func (a *App) Cleanup() error {
	if a.poolKey == "" {
		return nil
	}
	_, err := stores.Delete(a.poolKey)
	return err
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
