// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// askSession asks who makes a request.
func (h *house) askSession(r *http.Request) (*httptest.ResponseRecorder, map[string]any) {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.Identity.Strip(r)
	h.ServeSession(w, r)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		h.t.Fatalf("%v: %s", err, w.Body)
	}
	return w, body
}

func TestServeSession(t *testing.T) {
	people := directory{
		"listed@example.com": {Subject: "u-1", Groups: []string{"staff"}, Addresses: []otp.Address{email(t, "main@example.com"), email(t, "listed@example.com"), phone(t, "+491701234567")}},
		"jane@example.com":   {},
		"strict@example.com": {MFA: true},
	}
	h := newHouse(t, func(c *Config, o *otp.Config) {
		c.Identity = NewIdentity([]IdentityHeader{{"X-User", User}, {"X-Mail", Email}, {"X-Groups", Groups}}, assertionHeader)
		o.Directory = people
	})
	listed := session(t, "listed@example.com")
	listed.Subject, listed.Method = "u-1", otp.ByLink
	jane, strict := session(t, "jane@example.com"), session(t, "strict@example.com")
	proved := strict
	proved.MFA, proved.MFAMethod = time.Now(), "sms"
	at := func(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }
	for _, tc := range []struct {
		name    string
		session otp.Session
		body    map[string]any
		headers map[string]string
	}{
		{"somebody of whom little is known", jane, map[string]any{
			"user": "jane@example.com", "email": "jane@example.com", "phone": "", "groups": []any{}, "subject": jane.Subject, "method": "code", "mfa": "",
			"created_at": at(jane.Created), "expires_at": at(jane.Expires),
		}, map[string]string{"X-User": "jane@example.com", "X-Mail": "jane@example.com", "X-Groups": ""}},
		{"somebody listed", listed, map[string]any{
			"user": "main@example.com", "email": "listed@example.com", "phone": "+491701234567", "groups": []any{"staff"}, "subject": "u-1", "method": "link", "mfa": "",
			"created_at": at(listed.Created), "expires_at": at(listed.Expires),
		}, map[string]string{"X-User": "main@example.com", "X-Mail": "listed@example.com", "X-Groups": "staff"}},
		{"somebody with a second factor", proved, map[string]any{
			"user": "strict@example.com", "email": "strict@example.com", "phone": "", "groups": []any{}, "subject": strict.Subject, "method": "code", "mfa": "sms",
			"created_at": at(strict.Created), "expires_at": at(strict.Expires),
		}, map[string]string{"X-User": "strict@example.com"}},
	} {
		raw, err := h.Issuer.SignAccess(t.Context(), tc.session, time.Hour, nil)
		if err != nil {
			t.Fatal(err)
		}
		byBearer := httptest.NewRequest(http.MethodGet, "/.otp/session", nil)
		byBearer.Header.Set("Authorization", "Bearer "+raw)
		for _, r := range []*http.Request{h.as(tc.session, http.MethodGet, "/.otp/session"), byBearer} {
			r.Header.Set("X-User", "admin")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			w, body := h.askSession(r)
			if w.Code != http.StatusOK || !reflect.DeepEqual(body, tc.body) {
				t.Errorf("%s: %d %v, want %v", tc.name, w.Code, body, tc.body)
			}
			for name, want := range tc.headers {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", tc.name, name, got, want)
				}
			}
			if h.verifyAssertion(w.Header().Get(assertionHeader))["sub"] != tc.session.Subject {
				t.Errorf("%s: the assertion is another's", tc.name)
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header()["Set-Cookie"] != nil {
				t.Errorf("%s: %v", tc.name, w.Header())
			}
		}
	}

	w, body := h.askSession(h.as(strict, http.MethodGet, "/.otp/session"))
	if w.Code != http.StatusForbidden || body["detail"] != "a second factor is needed" || w.Header().Get("X-User") != "" {
		t.Errorf("without the second factor: %d %v", w.Code, body)
	}
}

func TestServeSessionOfNobody(t *testing.T) {
	h := newHouse(t, nil)
	expired := session(t, "jane@example.com")
	expired.Expires = time.Now()
	navigating := httptest.NewRequest(http.MethodGet, "/.otp/session", nil)
	navigating.Header.Set("Accept", "text/html")
	navigating.Header.Set("Sec-Fetch-Mode", "navigate")
	for name, r := range map[string]*http.Request{
		"nobody":                  httptest.NewRequest(http.MethodGet, "/.otp/session", nil),
		"nobody, in a browser":    navigating,
		"somebody whose time ran": h.as(expired, http.MethodGet, "/.otp/session"),
	} {
		r.Header.Set(RemoteUser, "admin")
		w, body := h.askSession(r)
		if w.Code != http.StatusUnauthorized || w.Header().Get("Content-Type") != "application/problem+json; charset=utf-8" ||
			body["login_url"] != "https://app.example.com/.otp/login" || w.Header().Get("WWW-Authenticate") == "" || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d %v %v", name, w.Code, w.Header(), body)
		}
		for _, header := range DefaultHeaders {
			if value := w.Header().Get(header.Name); value != "" {
				t.Errorf("%s: %s is %q", name, header.Name, value)
			}
		}
	}
	h.store.err = otp.ErrUnavailable
	if w, _ := h.askSession(h.as(session(t, "jane@example.com"), http.MethodGet, "/.otp/session")); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || w.Header().Get(RemoteUser) != "" {
		t.Errorf("unchecked: %d %v", w.Code, w.Header())
	}
}

// TestServeSessionReadsNoForwardedAddress: what a proxy, or a client, says of
// another request changes nothing (CVE-2026-40575).
func TestServeSessionReadsNoForwardedAddress(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	for _, signedIn := range []bool{false, true} {
		ask := func(headers map[string]string) (int, string, string) {
			r := httptest.NewRequest(http.MethodGet, "/.otp/session", nil)
			if signedIn {
				r = h.as(jane, http.MethodGet, "/.otp/session")
			}
			for name, value := range headers {
				r.Header.Set(name, value)
			}
			w, _ := h.askSession(r)
			return w.Code, w.Body.String(), w.Header().Get(RemoteUser)
		}
		status, body, user := ask(nil)
		for _, headers := range []map[string]string{
			{"X-Forwarded-Uri": "/admin/open"},
			{"X-Forwarded-Uri": "/.otp/login", "X-Forwarded-Method": "OPTIONS"},
			{"X-Forwarded-Method": "OPTIONS", "Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"},
			{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Forwarded": "host=evil.example"},
			{"X-Original-Url": "/admin/open"},
			{"X-Rewrite-Url": "/admin/open"},
			{"X-Original-Method": "OPTIONS", "X-Http-Method-Override": "OPTIONS"},
		} {
			if s, b, u := ask(headers); s != status || b != body || u != user {
				t.Errorf("%v: %d %s", headers, s, b)
			}
		}
	}
}
