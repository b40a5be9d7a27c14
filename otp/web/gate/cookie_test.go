// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
)

func TestSetCookie(t *testing.T) {
	for _, tc := range []struct {
		secure bool
		domain string
		want   string
	}{
		{true, "", "__Host-otp=V; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Lax"},
		{true, "example.com", "__Secure-otp=V; Path=/; Domain=example.com; Max-Age=604800; HttpOnly; Secure; SameSite=Lax"},
		{false, "", "otp=V; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"},
	} {
		now := time.Now()
		c := &SessionCookie{
			Name: DefaultCookieName(tc.secure, tc.domain), Domain: tc.domain, Secure: tc.secure,
			Sealed: token.NewSealed(testKeys(t, "first"), "app.example.com", "cookie"), Now: func() time.Time { return now },
		}
		x := session(t, "jane@example.com")
		x.Expires = now.Add(7 * 24 * time.Hour)
		header := http.Header{"Set-Cookie": {"app=1"}}
		c.Set(header, x)
		lines := header["Set-Cookie"]
		if len(lines) != 2 || lines[0] != "app=1" {
			t.Fatalf("%q", lines)
		}
		cookie, err := http.ParseSetCookie(lines[1])
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Replace(lines[1], cookie.Value, "V", 1); got != tc.want {
			t.Errorf("%s\nwant\n%s", got, tc.want)
		}
		raw, err := base64.RawURLEncoding.DecodeString(cookie.Value)
		if err != nil || strings.Contains(string(raw), "jane") || strings.Contains(cookie.Value, "jane") {
			t.Errorf("%q, %v", raw, err)
		}
		if len(lines[1]) > 4096 {
			t.Errorf("it has %d bytes", len(lines[1]))
		}
		header = http.Header{}
		c.Clear(header)
		if got := header.Get("Set-Cookie"); got != strings.Replace(strings.Replace(tc.want, "=V", "=", 1), "Max-Age=604800", "Max-Age=0", 1) {
			t.Errorf("cleared by %s", got)
		}
	}
}

func TestCookieTimes(t *testing.T) {
	jane := session(t, "jane@example.com")
	for _, tc := range []struct {
		name  string
		idle  time.Duration
		lives time.Duration
		after time.Duration
		holds bool
		renew bool
	}{
		{name: "fresh", idle: 24 * time.Hour, lives: 7 * 24 * time.Hour, holds: true},
		{name: "before a quarter", idle: 24 * time.Hour, lives: 7 * 24 * time.Hour, after: 6*time.Hour - time.Second, holds: true},
		{name: "after a quarter", idle: 24 * time.Hour, lives: 7 * 24 * time.Hour, after: 6*time.Hour + time.Second, holds: true, renew: true},
		{name: "at the end of idle", idle: 24 * time.Hour, lives: 7 * 24 * time.Hour, after: 24*time.Hour - time.Second, holds: true, renew: true},
		{name: "idle", idle: 24 * time.Hour, lives: 7 * 24 * time.Hour, after: 24*time.Hour + time.Second},
		{name: "the end", idle: 24 * time.Hour, lives: time.Hour, after: time.Hour + time.Second},
		{name: "never idle", lives: 365 * 24 * time.Hour, after: 364 * 24 * time.Hour, holds: true},
		{name: "the end of one never idle", lives: time.Hour, after: time.Hour + time.Second},
		{name: "a clock that runs behind", idle: 24 * time.Hour, lives: time.Hour, after: -time.Hour, holds: true},
	} {
		h := newHouse(t, func(c *Config, _ *otp.Config) { c.Cookie.Idle = tc.idle })
		jane.Expires = time.Now().Add(tc.lives)
		r := h.as(jane, http.MethodGet, "/admin")
		h.ahead = tc.after
		x, renew, ok := h.Cookie.read(r)
		if ok != tc.holds || renew != tc.renew || ok && x.Subject != jane.Subject {
			t.Errorf("%s: holds %v, renew %v", tc.name, ok, renew)
		}
		w := h.do(r)
		if (h.passed != nil) != tc.holds || (w.Header()["Set-Cookie"] != nil) != tc.renew {
			t.Errorf("%s: %d %v", tc.name, w.Code, w.Header())
		}
		if !tc.renew {
			continue
		}
		// The new one counts from now, and ends when the old one did.
		cookie, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
		if err != nil || cookie.Name != "__Host-otp" || !cookie.HttpOnly || !cookie.Secure {
			t.Fatalf("%s: %v, %v", tc.name, cookie, err)
		}
		x, seen, current, err := h.Cookie.Sealed.OpenShared(cookie.Value)
		if err != nil || !current || !x.Expires.Equal(jane.Expires.Truncate(time.Millisecond)) || h.Cookie.Now().Sub(seen) > time.Minute {
			t.Errorf("%s: %+v seen %v, %v", tc.name, x, seen, err)
		}
	}
}

