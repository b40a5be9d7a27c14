// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestSessionForPrograms asks by the paths that pages and other proxies know.
func TestSessionForPrograms(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.get(DefaultPath + "/session").Want(http.StatusUnauthorized)
	b.signIn("jane@example.com")
	before := b.cookies["__Host-otp"]
	a := b.get(DefaultPath + "/session").Want(http.StatusOK)
	if a.Text("user") != "jane@example.com" || a.Header.Get("Remote-User") != "jane@example.com" || b.cookies["__Host-otp"] != before {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	r := httptest.NewRequest(http.MethodGet, DefaultPath+"/session", nil)
	r.Header.Set("Origin", "https://spa.example.net")
	if a := b.do(r); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a foreign page may read it: %v", a.Header)
	}
	b.post(DefaultPath+"/session", nil).Want(http.StatusMethodNotAllowed)
	if a := s.Get(DefaultPath + "/jwks.json").Want(http.StatusOK); a.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("%v", a.Header)
	}
}
