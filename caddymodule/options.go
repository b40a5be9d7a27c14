// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
)

// Options are what can be said of a site. Said in the otp app they are the
// defaults of all sites, said in a realm of its sites; a site's own option
// replaces the default whole, the realm's that of the app.
type Options struct {
	// The site's address as its visitors type it, without a path
	// (`https://app.example.com`). Required. Links, tokens and cookies are
	// made from it, never from what a request calls the site. Plain http is
	// for loopback hosts only. In a realm it is no default: it is the address
	// of the one of its sites at which all of them sign in that share no
	// session cookie with it.
	PublicURL string `json:"public_url,omitempty"`

	// The path below which the login pages are. Default: `/.otp`.
	Path string `json:"path,omitempty"`

	// The wire APIs to answer. Default: `nestauth` and `autional`. The one
	// API `none` turns all off.
	APIs []API `json:"apis,omitempty"`

	// Paths that need a session. Default: none; then everybody passes, and
	// the app is told who is signed in.
	Protect []Protection `json:"protect,omitempty"`

	// Paths that need a second factor in the session, and so a session. Default:
	// none.
	RequireMFA []SecondFactor `json:"require_mfa,omitempty"`

	// Paths that need no session though they are below one that does. The
	// longest path that matches decides; of equals this, so that a site can
	// open what is protected by default.
	Public []string `json:"public,omitempty"`

	// Who may sign in: `*@example.com` (not its subdomains),
	// `*@*.example.com`, `alice@example.org`, `+49*`, or `group:admins` of
	// the directory. Default: everybody.
	// It is asked again on every request of a session.
	Allow []string `json:"allow,omitempty"`

	// Who may not sign in, whatever `allow` says.
	Deny []string `json:"deny,omitempty"`

	// Who may sign in, one by one, and what else is known of them. Who isn't
	// in it may not; `allow` and `deny` judge those who are. Default: none.
	DirectoryRaw json.RawMessage `json:"directory,omitempty" caddy:"namespace=otp.directories inline_key=directory"`

	// How e-mails are sent; the first sender that takes a message delivers
	// it. Required unless `public_url` is a loopback host, where the default
	// is to print them.
	EmailRaw []json.RawMessage `json:"email,omitempty" caddy:"namespace=otp.senders inline_key=sender"`

	// How SMS are sent. Default: they aren't.
	SMSRaw []json.RawMessage `json:"sms,omitempty" caddy:"namespace=otp.senders inline_key=sender"`

	// The countries that SMS are sent to (ISO 3166: `DE`, `US`). Required
	// with `sms`. Numbers elsewhere get the same answers and no message.
	SMSCountries []string `json:"sms_countries,omitempty"`

	// The country of phone numbers that don't begin with `+`. Default: none;
	// such numbers are refused.
	DefaultCountry string `json:"default_country,omitempty"`

	// What the login pages' messages carry: `code`, `link` or `both`.
	// Default: `both`. SMS always carry a code.
	Send string `json:"send,omitempty"`

	// What a code is.
	Code *Code `json:"code,omitempty"`

	// How often codes can be asked for. The limits given for a scope replace
	// that scope's defaults; there is no way to have none.
	Throttles []Throttle `json:"throttles,omitempty"`

	// Networks (`10.0.0.0/8`, `2001:db8::/32`) and addresses (`192.0.2.1`)
	// whose clients the limits of `client_ip` don't count, such as an office's
	// or a monitoring system's. Those of `address` and `global` do. Default:
	// none.
	ThrottleExempt []string `json:"throttle_exempt,omitempty"`

	// The browser's session.
	Session *Session `json:"session,omitempty"`

	// The tokens of the wire APIs.
	Token *Token `json:"token,omitempty"`

	// Second factors. Default: they are there for who needs one, by the
	// methods that the site has senders for and by authenticator apps.
	MFA *MFA `json:"mfa,omitempty"`

	// The headers that tell the app who is signed in. Default: `Remote-User`
	// says `user`, `Remote-Email` `email`, `Remote-Phone` `phone`,
	// `Remote-Groups` `groups` and `Remote-Subject` `subject`. These five are
	// stripped from what clients send whatever the names are.
	Headers []Header `json:"headers,omitempty"`

	// The name of a header with a signed assertion of who is signed in, a JWT
	// of a minute at the most (RS256; `aud` is the site's host), so that an app
	// that others may reach past Caddy can tell their requests from ours. Its
	// keys are at `/.otp/jwks.json`. Default: none.
	Assertion string `json:"assertion,omitempty"`
}

