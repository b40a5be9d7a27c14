// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// noStore is a store that nothing should need.
type noStore struct{ otp.Store }

const (
	ownOrigin = "https://app.example.com"
	spa       = "https://spa.example.net"
)

// house is a site of two APIs and pages, and the app behind it.
type house struct {
	*Site
	t testing.TB
	// log are the lines that the site writes.
	log bytes.Buffer
	// unlogged counts the calls of OnAnswer.
	unlogged int
	// passed is the last request that the app got, and appBody its body.
	passed  *http.Request
	appBody string
}

// newHouse returns a site: api "one" has /auth/send always, and /auth/login
// where the body has an o; api "two" shares /auth/login where it has a t, and
// /auth/me, which isn't documented, where there is an X-Two header; the pages
// have /.otp/login.
func newHouse(t testing.TB, change func(one, two *wire.API)) *house {
	t.Helper()
	h := &house{t: t}
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := wire.Body(r)
			if err != nil {
				http.Error(w, text+" "+err.Error(), wire.Status(err))
				return
			}
			_, _ = fmt.Fprintf(w, "%s %s %q from %v", text, r.Method, body, wire.CallerOf(r).IP)
		}
	}
	fail := func(name string) func(http.ResponseWriter, *http.Request, error) {
		return func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, name+" fails: "+err.Error(), wire.Status(err))
		}
	}
	has := func(letter string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			body, err := wire.Body(r)
			return err == nil && bytes.Contains(body, []byte(letter))
		}
	}
	one := wire.API{Name: "one", Origins: []string{spa}, Fail: fail("one"), Endpoints: []wire.Endpoint{
		{Method: http.MethodPost, Path: "/auth/send", Documented: true, Serve: answer("one sends")},
		{Method: http.MethodPost, Path: "/auth/login", Owns: has("o"), Serve: answer("one logs in")},
		{Method: http.MethodGet, Path: "/auth/user", Documented: true, Serve: answer("one's user")},
		{Method: http.MethodPost, Path: "/auth/user", Documented: true, Serve: answer("one's user")},
	}}
	two := wire.API{Name: "two", Fail: fail("two"), Endpoints: []wire.Endpoint{
		{Method: http.MethodPost, Path: "/auth/login", Owns: has("t"), Serve: answer("two logs in")},
		{Method: http.MethodGet, Path: "/auth/me", Owns: func(r *http.Request) bool { return r.Header.Get("X-Two") != "" }, Serve: answer("two's me")},
	}}
	pages := wire.API{Name: "portal", Exclusive: true, Fail: fail("portal"), Endpoints: []wire.Endpoint{
		{Method: http.MethodGet, Path: "/.otp/login", Documented: true, Serve: answer("page")},
		{Method: http.MethodPost, Path: "/.otp/login", Documented: true, Serve: answer("page")},
	}}
	if change != nil {
		change(&one, &two)
	}
	keys, err := otp.NewKeys([]byte("a secret that is long enough to be one"))
	if err != nil {
		t.Fatal(err)
	}
	service := otp.NewService(otp.Config{
		Realm: "app.example.com", PublicURL: &url.URL{Scheme: "https", Host: "app.example.com"}, Keys: keys, Store: noStore{},
		Courier: otp.NewCourier(noStore{}, time.Second, nil), Watch: otp.NewWatch(noStore{}, time.Second, nil),
	})
	door := gate.New(gate.Config{
		Service:   service,
		Issuer:    token.NewIssuer(service),
		Cookie:    &gate.SessionCookie{Name: "__Host-otp", Secure: true, Sealed: token.NewSealed(keys, "app.example.com", "cookie"), Now: time.Now},
		Rules:     gate.NewRules([]gate.Protection{{Paths: []string{"/admin"}}}, nil, nil),
		LoginPath: "/.otp/login",
	})
	h.Site = NewSite(Config{
		Gate:      door,
		APIs:      []wire.API{one, two, pages},
		Origin:    ownOrigin,
		PagesPath: "/.otp",
		Caller: func(*http.Request) wire.Caller {
			return wire.Caller{
				IP:        netip.MustParseAddr("192.0.2.1"),
				RequestID: func() string { return "r1" },
				Trace:     func() wire.Trace { return wire.Trace{} },
			}
		},
		OnAnswer: func(*http.Request) { h.unlogged++ },
		Logger:   slog.New(slog.NewTextHandler(&h.log, nil)),
	})
	return h
}

