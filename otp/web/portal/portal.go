// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Name is the dialect's, in challenges, sessions and logs.
const Name = "portal"

// DefaultPath is where the pages are unless the site says otherwise.
const DefaultPath = "/.otp"

// Config is what the pages need. All but FinishLink, Home and Logger is required.
type Config struct {
	// Gate knows who is signed in; its service and its cookie are the pages'.
	Gate *gate.Gate
	// Path is what the pages are below, without a slash at its end.
	Path string
	// SiteName is what the pages call the site, such as its host.
	SiteName string
	// Send is what e-mails carry. SMS always carry a code alone.
	Send otp.Form
	Code otp.CodePolicy
	// SessionLifetime is how long a session lasts.
	SessionLifetime time.Duration
	// LongestSession is the longest that a session of the site lasts,
	// whichever API opened it; at least SessionLifetime.
	LongestSession time.Duration
	// FinishLink has, for each further dialect whose links open here, what
	// answers once the link is redeemed and the session's cookie is set.
	FinishLink map[string]func(w http.ResponseWriter, r *http.Request, l otp.Link, v otp.Verification)
	// Home is the address of the pages at which all sites of the realm sign in
	// (https://login.example.com/.otp); it may be that of these. Empty: at
	// their own.
	Home   string
	Logger *slog.Logger
}

type portal struct {
	Config
	service   *otp.Service
	attempts  attempts
	handoffs  handoffs
	catalogue *text.Catalogue
}

// LoginPath returns the path of the login page below the pages' path.
func LoginPath(path string) string { return path + "/login" }

// MFAPath returns the path, below the pages' path, of the page where a session
// gets its second factor.
func MFAPath(path string) string { return path + "/mfa" }

// LinkPath returns what stands between the site's address and the token in a
// link.
func LinkPath(path string) string { return path + "/link?" + tokenField + "=" }

// NewPages returns the pages of a site.
func NewPages(c Config) Pages {
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.LongestSession = max(c.LongestSession, c.SessionLifetime)
	p := &portal{
		Config:    c,
		service:   c.Gate.Service,
		attempts:  newAttempts(c.Gate),
		handoffs:  newHandoffs(c.Gate, c.Path),
		catalogue: text.NewCatalogue(),
	}
	return Pages{p}
}

func (p *portal) api() wire.API {
	login := func(w http.ResponseWriter, _ *http.Request) { redirect(w, LoginPath(p.Path)) }
	api := wire.API{
		Name: Name,
		Endpoints: []wire.Endpoint{
			p.endpoint(http.MethodGet, "", login),
			p.endpoint(http.MethodGet, "/", login),
			p.endpoint(http.MethodGet, "/login", p.showLogin),
			p.endpoint(http.MethodPost, "/login", p.answer(p.login)),
			p.endpoint(http.MethodGet, "/verify", p.showVerify),
			p.endpoint(http.MethodPost, "/verify", p.answer(p.verify)),
			p.endpoint(http.MethodGet, "/link", p.showLink),
			p.endpoint(http.MethodPost, "/link", p.answer(p.redeemLink)),
			p.endpoint(http.MethodGet, "/form", p.showForm),
			p.endpoint(http.MethodPost, "/form", p.dropForm),
			p.endpoint(http.MethodGet, "/mfa", p.answer(p.showMFA)),
			p.endpoint(http.MethodPost, "/mfa", p.answer(p.postMFA)),
			p.endpoint(http.MethodGet, "/logout", p.showLogout),
			p.endpoint(http.MethodPost, "/logout", p.answer(p.logout)),
			p.endpoint(http.MethodGet, "/sessions", p.answer(p.showSessions)),
			p.endpoint(http.MethodPost, "/sessions", p.answer(p.endSession)),
			p.endpoint(http.MethodGet, "/session", p.Gate.ServeSession),
			p.endpoint(http.MethodGet, "/jwks.json", p.Gate.ServeKeys),
		},
		Fail: p.fail,
	}
	if p.Home != "" {
		api.Endpoints = append(api.Endpoints, p.endpoint(http.MethodGet, handoffPath, p.handoff))
	}
	return api
}

func (p *portal) endpoint(method, path string, serve http.HandlerFunc) wire.Endpoint {
	return wire.Endpoint{Method: method, Path: p.Path + path, Documented: true, Serve: serve}
}

func (p *portal) answer(serve wire.Handler) http.HandlerFunc { return serve.OrFail(p.fail) }

// redirect sends the browser to another page, by GET.
func redirect(w http.ResponseWriter, path string) {
	w.Header().Set("Location", path)
	w.WriteHeader(http.StatusSeeOther)
}
