// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Name is the dialect's name in sessions, messages and logs.
const Name = "nestauth"

// The documented lifetimes.
const (
	DefaultAccessLifetime  = time.Hour
	DefaultRefreshLifetime = 30 * 24 * time.Hour
)

// Config is what the dialect needs. The lifetimes may be left out.
type Config struct {
	wire.Dialect
	// SecureCookies is set unless the site is plain http.
	SecureCookies bool
}

// New returns the dialect.
func New(c Config) wire.API {
	c.AccessLifetime = cmp.Or(c.AccessLifetime, DefaultAccessLifetime)
	c.RefreshLifetime = cmp.Or(c.RefreshLifetime, DefaultRefreshLifetime)
	c.LongestSession = max(c.LongestSession, c.RefreshLifetime)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	d := &dialect{c}
	return wire.API{
		Name:      Name,
		Exclusive: c.Exclusive,
		Origins:   c.Origins,
		Endpoints: d.endpoints(),
		Fail:      d.fail,
	}
}

type dialect struct{ Config }

func (d *dialect) endpoints() []wire.Endpoint {
	const get, post = http.MethodGet, http.MethodPost
	endpoints := []wire.Endpoint{
		{Method: post, Path: "/auth/passwordless/send", Documented: true, Serve: d.answer(d.send)},
		{Method: post, Path: "/auth/login", Owns: isPasswordlessLogin, Serve: d.answer(d.login)},
		{Method: post, Path: "/auth/refresh-token", Owns: d.ownsRefresh, Serve: d.answer(d.refresh)},
		{Method: post, Path: "/auth/logout", Owns: d.ownsAny, Serve: d.answer(d.logout)},
		{Method: post, Path: "/auth/logout-all", Owns: d.ownsAccess, Serve: d.answer(d.logoutAll)},
		{Method: get, Path: "/auth/me", Owns: d.ownsAccess, Serve: d.describe(me)},
		{Method: get, Path: "/auth/user", Owns: d.ownsAccess, Serve: d.describe(user)},
		{Method: get, Path: "/auth/verify-session", Owns: d.ownsAccess, Serve: d.describe(verifiedSession)},
		{Method: get, Path: "/auth/client-config", Owns: ownsNothing, Serve: d.answer(d.clientConfig)},
		{Method: post, Path: "/auth/mfa/challenge", Documented: true, Serve: d.answer(d.mfa)},
		{Method: post, Path: "/auth/mfa/verify", Serve: d.answer(d.mfa)},
	}
	for _, e := range []struct{ method, name string }{
		{post, "verify-recovery-code"},
		{get, "status"},
		{post, "toggle"},
		{post, "generate-recovery-code"},
		{post, "reset-totp"},
		{post, "setup-totp"},
		{post, "verify-totp-setup"},
		{get, "devices"},
	} {
		endpoints = append(endpoints, wire.Endpoint{
			Method: e.method,
			Path:   "/auth/mfa/" + e.name,
			Owns:   d.ownsAccess,
			Serve:  d.answer(d.mfa),
		})
	}
	return endpoints
}

func (d *dialect) answer(serve wire.Handler) http.HandlerFunc { return serve.OrFail(d.fail) }

// ownsNothing leaves a path to the app unless the dialect is exclusive.
func ownsNothing(*http.Request) bool { return false }

// message is the body of an answer that says only that it worked.
type message struct {
	Message string `json:"message"`
}
