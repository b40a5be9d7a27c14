// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestPendingOpensNothing: a session whose second factor is yet to be proved is
// nobody's, by whichever token or cookie it comes.
func TestPendingOpensNothing(t *testing.T) {
	h := newFactorHouse(t, func(c *Config, _ *otp.Config) { c.TokenCookies = []string{"accessToken"} })
	x := session(t, "jane@example.com")
	x.Pending, x.Dialect = true, "nestauth"
	access, err := h.Issuer.SignPending(t.Context(), x, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string]func(*http.Request){
		"bearer":         func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+access) },
		"token cookie":   func(r *http.Request) { r.Header.Set("Cookie", "accessToken="+access) },
		"session cookie": func(r *http.Request) { r.Header.Set("Cookie", h.Cookie.Name+"="+h.sealed(x)) },
	}
	for name, present := range ways {
		for _, path := range []string{"/private", "/admin", "/fresh", "/a%2fb", "/;/x"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			present(r)
			if w := h.do(r); path != "/a%2fb" && (h.passed != nil || w.Code != http.StatusUnauthorized) || h.identified != "" && h.identified != "nobody" {
				t.Errorf("%s at %s: passed %v, %d, identified as %q", name, path, h.passed != nil, w.Code, h.identified)
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		present(r)
		if h.do(r); h.passed == nil || h.identified != "nobody" || strings.Contains(h.passed.Header.Get("Cookie"), access) {
			t.Errorf("%s at an open path: identified as %q", name, h.identified)
		}
		r = httptest.NewRequest(http.MethodGet, "/.otp/session", nil)
		present(r)
		if w, _ := h.askSession(r); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: who it is, is told with %d", name, w.Code)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/private", nil)
	ways["bearer"](r)
	w := h.do(r)
	if !strings.Contains(w.Header().Get("WWW-Authenticate"), `error="insufficient_user_authentication"`) || !strings.Contains(w.Body.String(), `"code":"MFA_REQUIRED"`) {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if w := h.do(r); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/.otp/login?") {
		t.Errorf("a navigation: %d %v", w.Code, w.Header())
	}
}

// TestDemandedFactor: by the site's demand, or their own choice, somebody
// without a second factor is nobody on open paths, and opens no others.
func TestDemandedFactor(t *testing.T) {
	for name, tc := range map[string]struct {
		policy   otp.MFAPolicy
		enrolled bool
	}{
		"by the site":   {policy: otp.MFAPolicy{Required: true}},
		"by own choice": {policy: otp.MFAPolicy{UserToggle: true}, enrolled: true},
	} {
		h := newFactorHouse(t, func(_ *Config, oc *otp.Config) { oc.MFA = tc.policy })
		jane := session(t, "jane@example.com")
		jane.Enrolled = tc.enrolled
		for _, path := range []string{"/", "/admin/open"} {
			if h.do(h.as(jane, http.MethodGet, path)); h.passed == nil || h.identified != "nobody" {
				t.Errorf("%s, %s: identified as %q", name, path, h.identified)
			}
			if h.do(h.as(withFactor(jane, 24*time.Hour), http.MethodGet, path)); h.identified != jane.Subject {
				t.Errorf("%s, %s with a factor: identified as %q", name, path, h.identified)
			}
		}
		for _, path := range []string{"/private", "/admin"} {
			if w := h.do(h.as(jane, http.MethodGet, path)); h.passed != nil || w.Code != http.StatusForbidden {
				t.Errorf("%s, %s: passed %v, %d", name, path, h.passed != nil, w.Code)
			}
			if h.do(h.as(withFactor(jane, time.Hour), http.MethodGet, path)); h.identified != jane.Subject {
				t.Errorf("%s, %s with a factor: identified as %q", name, path, h.identified)
			}
		}
		if w, _ := h.askSession(h.as(jane, http.MethodGet, "/.otp/session")); w.Code != http.StatusForbidden {
			t.Errorf("%s: who it is, is told with %d", name, w.Code)
		}
	}
}
