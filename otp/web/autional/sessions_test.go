// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

const (
	sessionsPath     = "/auth/me/sessions"
	firefoxOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
)

// list returns the sessions that an access token's person has.
func (s *site) list(access string) []map[string]any {
	s.Helper()
	a := s.Get(sessionsPath, webtest.Bearer(access)...).Want(http.StatusOK)
	wantTime(a)
	data, ok := a.Fields["data"].([]any)
	if a.Fields["code"] != 0.0 || a.Text("message") == "" || !ok || len(a.Fields) != 4 {
		s.Fatalf("body is %s", a.Body)
	}
	var items []map[string]any
	for _, item := range data {
		items = append(items, item.(map[string]any))
	}
	return items
}

func (s *site) delete(path string, headers ...string) webtest.Answer {
	s.Helper()
	return s.Do(webtest.Request(http.MethodDelete, path, "", headers...))
}

// wantDone checks an envelope without data.
func wantDone(a webtest.Answer) {
	a.Helper()
	a.Want(http.StatusOK)
	wantTime(a)
	if a.Fields["code"] != 0.0 || a.Text("message") == "" || len(a.Fields) != 3 {
		a.Fatalf("body is %s", a.Body)
	}
}

// holds reports whether an access token opens its session.
func (s *site) holds(access string) bool {
	s.Helper()
	return s.Get("/auth/me", webtest.Bearer(access)...).Status == http.StatusOK
}

func instant(t *testing.T, item map[string]any, field string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, item[field].(string))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestSessions lists the sessions of a person: of this API, of another, of the
// pages.
func TestSessions(t *testing.T) {
	s := newSite(t, webtest.Options{})
	s.signIn("bob@example.com")
	s.Post("/auth/send-login-code", `{"email":"`+alice+`"}`).Want(http.StatusOK)
	first := s.Post("/auth/login/email-code", `{"email":"`+alice+`","code":"`+s.Code()+`"}`, "User-Agent", firefoxOnWindows).Want(http.StatusOK)
	s.Advance(20 * time.Minute)
	s.SignInBy("portal", alice)
	s.Advance(20 * time.Minute)
	first = s.refresh(first.Text("refresh_token")).Want(http.StatusOK)
	s.Advance(time.Minute)
	second := s.signIn(alice)

	items := s.list(first.Text("access_token"))
	if len(items) != 3 {
		t.Fatalf("listed are %v", items)
	}
	for i, want := range []struct {
		device, dialect string
		used            time.Duration // since it was opened
		current         bool
	}{
		{"", "autional", 0, false},
		{"", "portal", 0, false},
		{"Firefox on Windows", "autional", 40 * time.Minute, true},
	} {
		got := items[i]
		if got["device"] != want.device || got["dialect"] != want.dialect || got["method"] != "code" || got["current"] != want.current || len(got) != 8 {
			t.Errorf("session %d is %v, want %+v", i, got, want)
		}
		opened, used, expires := instant(t, got, "created_at"), instant(t, got, "last_used_at"), instant(t, got, "expires_at")
		if d := used.Sub(opened) - want.used; d < 0 || d > 10*time.Second {
			t.Errorf("session %d was used %v after it was opened, want %v", i, used.Sub(opened), want.used)
		}
		lifetime := DefaultRefreshLifetime
		if want.dialect == "portal" {
			lifetime = time.Hour
		}
		if expires.Sub(opened).Round(time.Minute) != lifetime {
			t.Errorf("session %d ends %v after it was opened", i, expires.Sub(opened))
		}
		if i > 0 && opened.After(instant(t, items[i-1], "created_at")) {
			t.Errorf("session %d is newer than the one before", i)
		}
	}
	if items := s.list(second.Text("access_token")); len(items) != 3 || items[0]["current"] != true || items[2]["current"] != false {
		t.Errorf("listed for the other are %v", items)
	}
}

// TestEndSession ends sessions of the caller's own, and no others.
func TestEndSession(t *testing.T) {
	for _, prefix := range prefixes {
		t.Run(prefix, func(t *testing.T) {
			s := newSite(t, webtest.Options{})
			mine, other := s.signIn(alice), s.signIn(alice)
			bobs := s.signIn("bob@example.com")
			access := webtest.Bearer(mine.Text("access_token"))
			id := func(a webtest.Answer) string {
				for _, item := range s.list(a.Text("access_token")) {
					if item["current"] == true {
						return item["id"].(string)
					}
				}
				t.Fatal("no session is the current one")
				return ""
			}
			target, foreign, own := id(other), id(bobs), id(mine)
			for _, nobodys := range []string{foreign, "x", "00", "%00"[1:], otherID(target), target + "x"} {
				wantSimple(s.delete(prefix+sessionsPath+"/"+nobodys, access...), errNoSuchSession)
			}
			wantSimple(s.delete(prefix+sessionsPath+"/"+target), errUnauthorized)
			wantSimple(s.delete(prefix+sessionsPath+"/"+target, webtest.Bearer("x")...), errUnauthorized)
			if !s.holds(other.Text("access_token")) || !s.holds(bobs.Text("access_token")) {
				t.Fatal("a session has ended")
			}
			wantDone(s.delete(prefix+sessionsPath+"/"+target, access...))
			wantSimple(s.Get("/auth/me", webtest.Bearer(other.Text("access_token"))...), errUnauthorized)
			wantSimple(s.refresh(other.Text("refresh_token")), errUnauthorized)
			wantSimple(s.delete(prefix+sessionsPath+"/"+target, access...), errNoSuchSession)
			if items := s.list(mine.Text("access_token")); len(items) != 1 || !s.holds(bobs.Text("access_token")) {
				t.Errorf("left are %v", items)
			}
			wantDone(s.delete(prefix+sessionsPath+"/"+own, access...))
			if s.holds(mine.Text("access_token")) {
				t.Error("the session that asked hasn't ended")
			}
		})
	}
}

