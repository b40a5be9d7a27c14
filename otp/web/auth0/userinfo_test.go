// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestUserinfo: each scope has its claims, and who has no token that holds is
// told so as RFC 6750 has it.
func TestUserinfo(t *testing.T) {
	r := newRig(t, webtest.Options{SMS: true}, func(c *Config) { c.Exclusive = true })
	bySMS := func(scope string) answer {
		phone := r.newPhone()
		a := r.post(t, tokenPath, redeem(native, "sms", phone, r.smsCode(t, native, phone)).with("scope", scope))
		a.Want(http.StatusOK)
		return a
	}
	for _, test := range []struct {
		name  string
		login answer
		want  string
	}{
		{"no scope", r.login(t, native, ""), ""},
		{"not openid", r.login(t, native, "profile email"), ""},
		{"openid", r.login(t, native, "openid"), "sub"},
		{"profile", r.login(t, native, "openid profile"), "name nickname sub updated_at"},
		{"email", r.login(t, native, "openid email"), "email email_verified sub"},
		{"phone, signed in by e-mail", r.login(t, native, "openid phone"), "sub"},
		{"phone", bySMS("openid phone"), "phone_number phone_number_verified sub"},
		{"email, signed in by SMS", bySMS("openid email"), "sub"},
		{"a scope that nobody defines", r.login(t, native, "openid read:orders"), "sub"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			a := r.do(t, method, userinfoPath, "", "", bearer(test.login)...)
			a.Want(http.StatusOK)
			if got := strings.Join(slices.Sorted(maps.Keys(a.Fields)), " "); got != test.want {
				t.Errorf("%s, %s: %q, want %q", test.name, method, got, test.want)
			}
			for name := range a.Fields {
				if !slices.Contains(claimNames, name) {
					t.Errorf("discovery doesn't know of %s", name)
				}
			}
		}
	}

	live, revoked := r.login(t, native, "openid"), r.login(t, native, "openid")
	x, err := r.Issuer.ParseAccess(t.Context(), live.text("access_token"))
	if err != nil {
		t.Fatal(err)
	}
	old, err := r.Issuer.SignAccess(t.Context(), x, -time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.post(t, revokePath, fields{"client_id": native.ID, "token": revoked.text("access_token")}).Want(http.StatusOK)
	const challenge = `Bearer realm="test"`
	const invalid = challenge + `, error="invalid_token", error_description="` + badToken + `"`
	for name, test := range map[string]struct {
		headers []string
		want    string
	}{
		"nothing":         {nil, challenge},
		"another scheme":  {[]string{"Authorization", "Basic d2ViOng="}, challenge},
		"garbage":         {webtest.Bearer("garbage"), invalid},
		"an ID token":     {webtest.Bearer(r.login(t, native, "openid").text("id_token")), invalid},
		"too old":         {webtest.Bearer(old), invalid},
		"revoked":         {bearer(revoked), invalid},
		"a refresh token": {webtest.Bearer(r.login(t, native, "offline_access").text("refresh_token")), invalid},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			a := r.do(t, method, userinfoPath, "", "", test.headers...)
			a.wantRefusal(t, http.StatusUnauthorized, "unauthorized", "Unauthorized")
			if got := a.Header.Get("WWW-Authenticate"); got != test.want {
				t.Errorf("%s, %s: WWW-Authenticate %s", name, method, got)
			}
		}
	}
}