// API turns a wire API on.
type API struct {
	// `nestauth`, `autional`, `auth0` or `none`.
	Name string `json:"name"`

	// Whether all of the API's paths are ours. Otherwise requests on paths
	// that an app may have too (such as `/auth/login`) are the app's, unless
	// they carry something of ours.
	Exclusive bool `json:"exclusive,omitempty"`

	// The foreign web origins (`https://spa.example.com`) whose pages may
	// call the API.
	Origins []string `json:"origins,omitempty"`

	// What `nestauth` sends codes for: `token` is for callers with a token of
	// this realm alone. Default: for everybody.
	SendRequires string `json:"send_requires,omitempty"`

	// What the problem details of `autional` call the service. Default:
	// `identity-service`.
	Service string `json:"service,omitempty"`

	// Whether the problem details of `autional` repeat the values of the
	// fields that are wrong, for who develops a client. They show callers
	// nothing but what they have sent.
	Development bool `json:"development,omitempty"`

	// The applications of `auth0`; it needs at least one.
	Clients []Client `json:"clients,omitempty"`

	// The ways in which codes of `auth0` can be sent: `email`, `sms`. Default:
	// all that have a sender.
	Connections []string `json:"connections,omitempty"`

	// Whom the access tokens of `auth0` are for (`aud`) where the application
	// asks for no audience: an API behind this site, which they open as those of
	// an application's `audiences` do. Default: this site.
	DefaultAudience string `json:"default_audience,omitempty"`
}

// Client is an application of the auth0 API.
type Client struct {
	// The client id.
	ID string `json:"id"`

	// The client secret of at least 32 bytes, best as `{env.NAME}` or
	// `{file.path}`. With neither this nor `jwt_key` the client is public.
	Secret string `json:"secret,omitempty"`

	// Instead of a secret, the client's public keys: it then proves who it is
	// by assertions that it signs (`private_key_jwt`; RS256, RS384, PS256 or
	// ES256). A PEM file, or the URL of a JSON Web Key Set: `https://`, or
	// `http://` where the host is this machine or in a private network.
	JWTKey string `json:"jwt_key,omitempty"`

	// What ID tokens are signed with: `RS256`, or `HS256` with the client's
	// secret. Default: `RS256`.
	Algorithm string `json:"algorithm,omitempty"`

	// `regular`, `spa` or `native`. Default: `regular` with a secret or
	// `jwt_key`, `native` without. An `spa` may not redeem codes at
	// `/oauth/token`.
	Type string `json:"type,omitempty"`

	// The addresses that links and logins may lead to (`redirect_uri`),
	// exactly.
	Callbacks []string `json:"callbacks,omitempty"`

	// The addresses that a logout may lead to (`returnTo`), exactly.
	Logouts []string `json:"logouts,omitempty"`

	// The web origins whose pages may call the API for this client.
	Origins []string `json:"origins,omitempty"`

	// The APIs that the client may ask access tokens for (`audience`), as they
	// name themselves. They are taken to stand behind this site: tokens for them
	// open it, and of the realm's other sites only those that name the API too.
	// Tokens for this site need none. They have no scopes but OpenID Connect's
	// (`openid`, `profile`, `email`, `phone`, `offline_access`): others that are
	// asked for, such as `read:orders`, are left out.
	Audiences []string `json:"audiences,omitempty"`

	// How the client may get tokens: `otp` (by a message's code), `refresh`,
	// `code` (an authorization code), `implicit` (in the address that a
	// browser comes back to). Default: all; an `spa` has no `otp`.
	Grants []string `json:"grants,omitempty"`

	// Whether the client's server names its user's address in the header
	// `auth0-forwarded-for`, by which `throttle client_ip` then counts. It
	// needs a secret or `jwt_key`.
	TrustForwardedFor bool `json:"trust_forwarded_for,omitempty"`
}

