// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
)

func TestLogout(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("jane@example.com")
	kept := b.copy()

	for range 2 {
		page := b.get(logout)
		if page.Status != http.StatusOK || !strings.Contains(page.Body, "You are signed in as jane@example.com.") || !b.hasSession() {
			t.Fatalf("%d %s", page.Status, page.Body)
		}
	}
	b.post(logout, nil).redirects(t, logout)
	if len(b.cookies) != 0 {
		t.Errorf("cookies %v", b.cookies)
	}
	if page := b.get(logout); page.Status != http.StatusOK || !strings.Contains(page.Body, "You are signed out.") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	if a := kept.get("/private"); a.Status != http.StatusSeeOther {
		t.Errorf("a copy of the cookie still opens: %d", a.Status)
	}
	b.post(logout, nil).redirects(t, logout)
}

func TestLogoutEndsWhatMayNotSignIn(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("jane@example.com")
	x := b.session()
	// A program's bearer token doesn't hide the browser's session.
	r := newPost(logout, nil)
	r.Header.Set("Authorization", "Bearer x.y.z")
	b.do(r).redirects(t, logout)
	if _, err := s.Service.Current(t.Context(), x); !errors.Is(err, otp.ErrNoSession) {
		t.Errorf("session: %v", err)
	}
}

func TestLogoutWithoutStore(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("jane@example.com")
	s.FailStore(otp.ErrUnavailable)
	a := b.post(logout, nil)
	if a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, "signed out in this browser only") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if b.hasSession() {
		t.Error("the cookie is still there")
	}
	if a.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
}

func TestForeignOriginsAreRefused(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("jane@example.com")
	message := b.start("jane@example.com", "/")
	_, token := linkTarget(t, message)
	before := b.copy()
	for target, body := range map[string]string{
		login:  "address=victim%40example.com",
		verify: "code=" + message.Code,
		link:   "token=" + token,
		logout: "everywhere=1",

		sessions: "session=" + string(b.session().ID),
	} {
		for _, headers := range []map[string]string{
			{"Origin": "https://evil.example"},
			{"Origin": "null"},
			{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
			{"Origin": "https://sub.app.example.com", "Sec-Fetch-Site": "same-site"},
			{"Sec-Fetch-Site": "cross-site"},
		} {
			r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for name, value := range headers {
				r.Header.Set(name, value)
			}
			a := b.do(r)
			if a.Status != http.StatusForbidden || !strings.Contains(a.Body, "came from another site") {
				t.Errorf("%s %v: %d %s", target, headers, a.Status, a.Body)
			}
		}
	}
	if b.cookies["__Host-otp"] != before.cookies["__Host-otp"] || b.cookies["__Host-otp-start"] != before.cookies["__Host-otp-start"] {
		t.Error("cookies changed")
	}
	if _, err := s.Service.Current(t.Context(), b.session()); err != nil {
		t.Errorf("session: %v", err)
	}
	s.NoMessage()
	s.browser().post(link, map[string][]string{"token": {token}}).redirects(t, "/")
}
