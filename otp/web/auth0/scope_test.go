// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestUndefinedScopes: an API's own scopes aren't granted, and the answer and
// the token say what is.
func TestUndefinedScopes(t *testing.T) {
	apis := Client{ID: "web", Secret: "correct horse", Audiences: []string{ordersAPI}}
	r := newRig(t, webtest.Options{}, withClients(apis))
	for asked, want := range map[string]string{
		"read:orders":                             "",
		"openid read:orders email write:orders":   "openid email",
		"openid offline_access address openid.. ": "openid offline_access",
		"OPENID Email":                            "",
	} {
		email := r.newEmail()
		a := r.post(t, tokenPath, redeem(apis, "email", email, r.emailCode(t, apis, email)).with("audience", ordersAPI).with("scope", asked))
		a.Want(http.StatusOK)
		if claims := r.verifyToken(t, a.text("access_token")); a.Fields["scope"] != want || claims["scope"] != want {
			t.Errorf("%q: granted %v, in the token %v", asked, a.Fields["scope"], claims["scope"])
		}
	}

	// A renewal that asks for none that exist gets none, not all.
	email := r.newEmail()
	tokens := r.post(t, tokenPath, redeem(apis, "email", email, r.emailCode(t, apis, email)).with("scope", "openid email offline_access"))
	for _, step := range []struct {
		asked any
		want  string
	}{
		{"read:orders", ""},
		{[]string{"read:orders"}, ""},
		{"email read:orders", "email"},
		{"", "openid email offline_access"},
		{nil, "openid email offline_access"},
	} {
		next := r.post(t, tokenPath, refresh(apis, tokens.text("refresh_token")).with("scope", step.asked))
		next.Want(http.StatusOK)
		claims := r.verifyToken(t, next.text("access_token"))
		if next.Fields["scope"] != step.want || claims["scope"] != step.want {
			t.Errorf("%v: granted %v, in the token %v", step.asked, next.Fields["scope"], claims["scope"])
		}
		tokens = next
	}
}