// app keeps what it gets.
func (h *house) app(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	h.passed, h.appBody = r, string(body)
	if err == nil {
		_, err = io.WriteString(w, "the app")
	}
	return err
}

func (h *house) do(r *http.Request) *httptest.ResponseRecorder {
	h.t.Helper()
	h.passed, h.appBody, h.unlogged = nil, "", 0
	h.log.Reset()
	w := httptest.NewRecorder()
	if err := h.ServeHTTP(w, r, h.app); err != nil {
		h.t.Fatal(err)
	}
	return w
}

// request makes one with headers in pairs of name and value.
func request(method, target, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func TestDispatch(t *testing.T) {
	exclusive := func(one, two *wire.API) { two.Exclusive = true }
	large := strings.Repeat("o", wire.MaxBody+1)
	for _, tc := range []struct {
		name         string
		change       func(one, two *wire.API)
		method, path string
		body         string
		headers      []string
		want         string // the answer's beginning; "": the app's
		status       int
		allow        string
	}{
		{name: "always ours", method: "POST", path: "/auth/send", body: "x", want: `one sends POST "x" from 192.0.2.1`},
		{name: "with a query", method: "POST", path: "/auth/send?a=b", body: "x", want: "one sends"},
		{name: "in another encoding", method: "POST", path: "/%61uth/s%65nd", body: "x", want: "one sends"},
		{name: "another method on what is always ours", method: "GET", path: "/auth/send?identifier=a", want: "one fails: method", status: 405, allow: "POST"},
		{name: "DELETE on what is always ours", method: "DELETE", path: "/auth/user", want: "one fails: method", status: 405, allow: "GET, HEAD, POST"},
		{name: "OPTIONS on what is always ours", method: "OPTIONS", path: "/auth/send", want: "one fails: method", status: 405, allow: "POST"},
		{name: "a method in lower case", method: "post", path: "/auth/send", want: "one fails: method", status: 405, allow: "POST"},
		{name: "HEAD as GET", method: "HEAD", path: "/auth/user", want: "one's user HEAD"},
		{name: "HEAD where there is no GET", method: "HEAD", path: "/auth/send", want: "one fails", status: 405, allow: "POST"},
		{name: "a page", method: "GET", path: "/.otp/login", want: "page GET"},
		{name: "another method on a page", method: "PUT", path: "/.otp/login", want: "portal fails", status: 405, allow: "GET, HEAD, POST"},
		{name: "no such page", method: "GET", path: "/.otp/nothing", want: "Not Found", status: 404},
		{name: "the pages' root", method: "GET", path: "/.otp", want: "Not Found", status: 404},

		{name: "the app's", method: "GET", path: "/x"},
		{name: "below a path of ours", method: "POST", path: "/auth/send/x"},
		{name: "beside a path of ours", method: "POST", path: "/auth/sendx"},
		{name: "beside the pages", method: "GET", path: "/.otpx"},

		{name: "shared, the first's", method: "POST", path: "/auth/login", body: "o", want: `one logs in POST "o"`},
		{name: "shared, the second's", method: "POST", path: "/auth/login", body: "t", want: `two logs in POST "t"`},
		{name: "shared, both's", method: "POST", path: "/auth/login", body: "ot", want: "one logs in"},
		{name: "shared, the app's", method: "POST", path: "/auth/login", body: "password"[:4]},
		{name: "shared, another method", method: "GET", path: "/auth/login"},
		{name: "shared, over 8 KiB", method: "POST", path: "/auth/login", body: large},
		{name: "shared, encoded", method: "POST", path: "/auth/login", body: "o", headers: []string{"Content-Encoding", "gzip"}},
		{name: "shared by a header", method: "GET", path: "/auth/me", headers: []string{"X-Two", "1"}, want: "two's me"},
		{name: "shared by a header, HEAD", method: "HEAD", path: "/auth/me", headers: []string{"X-Two", "1"}, want: "two's me"},
		{name: "shared by a header that isn't there", method: "GET", path: "/auth/me"},
		{name: "shared, another method with the header", method: "DELETE", path: "/auth/me", headers: []string{"X-Two", "1"}},

		{name: "exclusive, the other's", change: exclusive, method: "POST", path: "/auth/login", body: "o", want: "one logs in"},
		{name: "exclusive, its own", change: exclusive, method: "POST", path: "/auth/login", body: "t", want: "two logs in"},
		{name: "exclusive, nobody's", change: exclusive, method: "POST", path: "/auth/login", body: "x", want: "two logs in"},
		{name: "exclusive, over 8 KiB", change: exclusive, method: "POST", path: "/auth/login", body: large, want: "two logs in request body is over 8 KiB", status: 413},
		{name: "exclusive, without its header", change: exclusive, method: "GET", path: "/auth/me", want: "two's me"},

		{name: "always ours, over 8 KiB", method: "POST", path: "/auth/send", body: large, want: "one sends request body is over 8 KiB", status: 413},
		{name: "always ours, encoded", method: "POST", path: "/auth/send", body: "x", headers: []string{"Content-Encoding", "gzip"}, want: "one sends unsupported", status: 415},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, tc.change)
			r := request(tc.method, tc.path, tc.body, append(tc.headers, gate.RemoteUser, "admin")...)
			w := h.do(r)
			if tc.want == "" {
				if h.passed == nil || h.appBody != tc.body || h.passed.Method != tc.method || h.passed.URL.String() != tc.path {
					t.Fatalf("not the app's: %d %s", w.Code, w.Body)
				}
				if h.passed.Header.Get(gate.RemoteUser) != "" || h.unlogged != 0 || h.log.Len() > 0 || w.Header().Get("Cache-Control") != "" || w.Header().Get("Vary") != "" {
					t.Errorf("the app's request or answer was touched: %v %v %s", h.passed.Header, w.Header(), &h.log)
				}
				return
			}
			status := max(tc.status, 200)
			if h.passed != nil || w.Code != status || !strings.HasPrefix(w.Body.String(), tc.want) || w.Header().Get("Allow") != tc.allow {
				t.Fatalf("passed %v, %d, Allow %q: %s", h.passed != nil, w.Code, w.Header().Get("Allow"), w.Body)
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%v", w.Header())
			}
			line := h.log.String()
			if h.unlogged != 1 || strings.Count(line, "\n") != 1 || !strings.Contains(line, fmt.Sprintf("status=%d", status)) || !strings.Contains(line, "client_ip=192.0.2.1 request_id=r1") {
				t.Errorf("log: %s", line)
			}
			for _, secret := range []string{"a=b", "identifier"} {
				if strings.Contains(line, secret) {
					t.Errorf("the log has %s: %s", secret, line)
				}
			}
		})
	}
}

