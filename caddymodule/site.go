// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web"
	"github.com/caddy-otp/caddy-otp/otp/web/auth0"
	"github.com/caddy-otp/caddy-otp/otp/web/autional"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/nestauth"
	"github.com/caddy-otp/caddy-otp/otp/web/portal"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// The defaults of a site.
const (
	defaultCodeLength      = 6
	defaultCodeLifetime    = 10 * time.Minute
	defaultSMSLifetime     = 5 * time.Minute
	defaultAttempts        = 5
	defaultKeep            = 3
	defaultSessionLifetime = 7 * 24 * time.Hour
	defaultSessionIdle     = 24 * time.Hour
	defaultTokenLifetime   = time.Hour
	defaultRefresh         = 30 * 24 * time.Hour

	// Auth0's own documented figures, the defaults of its API.
	auth0CodeLifetime  = 3 * time.Minute
	auth0Attempts      = 3
	auth0TokenLifetime = 24 * time.Hour
)

// newSite builds a site from the handler's options, with those of the app
// already merged in.
func (h *Handler) newSite(ctx caddy.Context, app *App) (*web.Site, error) {
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
	site, err := h.newSiteAt(ctx, app, publicURL, repl)
	if err != nil {
		return nil, fmt.Errorf("site %s: %w", publicURL, err)
	}
	return site, nil
}

