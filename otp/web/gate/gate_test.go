// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
)

// memory is what a gate needs of a store.
type memory struct {
	otp.Store

	mu      sync.Mutex
	records map[string][]byte
	gone    []otp.Revocation
	err     error
	// noRecords fails what asks for records alone.
	noRecords error
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records[key], errors.Join(m.err, m.noRecords)
}

func (m *memory) Swap(_ context.Context, key string, old, next []byte, _ time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !bytes.Equal(m.records[key], old) {
		return false, nil
	}
	m.records[key] = next
	return true, nil
}

func (m *memory) Revoke(_ context.Context, r otp.Revocation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.At = time.Now()
	m.gone = append(m.gone, r)
	return nil
}

func (m *memory) Revocations(context.Context, otp.Cursor) ([]otp.Revocation, otp.Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gone, 1, m.err
}

// house is a gate and what it stands in front of.
type house struct {
	*Gate
	t     testing.TB
	store *memory
	// ahead is how far the cookie's clock is.
	ahead time.Duration
	// app is what the app answers; nil: nothing in particular.
	app func(http.ResponseWriter, *http.Request) error

	// passed is the last request that the app got, and identified the subject
	// that OnIdentity was told of, or "nobody".
	passed     *http.Request
	identified string
}

func testKeys(t testing.TB, names ...string) *otp.Keys {
	t.Helper()
	var secrets [][]byte
	for _, name := range names {
		secrets = append(secrets, []byte(name+" secret that is long enough to be one"))
	}
	keys, err := otp.NewKeys(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// newHouse returns a gate that protects /admin, but for /admin/open.
func newHouse(t testing.TB, change func(*Config, *otp.Config)) *house {
	t.Helper()
	h := &house{t: t, store: &memory{records: make(map[string][]byte)}}
	oc := otp.Config{
		Realm:     "app.example.com",
		PublicURL: &url.URL{Scheme: "https", Host: "app.example.com"},
		Keys:      testKeys(t, "first"),
		Store:     h.store,
		Courier:   otp.NewCourier(h.store, time.Second, nil),
		Watch:     otp.NewWatch(h.store, time.Second, nil),
		Timeout:   time.Second,
	}
	c := Config{
		Rules:         protecting("/admin", "/admin/open"),
		LoginPath:     "/.otp/login",
		FormPath:      "/.otp/form",
		HiddenCookies: []string{"__Host-otp-start"},
		Cookie:        &SessionCookie{Name: "__Host-otp", Secure: true, Idle: 24 * time.Hour},
		OnIdentity: func(_ *http.Request, x *otp.Session) {
			h.identified = "nobody"
			if x != nil {
				h.identified = x.Subject
			}
		},
	}
	if change != nil {
		change(&c, &oc)
	}
	c.Service = otp.NewService(oc)
	c.Issuer = token.NewIssuer(c.Service)
	c.Cookie.Sealed = token.NewSealed(oc.Keys, oc.Realm, "cookie")
	c.Cookie.Now = func() time.Time { return time.Now().Add(h.ahead) }
	h.Gate = New(c)
	return h
}

func session(t testing.TB, typed string) otp.Session {
	t.Helper()
	a, err := otp.ParseEmail(typed)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	return otp.Session{
		ID: otp.SessionID("07" + strings.Repeat("a", 43)), Subject: otp.Subject("app.example.com", a), Address: a, Method: otp.ByCode, Dialect: "portal",
		Created: now, Since: now, Expires: now.Add(7 * 24 * time.Hour),
	}
}

// sealed is the value of a session's cookie.
func (h *house) sealed(x otp.Session) string { return h.Cookie.Sealed.Seal(x, h.Cookie.Now()) }

// as makes a request of somebody who is signed in.
func (h *house) as(x otp.Session, method, path string) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Cookie", h.Cookie.Name+"="+h.sealed(x))
	return r
}

// do serves a request as a site does, and fails where the app's error is lost.
func (h *house) do(r *http.Request) *httptest.ResponseRecorder {
	h.t.Helper()
	h.passed, h.identified = nil, ""
	w := httptest.NewRecorder()
	h.Identity.Strip(r)
	err := h.Serve(w, r, func(w http.ResponseWriter, r *http.Request) error {
		h.passed = r
		if h.app != nil {
			return h.app(w, r)
		}
		_, err := io.WriteString(w, "the app")
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

func TestServe(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	for _, tc := range []struct {
		path   string
		open   bool
		signed bool
	}{
		{path: "/", open: true},
		{path: "/", open: true, signed: true},
		{path: "/admin/open/x", open: true},
		{path: "/admin"},
		{path: "/admin/x", signed: true, open: true},
		{path: "/ADMIN/x"},
		{path: "/admin/open/../x"},
		{path: "/admin%2fopen"},
		{path: "/admin/open/%2e%2e/x"},
	} {
		r := httptest.NewRequest(http.MethodGet, tc.path, nil)
		if tc.signed {
			r = h.as(jane, http.MethodGet, tc.path)
		}
		for _, name := range []string{RemoteUser, RemoteEmail, RemoteSubject, RemoteGroups, RemotePhone} {
			r.Header.Set(name, "admin")
		}
		r.Header["Remote_user"] = []string{"admin"}
		w := h.do(r)
		if (h.passed != nil) != tc.open {
			t.Errorf("%+v: passed %v, status %d", tc, h.passed != nil, w.Code)
			continue
		}
		if !tc.open {
			if w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "the app") {
				t.Errorf("%+v: %d %s", tc, w.Code, w.Body)
			}
			continue
		}
		want := map[string]string{RemoteUser: "", RemoteEmail: "", RemoteSubject: "", RemoteGroups: "", RemotePhone: "", "Remote_user": ""}
		if tc.signed {
			want[RemoteUser], want[RemoteEmail], want[RemoteSubject] = "jane@example.com", "jane@example.com", jane.Subject
		}
		for name, value := range want {
			if got := strings.Join(h.passed.Header[name], ","); got != value {
				t.Errorf("%+v: the app is told %s: %q", tc, name, got)
			}
		}
		if who := cmp.Or(want[RemoteSubject], "nobody"); h.identified != who {
			t.Errorf("%+v: identified as %q, not %q", tc, h.identified, who)
		}
	}
}

func TestAppsError(t *testing.T) {
	h := newHouse(t, nil)
	broken := errors.New("the app is broken")
	err := h.Serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), func(http.ResponseWriter, *http.Request) error { return broken })
	if !errors.Is(err, broken) {
		t.Fatal(err)
	}
}

// TestRulesUseThePathAlone offers headers that some gates believe.
func TestRulesUseThePathAlone(t *testing.T) {
	h := newHouse(t, nil)
	for _, name := range []string{"X-Forwarded-Uri", "X-Original-Url", "X-Rewrite-Url", "X-Original-Uri", "X-Forwarded-Path", "X-Forwarded-Prefix"} {
		r := httptest.NewRequest(http.MethodGet, "/admin", nil)
		r.Header.Set(name, "/admin/open")
		r.Host = "other.example.com"
		if w := h.do(r); h.passed != nil || w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestIdentify(t *testing.T) {
	h := newHouse(t, func(c *Config, oc *otp.Config) {
		c.TokenCookies = []string{"accessToken"}
		deny, err := otp.ParsePattern("bad@example.com")
		if err != nil {
			t.Fatal(err)
		}
		oc.Admission.Deny = []otp.Pattern{deny}
	})
	other := newHouse(t, func(_ *Config, oc *otp.Config) { oc.Realm = "other.example.com" })
	jane, joe, bad := session(t, "jane@example.com"), session(t, "joe@example.com"), session(t, "bad@example.com")
	joe.ID = "08" + joe.ID[2:]
	out, old := session(t, "out@example.com"), session(t, "old@example.com")
	out.ID, old.Expires = "09"+out.ID[2:], time.Now()
	if err := h.Service.SignOut(t.Context(), out.ID, out.Expires); err != nil {
		t.Fatal(err)
	}
	bearer := func(x otp.Session) string {
		raw, err := h.Issuer.SignAccess(t.Context(), x, time.Hour, nil)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	cookie := func(x otp.Session) string { return "__Host-otp=" + h.sealed(x) }
	otherBearer, err := other.Issuer.SignAccess(t.Context(), jane, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name           string
		bearer, cookie string
		who            string
		byBearer       bool
	}{
		{name: "nobody"},
		{name: "a cookie", cookie: cookie(jane), who: "jane@example.com"},
		{name: "a bearer token", bearer: bearer(jane), who: "jane@example.com", byBearer: true},
		{name: "both", bearer: bearer(jane), cookie: cookie(joe), who: "jane@example.com", byBearer: true},
		{name: "the app's own bearer token", bearer: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", cookie: cookie(joe), who: "joe@example.com"},
		{name: "the app's own RS256 token", bearer: "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", cookie: cookie(joe), who: "joe@example.com"},
		{name: "an opaque bearer token", bearer: "abc", cookie: cookie(joe), who: "joe@example.com"},
		{name: "a bearer token that has ended, alone", bearer: bearer(old)},
		{name: "a bearer token that has ended", bearer: bearer(old), cookie: cookie(joe), who: "joe@example.com"},
		{name: "a bearer token that was revoked", bearer: bearer(out), cookie: cookie(joe)},
		{name: "a bearer token of somebody denied", bearer: bearer(bad)},
		{name: "a cookie that has ended", cookie: cookie(old)},
		{name: "a cookie that was revoked", cookie: cookie(out)},
		{name: "a cookie of somebody denied", cookie: cookie(bad)},
		{name: "another site's cookie", cookie: "__Host-otp=" + other.sealed(jane)},
		{name: "a cookie as bearer token", bearer: h.sealed(jane)},
		{name: "a bearer token as cookie", cookie: "__Host-otp=" + bearer(jane)},
		{name: "a cookie of another name", cookie: "otp=" + h.sealed(jane)},
		{name: "torn", cookie: cookie(jane)[:50]},
		{name: "noise", cookie: "__Host-otp=AAAA"},
		{name: "empty", cookie: "__Host-otp="},
		{name: "two of a name", cookie: cookie(jane) + "; " + cookie(joe)},
		{name: "the same twice", cookie: cookie(jane) + "; " + cookie(jane)},
		{name: "an access token in its cookie", cookie: "accessToken=" + bearer(jane), who: "jane@example.com", byBearer: true},
		{name: "an access token in its cookie beside the session's", cookie: cookie(joe) + "; accessToken=" + bearer(jane), who: "joe@example.com"},
		{name: "an access token in its cookie beside a revoked session's", cookie: cookie(out) + "; accessToken=" + bearer(jane), who: "jane@example.com", byBearer: true},
		{name: "the app's own cookie of that name", cookie: "accessToken=eyJhbGciOiJSUzI1NiJ9.e30.c2ln"},
		{name: "another site's access token in its cookie", cookie: "accessToken=" + otherBearer},
		{name: "a revoked access token in its cookie", cookie: "accessToken=" + bearer(out)},
		{name: "an access token in a cookie of another name", cookie: "token=" + bearer(jane)},
		{name: "two access tokens", cookie: "accessToken=" + bearer(jane) + "; accessToken=" + bearer(joe)},
		{name: "one planted before", cookie: "__Host-otp=x; " + cookie(jane)},
		{name: "one planted behind", cookie: cookie(jane) + "; __Host-otp="},
	} {
		r := httptest.NewRequest(http.MethodGet, "/admin", nil)
		if tc.bearer != "" {
			r.Header.Set("Authorization", "Bearer "+tc.bearer)
		}
		if tc.cookie != "" {
			r.Header.Set("Cookie", tc.cookie)
		}
		visitor, err := h.Identify(r)
		who := ""
		if visitor.SignedIn() {
			who = visitor.Session.Address.String()
		}
		if err != nil || who != tc.who || visitor.Bearer != tc.byBearer {
			t.Errorf("%s: %q, by bearer %v, %v", tc.name, who, visitor.Bearer, err)
		}
		r.Header.Set(RemoteUser, "admin")
		w := h.do(r)
		if (h.passed != nil) != (tc.who != "") || h.passed == nil && w.Code != http.StatusUnauthorized {
			t.Errorf("%s: passed %v, status %d", tc.name, h.passed != nil, w.Code)
		}
		if h.passed != nil && tc.bearer != "" && h.passed.Header.Get("Authorization") == "" {
			t.Errorf("%s: the app doesn't get the bearer token", tc.name)
		}
	}
}

func TestTwoCookieHeaders(t *testing.T) {
	h := newHouse(t, nil)
	r := h.as(session(t, "jane@example.com"), http.MethodGet, "/admin")
	r.Header.Add("Cookie", "__Host-otp=planted")
	if visitor, err := h.Identify(r); err != nil || visitor.SignedIn() {
		t.Fatalf("%+v, %v", visitor, err)
	}
}

// TestStale has a gate that can't know who was signed out.
func TestStale(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	raw, err := h.Issuer.SignAccess(t.Context(), jane, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.store.err = otp.ErrUnavailable
	byBearer := func(path string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+raw)
		return r
	}
	for name, request := range map[string]func(string) *http.Request{
		"cookie": func(path string) *http.Request { return h.as(jane, http.MethodGet, path) },
		"bearer": byBearer,
	} {
		r := request("/admin")
		r.Header.Set("Accept", "text/html")
		w := h.do(r)
		if h.passed != nil || w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: protected: passed %v, %d %v", name, h.passed != nil, w.Code, w.Header())
		}
		r = request("/")
		r.Header.Set(RemoteUser, "admin")
		w = h.do(r)
		if h.passed == nil || w.Code != http.StatusOK || h.passed.Header.Get(RemoteUser) != "" || h.identified != "nobody" || w.Header()["Set-Cookie"] != nil {
			t.Errorf("%s: open: passed %v, %d %v", name, h.passed != nil, w.Code, w.Header())
		}
	}
	if w := h.do(httptest.NewRequest(http.MethodGet, "/admin", nil)); w.Code != http.StatusUnauthorized {
		t.Errorf("nobody: %d", w.Code)
	}
	h.store.err = nil
	if h.do(h.as(jane, http.MethodGet, "/admin")); h.passed == nil {
		t.Error("still refused though the store answers")
	}
}

func TestPreflightPasses(t *testing.T) {
	preflight := func(path string) *http.Request {
		r := httptest.NewRequest(http.MethodOptions, path, strings.NewReader("a body"))
		r.TransferEncoding = []string{"chunked"}
		for name, value := range map[string]string{
			"Origin": "https://spa.example.net", "Access-Control-Request-Method": "POST", "X-Http-Method-Override": "DELETE", "X-Http-Method": "DELETE",
			"X-Method-Override": "DELETE", RemoteUser: "admin", "X-Other": "kept",
		} {
			r.Header.Set(name, value)
		}
		r.Header["X_http_method.override"] = []string{"DELETE"}
		return r
	}
	h := newHouse(t, nil)
	h.do(preflight("/admin"))
	if h.passed == nil {
		t.Fatal("refused")
	}
	if body, err := io.ReadAll(h.passed.Body); err != nil || len(body) > 0 || h.passed.ContentLength != 0 || h.passed.TransferEncoding != nil {
		t.Errorf("body %q, %v, length %d, %q", body, err, h.passed.ContentLength, h.passed.TransferEncoding)
	}
	for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X_http_method.override", RemoteUser} {
		if values := h.passed.Header[name]; values != nil {
			t.Errorf("%s: %q", name, values)
		}
	}
	if h.passed.Header.Get("X-Other") != "kept" || h.passed.Header.Get("Origin") == "" {
		t.Errorf("%v", h.passed.Header)
	}

	for name, change := range map[string]func(*http.Request){
		"no origin":             func(r *http.Request) { r.Header.Del("Origin") },
		"no method asked for":   func(r *http.Request) { r.Header.Del("Access-Control-Request-Method") },
		"another method":        func(r *http.Request) { r.Method = http.MethodPost },
		"upgrade to websocket":  func(r *http.Request) { r.Header.Set("Connection", "Upgrade"); r.Header.Set("Upgrade", "websocket") },
		"upgrade to something":  func(r *http.Request) { r.Header.Set("Connection", "Upgrade"); r.Header.Set("Upgrade", "tcp") },
		"two upgrades, one h2c": func(r *http.Request) { r.Header["Upgrade"] = []string{"h2c", "websocket"} },
	} {
		r := preflight("/admin")
		change(r)
		if w := h.do(r); h.passed != nil || w.Code != http.StatusUnauthorized {
			t.Errorf("%s: passed %v, status %d", name, h.passed != nil, w.Code)
		}
	}
	// On an open path a request with a body is the app's as it is.
	h.do(preflight("/"))
	if body, err := io.ReadAll(h.passed.Body); err != nil || string(body) != "a body" || h.passed.Header.Get("X-Http-Method") == "" {
		t.Errorf("on an open path: %q, %v, %v", body, err, h.passed.Header)
	}
}

func TestUpgrades(t *testing.T) {
	jane := session(t, "jane@example.com")
	for _, tc := range []struct {
		sent, want []string
	}{
		{[]string{"websocket"}, []string{"websocket"}},
		{[]string{"SPDY/3.1"}, []string{"SPDY/3.1"}},
		{[]string{"h2c"}, nil},
		{[]string{"H2C"}, nil},
		{[]string{"HTTP/2.0"}, nil},
		{[]string{"http/1.0"}, nil},
		{[]string{"h2c, websocket"}, []string{"websocket"}},
		{[]string{"websocket,h2c"}, []string{"websocket"}},
		{[]string{"h2c", "websocket"}, []string{"websocket"}},
		{[]string{"h2c", "HTTP/2.0"}, nil},
	} {
		h := newHouse(t, nil)
		for _, r := range []*http.Request{httptest.NewRequest(http.MethodGet, "/", nil), h.as(jane, http.MethodGet, "/admin")} {
			r.Header["Upgrade"] = tc.sent
			r.Header.Set("Connection", "Upgrade, HTTP2-Settings")
			r.Header.Set("Http2-Settings", "AAMAAABkAAQAAP__")
			h.do(r)
			if got := h.passed.Header["Upgrade"]; strings.Join(got, "|") != strings.Join(tc.want, "|") || h.passed.Header.Get("Http2-Settings") != "" {
				t.Errorf("%q becomes %q", tc.sent, got)
			}
		}
	}
}

// passing are requests that the gate passes on, by what they bring.
func passing(t testing.TB, h *house) map[string]http.Header {
	jane := session(t, "jane@example.com")
	raw, err := h.Issuer.SignAccess(t.Context(), jane, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]http.Header{
		"anonymous": {"Accept": {"*/*"}},
		"cookie":    {"Cookie": {h.Cookie.Name + "=" + h.sealed(jane)}},
		"bearer":    {"Authorization": {"Bearer " + raw}},
	}
}

// discarded is an answer that nobody reads.
type discarded http.Header

func (d discarded) Header() http.Header         { return http.Header(d) }
func (d discarded) WriteHeader(int)             {}
func (d discarded) Write(p []byte) (int, error) { return len(p), nil }

// answerPage is an app that answers with a page.
func answerPage(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(page)
	return err
}

var page = []byte("a page")

// newDiscarded returns the answer of an app that says what it is.
func newDiscarded() discarded {
	return discarded{"Content-Type": {"text/html; charset=utf-8"}}
}

// TestPassedCosts holds what the gate adds to a request of the app: how many
// allocations, to the one, and how long it takes, with much room for a busy
// machine and the race detector.
func TestPassedCosts(t *testing.T) {
	h := newHouse(t, nil)
	w := newDiscarded()
	for name, header := range passing(t, h) {
		most := 2.0
		if name == "anonymous" {
			most = 0
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		pass := func() {
			clear(r.Header) // the gate takes our cookie out of it
			maps.Copy(r.Header, header)
			if err := h.Serve(w, r, answerPage); err != nil {
				t.Fatal(err)
			}
		}
		if allocations := testing.AllocsPerRun(1000, pass); allocations > most {
			t.Errorf("%s: %v allocations, at most %v", name, allocations, most)
		}
		const times = 100 // few enough to be undisturbed once
		quickest := time.Hour
		for range 50 {
			begun := time.Now()
			for range times {
				pass()
			}
			quickest = min(quickest, time.Since(begun)/times)
		}
		t.Logf("%s: %v", name, quickest)
		if quickest > 50*time.Microsecond {
			t.Errorf("%s: the gate takes %v", name, quickest)
		}
	}
}

// BenchmarkServe is what the gate adds to a request of the app: the difference
// to the same without it.
func BenchmarkServe(b *testing.B) {
	h := newHouse(b, nil)
	w := newDiscarded()
	serve := func(name string, header http.Header, serve func(*http.Request) error) {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			b.ReportAllocs()
			for b.Loop() {
				clear(r.Header) // the gate takes our cookie out of it
				maps.Copy(r.Header, header)
				if err := serve(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, header := range passing(b, h) {
		serve(name, header, func(r *http.Request) error { return h.Serve(w, r, answerPage) })
		serve(name+" without the gate", header, func(r *http.Request) error { return answerPage(w, r) })
	}
}
