// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// SessionCookie is the cookie of a browser's session: sealed, HttpOnly,
// SameSite=Lax, and Secure unless the site is plain http on a loopback host.
type SessionCookie struct {
	// Name is otp with the prefix that the other fields allow, or the
	// admin's choice.
	Name string
	// Domain is set where the cookie is for a parent domain too.
	Domain string
	Secure bool
	// Idle is how long a session may rest; 0: for ever.
	Idle   time.Duration
	Sealed *token.Sealed
	// Now is the time.
	Now func() time.Time
}

// DefaultCookieName returns the name under which browsers guard a cookie
// best (RFC 6265bis §4.1.3).
func DefaultCookieName(secure bool, domain string) string {
	switch {
	case !secure:
		return "otp"
	case domain != "":
		return "__Secure-otp"
	}
	return "__Host-otp"
}

// Set gives the browser a session, for no longer than until it is closed where
// the session is temporary.
func (c *SessionCookie) Set(h http.Header, x otp.Session) {
	now := c.Now()
	cookie := c.cookie(c.Sealed.Seal(x, now))
	if !x.Temporary {
		cookie.MaxAge = int(x.Expires.Sub(now) / time.Second)
	}
	h.Add("Set-Cookie", cookie.String())
}

// Clear takes the session from the browser.
func (c *SessionCookie) Clear(h http.Header) {
	cookie := c.cookie("")
	cookie.MaxAge = -1
	h.Add("Set-Cookie", cookie.String())
}

func (c *SessionCookie) cookie(value string) *http.Cookie {
	return &http.Cookie{
		Name:     c.Name,
		Value:    value,
		Domain:   c.Domain,
		Path:     "/",
		Secure:   c.Secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// read returns the session in a request's cookie if it holds by its own
// times, and whether it should be set anew: a quarter of its idle time is
// over, or it was sealed under an older secret. The session is shared.
func (c *SessionCookie) read(r *http.Request) (x *otp.Session, renew, ok bool) {
	x, seen, current, ok := c.open(r)
	if !ok {
		return nil, false, false
	}
	now := c.Now()
	if c.isOver(x, seen, now) {
		return nil, false, false
	}
	return x, !current || c.Idle > 0 && now.Sub(seen) >= c.Idle/4, true
}

// Held returns the session in a request's cookie if it holds by its own times.
// Whether it was ended before them isn't asked: that is for [Gate.Identify].
func (c *SessionCookie) Held(r *http.Request) (x otp.Session, ok bool) {
	held, _, ok := c.read(r)
	if !ok {
		return x, false
	}
	return *held, true
}

// readOver returns the session in a request's cookie if it is over by its own
// times.
func (c *SessionCookie) readOver(r *http.Request) (x otp.Session, ok bool) {
	over, seen, _, ok := c.open(r)
	if !ok || !c.isOver(over, seen, c.Now()) {
		return x, false
	}
	return *over, true
}

// open returns the session in a request's cookie, whether or not it holds. It is
// shared.
func (c *SessionCookie) open(r *http.Request) (x *otp.Session, seen time.Time, current, ok bool) {
	value, ok := wire.SoleCookie(r, c.Name)
	if !ok {
		return nil, seen, false, false
	}
	x, seen, current, err := c.Sealed.OpenShared(value)
	return x, seen, current, err == nil
}

func (c *SessionCookie) isOver(x *otp.Session, seen, now time.Time) bool {
	return !now.Before(x.Expires) || c.Idle > 0 && now.Sub(seen) >= c.Idle
}

// hideCookies removes the cookies that hide tells from what the app gets. The
// others stay as they are.
func hideCookies(h http.Header, hide func(name, value string) bool) {
	headers := h["Cookie"]
	if !anyCookie(headers, hide) {
		return
	}
	var kept []string
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ";") {
			part = strings.Trim(part, " \t")
			if name, value, _ := strings.Cut(part, "="); part != "" && !hide(name, value) {
				kept = append(kept, part)
			}
		}
	}
	if kept == nil {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = []string{strings.Join(kept, "; ")}
}

func anyCookie(headers []string, matches func(name, value string) bool) bool {
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ";") {
			if name, value, found := strings.Cut(strings.Trim(part, " \t"), "="); found && matches(name, value) {
				return true
			}
		}
	}
	return false
}
