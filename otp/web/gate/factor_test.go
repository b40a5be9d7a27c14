// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// newFactorHouse returns a gate whose /admin needs a second factor, but for
// /admin/open, /fresh one of the last 15 minutes, and /private a session.
func newFactorHouse(t testing.TB, change func(*Config, *otp.Config)) *house {
	t.Helper()
	return newHouse(t, func(c *Config, oc *otp.Config) {
		c.Rules = NewRules(
			[]Protection{{Paths: []string{"/private"}}},
			[]SecondFactor{{Paths: []string{"/admin"}}, {Paths: []string{"/fresh"}, Fresh: 15 * time.Minute}},
			[]string{"/admin/open"},
		)
		c.MFAPath = "/.otp/mfa"
		if change != nil {
			change(c, oc)
		}
	})
}

// withFactor is a session whose second factor was proved some time ago.
func withFactor(x otp.Session, ago time.Duration) otp.Session {
	x.MFA, x.MFAMethod = time.Now().Add(-ago), "sms"
	return x
}

func TestSecondFactor(t *testing.T) {
	h := newFactorHouse(t, nil)
	jane := session(t, "jane@example.com")
	for _, tc := range []struct {
		path   string
		x      otp.Session
		passes bool
	}{
		{"/", jane, true},
		{"/private", jane, true},
		{"/admin/open", jane, true},
		{"/admin", jane, false},
		{"/ADMIN/x", jane, false},
		{"/admin/open/../x", jane, false},
		{"/%2561dmin", jane, false},
		{"/%ef%bc%8fadmin", jane, false},
		{"/x%2f..%2fadmin", jane, false},
		{"/x/..;/admin", jane, false},
		{"/.//admin", jane, false},
		{"/open/a%2fb", jane, true},
		{"/private/a%2Fb", jane, true},
		{"/admin/a%2fb", jane, false},
		{"/admin/open/a%2fb", jane, false},
		{"/admin", withFactor(jane, 6*24*time.Hour), true},
		{"/admin/a%2fb", withFactor(jane, time.Hour), true},
		{"/fresh", jane, false},
		{"/fresh", withFactor(jane, 14*time.Minute), true},
		{"/fresh", withFactor(jane, 16*time.Minute), false},
		{"/fresh", withFactor(jane, -time.Minute), true}, // the store's clock is ahead
		{"/fresh%2fx", withFactor(jane, 16*time.Minute), false},
		{"/;/x", withFactor(jane, 16*time.Minute), false}, // may be anything, also the strictest
		{"/;/x", withFactor(jane, time.Minute), true},
	} {
		w := h.do(h.as(tc.x, http.MethodGet, tc.path))
		if (h.passed != nil) != tc.passes {
			t.Errorf("%s, proved %v: passed %v, status %d", tc.path, tc.x.MFA, h.passed != nil, w.Code)
		}
		if !tc.passes && (w.Code != http.StatusForbidden || h.identified != "") {
			t.Errorf("%s: %d, identified as %q", tc.path, w.Code, h.identified)
		}
	}
	for _, path := range []string{"/admin", "/fresh", "/private"} { // a session comes first
		if w := h.do(httptest.NewRequest(http.MethodGet, path, nil)); h.passed != nil || w.Code != http.StatusUnauthorized {
			t.Errorf("nobody at %s: %d", path, w.Code)
		}
	}
}

// everybody is a directory of one kind of person.
type everybody otp.Person

func (p everybody) Find(context.Context, otp.Address) (otp.Person, error) { return otp.Person(p), nil }

// TestDirectoryDemandsFactor: of some people a second factor is demanded
// wherever a session is needed, and nowhere else.
func TestDirectoryDemandsFactor(t *testing.T) {
	h := newFactorHouse(t, func(_ *Config, oc *otp.Config) { oc.Directory = everybody{MFA: true} })
	jane := session(t, "jane@example.com")
	for path, x := range map[string]otp.Session{"/private": jane, "/private/a%2fb": jane, "/admin": jane, "/a%2fb": jane} {
		if w := h.do(h.as(x, http.MethodGet, path)); h.passed != nil || w.Code != http.StatusForbidden {
			t.Errorf("%s: passed %v, %d", path, h.passed != nil, w.Code)
		}
	}
	for path, x := range map[string]otp.Session{"/": jane, "/admin/open": jane, "/private": withFactor(jane, 24*time.Hour), "/admin": withFactor(jane, 24*time.Hour)} {
		if w := h.do(h.as(x, http.MethodGet, path)); h.passed == nil || h.identified == "" {
			t.Errorf("%s: %d, identified as %q", path, w.Code, h.identified)
		}
	}
}

