// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/portal"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Name is the dialect's name: that of its API, its challenges and its
// sessions.
const Name = "auth0"

// The paths, at the root of the site.
const (
	startPath          = "/passwordless/start"
	tokenPath          = "/oauth/token"
	revokePath         = "/oauth/revoke"
	userinfoPath       = "/userinfo"
	jwksPath           = "/.well-known/jwks.json"
	discoveryPath      = "/.well-known/openid-configuration"
	verifyPath         = "/passwordless/verify"
	verifyRedirectPath = "/passwordless/verify_redirect"
	crossOriginPath    = "/co/authenticate"
	authorizePath      = "/authorize"
	logoutPath         = "/v2/logout"
)

// Config is what a [Dialect] needs. AccessLifetime is that of ID tokens too,
// and of a session without a refresh token; it has no default.
type Config struct {
	wire.Dialect
	// Clients may use the API, each under an id of its own.
	Clients []Client
	// Connections are the channels that the clients may use. Empty: all that
	// have a sender.
	Connections []otp.Channel
	// DefaultAudience is whom access tokens are for where a client asks for
	// none. Empty: this site.
	DefaultAudience string
	// LinkPath is what stands between the site's public URL and the token in
	// a link: where the pages redeem links.
	LinkPath string
	// Pages are the site's own: who is signed in there is so for the clients.
	Pages portal.Pages
	// SessionLifetime is how long such a session lasts.
	SessionLifetime time.Duration
}

// Dialect is the API of one site.
type Dialect struct {
	Config
	clients map[string]Client
	// tickets are those of cross-origin authentication, and binding the cookie
	// of the browser that asked for one.
	tickets otp.Once
	binding gate.HostCookie
	// requests is the cookie of a request that is too long for an address, and
	// freshness seals when a login was asked for.
	requests  gate.HostCookie
	freshness *otp.Sealer
	// assertions are those that were presented.
	assertions otp.Once
}

// New returns the dialect of c.
func New(c Config) *Dialect {
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	d := &Dialect{Config: c, clients: make(map[string]Client, len(c.Clients))}
	service := c.Service
	cookie := c.Pages.Gate.Cookie
	d.tickets = service.Once("auth0 login ticket", ticketLifetime)
	d.binding = gate.NewHostCookie(cookie, service.Keys(), bindingUse, service.Realm())
	d.requests = gate.NewHostCookie(cookie, service.Keys(), requestUse, service.Realm())
	d.freshness = service.Keys().Sealer("auth0 fresh login")
	d.assertions = c.Service.Once("client assertion", assertionsRemembered)
	for _, client := range c.Clients {
		d.clients[client.ID] = client.resolve()
	}
	return d
}

// API returns the dialect as a site serves it. Its origins are the dialect's
// and its clients'; a callback alone opens nothing.
func (d *Dialect) API() wire.API {
	api := wire.API{
		Name:      Name,
		Exclusive: d.Exclusive,
		Origins:   slices.Clone(d.Origins),
		Endpoints: []wire.Endpoint{
			{Method: http.MethodPost, Path: startPath, Documented: true, Serve: d.answer(d.serveStart)},
			{Method: http.MethodPost, Path: tokenPath, Owns: d.ownsClient, Serve: d.answer(d.serveToken)},
			{Method: http.MethodPost, Path: revokePath, Owns: d.ownsClient, Serve: d.answer(d.serveRevoke)},
			{Method: http.MethodGet, Path: userinfoPath, Owns: d.ownsBearer, Serve: d.answer(d.serveUserinfo)},
			{Method: http.MethodPost, Path: userinfoPath, Owns: d.ownsBearer, Serve: d.answer(d.serveUserinfo)},
		},
		Fail: d.fail,
	}
	if len(d.clients) > 0 {
		api.Endpoints = append(api.Endpoints,
			wire.Endpoint{Method: http.MethodGet, Path: jwksPath, Serve: d.answer(d.serveJWKS)},
			wire.Endpoint{Method: http.MethodGet, Path: discoveryPath, Serve: d.serveDiscovery},
		)
		api.Endpoints = append(api.Endpoints, d.browserEndpoints()...)
	}
	for _, client := range d.Clients {
		for _, origin := range client.Origins {
			if !slices.Contains(api.Origins, origin) {
				api.Origins = append(api.Origins, origin)
			}
		}
	}
	return api
}

func (d *Dialect) answer(serve wire.Handler) http.HandlerFunc { return serve.OrFail(d.fail) }

// browserEndpoints are those that sign a browser in or out. The first two paths
// are passwordless by name and so always ours; on the others, which an app with
// an OAuth server of its own has too, the client id decides.
func (d *Dialect) browserEndpoints() []wire.Endpoint {
	const get, post = http.MethodGet, http.MethodPost
	return []wire.Endpoint{
		{Method: post, Path: verifyPath, Serve: d.answer(d.serveVerify)},
		{Method: get, Path: verifyRedirectPath, Serve: d.answer(d.serveVerifyRedirect)},
		{Method: post, Path: verifyRedirectPath, Serve: d.answer(d.redeemVerifyRedirect)},
		{Method: post, Path: crossOriginPath, Owns: d.namesClient, Serve: d.answer(d.serveCrossOrigin)},
		{Method: get, Path: authorizePath, Owns: d.namesClient, Serve: d.answer(d.serveAuthorize)},
		{Method: get, Path: logoutPath, Owns: d.ownsLogout, Serve: d.answer(d.serveLogout)},
		{Method: post, Path: logoutPath, Owns: d.ownsLogout, Serve: d.answer(d.confirmLogout)},
	}
}

// namesClient reports whether a request names one of our clients in its query
// or its body. Any client_id of several counts: which of them a server behind
// would take is unknown.
func (d *Dialect) namesClient(r *http.Request) bool {
	return slices.ContainsFunc(r.URL.Query()["client_id"], d.hasClient) || d.ownsClient(r)
}

// ownsClient reports whether a request names one of our clients, in its body or
// its Authorization header.
func (d *Dialect) ownsClient(r *http.Request) bool {
	if id, _, ok := r.BasicAuth(); ok {
		if id, err := url.QueryUnescape(id); err == nil && d.hasClient(id) {
			return true
		}
	}
	o, err := wire.Parse(r, oauthBodies)
	return err == nil && d.hasClient(o.Text("client_id"))
}

func (d *Dialect) hasClient(id string) bool {
	_, ok := d.clients[id]
	return ok
}

// ownsBearer reports whether a request carries a token of this realm.
func (d *Dialect) ownsBearer(r *http.Request) bool {
	return d.Issuer.Issued(r.Context(), wire.Bearer(r))
}