func TestCookieAcrossRotation(t *testing.T) {
	jane := session(t, "jane@example.com")
	old := newHouse(t, func(_ *Config, oc *otp.Config) { oc.Keys = testKeys(t, "old") })
	for _, tc := range []struct {
		secrets []string
		holds   bool
	}{{[]string{"new", "old"}, true}, {[]string{"new"}, false}} {
		h := newHouse(t, func(c *Config, oc *otp.Config) { oc.Keys, c.Cookie.Idle = testKeys(t, tc.secrets...), 0 })
		w := h.do(old.as(jane, http.MethodGet, "/admin"))
		if (h.passed != nil) != tc.holds {
			t.Errorf("%q: passed %v", tc.secrets, h.passed != nil)
		}
		if (w.Header()["Set-Cookie"] != nil) != tc.holds {
			t.Errorf("%q: sealed anew %q", tc.secrets, w.Header()["Set-Cookie"])
		}
	}
}

// TestRenewal pins on which answers the cookie may be set anew.
func TestRenewal(t *testing.T) {
	jane := session(t, "jane@example.com")
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for _, tc := range []struct {
		name   string
		header http.Header
		status int
		upg    bool
		want   bool
	}{
		{name: "nothing said", want: true},
		{name: "nothing written", status: -1},
		{name: "private", header: http.Header{"Cache-Control": {"private, max-age=600"}}, want: true},
		{name: "no-store", header: http.Header{"Cache-Control": {"no-store"}}, want: true},
		{name: "no-cache", header: http.Header{"Cache-Control": {"no-cache, must-revalidate, max-age=0"}, "Expires": {"0"}}, want: true},
		{name: "past", header: http.Header{"Expires": {in(-time.Hour)}}, want: true},
		{name: "an error", status: http.StatusNotFound, want: true},
		{name: "a redirect", status: http.StatusFound, want: true},
		{name: "not modified", status: http.StatusNotModified},
		{name: "private in part", header: http.Header{"Cache-Control": {`private="Set-Cookie", max-age=60`}}},
		{name: "private behind an age", header: http.Header{"Cache-Control": {"max-age=60", "private"}}, want: true},
		{name: "public", header: http.Header{"Cache-Control": {"public"}}},
		{name: "PUBLIC", header: http.Header{"Cache-Control": {"max-age=0, PUBLIC"}}},
		{name: "in a second header", header: http.Header{"Cache-Control": {"no-cache", "public"}}},
		{name: "s-maxage", header: http.Header{"Cache-Control": {"S-MaxAge=600"}}},
		{name: "max-age", header: http.Header{"Cache-Control": {"max-age=31536000, immutable"}}},
		{name: "max-age in quotes", header: http.Header{"Cache-Control": {`max-age="600"`}}},
		{name: "a future", header: http.Header{"Expires": {in(time.Hour)}}},
		{name: "for a CDN", header: http.Header{"Cache-Control": {"no-cache"}, "Cdn-Cache-Control": {"max-age=60"}}},
		{name: "for a surrogate", header: http.Header{"Surrogate-Control": {"max-age=60"}}},
		{name: "an upgrade", upg: true},
	} {
		h := newHouse(t, nil)
		h.app = func(w http.ResponseWriter, _ *http.Request) error {
			for name, values := range tc.header {
				w.Header()[name] = values
			}
			switch {
			case tc.status > 0:
				w.WriteHeader(tc.status)
			case tc.status == 0:
				if _, err := io.WriteString(w, "first"); err != nil {
					return err
				}
				_, err := io.WriteString(w, "second")
				return err
			}
			return nil
		}
		r := h.as(jane, http.MethodGet, "/admin")
		if tc.upg {
			r.Header.Set("Upgrade", "websocket")
		}
		h.ahead = 7 * time.Hour
		w := h.do(r)
		if got := w.Result().Header["Set-Cookie"]; (len(got) == 1) != tc.want || len(got) > 1 {
			t.Errorf("%s: %q", tc.name, got)
		}
		if tc.want && cachingOf(w.Result().Header) != private {
			t.Errorf("%s: shared caches may keep the cookie: %q", tc.name, w.Result().Header["Cache-Control"])
		}
		if tc.status == 0 && w.Body.String() != "firstsecond" {
			t.Errorf("%s: %q", tc.name, w.Body)
		}
	}
}