func (h *Handler) newSiteAt(ctx caddy.Context, app *App, publicURL *url.URL, repl *caddy.Replacer) (*web.Site, error) {
	if err := checkPublic(h.Options, app.Options); err != nil {
		return nil, err
	}
	if err := h.resolve(repl); err != nil {
		return nil, err
	}
	if err := h.check(publicURL); err != nil {
		return nil, err
	}
	if err := app.claimRealm(publicURL.Host); err != nil {
		return nil, err
	}
	service, err := h.newService(ctx, app, publicURL)
	if err != nil {
		return nil, err
	}
	issuer := token.NewIssuer(service)
	app.issuers = append(app.issuers, issuer)
	cookie := h.sessionCookie(service)
	path := cmp.Or(h.Path, portal.DefaultPath)
	door := gate.New(gate.Config{
		Service:       service,
		Issuer:        issuer,
		Cookie:        cookie,
		Rules:         gate.NewRules(h.Protect, h.Public),
		LoginPath:     portal.LoginPath(path),
		TokenCookies:  h.tokenCookies(),
		HiddenCookies: []string{portal.StartCookieName(cookie)},
		OnIdentity:    setUser,
	})
	apis := h.newAPIs(service, issuer, door, path, ctx.Slogger())
	if err := checkPagesApart(path, apis[1:]); err != nil {
		return nil, err
	}
	pages := apis[0]
	door.Unavailable = pages.Fail
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

// resolve puts the values of placeholders into the options.
func (o *Options) resolve(repl *caddy.Replacer) error {
	texts := map[string]*string{
		"path":            &o.Path,
		"default_country": &o.DefaultCountry,
		"send":            &o.Send,
	}
	if o.Session != nil {
		session := *o.Session // shared with other sites
		o.Session = &session
		texts["session domain"] = &session.Domain
		texts["session cookie"] = &session.Cookie
	}
	if err := replaceAll(repl, texts); err != nil {
		return err
	}
	lists := map[string]*[]string{
		"protect": &o.Protect, "public": &o.Public, "allow": &o.Allow, "deny": &o.Deny, "sms_countries": &o.SMSCountries,
	}
	for _, option := range slices.Sorted(maps.Keys(lists)) {
		if err := replaceList(repl, option, lists[option]); err != nil {
			return err
		}
	}
	apis := make([]API, len(o.APIs))
	for i, api := range o.APIs {
		if err := api.resolve(repl); err != nil {
			return fmt.Errorf("api %s: %w", api.Name, err)
		}
		apis[i] = api
	}
	o.APIs = apis
	return nil
}

func (api *API) resolve(repl *caddy.Replacer) error {
	if err := replaceList(repl, "origin", &api.Origins); err != nil {
		return err
	}
	clients := make([]Client, len(api.Clients))
	for i, c := range api.Clients {
		if err := c.resolve(repl); err != nil {
			return fmt.Errorf("client %s: %w", api.Clients[i].ID, err)
		}
		clients[i] = c
	}
	api.Clients = clients
	return nil
}

func (c *Client) resolve(repl *caddy.Replacer) error {
	if err := replaceAll(repl, map[string]*string{"id": &c.ID, "secret": &c.Secret, "type": &c.Type}); err != nil {
		return err
	}
	if c.Secret != "" {
		if err := checkSecret(c.Secret); err != nil {
			return err
		}
	}
	if err := replaceList(repl, "callback", &c.Callbacks); err != nil {
		return err
	}
	return replaceList(repl, "origin", &c.Origins)
}

// check judges all options together, for configurations that come as JSON and
// for the values of placeholders.
func (o *Options) check(publicURL *url.URL) error {
	checks := []error{checkAPIs(o.APIs), checkThrottles(o.Throttles)}
	if o.Path != "" {
		checks = append(checks, checkPagesPath(o.Path))
	}
	if o.Send != "" {
		checks = append(checks, checkSend(o.Send))
	}
	if o.DefaultCountry != "" {
		checks = append(checks, checkCountry(o.DefaultCountry))
	}
	for _, country := range o.SMSCountries {
		checks = append(checks, checkCountry(country))
	}
	for _, path := range o.Protect {
		checks = append(checks, of("protect", checkRulePath)(path))
	}
	for _, path := range o.Public {
		checks = append(checks, of("public", checkRulePath)(path))
	}
	if o.Code != nil {
		checks = append(checks, o.Code.check())
	}
	if o.Token != nil {
		checks = append(checks, o.Token.check())
	}
	if o.Session != nil {
		checks = append(checks, o.Session.check(), o.Session.checkIdle(), o.Session.checkDomain(publicURL))
	}
	checks = append(checks, o.checkReachable())
	if len(o.SMSRaw) > 0 && len(o.SMSCountries) == 0 {
		checks = append(checks, errors.New("sms needs `sms_countries <CC>...`: fraudsters ask for codes to expensive countries, so say where your users are"))
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) checkDomain(publicURL *url.URL) error {
	host := publicURL.Hostname()
	domain := strings.ToLower(s.Domain)
	if domain != "" && host != domain && !strings.HasSuffix(host, "."+domain) {
		return fmt.Errorf("session domain %q: the site is %s, which isn't below it; write a parent domain of the site, or leave it out", s.Domain, host)
	}
	if publicURL.Scheme == "http" && hasCookiePrefix(s.Cookie) {
		return fmt.Errorf("session cookie %q: browsers take names with this prefix over https only; write a name without it", s.Cookie)
	}
	return nil
}

// hasCookiePrefix reports whether browsers bind a cookie's name to https
// (RFC 6265bis §4.1.3).
func hasCookiePrefix(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "__host-") || strings.HasPrefix(name, "__secure-")
}

func (h *Handler) newService(ctx caddy.Context, app *App, publicURL *url.URL) (*otp.Service, error) {
	allow, err := patterns(h.Allow)
	if err != nil {
		return nil, fmt.Errorf("allow: %w", err)
	}
	deny, err := patterns(h.Deny)
	if err != nil {
		return nil, fmt.Errorf("deny: %w", err)
	}
	senders, err := h.loadAllSenders(ctx, isLoopback(publicURL.Hostname()))
	if err != nil {
		return nil, err
	}
	composer, err := text.NewComposer(text.Options{Host: publicURL.Host})
	if err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	return otp.NewService(otp.Config{
		Realm:          publicURL.Host,
		PublicURL:      publicURL,
		Keys:           app.keys,
		Store:          app.store,
		Courier:        app.courier,
		Watch:          app.watch,
		Composer:       composer,
		Senders:        senders,
		Admission:      otp.Admission{Allow: allow, Deny: deny},
		Countries:      h.SMSCountries,
		DefaultCountry: h.DefaultCountry,
		Throttles:      throttles(h.Throttles),
		Timeout:        app.timeout,
		Logger:         ctx.Slogger(),
	}), nil
}

func patterns(texts []string) ([]otp.Pattern, error) {
	var all []otp.Pattern
	for _, text := range texts {
		p, err := otp.ParsePattern(text)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// throttles returns the limits, with the defaults of the scopes that have no
// line.
func throttles(lines []Throttle) otp.Throttles {
	limits := otp.DefaultThrottles()
	for scope, limit := range map[otp.Scope]*[]otp.Throttle{
		otp.ScopeAddress: &limits.Address, otp.ScopeClientIP: &limits.ClientIP,
	} {
		own := ofScope(lines, string(scope))
		if len(own) == 0 {
			continue
		}
		*limit = nil
		for _, line := range own {
			*limit = append(*limit, otp.Throttle{Events: line.Events, Window: time.Duration(line.Window)})
		}
	}
	return limits
}

// loadAllSenders loads the senders of both channels. On a loopback site
// e-mails are printed where nothing is said of them.
func (h *Handler) loadAllSenders(ctx caddy.Context, loopback bool) (map[otp.Channel][]otp.Sender, error) {
	if len(h.EmailRaw) == 0 {
		if !loopback {
			return nil, errors.New("otp needs a way to send e-mails; write one of: " +
				"`email smtp <host:port> { from <address> }` or `email http <url>`; " +
				"to try things out, `email log insecure` prints the codes")
		}
		h.EmailRaw = []json.RawMessage{json.RawMessage(`{"sender":"log"}`)}
	}
	senders := make(map[otp.Channel][]otp.Sender)
	email, err := ctx.LoadModule(h, "EmailRaw")
	if err != nil {
		return nil, fmt.Errorf("email: %w", err)
	}
	if senders[otp.Email], err = loadSenders(email, otp.Email, loopback); err != nil {
		return nil, err
	}
	if len(h.SMSRaw) == 0 {
		return senders, nil
	}
	sms, err := ctx.LoadModule(h, "SMSRaw")
	if err != nil {
		return nil, fmt.Errorf("sms: %w", err)
	}
	senders[otp.SMS], err = loadSenders(sms, otp.SMS, loopback)
	return senders, err
}

func (h *Handler) sessionCookie(service *otp.Service) *gate.SessionCookie {
	var session Session
	if h.Session != nil {
		session = *h.Session
	}
	secure := service.PublicURL().Scheme == "https"
	return &gate.SessionCookie{
		Name:   cmp.Or(session.Cookie, gate.DefaultCookieName(secure, session.Domain)),
		Domain: session.Domain,
		Secure: secure,
		Idle:   cmp.Or(time.Duration(session.Idle), defaultSessionIdle),
		Sealed: token.NewSealed(service.Keys(), service.Realm(), "cookie"),
		Now:    time.Now,
	}
}

func (h *Handler) sessionLifetime() time.Duration {
	if h.Session == nil {
		return defaultSessionLifetime
	}
	return cmp.Or(time.Duration(h.Session.Lifetime), defaultSessionLifetime)
}

// codePolicy returns what a code is, with an API's defaults for what the
// options leave open.
func (h *Handler) codePolicy(lifetime, smsLifetime time.Duration, attempts, keep int) otp.CodePolicy {
	var code Code
	if h.Code != nil {
		code = *h.Code
	}
	return otp.CodePolicy{
		Length:      cmp.Or(code.Length, defaultCodeLength),
		Lifetime:    cmp.Or(time.Duration(code.Lifetime), lifetime),
		SMSLifetime: cmp.Or(time.Duration(code.SMSLifetime), smsLifetime),
		Attempts:    cmp.Or(code.Attempts, attempts),
		Keep:        keep,
	}
}

// checkPagesApart refuses a path of the pages that an API has paths below.
func checkPagesApart(path string, apis []wire.API) error {
	for _, api := range apis {
		for _, e := range api.Endpoints {
			if strings.HasPrefix(e.Path, path+"/") || e.Path == path {
				return fmt.Errorf("path %s is taken: api %s answers %s; write another one, such as %s", path, api.Name, e.Path, portal.DefaultPath)
			}
		}
	}
	return nil
}

// apiLines are the APIs to answer.
func (o *Options) apiLines() []API {
	if len(o.APIs) == 0 {
		return []API{{Name: "nestauth"}, {Name: "autional"}}
	}
	return o.APIs
}

// tokenCookies are those in which an API's browser clients keep their tokens.
func (o *Options) tokenCookies() []string {
	for _, api := range o.apiLines() {
		if api.Name == "nestauth" {
			return nestauth.TokenCookies
		}
	}
	return nil
}

// newAPIs returns the pages, first, and the wire APIs that are on.
func (h *Handler) newAPIs(service *otp.Service, issuer *token.Issuer, door *gate.Gate, path string, logger *slog.Logger) []wire.API {
	var tokens Token
	if h.Token != nil {
		tokens = *h.Token
	}
	accessLifetime := time.Duration(tokens.Lifetime)
	refreshLifetime := cmp.Or(time.Duration(tokens.Refresh), defaultRefresh)

	var apis []wire.API
	finishLink := make(map[string]func(http.ResponseWriter, *http.Request, otp.Link, otp.Verification))
	for _, api := range h.apiLines() {
		base := wire.Dialect{
			Service:         service,
			Issuer:          issuer,
			Code:            h.codePolicy(defaultCodeLifetime, defaultSMSLifetime, defaultAttempts, 1),
			AccessLifetime:  cmp.Or(accessLifetime, defaultTokenLifetime),
			RefreshLifetime: refreshLifetime,
			Exclusive:       api.Exclusive,
			Origins:         origins(api.Origins),
			Logger:          logger,
		}
		switch api.Name {
		case "nestauth":
			apis = append(apis, nestauth.New(nestauth.Config{
				Dialect:        base,
				LongestSession: max(refreshLifetime, h.sessionLifetime()),
				SecureCookies:  service.PublicURL().Scheme == "https",
			}))
		case "autional":
			apis = append(apis, autional.New(autional.Config{Dialect: base, PagesPath: path}))
		case "auth0":
			base.Code = h.codePolicy(auth0CodeLifetime, auth0CodeLifetime, auth0Attempts, 1)
			base.AccessLifetime = cmp.Or(accessLifetime, auth0TokenLifetime)
			dialect := auth0.New(auth0.Config{
				Dialect:  base,
				Clients:  auth0Clients(api.Clients),
				LinkPath: portal.LinkPath(path),
			})
			apis = append(apis, dialect.API())
			finishLink["auth0"] = dialect.FinishLink
		}
	}
	pages := portal.New(portal.Config{
		Gate:            door,
		Path:            path,
		SiteName:        service.Realm(),
		Code:            h.codePolicy(defaultCodeLifetime, defaultSMSLifetime, defaultAttempts, h.keep()),
		Send:            otp.Form(cmp.Or(h.Send, string(otp.FormBoth))),
		SessionLifetime: h.sessionLifetime(),
		FinishLink:      finishLink,
		Logger:          logger,
	})
	return append([]wire.API{pages}, apis...)
}

func (h *Handler) keep() int {
	if h.Code == nil {
		return defaultKeep
	}
	return cmp.Or(h.Code.Keep, defaultKeep)
}

func auth0Clients(lines []Client) []auth0.Client {
	var clients []auth0.Client
	for _, c := range lines {
		clients = append(clients, auth0.Client{
			ID:        c.ID,
			Secret:    c.Secret,
			Type:      auth0.ClientType(c.Type),
			Callbacks: c.Callbacks,
			Origins:   origins(c.Origins),
		})
	}
	return clients
}

// origins returns web origins in the form that browsers write them.
func origins(texts []string) []string {
	var all []string
	for _, text := range texts {
		if u, err := parseOrigin(text); err == nil { // checked before
			all = append(all, u.String())
		}
	}
	return all
}
