// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const (
	ownOrigin = "https://app.example.com"
	spa       = "https://spa.example.net"
)

func TestJudgeOrigin(t *testing.T) {
	for _, tc := range []struct {
		origin, fetchSite string
		want              Origin
	}{
		{"", "", NoBrowser},
		{ownOrigin, "", SameOrigin},
		{ownOrigin, "same-origin", SameOrigin},
		{"", "same-origin", SameOrigin},
		{"", "none", SameOrigin}, // typed, or a bookmark
		{ownOrigin, "same-site", SameOrigin},
		{spa, "", Allowed},
		{spa, "cross-site", Allowed},
		{spa, "same-site", Allowed},

		{"https://evil.example", "", Foreign},
		{"https://evil.example", "cross-site", Foreign},
		{"https://evil.example", "same-site", Foreign},
		{"", "cross-site", Foreign},
		{"", "same-site", Foreign},
		{"null", "", Foreign},
		{"null", "cross-site", Foreign},
		{"null", "same-site", Foreign},
		{ownOrigin, "cross-site", Foreign},
		{"", "nonsense", Foreign},
		{"http://app.example.com", "", Foreign},
		{ownOrigin + ":8443", "", Foreign},
		{ownOrigin + ".evil.example", "", Foreign},
		{ownOrigin + "/", "", Foreign},
		{"https://APP.example.com", "", Foreign}, // browsers write it in lower case
		{"https://sub.app.example.com", "", Foreign},
		{spa + ".evil.example", "", Foreign},
		{spa + "/", "cross-site", Foreign},
		{ownOrigin + " " + spa, "", Foreign},
	} {
		r := httptest.NewRequest(http.MethodPost, "/x", nil)
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		if tc.fetchSite != "" {
			r.Header.Set("Sec-Fetch-Site", tc.fetchSite)
		}
		if got := JudgeOrigin(r, ownOrigin, []string{spa, "http://localhost:3000"}); got != tc.want {
			t.Errorf("Origin %q, Sec-Fetch-Site %q: %d, want %d", tc.origin, tc.fetchSite, got, tc.want)
		}
	}
}

func TestIsPreflight(t *testing.T) {
	for _, tc := range []struct {
		method, origin, asks string
		want                 bool
	}{
		{http.MethodOptions, spa, "POST", true},
		{http.MethodOptions, "null", "POST", true},
		{http.MethodOptions, "", "POST", false},
		{http.MethodOptions, spa, "", false},
		{http.MethodPost, spa, "POST", false},
		{http.MethodGet, spa, "POST", false},
		{"options", spa, "POST", false},
	} {
		r := httptest.NewRequest(tc.method, "/x", nil)
		r.Header.Set("Origin", tc.origin)
		r.Header.Set("Access-Control-Request-Method", tc.asks)
		if got := IsPreflight(r); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

func TestPreflight(t *testing.T) {
	r := httptest.NewRequest(http.MethodOptions, "/x", nil)
	r.Header.Set("Origin", spa)
	w := httptest.NewRecorder()
	w.Header().Set("Vary", "Accept")
	Preflight(w, r, []string{"GET", "POST"})
	h := w.Header()
	if w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      spa,
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET, POST",
		"Access-Control-Max-Age":           "600",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !slices.Equal(h.Values("Vary"), []string{"Accept", "Origin"}) {
		t.Errorf("Vary: %q", h.Values("Vary"))
	}
	headers := strings.Split(strings.ToLower(h.Get("Access-Control-Allow-Headers")), ", ")
	for _, needed := range []string{"authorization", "content-type", "auth0-client", "x-tenant-id", "traceparent", "nest_auth_device_trust"} {
		if !slices.Contains(headers, needed) {
			t.Errorf("%s may not be sent", needed)
		}
	}
	if slices.Contains(headers, "*") || strings.Contains(h.Get("Access-Control-Expose-Headers"), "*") {
		t.Error("a wildcard beside credentials")
	}
}