// withItems gives api one a path whose last segment may be any, where there is
// an X-One header, and a path that is one of those.
func withItems(exclusive bool) func(one, two *wire.API) {
	return func(one, _ *wire.API) {
		has := func(r *http.Request) bool { return r.Header.Get("X-One") != "" }
		serve := func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "item "+r.PathValue("id")) }
		one.Exclusive = exclusive
		one.Endpoints = append(one.Endpoints,
			wire.Endpoint{Method: "DELETE", Path: "/auth/things/{id}", Owns: has, Serve: serve},
			wire.Endpoint{Method: "GET", Path: "/auth/things/all", Owns: has, Serve: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "all things") }},
		)
	}
}

// TestItems asks for paths whose last segment may be any.
func TestItems(t *testing.T) {
	ours := []string{"X-One", "1"}
	preflight := []string{"Origin", spa, "Access-Control-Request-Method", "DELETE"}
	for _, tc := range []struct {
		method, path string
		headers      []string
		exclusive    bool
		want         string // the answer's beginning; "": the app's
		status       int
	}{
		{method: "DELETE", path: "/auth/things/x1", headers: ours, want: "item x1"},
		{method: "DELETE", path: "/auth/things/%78%311", headers: ours, want: "item x11"},
		{method: "DELETE", path: "/auth/things/x1?y=/z", headers: ours, want: "item x1"},
		{method: "DELETE", path: "/auth/things/{id}", headers: ours, want: "item {id}"},
		{method: "DELETE", path: "/auth/things/x1"},
		{method: "DELETE", path: "/auth/things/x1", exclusive: true, want: "item x1"},
		{method: "GET", path: "/auth/things/x1", headers: ours},
		{method: "GET", path: "/auth/things/x1", headers: ours, exclusive: true},
		{method: "GET", path: "/auth/things/all", headers: ours, want: "all things"},
		{method: "DELETE", path: "/auth/things/all", headers: ours},
		{method: "DELETE", path: "/auth/things", headers: ours},
		{method: "DELETE", path: "/auth/things/", headers: ours},
		{method: "DELETE", path: "/auth/things/x1/", headers: ours},
		{method: "DELETE", path: "/auth/things/x1/y", headers: ours},
		{method: "OPTIONS", path: "/auth/things/x1", headers: preflight, status: 204},
		// In a spelling that a server behind may fold to one of ours.
		{method: "DELETE", path: "/AUTH/things/x1", headers: ours},
		{method: "DELETE", path: "/AUTH/things/x1", headers: ours, exclusive: true, want: "Not Found", status: 404},
		{method: "DELETE", path: "/auth/things/x1/", headers: ours, exclusive: true, want: "Not Found", status: 404},
		{method: "DELETE", path: "/auth/things%20/x1", headers: ours, exclusive: true, want: "Not Found", status: 404},
		{method: "DELETE", path: "/auth//things/x1", headers: ours, exclusive: true, want: "Bad Request", status: 400},
		{method: "GET", path: "/auth/things/..%252f..%252fauth%252fsend", want: "Not Found", status: 404},
		{method: "DELETE", path: "/auth/things/..%252f..%252fauth%252fsend", headers: ours, want: "Not Found", status: 404},
		{method: "DELETE", path: "/auth/things/x%252fy", headers: ours},
		{method: "DELETE", path: "/auth/things/x1%20", headers: ours, exclusive: true, want: "Not Found", status: 404},
		{method: "DELETE", path: "/auth/things%2fx1", headers: ours, exclusive: true, want: "Bad Request", status: 400},
		{method: "DELETE", path: "/auth/things/..%2fthings/x1", headers: ours, exclusive: true, want: "Bad Request", status: 400},
		{method: "DELETE", path: "/auth/things/x1;y", headers: ours, exclusive: true, want: "Bad Request", status: 400},
		{method: "DELETE", path: "/auth/thingsx/x1", headers: ours, exclusive: true},
		{method: "DELETE", path: "/auth/THINGS", headers: ours, exclusive: true},
		{method: "DELETE", path: "/x1", headers: ours, exclusive: true},
	} {
		h := newHouse(t, withItems(tc.exclusive))
		w := h.do(request(tc.method, tc.path, "", tc.headers...))
		theApps := tc.want == "" && tc.status == 0
		if (h.passed != nil) != theApps || !theApps && (w.Code != max(tc.status, 200) && w.Code != tc.status || !strings.HasPrefix(w.Body.String(), tc.want)) {
			t.Errorf("%s %s %q, exclusive %v: passed %v, %d %s", tc.method, tc.path, tc.headers, tc.exclusive, h.passed != nil, w.Code, w.Body)
		}
		if strings.HasPrefix(tc.want, "item") && !strings.Contains(h.log.String(), "path=/auth/things/{id} ") {
			t.Errorf("%s: log: %s", tc.path, &h.log)
		}
		if tc.method == "OPTIONS" && w.Header().Get("Access-Control-Allow-Methods") != "DELETE" {
			t.Errorf("%s: %v", tc.path, w.Header())
		}
	}
}