// otherID is a session's id but for its last character.
func otherID(id string) string {
	last := "A"
	if id[len(id)-1] == 'A' {
		last = "B"
	}
	return id[:len(id)-1] + last
}

// TestEndOtherSessions ends all sessions of the caller but the current one,
// also where there are more than are listed at a time.
func TestEndOtherSessions(t *testing.T) {
	s := newSite(t, webtest.Options{Domain: func(c *otp.Config) {
		c.Throttles.Address = []otp.Throttle{{Events: 10000, Window: time.Hour}}
	}})
	mine := s.signIn(alice)
	bobs := s.signIn("bob@example.com")
	var others []string
	for range otp.MaxSessions + 2 {
		_, access := s.SignInBy("portal", alice)
		others = append(others, access)
	}
	newest := s.signIn(alice)
	wantSimple(s.delete(sessionsPath), errUnauthorized)
	wantDone(s.delete(sessionsPath, webtest.Bearer(newest.Text("access_token"))...))
	for i, access := range others {
		if x, err := s.Issuer.Authenticate(t.Context(), access); err == nil {
			t.Fatalf("session %d of %d, %s, goes on", i, len(others), x.ID)
		}
	}
	if s.holds(mine.Text("access_token")) || !s.holds(newest.Text("access_token")) || !s.holds(bobs.Text("access_token")) {
		t.Errorf("mine %v, newest %v, bob's %v", s.holds(mine.Text("access_token")), s.holds(newest.Text("access_token")), s.holds(bobs.Text("access_token")))
	}
	wantDone(s.delete(sessionsPath, webtest.Bearer(newest.Text("access_token"))...)) // there are none
	s.refresh(newest.Text("refresh_token")).Want(http.StatusOK)
}

// TestSessionsShared pins whose the requests are where the app has the paths
// too.
func TestSessionsShared(t *testing.T) {
	s := newSite(t, webtest.Options{}, shared)
	ours := webtest.Bearer(s.signIn(alice).Text("access_token"))
	_, another := s.SignInBy("another", alice)
	const id = "/00AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for _, prefix := range prefixes {
		for _, test := range []struct {
			method, path string
			headers      []string
			ours         bool
		}{
			{http.MethodGet, "", nil, false},
			{http.MethodGet, "", webtest.Bearer("theirs"), false},
			{http.MethodGet, "", webtest.Bearer(another), false},
			{http.MethodGet, "", ours, true},
			{http.MethodDelete, id, nil, false},
			{http.MethodDelete, id, webtest.Bearer(another), false},
			{http.MethodDelete, id, ours, true},
			{http.MethodDelete, "/", ours, false},
			{http.MethodDelete, id + "/x", ours, false},
			{http.MethodGet, id, ours, false},
			{http.MethodPost, "", ours, false},
			{http.MethodDelete, "", nil, false},
			{http.MethodDelete, "", ours, true},
		} {
			t.Run(fmt.Sprint(test.method, prefix, test.path, test.headers != nil), func(t *testing.T) {
				s.in(t).Do(webtest.Request(test.method, prefix+sessionsPath+test.path, "", test.headers...)).WantOurs(test.ours, "")
			})
		}
	}
}

// TestSessionsAcrossOrigins lets pages of a configured origin call the routes.
func TestSessionsAcrossOrigins(t *testing.T) {
	s := newSite(t, webtest.Options{}, func(c *Config) { c.Origins = []string{spa} })
	access := webtest.Bearer(s.signIn(alice).Text("access_token"))
	for path, methods := range map[string]string{
		sessionsPath:                 "DELETE, GET, HEAD",
		sessionsPath + "/x":          "DELETE",
		"/auth/magic-link":           "POST",
		"/auth/magic-link/request":   "POST",
		"/auth/magic-link/confirm":   "GET, HEAD, POST",
		"/auth/mfa/verify-challenge": "POST",
	} {
		a := s.Do(webtest.Request(http.MethodOptions, path, "", "Origin", spa, "Access-Control-Request-Method", "DELETE")).Want(http.StatusNoContent)
		if a.Header.Get("Access-Control-Allow-Origin") != spa || a.Header.Get("Access-Control-Allow-Methods") != methods {
			t.Errorf("%s: %v", path, a.Header)
		}
		a = s.Do(webtest.Request(http.MethodOptions, path, "", "Origin", "https://evil.example", "Access-Control-Request-Method", "DELETE"))
		if a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
	wantProblem(s.delete(sessionsPath, append(access, "Origin", "https://evil.example")...), foreignOrigin)
	a := s.delete(sessionsPath, append(access, "Origin", spa)...)
	wantDone(a)
	if a.Header.Get("Access-Control-Allow-Origin") != spa {
		t.Errorf("%v", a.Header)
	}
}

// TestSessionsStoreDown: nothing is said to have ended that may not have.
func TestSessionsStoreDown(t *testing.T) {
	s := newSite(t, webtest.Options{})
	access := webtest.Bearer(s.signIn(alice).Text("access_token"))
	s.FailStore(otp.ErrUnavailable)
	wantProblem(s.Get(sessionsPath, access...), unavailable)
	wantProblem(s.delete(sessionsPath, access...), unavailable)
	wantProblem(s.delete(sessionsPath+"/x", access...), unavailable)
}
