// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestAudienceAtTheGate: an access token that a client got for an API opens the
// sites that have the API, and no other site of the realm. Whose token
// it is, is known everywhere, and it can be revoked.
func TestAudienceAtTheGate(t *testing.T) {
	apis := Client{ID: "web", Secret: "correct horse", Audiences: []string{ordersAPI, stockAPI}, Callbacks: []string{callback}}
	const there = "https://there.example.com"
	here := newRig(t, webtest.Options{Protect: []string{"/private"}, Audiences: []string{ordersAPI, stockAPI}}, withClients(apis))
	beside := newRig(t, webtest.Options{Protect: []string{"/private"}, Audiences: []string{stockAPI}, Beside: here.Site, Origin: there}, withClients(apis))
	for _, test := range []struct {
		name, asked, scope     string
		hereOpens, besideOpens bool
		info                   int // at /userinfo here
	}{
		{"no API", "", "email", true, true, 200},
		{"no API, with openid", "", "openid", true, true, 200},
		{"an API of this site alone", ordersAPI, "email", true, false, 401},
		{"an API of this site alone, with openid", ordersAPI, "openid", true, false, 200},
		{"an API of both", stockAPI, "openid", true, true, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			email := here.newEmail()
			a := here.post(t, tokenPath, redeem(apis, "email", email, here.emailCode(t, apis, email)).
				with("scope", test.scope).with("audience", test.asked))
			a.Want(http.StatusOK)
			for r, opens := range map[*rig]bool{here: test.hereOpens, beside: test.besideOpens} {
				private := r.do(t, http.MethodGet, "/private", "", "", bearer(a)...)
				if private.FromApp() != opens || opens && private.Header.Get("X-Remote-User") != email || !opens && private.Status != http.StatusUnauthorized {
					t.Errorf("%s/private: %d %s", r.dialect.Issuer.URL(), private.Status, private.Body)
				}
				public := r.do(t, http.MethodGet, "/", "", "", bearer(a)...)
				if !public.FromApp() || (public.Header.Get("X-Remote-User") == email) != opens {
					t.Errorf("%s: the app is told %q", r.dialect.Issuer.URL(), public.Header.Get("X-Remote-User"))
				}
			}
			info := here.do(t, http.MethodGet, userinfoPath, "", "", bearer(a)...)
			if info.Want(test.info); test.info == http.StatusUnauthorized {
				info.wantRefusal(t, http.StatusUnauthorized, "unauthorized", "Unauthorized")
			}
			// It names the other site's address nowhere, and is ours nevertheless.
			elsewhere := beside.do(t, http.MethodGet, userinfoPath, "", "", bearer(a)...)
			elsewhere.wantRefusal(t, http.StatusUnauthorized, "unauthorized", "Unauthorized")
			if got := elsewhere.Header.Get("WWW-Authenticate"); !strings.Contains(got, `error="invalid_token"`) {
				t.Errorf("WWW-Authenticate %s", got)
			}

			here.post(t, revokePath, fields{"client_id": apis.ID, "client_secret": apis.Secret, "token": a.text("access_token")}).Want(http.StatusOK)
			if here.do(t, http.MethodGet, "/private", "", "", bearer(a)...).FromApp() {
				t.Error("it is revoked, and opens")
			}
		})
	}
}