// TestDemandFactor has each client answered in its own way.
func TestDemandFactor(t *testing.T) {
	const (
		here  = "/admin/x?a=b&c=%2F%2Fd"
		back  = "/.otp/mfa?return_to=%2Fadmin%2Fx%3Fa%3Db%26c%3D%252F%252Fd"
		start = "/.otp/mfa?return_to=%2F"
	)
	for _, tc := range []struct {
		name    string
		method  string
		headers map[string]string
		status  int
		page    string
	}{
		{name: "a browser that navigates", headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}, status: 303, page: back},
		{name: "a browser without Fetch metadata", headers: map[string]string{"Accept": "text/html,*/*;q=0.8"}, status: 303, page: back},
		{name: "a form that posts", method: http.MethodPost, headers: map[string]string{"Sec-Fetch-Mode": "navigate"}, status: 303, page: start},
		{name: "fetch", headers: map[string]string{"Sec-Fetch-Mode": "cors"}, status: 403, page: back},
		{name: "XMLHttpRequest", headers: map[string]string{"X-Requested-With": "XMLHttpRequest", "Accept": "application/json"}, status: 403, page: back},
		{name: "curl", headers: map[string]string{"Accept": "*/*"}, status: 403, page: back},
		{name: "a post", method: http.MethodPost, status: 403, page: start},
		{name: "a websocket", headers: map[string]string{"Connection": "Upgrade", "Upgrade": "websocket"}, status: 403, page: back},
		{name: "an upgrade that claims to navigate", headers: map[string]string{"Upgrade": "websocket", "Sec-Fetch-Mode": "navigate"}, status: 403, page: back},
		{name: "an upgrade that claims to be a preflight", method: http.MethodOptions, headers: map[string]string{"Upgrade": "websocket", "Origin": "https://spa.example.net", "Access-Control-Request-Method": "GET"}, status: 403, page: start},
		{name: "an event stream", headers: map[string]string{"Accept": "text/event-stream", "Sec-Fetch-Mode": "cors"}, status: 403, page: back},
		{name: "gRPC", method: http.MethodPost, headers: map[string]string{"Content-Type": "application/grpc"}, status: 200},
		{name: "htmx", headers: map[string]string{"Hx-Request": "true", "Sec-Fetch-Mode": "cors"}, status: 403, page: back},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newFactorHouse(t, nil)
			method := tc.method
			if method == "" {
				method = http.MethodGet
			}
			r := h.as(session(t, "jane@example.com"), method, "https://app.example.com"+here)
			r.URL.Scheme, r.URL.Host, r.Host = "", "", "evil.example" // as a server has it
			for name, value := range tc.headers {
				r.Header.Set(name, value)
			}
			w := h.do(r)
			if h.passed != nil || w.Code != tc.status {
				t.Fatalf("passed %v, status %d", h.passed != nil, w.Code)
			}
			header := w.Header()
			if header.Get("Cache-Control") != "no-store" || header.Get("Set-Cookie") != "" || header.Get("Www-Authenticate") != "" || strings.Contains(w.Body.String(), "evil") {
				t.Errorf("%v %s", header, w.Body)
			}
			redirect := ""
			if tc.headers["Hx-Request"] != "" {
				redirect = tc.page
			}
			if got := header.Get("Hx-Redirect"); got != redirect {
				t.Errorf("HX-Redirect: %q", got)
			}
			switch tc.status {
			case http.StatusSeeOther:
				if got := header.Get("Location"); got != tc.page {
					t.Errorf("goes to %s", got)
				}
			case http.StatusOK:
				if header.Get("Grpc-Status") != "7" || header.Get("Content-Type") != "application/grpc" || w.Body.Len() > 0 {
					t.Errorf("%v %s", header, w.Body)
				}
			case http.StatusForbidden:
				if got, want := problemOf(t, w), (problem{"about:blank", "Forbidden", "a second factor is needed", "https://app.example.com" + tc.page, 403}); got != want {
					t.Errorf("%+v", got)
				}
			}
		})
	}
}

