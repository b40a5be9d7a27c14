// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// The cookies of cookie mode.
const (
	accessCookie  = "accessToken"
	refreshCookie = "refreshToken"
	// rememberCookie is 0 where the others end with the browser.
	rememberCookie = "nest_auth_remember"
	// TrustCookie keeps that the device is trusted.
	TrustCookie = "nest_auth_device_trust"
)

// TrustHeader is TrustCookie for clients that keep no cookies.
const TrustHeader = "nest_auth_device_trust"

// TokenCookies are the names of those that hold tokens. An app may have its
// own of these names.
var TokenCookies = []string{accessCookie, refreshCookie}

// wantsCookies reports whether a client asks for cookie mode.
func wantsCookies(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("X-Access-Token-Type"), "cookie")
}

// setCookies gives the browser its tokens, for as long as they live or, where
// it shouldn't remember, until it is closed.
func (d *dialect) setCookies(h http.Header, t tokens, remember bool) {
	access, refresh := d.cookie(accessCookie, t.access), d.cookie(refreshCookie, t.refresh)
	if remember {
		access.MaxAge, refresh.MaxAge = seconds(t.accessAge), seconds(t.refreshAge)
	}
	h.Add("Set-Cookie", access.String())
	h.Add("Set-Cookie", refresh.String())
	if remember {
		d.clearCookie(h, rememberCookie)
	} else {
		h.Add("Set-Cookie", d.cookie(rememberCookie, "0").String())
	}
}

// setTrustCookie has the browser keep that its device is trusted.
func (d *dialect) setTrustCookie(h http.Header, token string) {
	cookie := d.cookie(TrustCookie, token)
	cookie.MaxAge = seconds(d.Service.MFA().TrustedDevice)
	h.Add("Set-Cookie", cookie.String())
}

// trustOf returns what a request says of its device being trusted, or "".
func trustOf(r *http.Request) string {
	if token := r.Header.Get(TrustHeader); token != "" {
		return token
	}
	return cookieValue(r, TrustCookie)
}

func (d *dialect) clearCookies(h http.Header) {
	d.clearCookie(h, accessCookie)
	d.clearCookie(h, refreshCookie)
	d.clearCookie(h, rememberCookie)
}

func (d *dialect) clearCookie(h http.Header, name string) {
	cookie := d.cookie(name, "")
	cookie.MaxAge = -1
	cookie.Expires = time.Unix(0, 0)
	h.Add("Set-Cookie", cookie.String())
}

func (d *dialect) cookie(name, value string) *http.Cookie {
	return &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     "/",
		Secure:   d.SecureCookies,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// seconds is what Max-Age counts in. It is never 0, which would be no age.
func seconds(d time.Duration) int { return max(1, int(d.Round(time.Second)/time.Second)) }

// cookieValue returns the value of the one cookie of a name, or "".
func cookieValue(r *http.Request, name string) string {
	value, _ := wire.SoleCookie(r, name)
	return value
}
