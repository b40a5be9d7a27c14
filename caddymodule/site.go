// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp/web"
	"github.com/caddy-otp/caddy-otp/otp/web/auth0"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/portal"
)

// newSite builds a site from the handler's options, with those of the farther
// levels already merged in.
func (h *Handler) newSite(ctx caddy.Context, app *App, levels []Options) (*web.Site, error) {
	if h.PublicURL == "" && levels[1].PublicURL != "" {
		return nil, errors.New("otp needs the site's own address; write `public_url https://app.example.com` into its block (the realm's is where its sites sign in)")
	}
	if h.PublicURL == "" {
		return nil, errors.New("otp needs the site's address; write `public_url https://app.example.com` into its block")
	}
	repl := caddy.NewReplacer()
	address, err := replaced(repl, "public_url", h.PublicURL)
	if err != nil {
		return nil, err
	}
	publicURL, err := parsePublicURL(address)
	if err != nil {
		return nil, err
	}
	h.publicURL = publicURL
	site, err := h.newSiteAt(ctx, app, levels, publicURL, repl)
	if err != nil {
		return nil, fmt.Errorf("site %s: %w", publicURL, err)
	}
	return site, nil
}

func (h *Handler) newSiteAt(ctx caddy.Context, app *App, levels []Options, publicURL *url.URL, repl *caddy.Replacer) (*web.Site, error) {
	if err := checkPublic(levels); err != nil {
		return nil, err
	}
	if err := h.resolve(repl); err != nil {
		return nil, err
	}
	if err := h.check(publicURL); err != nil {
		return nil, err
	}
	realm, err := h.realmOf(app, publicURL)
	if err != nil {
		return nil, err
	}
	if err := app.claimSite(publicURL.Host, realm); err != nil {
		return nil, err
	}
	service, err := h.newService(ctx, app, realm, publicURL)
	if err != nil {
		return nil, err
	}
	app.services = append(app.services, service)
	issuer := app.issuer(service, h.audiences())
	cookie := h.sessionCookie(service)
	path := cmp.Or(h.Path, portal.DefaultPath)
	home, err := h.home(app, levels, publicURL, path, repl)
	if err != nil {
		return nil, err
	}
	door := gate.New(gate.Config{
		Service:       service,
		Issuer:        issuer,
		Cookie:        cookie,
		Rules:         h.rules(),
		Identity:      h.identity(),
		LoginPath:     portal.LoginPath(path),
		FormPath:      portal.FormPath(path),
		MFAPath:       portal.MFAPath(path),
		TokenCookies:  h.tokenCookies(),
		TrustCookie:   h.trustCookie(),
		HiddenCookies: append(auth0.HiddenCookies(cookie), portal.StartCookieName(cookie), portal.HandoffCookieName(cookie)),
		OnIdentity:    setUser,
		OnDecision:    countDecisions(realm),
	})
	apis, err := h.newAPIs(service, issuer, door, path, home, ctx.Slogger())
	if err != nil {
		return nil, err
	}
	if err := checkPagesApart(path, apis[1:]); err != nil {
		return nil, err
	}
	pages := apis[0]
	door.FailPage = pages.Fail
	return web.NewSite(web.Config{
		Gate:      door,
		APIs:      apis,
		Origin:    publicURL.String(),
		PagesPath: path,
		FailPath:  pages.Fail,
		Caller:    caller,
		OnAnswer:  keepFromAccessLog,
		Logger:    ctx.Slogger(),
	}), nil
}
