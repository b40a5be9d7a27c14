// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
)

// TestAudience: an access token opens the site only if it is for the site or
// one of its APIs. One for something else is as good as none, whatever else
// comes with it, and tells the app nothing.
func TestAudience(t *testing.T) {
	const orders = "https://orders.example.com"
	h := newHouse(t, func(c *Config, _ *otp.Config) { c.TokenCookies = []string{"accessToken"} })
	h.Issuer = token.NewIssuer(h.Service, orders)
	jane, joe := session(t, "jane@example.com"), session(t, "joe@example.com")
	joe.ID = "08" + joe.ID[2:]
	tokenFor := func(aud any) string {
		raw, err := h.Issuer.SignAccess(t.Context(), jane, time.Hour, map[string]any{"aud": aud})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, tc := range map[string]struct {
		aud  any
		open bool
	}{
		"the site":                      {"https://app.example.com/", true},
		"an API":                        {orders, true},
		"an API and userinfo":           {[]string{orders, "https://app.example.com/userinfo"}, true},
		"another API":                   {"https://api.other", false},
		"another API and userinfo":      {[]string{"https://api.other", "https://app.example.com/userinfo"}, false},
		"another site":                  {"https://elsewhere.example.com/", false},
		"what only looks like the site": {"https://app.example.com.evil.example/", false},
	} {
		t.Run(name, func(t *testing.T) {
			raw := tokenFor(tc.aud)
			for how, header := range map[string]http.Header{
				"bearer": {"Authorization": {"Bearer " + raw}},
				"cookie": {"Cookie": {"accessToken=" + raw}},
			} {
				r := httptest.NewRequest(http.MethodGet, "/admin", nil)
				r.Header = header.Clone()
				w := h.do(r)
				if tc.open {
					if h.passed == nil || h.passed.Header.Get(RemoteUser) != "jane@example.com" {
						t.Errorf("%s: status %d", how, w.Code)
					}
					continue
				}
				if h.passed != nil || w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
					t.Errorf("%s: passed %t, status %d", how, h.passed != nil, w.Code)
				}
				r = httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header = header.Clone()
				r.Header.Set(RemoteUser, "admin")
				if h.do(r); h.passed == nil || h.passed.Header.Get(RemoteUser) != "" || h.identified != "nobody" {
					t.Errorf("%s: the app is told of %q", how, h.identified)
				}
			}
			if tc.open {
				return
			}
			// The cookie beside it is judged by itself.
			r := h.as(joe, http.MethodGet, "/admin")
			r.Header.Set("Authorization", "Bearer "+raw)
			if h.do(r); h.passed == nil || h.passed.Header.Get(RemoteUser) != "joe@example.com" {
				t.Error("it takes the session of the cookie with it")
			}
		})
	}
}
