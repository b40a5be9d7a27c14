// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"context"
	"net/http"
	"sync/atomic"
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

// demands is a directory that may demand a second factor of everybody.
type demands struct{ atomic.Bool }

func (d *demands) Find(context.Context, otp.Address) (otp.Person, error) {
	return otp.Person{MFA: d.Load()}, nil
}

// renewal is a request with a refresh token.
func renewal(c Client, tokens answer) fields {
	return fields{"grant_type": "refresh_token", "client_id": c.ID, "refresh_token": tokens.Text("refresh_token")}
}

// TestDirectoryDemands: somebody of whom the directory demands a second factor
// gets no tokens, by a code or a renewal, and nothing at /userinfo.
func TestDirectoryDemands(t *testing.T) {
	var d demands
	r := newRig(t, webtest.Options{Domain: func(c *otp.Config) { c.Directory = &d }})
	const text = "Multifactor authentication required"
	email := r.newEmail()
	before := r.post(t, "/oauth/token", redeem(native, "email", email, r.emailCode(t, native, email)).with("scope", "openid offline_access"))
	before.Want(http.StatusOK)

	d.Store(true)
	r.Get("/userinfo", webtest.Bearer(before.Text("access_token"))...).Want(http.StatusUnauthorized)
	r.post(t, "/oauth/token", renewal(native, before)).wantRefusal(t, http.StatusForbidden, "mfa_required", text)
	email = r.newEmail()
	right := r.post(t, "/oauth/token", redeem(native, "email", email, r.emailCode(t, native, email)).with("scope", "openid"))
	right.wantRefusal(t, http.StatusForbidden, "mfa_required", text)
	wantNoSession := func() {
		t.Helper()
		sessions, err := r.Service.Sessions(t.Context(), otp.Subject(r.Service.Realm(), otp.RestoreAddress(otp.Email, email)))
		if err != nil || len(sessions) != 0 {
			t.Errorf("%v, %v", sessions, err)
		}
	}
	wantNoSession()
	email = r.newEmail()
	r.post(t, verifyPath, legacy(native, email, r.emailCode(t, native, email))).wantRefusal(t, http.StatusForbidden, "mfa_required", text)
	wantNoSession()
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