// Code says what a code is.
type Code struct {
	// The number of digits, from 6 to 12. Default: `6`.
	Length int `json:"length,omitempty"`

	// How long codes and links sent by e-mail live, at most 10 minutes.
	// Default: `10m` (3 minutes on the auth0 API).
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// How long codes sent by SMS live, at most 10 minutes. Default: `5m` (3
	// minutes on the auth0 API).
	SMSLifetime caddy.Duration `json:"sms_lifetime,omitempty"`

	// How many wrong guesses kill a code, from 1 to 10. Default: `5` (3 on
	// the auth0 API).
	Attempts int `json:"attempts,omitempty"`

	// How many of the codes last asked for stay valid on the login pages,
	// from 1 to 3, so that a late message still works. Default: `3`. The
	// wire APIs keep one.
	Keep int `json:"keep,omitempty"`
}

// Throttle is a limit.
type Throttle struct {
	// What is counted by: `address` (messages to one mailbox or phone;
	// default: 3 a minute, 5 an hour, 10 a day), `client_ip` (starts that
	// no verification follows; default: 50 an hour, IPv6 by /64) or `global`
	// (all starts of the realm together; default: no limit).
	Scope string `json:"scope"`

	// How many events there may be in the window.
	Events int `json:"events"`

	// The window. Events are refilled evenly over it.
	Window caddy.Duration `json:"window"`
}

// Session is what the login pages open.
type Session struct {
	// How long a session lasts, at most 365 days. Default: `7d`.
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// How long a session may rest, at most its lifetime. Default: `24h`.
	Idle caddy.Duration `json:"idle,omitempty"`

	// A parent domain that the cookie is for as well. Default: none; the
	// cookie is for the site's host alone.
	Domain string `json:"domain,omitempty"`

	// The cookie's name. Default: `__Host-otp`, `__Secure-otp` with a domain,
	// `otp` on plain http.
	Cookie string `json:"cookie,omitempty"`
}

// Token is what the wire APIs' sessions are proved by.
type Token struct {
	// How long an access token lives. Default: `1h` (24 hours on the auth0
	// API).
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// How long an API's session lasts, and so its refresh tokens. Default:
	// `30d`.
	Refresh caddy.Duration `json:"refresh,omitempty"`
}

// over returns the options with what they leave open taken from defaults.
func (o Options) over(defaults Options) Options {
	o.PublicURL = nearer(o.PublicURL, defaults.PublicURL)
	o.Path = nearer(o.Path, defaults.Path)
	o.APIs = nearerList(o.APIs, defaults.APIs)
	o.Protect = nearerList(o.Protect, defaults.Protect)
	o.RequireMFA = nearerList(o.RequireMFA, defaults.RequireMFA)
	o.Public = nearerList(o.Public, defaults.Public)
	o.Allow = nearerList(o.Allow, defaults.Allow)
	o.Deny = nearerList(o.Deny, defaults.Deny)
	o.DirectoryRaw = nearerList(o.DirectoryRaw, defaults.DirectoryRaw)
	o.EmailRaw = nearerList(o.EmailRaw, defaults.EmailRaw)
	o.SMSRaw = nearerList(o.SMSRaw, defaults.SMSRaw)
	o.SMSCountries = nearerList(o.SMSCountries, defaults.SMSCountries)
	o.DefaultCountry = nearer(o.DefaultCountry, defaults.DefaultCountry)
	o.Send = nearer(o.Send, defaults.Send)
	o.Code = nearer(o.Code, defaults.Code)
	o.Throttles = nearerThrottles(o.Throttles, defaults.Throttles)
	o.ThrottleExempt = nearerList(o.ThrottleExempt, defaults.ThrottleExempt)
	o.Session = nearer(o.Session, defaults.Session)
	o.Token = nearer(o.Token, defaults.Token)
	o.MFA = nearer(o.MFA, defaults.MFA)
	o.Headers = nearerList(o.Headers, defaults.Headers)
	o.Assertion = nearer(o.Assertion, defaults.Assertion)
	return o
}

func nearer[T comparable](near, far T) T {
	var unset T
	if near == unset {
		return far
	}
	return near
}

func nearerList[T any](near, far []T) []T {
	if len(near) == 0 {
		return far
	}
	return near
}

// nearerThrottles takes each scope from the nearest level that limits it.
func nearerThrottles(near, far []Throttle) []Throttle {
	all := near
	for _, t := range far {
		if len(ofScope(near, t.Scope)) == 0 {
			all = append(all[:len(all):len(all)], t)
		}
	}
	return all
}

func ofScope(throttles []Throttle, scope string) []Throttle {
	var found []Throttle
	for _, t := range throttles {
		if t.Scope == scope {
			found = append(found, t)
		}
	}
	return found
}
