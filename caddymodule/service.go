// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
)

func (h *Handler) newService(ctx caddy.Context, app *App, realm string, publicURL *url.URL) (*otp.Service, error) {
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
	directory, directoryName, err := h.loadDirectory(ctx)
	if err != nil {
		return nil, err
	}
	limits := throttles(h.Throttles)
	if limits.Exempt, err = networks(h.ThrottleExempt); err != nil {
		return nil, err
	}
	composer, err := text.NewComposer(text.Options{Host: publicURL.Host})
	if err != nil {
		return nil, fmt.Errorf("public_url: %w", err)
	}
	return otp.NewService(otp.Config{
		Realm:          realm,
		PublicURL:      publicURL,
		Keys:           app.keys,
		Store:          app.store.measured,
		Courier:        app.courier,
		Watch:          app.watch,
		Composer:       composer,
		Senders:        senders,
		Directory:      directory,
		DirectoryName:  directoryName,
		Admission:      otp.Admission{Allow: allow, Deny: deny},
		Countries:      h.SMSCountries,
		DefaultCountry: h.DefaultCountry,
		Throttles:      limits,
		Breaker:        app.store.breaker(realm),
		MFA:            h.mfaPolicy(),
		Observer:       app.observe(realm, h.dialects(), senders, h.mfaPolicy()),
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
		otp.ScopeAddress: &limits.Address, otp.ScopeClientIP: &limits.ClientIP, otp.ScopeGlobal: &limits.Global,
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

// longestSession is the longest that a session of the site's realm lasts, whether
// pages or an API opened it. One of auth0's without a refresh token ends with
// its access token; a named realm's other sites, which may be other servers',
// have lifetimes of their own.
func (h *Handler) longestSession() time.Duration {
	if h.Realm != "" {
		return maxSessionLifetime
	}
	var tokens Token
	if h.Token != nil {
		tokens = *h.Token
	}
	return max(h.sessionLifetime(), cmp.Or(time.Duration(tokens.Refresh), defaultRefresh), cmp.Or(time.Duration(tokens.Lifetime), auth0TokenLifetime))
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