type problem struct {
	Type, Title, Detail string
	MFAURL              string `json:"mfa_url"`
	Status              int
}

func problemOf(t *testing.T, w *httptest.ResponseRecorder) (p problem) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json; charset=utf-8" {
		t.Errorf("content type %s", got)
	}
	return p
}

// TestBearerLacksFactor: an API's session gets no page, which is for the
// cookie's alone, also where the token is in a cookie of its own.
func TestBearerLacksFactor(t *testing.T) {
	h := newFactorHouse(t, func(c *Config, _ *otp.Config) { c.TokenCookies = []string{"accessToken"} })
	sign := func(x otp.Session) string {
		raw, err := h.Issuer.SignAccess(t.Context(), x, time.Hour, nil)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	jane := session(t, "jane@example.com")
	for header, prefix := range map[string]string{"Authorization": "Bearer ", "Cookie": "accessToken="} {
		for x, passes := range map[string]otp.Session{"lacks it": jane, "has it": withFactor(jane, time.Minute)} {
			r := httptest.NewRequest(http.MethodGet, "/admin", nil)
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			r.Header.Set(header, prefix+sign(passes))
			w := h.do(r)
			if (h.passed != nil) != (x == "has it") {
				t.Errorf("%s %s: %d", header, x, w.Code)
			}
			if h.passed == nil {
				if got := problemOf(t, w); w.Code != 403 || got.MFAURL != "" || got.Detail == "" {
					t.Errorf("%s: %d %+v", header, w.Code, got)
				}
			}
		}
	}
}

// TestPreflightWithoutFactor passes, as nobody's.
func TestPreflightWithoutFactor(t *testing.T) {
	h := newFactorHouse(t, nil)
	r := h.as(session(t, "jane@example.com"), http.MethodOptions, "/admin")
	r.Header.Set("Origin", "https://spa.example.net")
	r.Header.Set("Access-Control-Request-Method", "DELETE")
	r.Header.Set("X-HTTP-Method-Override", "DELETE")
	h.do(r)
	switch {
	case h.passed == nil:
		t.Fatal("doesn't pass")
	case h.passed.Header.Get("X-Http-Method-Override") != "", h.passed.Header.Get(RemoteUser) != "", h.passed.Header.Get("Cookie") != "", h.identified != "nobody":
		t.Errorf("%v, identified as %q", h.passed.Header, h.identified)
	}
}

// TestForbiddenBeforeFactor: who may not open a path isn't asked for more.
func TestForbiddenBeforeFactor(t *testing.T) {
	h := newFactorHouse(t, func(c *Config, oc *otp.Config) {
		c.Rules = NewRules([]Protection{{Paths: []string{"/admin"}, Groups: []string{"admins"}}}, []SecondFactor{{Paths: []string{"/admin"}}}, nil)
		oc.Directory = everybody{Groups: []string{"users"}}
	})
	r := h.as(session(t, "jane@example.com"), http.MethodGet, "/admin")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if w := h.do(r); h.passed != nil || w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "factor") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// FuzzFactorIsNeverLess: whatever needs a second factor needs a session, and a
// session that has neither never passes where one is needed.
func FuzzFactorIsNeverLess(f *testing.F) {
	for _, path := range []string{"/admin", "/a%2fdmin", "/%2561dmin", "//admin", "/x/..;/admin", "*", "http:admin", "/fresh\x00"} {
		f.Add(path)
	}
	rules := NewRules(nil, []SecondFactor{{Paths: []string{"/admin"}, Fresh: time.Minute}}, []string{"/admin/open"})
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		need := rules.Need(u)
		if need.SecondFactor && (!need.Session || need.hasFactor(&otp.Session{ID: "x"}, false, time.Now)) {
			t.Errorf("%q needs %+v", raw, need)
		}
		if strings.HasPrefix(Canonical(u.Path), "/admin/") && !strings.HasPrefix(Canonical(u.Path), "/admin/open") && !need.SecondFactor {
			t.Errorf("%q needs %+v", raw, need)
		}
	})
}
