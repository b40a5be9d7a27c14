// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// HostCookie is a cookie of ours beside the session's: sealed, HttpOnly,
// SameSite=Lax, Secure where the session's is, and for this host alone even
// where sessions are for a whole domain.
type HostCookie struct {
	name    string
	secure  bool
	sealer  *otp.Sealer
	context string
}

// HostCookieName returns the name of the cookie of a use beside a session's.
func HostCookieName(session *SessionCookie, use string) string {
	if host, ok := strings.CutPrefix(session.Name, "__Secure-"); ok {
		return "__Host-" + host + "-" + use
	}
	return session.Name + "-" + use
}

// NewHostCookie returns the cookie of a use, which opens only under the same
// keys and in the same context, such as a realm.
func NewHostCookie(session *SessionCookie, keys *otp.Keys, use, context string) HostCookie {
	return HostCookie{
		name:    HostCookieName(session, use),
		secure:  session.Secure,
		sealer:  keys.Sealer(use + " cookie"),
		context: context,
	}
}

// Set gives the browser a value, sealed as JSON, to keep for a lifetime. Who
// reads it must judge its age: a browser may keep it longer.
func (c HostCookie) Set(h http.Header, value any, lifetime time.Duration) error {
	plain, err := wire.Compact(value)
	if err != nil {
		return err
	}
	cookie := c.cookie(c.sealer.SealText(plain, c.context))
	cookie.MaxAge = int(lifetime / time.Second)
	h.Add("Set-Cookie", cookie.String())
	return nil
}

// Clear takes the cookie from the browser.
func (c HostCookie) Clear(h http.Header) {
	cookie := c.cookie("")
	cookie.MaxAge = -1
	h.Add("Set-Cookie", cookie.String())
}

func (c HostCookie) cookie(value string) *http.Cookie {
	return &http.Cookie{
		Name:     c.name,
		Value:    value,
		Path:     "/",
		Secure:   c.secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// Read fills value with what a request brings along, and reports whether that
// is one of ours.
func (c HostCookie) Read(r *http.Request, value any) bool {
	text, ok := wire.SoleCookie(r, c.name)
	if !ok {
		return false
	}
	plain, _, err := c.sealer.OpenText(text, c.context)
	return err == nil && json.Unmarshal(plain, value) == nil
}
