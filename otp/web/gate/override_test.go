// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestPathHeaders offers an open path and names another one in the headers that
// some frameworks go by.
func TestPathHeaders(t *testing.T) {
	for value, closed := range map[string]bool{
		"/admin": true, "/ADMIN/x?y": true, "https://app.example.com/admin": true, "/x/..;/admin": true, "/admin%2fx": true, "//admin": true, "%zz": true, "admin": true, "*": true,
		"/open": false, "https://app.example.com/": false, "/admin/open": false,
	} {
		for _, header := range []string{"X-Original-URL", "x-rewrite-url", "X_Original_URL", "x.rewrite.url"} {
			h := newFactorHouse(t, nil)
			nobody := httptest.NewRequest(http.MethodGet, "/", nil)
			nobody.Header.Add(header, "/")
			nobody.Header.Add(header, value)
			if w := h.do(nobody); (h.passed == nil) != closed || closed && w.Code != http.StatusUnauthorized {
				t.Errorf("%s: %s: %d", header, value, w.Code)
			}
			jane := session(t, "jane@example.com")
			r := h.as(jane, http.MethodGet, "/")
			r.Header.Set(header, value)
			if w := h.do(r); (h.passed == nil) != closed || closed && w.Code != http.StatusForbidden {
				t.Errorf("%s: %s, without the factor: %d", header, value, w.Code)
			}
			r = h.as(withFactor(jane, time.Minute), http.MethodGet, "/")
			r.Header.Set(header, value)
			if w := h.do(r); h.passed == nil || h.passed.Header.Get(header) != value {
				t.Errorf("%s: %s, with it: %d", header, value, w.Code)
			}
		}
	}
}

// TestManyPathHeaders: what nobody honest sends is read as any path, and costs
// as much as one.
func TestManyPathHeaders(t *testing.T) {
	h := newFactorHouse(t, nil)
	for many, closed := range map[int]bool{maxPathHeaders: false, maxPathHeaders + 1: true, 100_000: true} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["X-Original-Url"] = slices.Repeat([]string{"/"}, many/2)
		r.Header["X-Rewrite-Url"] = slices.Repeat([]string{"/"}, many-many/2)
		if h.do(r); (h.passed == nil) != closed {
			t.Errorf("%d: closed %v", many, h.passed == nil)
		}
	}
	h.Rules = NewRules([]Protection{{Paths: []string{"/a"}, Groups: []string{"x"}}}, nil, nil)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["X-Original-Url"] = slices.Repeat([]string{"/a"}, 100_000)
	if need := h.need(r); len(need.Groups) > maxPathHeaders+1 {
		t.Errorf("%d lists of groups", len(need.Groups))
	}
}

// TestTunnel: CONNECT to an authority names no path, and reaches any.
func TestTunnel(t *testing.T) {
	h := newFactorHouse(t, nil)
	jane := session(t, "jane@example.com")
	for status, r := range map[int]*http.Request{
		http.StatusUnauthorized: httptest.NewRequest(http.MethodConnect, "app.example.com:443", nil),
		http.StatusForbidden:    h.as(jane, http.MethodConnect, "app.example.com:443"),
		http.StatusOK:           h.as(withFactor(jane, time.Minute), http.MethodConnect, "app.example.com:443"),
	} {
		if w := h.do(r); w.Code != status || (h.passed != nil) != (status == http.StatusOK) {
			t.Errorf("%d, want %d", w.Code, status)
		}
	}
	open := newHouse(t, func(c *Config, _ *otp.Config) { c.Rules = Rules{} })
	if open.do(httptest.NewRequest(http.MethodConnect, "app.example.com:443", nil)); open.passed == nil {
		t.Error("closed, though nothing is protected")
	}
}
