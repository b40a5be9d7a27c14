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

// TestRequiredAtRefresh: a session that another site of the realm opened, which
// demands no second factor, gets no tokens of one that does.
func TestRequiredAtRefresh(t *testing.T) {
	r := newRig(t, webtest.Options{})
	strict := newRig(t, webtest.Options{
		Origin: "https://strict.example.com",
		Beside: r.Site,
		Domain: func(c *otp.Config) { c.MFA = otp.MFAPolicy{Required: true} },
	})
	raw := r.login(t, regular, "offline_access").text("refresh_token")
	if a := strict.post(t, "/oauth/token", refresh(regular, raw)); a.text("access_token") != "" {
		t.Errorf("answers %s", a.outcome())
	}
}
