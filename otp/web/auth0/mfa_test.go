// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestNoSecondFactor: this API has no way to ask for one, so where the site
// demands one the right code opens nothing. A wrong one doesn't tell.
func TestNoSecondFactor(t *testing.T) {
	r := newRig(t, webtest.Options{Domain: func(c *otp.Config) { c.MFA = otp.MFAPolicy{Required: true} }})
	email := r.newEmail()
	code := r.emailCode(t, native, email)
	wrong := r.post(t, "/oauth/token", redeem(native, "email", email, webtest.OtherCode(code)))
	wrong.wantRefusal(t, http.StatusForbidden, "invalid_grant", "Wrong email or verification code.")
	right := r.post(t, "/oauth/token", redeem(native, "email", email, code))
	right.wantRefusal(t, http.StatusForbidden, "mfa_required", "Multifactor authentication required")
	sessions, err := r.Service.Sessions(t.Context(), otp.Subject(r.Service.Realm(), otp.RestoreAddress(otp.Email, email)))
	if err != nil || len(sessions) != 0 {
		t.Errorf("%v, %v", sessions, err)
	}
}

// renewal is a request with a refresh token.
func renewal(c Client, tokens answer) fields {
	return fields{"grant_type": "refresh_token", "client_id": c.ID, "refresh_token": tokens.Text("refresh_token")}
}

// TestSiteHopping: what a site of the realm gave without a second factor is
// worth nothing, and renews nothing, at one that demands it.
func TestSiteHopping(t *testing.T) {
	open := newRig(t, webtest.Options{})
	strict := newRig(t, webtest.Options{
		Beside: open.Site,
		Origin: "https://strict.example.com",
		Domain: func(c *otp.Config) { c.MFA = otp.MFAPolicy{Required: true} },
	})
	email := open.newEmail()
	a := open.post(t, "/oauth/token", redeem(native, "email", email, open.emailCode(t, native, email)).with("scope", "openid offline_access"))
	bearer := webtest.Bearer(a.Text("access_token"))
	open.Get("/userinfo", bearer...).Want(http.StatusOK)
	strict.Get("/userinfo", bearer...).Want(http.StatusUnauthorized)
	strict.post(t, "/oauth/token", renewal(native, a)).
		wantRefusal(t, http.StatusForbidden, "mfa_required", "Multifactor authentication required")
}