func TestBearerRenewsNoCookie(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	raw, err := h.Issuer.SignAccess(t.Context(), jane, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := h.as(jane, http.MethodGet, "/admin")
	r.Header.Set("Authorization", "Bearer "+raw)
	h.ahead = 7 * time.Hour
	if w := h.do(r); h.passed == nil || w.Header()["Set-Cookie"] != nil {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// TestRenewalAfterHints sends an answer before the answer, over the wire.
func TestRenewalAfterHints(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h.Serve(w, r, func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	cookie := h.sealed(jane)
	h.ahead = 7 * time.Hour
	got := sendRaw(t, server.Listener.Addr(), "GET /admin HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: __Host-otp="+cookie+"\r\n\r\n")
	hints, answer, _ := strings.Cut(got, "\r\n\r\n")
	if !strings.HasPrefix(hints, "HTTP/1.1 103") || strings.Contains(hints, "Set-Cookie") || strings.Count(answer, "Set-Cookie") != 1 {
		t.Errorf("%s", got)
	}
}

func TestRenewingWriterUnwraps(t *testing.T) {
	below := httptest.NewRecorder()
	w := &renewingWriter{ResponseWriter: below}
	if err := http.NewResponseController(w).Flush(); err != nil || !below.Flushed {
		t.Error(err)
	}
}

func TestHiddenCookies(t *testing.T) {
	const ours = "__Host-otp=x; __Host-otp-start=y"
	for _, tc := range []struct{ sent, want []string }{
		{nil, nil},
		{[]string{"a=b; c=d"}, []string{"a=b; c=d"}},
		{[]string{"a=b;c=d ;  e", "f=g"}, []string{"a=b;c=d ;  e", "f=g"}}, // as it was typed, where nothing of ours is in it
		{[]string{"__Host-otp=x"}, nil},
		{[]string{ours}, nil},
		{[]string{"a=b; " + ours + "; c=d"}, []string{"a=b; c=d"}},
		{[]string{"a=b;__Host-otp=x;c=d"}, []string{"a=b; c=d"}},
		{[]string{"a=b", "__Host-otp=x", "c=d"}, []string{"a=b; c=d"}},
		{[]string{"__Host-otp=x; __Host-otp=z; a=b"}, []string{"a=b"}},
		{[]string{"\t__Host-otp=x; a=b"}, []string{"a=b"}},
		{[]string{"__Host-otp=; a=b"}, []string{"a=b"}},
		{[]string{`a="b; c=d"; __Host-otp=x; q=" x "; u=ü` + "\u00a0" + `; e=; =f; g`}, []string{`a="b; c=d"; q=" x "; u=ü` + "\u00a0" + `; e=; =f; g`}},
		{[]string{"__Host-otp2=x; X__Host-otp=y; __host-otp=z; otp=1"}, []string{"__Host-otp2=x; X__Host-otp=y; __host-otp=z; otp=1"}},
		{[]string{"a=__Host-otp=x; " + ours}, []string{"a=__Host-otp=x"}},
	} {
		h := newHouse(t, nil)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if tc.sent != nil {
			r.Header["Cookie"] = slices.Clone(tc.sent)
		}
		h.do(r)
		got, ok := h.passed.Header["Cookie"]
		if !slices.Equal(got, tc.want) || ok != (tc.want != nil) {
			t.Errorf("%q becomes %q, want %q", tc.sent, got, tc.want)
		}
	}
}

// TestHiddenTokenCookies: what an API's browser clients keep in cookies is not
// for the app, which may have its own of the same names.
func TestHiddenTokenCookies(t *testing.T) {
	h := newHouse(t, func(c *Config, _ *otp.Config) { c.TokenCookies = []string{"accessToken", "refreshToken"} })
	access, err := h.Issuer.SignAccess(t.Context(), session(t, "jane@example.com"), time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	refresh, err := h.Issuer.Sign(t.Context(), token.Renewal, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for sent, want := range map[string]string{
		"accessToken=" + access + "; refreshToken=" + refresh + "; a=b":       "a=b",
		"accessToken=theirs; refreshToken=eyJhbGciOiJSUzI1NiJ9.e30.c2ln; a=b": "accessToken=theirs; refreshToken=eyJhbGciOiJSUzI1NiJ9.e30.c2ln; a=b",
		"accessToken=theirs; refreshToken=" + refresh:                         "accessToken=theirs",
		"other=" + access: "other=" + access,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", sent)
		h.do(r)
		if got := h.passed.Header.Get("Cookie"); got != want {
			t.Errorf("%q becomes %q, want %q", sent, got, want)
		}
	}
}

func FuzzCookies(f *testing.F) {
	for _, seed := range []string{"__Host-otp=x; a=b", "a=b;__Host-otp=x", " ; ;__Host-otp==", "__Host-otp", "a=\"b; __Host-otp=x\""} {
		f.Add(seed, "c=d")
	}
	ours := func(name, _ string) bool { return name == "__Host-otp" || name == "__Host-otp-start" }
	f.Fuzz(func(t *testing.T, one, two string) {
		h := http.Header{"Cookie": {one, two}}
		others := func(headers []string) (parts []string) {
			for _, header := range headers {
				for part := range strings.SplitSeq(header, ";") {
					part = strings.Trim(part, " \t")
					if name, value, _ := strings.Cut(part, "="); part != "" && !ours(name, value) {
						parts = append(parts, part)
					}
				}
			}
			return parts
		}
		before := others(h["Cookie"])
		hideCookies(h, ours)
		if anyCookie(h["Cookie"], ours) {
			t.Fatalf("%q, %q: left is %q", one, two, h["Cookie"])
		}
		if after := others(h["Cookie"]); !slices.Equal(before, after) {
			t.Fatalf("%q, %q: %q became %q", one, two, before, after)
		}
	})
}