func TestEmptyAnswerIsLoggedAsOK(t *testing.T) {
	h := newHouse(t, func(one, _ *wire.API) {
		one.Endpoints[0].Serve = func(http.ResponseWriter, *http.Request) {}
	})
	if w := h.do(request("POST", "/auth/send", "x")); w.Code != 200 || !strings.Contains(h.log.String(), "status=200") {
		t.Errorf("%d %s", w.Code, &h.log)
	}
}

func TestDisguisedPaths(t *testing.T) {
	for _, tc := range []struct {
		path   string
		status int // 0: the app's
	}{
		// Of what is always ours, in a spelling that some server may fold.
		{"//auth/send", 400}, {"/auth//send", 400}, {"/auth/./send", 400}, {"/x/../auth/send", 400}, {"/auth/send/..%2fsend", 400}, {"/auth%2fsend", 400},
		{"/auth%2Fsend", 400}, {"/auth%5csend", 400}, {`/auth\send`, 400}, {"/auth/send;x=1", 400}, {"/auth/send;/x", 400}, {"/auth/send%3bx", 400},
		{"/auth/send%00", 400}, {"/auth/send%0a", 400}, {"/auth/send%0d%0a", 400}, {"/%2e%2e/auth/send", 400}, {"/auth/send/.", 400}, {"/auth/send/%2e%2e/send", 400},
		{"/AUTH/send", 404}, {"/Auth/Send", 404}, {"/%41uth/send", 404}, {"/auth/send/", 404}, {"/auth/send%20", 404}, {"/auth/send.", 404}, {"/auth/send.%20/", 404},
		{"/auth%252fsend", 404}, {"/%EF%BC%8Fauth/send", 404}, {"/%2561uth/send", 404}, {"/auth/send%3Fx", 404}, {"/auth/%C5%BFend", 404},
		{"/auth./send", 404}, {"/auth%20/send", 404}, {"/auth/SEND%20", 404},
		// Of the pages, whatever is there.
		{"/.OTP/login", 404}, {"/.otp/", 404}, {"/.otp/login/", 404}, {"/.Otp/x/y", 404}, {"//.otp/x", 400}, {"/.otp/../.otp/x", 400}, {"/.otp;x", 400}, {"/x/..;/.otp/link", 0},
		{"/.otp%2flogin", 400}, {"/.otp./login", 404}, {"/.otp%20/login", 404},
		// Of what is shared, the app may have it as it likes.
		{"/AUTH/login", 0}, {"/auth/login/", 0}, {"//auth/login", 0}, {"/auth/login;x", 0},
		// The app's own.
		{"/x", 0}, {"//x", 0}, {"/x/../y", 0}, {"/x%2fy", 0}, {"/auth/sender", 0}, {"/auth/sen", 0}, {"/x/auth/send", 0}, {"/.otpx", 0}, {"/.ot", 0}, {"/x./y", 0},
		{"*", 0}, {"/wiki/%C3%BC", 0}, {"/50%25", 0},
	} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			h := newHouse(t, nil)
			h.Gate.Rules = gate.Rules{} // an ambiguous path matches all that protect
			w := h.do(request(method, tc.path, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST"))
			if (h.passed != nil) != (tc.status == 0) || tc.status != 0 && w.Code != tc.status {
				t.Errorf("%s %s: passed %v, status %d", method, tc.path, h.passed != nil, w.Code)
			}
			if h.passed != nil && h.passed.URL.RequestURI() != tc.path && !strings.Contains(tc.path, `\`) {
				t.Errorf("%s %s: the app gets %s", method, tc.path, h.passed.URL.RequestURI())
			}
		}
	}
	exclusive := newHouse(t, func(one, _ *wire.API) { one.Exclusive = true })
	if exclusive.do(request("POST", "/AUTH/login", "")); exclusive.passed != nil {
		t.Error("a disguised path of an exclusive API reaches the app")
	}
}

// TestGateIsAsked pins that what isn't ours goes through the gate.
func TestGateIsAsked(t *testing.T) {
	h := newHouse(t, nil)
	if w := h.do(request("GET", "/admin/x", "")); h.passed != nil || w.Code != http.StatusUnauthorized {
		t.Errorf("passed %v, status %d", h.passed != nil, w.Code)
	}
}

func TestAppsError(t *testing.T) {
	h := newHouse(t, nil)
	broken := errors.New("the app is broken")
	next := func(http.ResponseWriter, *http.Request) error { return broken }
	if err := h.ServeHTTP(httptest.NewRecorder(), request("GET", "/x", ""), next); !errors.Is(err, broken) {
		t.Error(err)
	}
	if err := h.ServeHTTP(httptest.NewRecorder(), request("POST", "/auth/send", ""), next); err != nil {
		t.Error(err)
	}
}

func TestCrossSite(t *testing.T) {
	for _, tc := range []struct {
		name    string
		method  string
		path    string
		headers []string
		status  int
		allowed string
	}{
		{name: "no browser", path: "/auth/send", status: 200},
		{name: "our own page", path: "/auth/send", headers: []string{"Origin", ownOrigin, "Sec-Fetch-Site", "same-origin"}, status: 200},
		{name: "a page that may", path: "/auth/send", headers: []string{"Origin", spa, "Sec-Fetch-Site", "cross-site"}, status: 200, allowed: spa},
		{name: "another page", path: "/auth/send", headers: []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, status: 403},
		{name: "another page, an old browser", path: "/auth/send", headers: []string{"Origin", "https://evil.example"}, status: 403},
		{name: "a sandboxed page", path: "/auth/send", headers: []string{"Origin", "null"}, status: 403},
		{name: "cross-site without an origin", path: "/auth/send", headers: []string{"Sec-Fetch-Site", "cross-site"}, status: 403},
		{name: "a page that may, elsewhere", path: "/.otp/login", headers: []string{"Origin", spa, "Sec-Fetch-Site", "cross-site"}, status: 403},
		{name: "another page's GET", method: "GET", path: "/auth/user", headers: []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, status: 200},
		{name: "a GET of a page that may", method: "GET", path: "/auth/user", headers: []string{"Origin", spa}, status: 200, allowed: spa},
		{name: "another method of another page", method: "PUT", path: "/auth/send", headers: []string{"Origin", "https://evil.example"}, status: 405},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, nil)
			method := "POST"
			if tc.method != "" {
				method = tc.method
			}
			w := h.do(request(method, tc.path, "", tc.headers...))
			if w.Code != tc.status || h.passed != nil {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if tc.status == 403 && strings.Contains(w.Body.String(), "sends") {
				t.Errorf("it was served: %s", w.Body)
			}
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != tc.allowed {
				t.Errorf("%q may read it", got)
			}
			if (tc.allowed != "") != slices.Contains(w.Header().Values("Vary"), "Origin") {
				t.Errorf("Vary: %q", w.Header().Values("Vary"))
			}
		})
	}
}

func TestPreflights(t *testing.T) {
	for _, tc := range []struct {
		path, origin string
		status       int // 0: the app's
		methods      string
	}{
		{path: "/auth/send", origin: spa, status: 204, methods: "POST"},
		{path: "/auth/user", origin: spa, status: 204, methods: "GET, HEAD, POST"},
		{path: "/auth/send", origin: ownOrigin, status: 204, methods: "POST"},
		{path: "/auth/send", origin: "https://evil.example", status: 204},
		{path: "/auth/send", origin: "null", status: 204},
		{path: "/.otp/login", origin: spa, status: 204},
		{path: "/auth/login", origin: spa, status: 204, methods: "POST"},
		{path: "/auth/login", origin: "https://evil.example"},
		{path: "/auth/me", origin: spa},
		{path: "/x", origin: spa},
		{path: "/admin", origin: spa},
	} {
		h := newHouse(t, nil)
		w := h.do(request("OPTIONS", tc.path, "", "Origin", tc.origin, "Access-Control-Request-Method", "POST"))
		if (h.passed != nil) != (tc.status == 0) || tc.status != 0 && w.Code != tc.status {
			t.Errorf("%+v: passed %v, status %d", tc, h.passed != nil, w.Code)
			continue
		}
		allowed := ""
		if tc.methods != "" {
			allowed = tc.origin
		}
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != allowed || w.Header().Get("Access-Control-Allow-Methods") != tc.methods {
			t.Errorf("%+v: %v", tc, w.Header())
		}
		if tc.status != 0 && (w.Body.Len() > 0 || !slices.Contains(w.Header().Values("Vary"), "Origin")) {
			t.Errorf("%+v: %v %s", tc, w.Header(), w.Body)
		}
	}
}

func TestEarlyData(t *testing.T) {
	for _, tc := range []struct {
		method, path string
		complete     bool
		status       int // 0: the app's
	}{
		{"POST", "/auth/send", false, 425},
		{"POST", "/auth/send", true, 200},
		{"POST", "/.otp/login", false, 425},
		{"GET", "/auth/user", false, 200},
		{"HEAD", "/auth/user", false, 200},
		{"PUT", "/auth/send", false, 405},
		{"POST", "/x", false, 0}, // the app decides: it gets Early-Data
	} {
		h := newHouse(t, nil)
		r := request(tc.method, tc.path, "")
		r.TLS = &tls.ConnectionState{HandshakeComplete: tc.complete}
		w := h.do(r)
		if (h.passed != nil) != (tc.status == 0) || tc.status != 0 && w.Code != tc.status {
			t.Errorf("%+v: passed %v, status %d", tc, h.passed != nil, w.Code)
		}
	}
}

// pipeListener hands over connections in memory, whose deadlines follow the
// bubble's clock.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowBodies trickles a byte a second: the answer comes when the time is
// up, and the connection ends.
func TestSlowBodies(t *testing.T) {
	for _, tc := range []struct {
		name, head string
		begun      string
		status     string
		within     time.Duration
	}{
		{"of a known length", "POST /auth/send HTTP/1.1\r\nHost: a\r\nContent-Length: 8000\r\n\r\n", "", "408", bodyDeadline},
		{"chunked", "POST /auth/send HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1f40\r\n", "408", bodyDeadline},
		{"that is too large", "POST /auth/send HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n", strings.Repeat("x", wire.MaxBody+1), "413", bodyDeadline},
		{"on a path that knows no such method", "PUT /auth/send HTTP/1.1\r\nHost: a\r\nContent-Length: 8000\r\n\r\n", "", "405", bodyDeadline},
		{"on a disguised path", "POST /auth//send HTTP/1.1\r\nHost: a\r\nContent-Length: 8000\r\n\r\n", "", "400", bodyDeadline},
		{"of a foreign preflight", "OPTIONS /auth/send HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\nContent-Length: 8000\r\n\r\n", "", "204", bodyDeadline},
		{"from a foreign page", "POST /auth/send HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\nContent-Length: 8000\r\n\r\n", "", "403", bodyDeadline},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, nil)
				conn, stop := h.serve(t)
				defer stop()
				began := time.Now()
				answered := make(chan string, 1)
				go func() {
					answer, err := io.ReadAll(conn)
					if err != nil {
						t.Error(err)
					}
					answered <- string(answer)
				}()
				if _, err := io.WriteString(conn, tc.head+tc.begun); err != nil {
					t.Fatal(err)
				}
				for {
					if _, err := io.WriteString(conn, "x"); err != nil {
						break // the server has hung up
					}
					if time.Sleep(time.Second); time.Since(began) > time.Minute {
						t.Fatal("it is still read after a minute")
					}
				}
				answer := <-answered
				if !strings.HasPrefix(answer, "HTTP/1.1 "+tc.status) || !strings.Contains(answer, "Connection: close") {
					t.Errorf("%s", answer)
				}
				if took := time.Since(began); took > tc.within+time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestSlowBodyOfTheApp lets the app have its own time for a body on a path
// that it shares, and a connection its next request after an answer of ours.
func TestSlowBodyOfTheApp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		conn, stop := h.serve(t)
		defer stop()
		answers := bufio.NewReader(conn)
		exchange := func(pause time.Duration, parts ...string) string {
			go func() {
				for _, part := range parts {
					if _, err := io.WriteString(conn, part); err != nil {
						t.Error(err)
					}
					time.Sleep(pause)
				}
			}()
			answer, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			return string(body)
		}
		if got := exchange(0, "POST /auth/send HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"); !strings.HasPrefix(got, "one sends") {
			t.Fatal(got)
		}
		if got := exchange(20*time.Second, "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", "y", "z"); got != "the app" || h.appBody != "yz" {
			t.Fatalf("%s after %d bytes", got, len(h.appBody))
		}
		large := strings.Repeat("x", wire.MaxBody+1) // not ours: the rest may take its time
		if got := exchange(20*time.Second, "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 8195\r\n\r\n"+large, "y", "z"); got != "the app" || h.appBody != large+"yz" {
			t.Fatalf("%s after %d bytes", got, len(h.appBody))
		}
		if got := exchange(0, "GET /auth/user HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "one's user") {
			t.Fatal(got)
		}
	})
}

// serve runs the site on a connection in memory.
func (h *house) serve(t *testing.T) (net.Conn, func()) {
	client, server := net.Pipe()
	listener := &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	listener.conns <- server
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := h.ServeHTTP(w, r, h.app); err != nil {
				t.Error(err)
			}
		}),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	return client, func() {
		_ = client.Close()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-done
	}
}

// TestAnonymousAllocations holds what the site adds to a request of the app
// that brings no cookie: nothing.
func TestAnonymousAllocations(t *testing.T) {
	h := newHouse(t, nil)
	w := httptest.NewRecorder()
	next := func(http.ResponseWriter, *http.Request) error { return nil }
	for _, path := range []string{"/", "/assets/app.js?v=1", "/api/v1/users/1"} {
		r := request("GET", path, "", "Accept", "*/*", "Accept-Encoding", "gzip", "User-Agent", "x", "Connection", "keep-alive", "Sec-Fetch-Site", "same-origin")
		allocations := testing.AllocsPerRun(1000, func() {
			if err := h.ServeHTTP(w, r, next); err != nil {
				t.Fatal(err)
			}
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations", path, allocations)
		}
	}
}

func BenchmarkAnonymous(b *testing.B) {
	h := newHouse(b, nil)
	w := httptest.NewRecorder()
	next := func(http.ResponseWriter, *http.Request) error { return nil }
	for name, headers := range map[string][]string{
		"without cookies": {"Accept", "*/*", "User-Agent", "x"},
		"with cookies":    {"Accept", "*/*", "User-Agent", "x", "Cookie", "a=b; c=d"},
	} {
		b.Run(name, func(b *testing.B) {
			r := request("GET", "/api/v1/users/1", "", headers...)
			b.ReportAllocs()
			for b.Loop() {
				if err := h.ServeHTTP(w, r, next); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
