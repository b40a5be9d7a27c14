// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestOwnPage has pages of other origins answer for their visitors what the
// site's own pages ask: those of clients too, though they may call the API.
func TestOwnPage(t *testing.T) {
	r := newRig(t, webtest.Options{})
	for name, headers := range map[string][]string{
		"a client's page of another site":  {"Origin", spaOrigin, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"},
		"a client's page of the same site": {"Origin", spaOrigin, "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate"},
		"in an old browser":                {"Origin", spaOrigin},
		"a foreign page":                   {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"},
		"a page that hides":                {"Origin", "null", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"},
	} {
		t.Run(name, func(t *testing.T) {
			attacker := r.newEmail()
			form := url.Values{
				"client_id": {spaWithOrigin.ID}, "connection": {"email"}, "email": {attacker},
				"verification_code": {r.emailCode(t, spaWithOrigin, attacker)}, "redirect_uri": {callback},
			}
			v := r.visitor(t)
			a := v.ask(http.MethodPost, verifyRedirectPath, formBody, form.Encode(), headers...)
			if a.Status != http.StatusForbidden || v.signedIn() {
				t.Errorf("sign-in: %s, signed in: %t", a.said(), v.signedIn())
			}
			if a := v.submit(verifyRedirectPath, form); a.Status != http.StatusSeeOther || !v.signedIn() {
				t.Errorf("by the site's page: %s, signed in: %t", a.said(), v.signedIn())
			}
			a = v.ask(http.MethodPost, logoutPath, formBody, "client_id="+regular.ID, headers...)
			if a.Status != http.StatusForbidden || !v.signedIn() {
				t.Errorf("sign-out: %s, signed in: %t", a.said(), v.signedIn())
			}
		})
	}
}
