// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Name is the dialect's name in sessions, messages and logs.
const Name = "autional"

// The lifetimes where the site sets none; the API documents neither.
const (
	DefaultAccessLifetime  = time.Hour
	DefaultRefreshLifetime = 30 * 24 * time.Hour
)

// prefixes are where the API stands: bare as in its reference pages, where
// its client calls it, and at the base path of its specification.
var prefixes = []string{"", "/identity/api/v1", "/bff/identity-service/api/v1"}

// Config is what the dialect needs. The lifetimes and what has a default may be
// left out.
type Config struct {
	wire.Dialect
	// PagesPath is the path of the site's pages; the types of problems are
	// addresses below it.
	PagesPath string
	// LinkPath is what stands between the site's public URL and the token in
	// a link: that of the page which asks whether to sign in.
	LinkPath string
	// ShowPage answers with a page in the look of the site's own.
	ShowPage func(http.ResponseWriter, wire.Page)
	// ServiceName is what problems call this service. Default:
	// [DefaultServiceName].
	ServiceName string
	// Development makes problems repeat the values of the fields that are
	// wrong.
	Development bool
}

// New returns the dialect.
func New(c Config) wire.API {
	d := dialectOf(c)
	return wire.API{
		Name:      Name,
		Exclusive: c.Exclusive,
		Origins:   c.Origins,
		Endpoints: d.endpoints(),
		Fail:      d.fail,
	}
}

type dialect struct {
	Config
	// challenges seals the sessions that wait for their second factor.
	challenges *token.Sealed
}

func dialectOf(c Config) *dialect {
	c.AccessLifetime = cmp.Or(c.AccessLifetime, DefaultAccessLifetime)
	c.RefreshLifetime = cmp.Or(c.RefreshLifetime, DefaultRefreshLifetime)
	c.LongestSession = max(c.LongestSession, c.RefreshLifetime)
	c.ServiceName = cmp.Or(c.ServiceName, DefaultServiceName)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return &dialect{c, token.NewSealed(c.Service.Keys(), c.Service.Realm(), challengeUse)}
}

// sessionIDSegment names the segment of a path that is a session's id.
const sessionIDSegment = "id"

func (d *dialect) endpoints() []wire.Endpoint {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	const item = "/{" + sessionIDSegment + "}"
	var endpoints []wire.Endpoint
	for _, prefix := range prefixes {
		endpoints = append(endpoints,
			wire.Endpoint{Method: post, Path: prefix + "/auth/send-login-code", Documented: true, Serve: d.answer(d.send)},
			wire.Endpoint{Method: post, Path: prefix + "/auth/login/email-code", Serve: d.answer(d.login(otp.Email))},
			wire.Endpoint{Method: post, Path: prefix + "/auth/login/phone-code", Serve: d.answer(d.login(otp.SMS))},
			wire.Endpoint{Method: post, Path: prefix + "/auth/mfa/verify-challenge", Serve: d.answer(d.verifyChallenge)},
			wire.Endpoint{Method: post, Path: prefix + "/auth/refresh", Owns: ownsRefresh, Serve: d.answer(d.refresh)},
			wire.Endpoint{Method: post, Path: prefix + "/auth/logout", Owns: d.ownsLogout, Serve: d.answer(d.logout)},
			wire.Endpoint{Method: get, Path: prefix + "/auth/me", Owns: d.ownsAccess, Serve: d.answer(d.me)},
			wire.Endpoint{Method: get, Path: prefix + "/auth/me/sessions", Owns: d.ownsAccess, Serve: d.answer(d.sessions)},
			wire.Endpoint{Method: del, Path: prefix + "/auth/me/sessions", Owns: d.ownsAccess, Serve: d.answer(d.endOtherSessions)},
			wire.Endpoint{Method: del, Path: prefix + "/auth/me/sessions" + item, Owns: d.ownsAccess, Serve: d.answer(d.endSession)},
			wire.Endpoint{Method: post, Path: prefix + "/auth/magic-link", Serve: d.answer(d.sendLink)},
			wire.Endpoint{Method: post, Path: prefix + "/auth/magic-link/request", Serve: d.answer(d.sendLink)},
			wire.Endpoint{Method: get, Path: prefix + "/auth/magic-link/confirm", Serve: d.answer(d.showLink)},
			wire.Endpoint{Method: post, Path: prefix + "/auth/magic-link/confirm", Serve: d.answer(d.redeemLink)},
		)
	}
	return append(endpoints, d.explanations()...)
}

func (d *dialect) answer(serve wire.Handler) http.HandlerFunc { return serve.OrFail(d.fail) }

// envelope is the body of an answer that isn't flat; a Code of 0 is success.
type envelope struct {
	Code      int    `json:"code"`
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
	Data      any    `json:"data,omitempty"`
}

func (d *dialect) succeed(w http.ResponseWriter, message string, data any) {
	wire.WriteJSON(w, http.StatusOK, envelope{Message: message, Timestamp: d.now(), Data: data})
}

// now is the time as the API writes it.
func (d *dialect) now() string { return timestamp(d.Issuer.Now()) }

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
