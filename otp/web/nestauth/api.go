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
	// SendNeedsToken has codes sent only for callers with a token of the
	// realm, whichever API gave it.
	SendNeedsToken bool
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
		{Method: get, Path: "/auth/me", Owns: d.ownsAccess, Serve: d.describe(d.authenticateOrPending, d.me)},
		{Method: get, Path: "/auth/user", Owns: d.ownsAccess, Serve: d.describe(d.authenticateOwn, d.user)},
		{Method: get, Path: "/auth/verify-session", Owns: d.ownsAccess, Serve: d.describe(d.authenticateOrPending, verifiedSession)},
		{Method: get, Path: "/auth/client-config", Owns: ownsNothing, Serve: d.answer(d.clientConfig)},
		{Method: post, Path: "/auth/mfa/challenge", Documented: true, Serve: d.mfa(d.authenticateOrPending, d.challenge)},
		{Method: post, Path: "/auth/mfa/verify", Serve: d.mfa(d.authenticateOrPending, d.verifyFactor)},
	}
	for _, e := range []struct {
		method, name string
		authenticate authentication
		serve        mfaHandler
	}{
		{post, "verify-recovery-code", d.authenticateOrPending, d.verifyRecoveryCode},
		{get, "status", d.authenticateOrPending, d.mfaStatus},
		{post, "toggle", d.authenticateOwn, d.toggle},
		{post, "generate-recovery-code", d.authenticateOwn, d.generateRecoveryCodes},
		{post, "reset-totp", d.authenticateOrPending, d.resetTOTP},
		{post, "setup-totp", d.authenticateOwn, d.setUpTOTP},
		{post, "verify-totp-setup", d.authenticateOwn, d.confirmTOTP},
		{get, "devices", d.authenticateOwn, d.listDevices},
		{http.MethodDelete, "devices/{id}", d.authenticateOwn, d.removeDevice},
	} {
		endpoints = append(endpoints, wire.Endpoint{
			Method: e.method,
			Path:   "/auth/mfa/" + e.name,
			Owns:   d.ownsAccess,
			Serve:  d.mfa(e.authenticate, e.serve),
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
