// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-otp/caddy-otp/otp/web"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

func init() { caddy.RegisterModule((*Handler)(nil)) }

// Handler gives the app behind it passwordless login: it answers the login
// pages and the paths of the wire APIs, and passes everything else on. The
// app learns who is signed in from the headers Remote-User, Remote-Email,
// Remote-Phone, Remote-Groups and Remote-Subject, or others of the site's
// choice, which no client can set. Other directives have the placeholders
// `{http.auth.user.id}` (the subject, which access logs show), and
// `{http.auth.user.*}` for `user`, `email`, `phone`, `groups`, `subject`,
// `method` and `mfa`; they are empty where nobody is signed in.
//
// It must stand before everything that rewrites paths or answers for the
// app, once in a site and without a matcher: it guards those headers on
// every request.
type Handler struct {
	// The realm that the site belongs to, of those that the otp app has.
	// Default: one of its own.
	Realm string `json:"realm,omitempty"`

	Options

	logger      *zap.Logger
	site        *web.Site
	publicURL   *url.URL
	warnProxies sync.Once
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.otp", New: func() caddy.Module { return new(Handler) }}
}

// Provision builds the site from its options and the otp app's.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	module, err := ctx.App("otp")
	if err != nil {
		return err
	}
	app := module.(*App)
	levels, err := h.levels(app)
	if err != nil {
		return err
	}
	defaults := defaultsOf(levels)
	if len(h.SMSCountries) > 0 && len(h.SMSRaw) == 0 && len(defaults.SMSRaw) == 0 {
		return errors.New("sms_countries has no sender; write `sms <sender>`, or remove it")
	}
	h.Options = h.Options.over(defaults)
	h.site, err = h.newSite(ctx, app, levels)
	return err
}

// ServeHTTP answers what is ours and passes everything else on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if caddyhttp.GetVar(r.Context(), servedVar) != nil {
		return caddyhttp.Error(http.StatusInternalServerError,
			errors.New("two otp directives serve one request; a site has one"))
	}
	caddyhttp.SetVar(r.Context(), servedVar, true)
	h.warnOfSpoofableProxies(r)
	return h.site.ServeHTTP(w, r, next.ServeHTTP)
}

// servedVar marks requests that an otp handler has seen.
const servedVar = "otp_served"

// warnOfSpoofableProxies says that client addresses are read from the end of
// X-Forwarded-For that clients write themselves.
func (h *Handler) warnOfSpoofableProxies(r *http.Request) {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	if !ok || !trusted || server.TrustedProxiesStrict > 0 {
		return
	}
	h.warnProxies.Do(func() {
		h.logger.Warn("trusted_proxies without trusted_proxies_strict reads X-Forwarded-For from its left end, " +
			"which clients can write: throttles by client_ip can be evaded; add trusted_proxies_strict to the server's options")
	})
}

// caller tells who makes a request, as Caddy's own trusted_proxies say.
func caller(r *http.Request) wire.Caller {
	var c wire.Caller
	if text, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok {
		c.IP, _ = netip.ParseAddr(text) // invalid: a client without an address
	}
	c.RequestID = func() (id string) {
		if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			id, _ = repl.GetString("http.request.uuid") // which Caddy makes once
		}
		return id
	}
	c.Trace = func() wire.Trace { return tracedSpan(r) }
	return c
}

// keepFromAccessLog keeps a request of ours out of Caddy's access log, which
// would hold the tokens in its address; a line without them is logged instead.
func keepFromAccessLog(r *http.Request) {
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
