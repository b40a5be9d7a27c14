// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// What isn't ours reaches the app as it is, beside what is.
func TestSharedPaths(t *testing.T) {
	s := newSite(t, webtest.Options{}, shared)
	a := s.signIn(alice, "email")
	access, refresh := a.Text("accessToken"), a.Text("refreshToken")
	foreign := newSite(t, webtest.Options{}).signIn(alice, "email")
	foreignAccess, foreignRefresh := foreign.Text("accessToken"), foreign.Text("refreshToken")
	_, another := s.SignInBy("another", "bob@example.com")
	const get, post = http.MethodGet, http.MethodPost
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		ours                     bool
	}{
		{"password login", post, "/auth/login", `{"providerName":"email", "credentials":{"email":"a","password":"b"}}`, nil, false},
		{"login without provider", post, "/auth/login", `{"email":"a"}`, nil, false},
		{"login that is no JSON", post, "/auth/login", `{"providerName":"passwordless"`, nil, false},
		{"login by form", post, "/auth/login", `providerName=passwordless`, []string{"Content-Type", "application/x-www-form-urlencoded"}, false},
		{"long login", post, "/auth/login", `{"providerName":"passwordless","x":"` + strings.Repeat("x", 9<<10) + `"}`, nil, false},
		{"our login", post, "/auth/login", `{"providerName":"passwordless"}`, nil, true},
		{"login by GET", get, "/auth/login", "", nil, false},
		{"foreign refresh", post, "/auth/refresh-token", `{"refreshToken":"` + foreignRefresh + `"}`, nil, false},
		{"no refresh", post, "/auth/refresh-token", ``, nil, false},
		{"our refresh, not ours any more", post, "/auth/refresh-token", `{"refreshToken":"` + refresh + `", "x":1}`, nil, true},
		{"anonymous me", get, "/auth/me", "", nil, false},
		{"foreign me", get, "/auth/me", "", webtest.Bearer(foreignAccess), false},
		{"foreign cookie", get, "/auth/me", "", []string{"Cookie", "accessToken=" + foreignAccess}, false},
		{"another API's me", get, "/auth/me", "", webtest.Bearer(another), false},
		{"our me", get, "/auth/me", "", webtest.Bearer(access), true},
		{"our cookie", get, "/auth/me", "", []string{"Cookie", "accessToken=" + access}, true},
		{"our refresh token as a bearer", get, "/auth/me", "", webtest.Bearer(refresh), true},
		{"foreign bearer before our cookie", get, "/auth/me", "", append(webtest.Bearer(foreignAccess), "Cookie", "accessToken="+access), false},
		{"anonymous logout", post, "/auth/logout", "", nil, false},
		{"foreign logout", post, "/auth/logout", "{}", webtest.Bearer(foreignAccess), false},
		{"logout all", post, "/auth/logout-all", "", webtest.Bearer(foreignAccess), false},
		{"client config", get, "/auth/client-config", "", webtest.Bearer(access), false},
		{"foreign MFA status", get, "/auth/mfa/status", "", webtest.Bearer(foreignAccess), false},
		{"our MFA status", get, "/auth/mfa/status", "", webtest.Bearer(access), true},
		{"foreign MFA challenge", post, "/auth/mfa/challenge", `{"method":"email"}`, webtest.Bearer(foreignAccess), true},
		{"foreign MFA verify", post, "/auth/mfa/verify", `{}`, webtest.Bearer(foreignAccess), true},
		{"our logout by the refresh cookie", post, "/auth/logout", "", []string{"Cookie", "refreshToken=" + refresh}, true},
		{"our revoked token", get, "/auth/me", "", webtest.Bearer(access), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.in(t).Do(webtest.Request(test.method, test.path, test.body, test.headers...)).WantOurs(test.ours, test.body)
		})
	}
}
