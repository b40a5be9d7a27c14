// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/portal"
)

// parseRealm reads
//
//	realm <name> {
//		# any site option
//	}
//
// of which public_url says where the realm's sites sign in.
func (a *App) parseRealm(d *caddyfile.Dispenser) error {
	name, err := argument(d, "realm", "<name>")
	if err != nil {
		return err
	}
	if err := checkRealmName(name); err != nil {
		return d.WrapErr(err)
	}
	if _, twice := a.Realms[name]; twice {
		return d.Errf("realm %s stands twice; put its options into one block", name)
	}
	var options Options
	if err := parseSiteBlock(d, &options); err != nil {
		return err
	}
	if a.Realms == nil {
		a.Realms = make(map[string]Options)
	}
	a.Realms[name] = options
	return nil
}

// maxRealmName is the longest name of a realm.
const maxRealmName = 63

// checkRealmName allows no dot and no colon: a realm without a name is the
// host of its site's public_url.
func checkRealmName(name string) error {
	odd := strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
	if name == "" || len(name) > maxRealmName || odd {
		return fmt.Errorf("%q can't be the name of a realm; write 1 to %d lower-case letters, digits and -, such as staff", name, maxRealmName)
	}
	return nil
}

// checkRealm refuses the name of a realm that isn't among those that there
// are.
func checkRealm[T any](name string, realms map[string]T) error {
	if _, ok := realms[name]; ok || name == "" {
		return nil
	}
	if len(realms) == 0 {
		return fmt.Errorf("there is no realm %q; write `realm %s` with a block of site options into the otp block of the global options", name, name)
	}
	return fmt.Errorf("there is no realm %q; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(realms)), ", "))
}

// checkRealmOf is checkRealm for a site of a Caddyfile, by what its global otp
// block adapts to.
func checkRealmOf(name string, global any) error {
	var app struct {
		Realms map[string]json.RawMessage `json:"realms"`
	}
	if option, ok := global.(httpcaddyfile.App); ok {
		if err := json.Unmarshal(option.Value, &app); err != nil {
			return err
		}
	}
	return checkRealm(name, app.Realms)
}

func (a *App) checkRealms() error {
	for _, name := range slices.Sorted(maps.Keys(a.Realms)) {
		if err := checkRealmName(name); err != nil {
			return err
		}
	}
	return nil
}

// levels are the options of a site, of its realm and of all sites, the nearest
// first.
func (h *Handler) levels(app *App) ([]Options, error) {
	if err := checkRealm(h.Realm, app.Realms); err != nil {
		return nil, err
	}
	return []Options{h.Options, app.Realms[h.Realm], app.Options}, nil
}

// defaultsOf are the options of a site that it doesn't give itself. Its address
// is never its realm's, which is that of the home.
func defaultsOf(levels []Options) Options {
	_, realm, global := levels[0], levels[1], levels[2]
	defaults := realm.over(global)
	if realm.PublicURL != "" {
		defaults.PublicURL = ""
	}
	return defaults
}

// realmOf returns the realm of a site at an address, by the name that stands
// for it in the store.
func (h *Handler) realmOf(app *App, publicURL *url.URL) (string, error) {
	if h.Realm != "" {
		return h.Realm, nil
	}
	if _, named := app.Realms[publicURL.Host]; named {
		return "", fmt.Errorf("realm %s has the name of this site's host, which is a realm of its own; give the realm another name", publicURL.Host)
	}
	return publicURL.Host, nil
}

// issuer returns the issuer of a site with its APIs' audiences, which shares its
// realm's key with those of the realm's other sites.
func (a *App) issuer(service *otp.Service, audiences []string) *token.Issuer {
	realm := service.Realm()
	if first := a.issuers[realm]; first != nil {
		return first.Beside(service, audiences...)
	}
	a.issuers[realm] = token.NewIssuer(service, audiences...)
	return a.issuers[realm]
}

// home returns the address of the pages at which the visitors of a site sign
// in, or "" where those are the site's own alone: its realm has no home, or
// the site shares the session cookie with it.
func (h *Handler) home(app *App, levels []Options, publicURL *url.URL, path string, repl *caddy.Replacer) (string, error) {
	realm := levels[1]
	if realm.PublicURL == "" {
		return "", nil
	}
	address, err := replaced(repl, "public_url", realm.PublicURL)
	if err != nil {
		return "", fmt.Errorf("realm %s: %w", h.Realm, err)
	}
	home, err := parsePublicURL(address)
	if err != nil {
		return "", fmt.Errorf("realm %s: %w", h.Realm, err)
	}
	defaults := defaultsOf(levels)
	ofHome := Options{Path: defaults.Path, Session: defaults.Session} // what counts here
	if err := ofHome.resolve(repl); err != nil {
		return "", fmt.Errorf("realm %s: %w", h.Realm, err)
	}
	app.homes[h.Realm] = home.Host
	homePath := cmp.Or(ofHome.Path, portal.DefaultPath)
	switch {
	case *home == *publicURL:
		if path != homePath {
			return "", fmt.Errorf("path %s: this is the home of realm %s, whose other sites look for its pages at %s; "+
				"write `path %s` into the realm's block instead", path, h.Realm, homePath, path)
		}
	case sharesCookie(h.Session, ofHome.Session, home):
		return "", nil
	}
	return home.String() + homePath, nil
}

// sharesCookie reports whether a site's session cookie is the home's too,
// which has its realm's options.
func sharesCookie(site, realm *Session, home *url.URL) bool {
	if site == nil || realm == nil || site.Domain == "" {
		return false
	}
	return site.Domain == realm.Domain && site.Cookie == realm.Cookie && realm.checkDomain(home) == nil
}

// checkHomes refuses a home that is no site of its realm. It is asked once all
// sites are known. With a store that several servers share it may be another
// server's.
func (a *App) checkHomes() error {
	_, alone := a.store.module.(*BoltStore)
	for _, realm := range slices.Sorted(maps.Keys(a.homes)) {
		home := a.homes[realm]
		switch of, here := a.sites[home]; {
		case here && of != realm:
			return fmt.Errorf("realm %s: its public_url is that of a site that isn't of the realm; write `otp %s` at %s", realm, realm, home)
		case !here && alone:
			return fmt.Errorf("realm %s: its public_url (%s) is where its sites sign in, and no site's; "+
				"write `otp %s` with this public_url into the site at %s, or remove it from the realm", realm, home, realm, home)
		case !here:
			a.logger.Info("the realm's sites sign in at a site of another server",
				slog.String("realm", realm), slog.String("home", home))
		}
	}
	return nil
}
