// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// says checks a page's status and text, and where its links lead.
func (a answer) says(t testing.TB, status int, text string, links ...string) {
	t.Helper()
	main := element(a.document(t), "main")
	if a.Status != status || !strings.Contains(textOf(main), text) {
		t.Fatalf("got %d %q, want %d %q", a.Status, textOf(main), status, text)
	}
	var got []string
	for n := range main.Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" {
			got = append(got, attribute(n, "href"))
		}
	}
	if !slices.Equal(got, links) {
		t.Errorf("leads to %q, want %q", got, links)
	}
}

func TestSignedOutLeadsOn(t *testing.T) {
	newSite(t).browser().get(logout).says(t, http.StatusOK, "You are signed out.", login, "/")
}

func TestOtherAddress(t *testing.T) {
	s := newSite(t)
	for _, target := range []string{login, verify, link, logout} {
		r := newPost(target, nil)
		r.Host = "192.0.2.1:8080"
		r.Header.Set("Origin", "http://192.0.2.1:8080")
		r.Header.Del("Sec-Fetch-Site")
		s.browser().do(r).says(t, http.StatusForbidden,
			"Open this site at https://app.example.com to sign in.", webtest.Origin+login)
	}
}

func TestUnknownPages(t *testing.T) {
	s := newSite(t)
	for target, status := range map[string]int{
		DefaultPath + "/nothing":     http.StatusNotFound,
		DefaultPath + "/login/":      http.StatusNotFound,
		"/.OTP/login":                http.StatusNotFound,
		DefaultPath + "//login":      http.StatusBadRequest,
		"/x/.." + DefaultPath + "/x": http.StatusBadRequest,
	} {
		s.browser().get(target).says(t, status, "There is no page at this address.", "/")
	}
	if a := s.browser().get("/otp/login"); !a.FromApp() {
		t.Errorf("the app's own path: %d %s", a.Status, a.Body)
	}
}

// silent is a store that nothing is heard of.
type silent struct{ otp.Store }

func (silent) Revocations(context.Context, otp.Cursor) ([]otp.Revocation, otp.Cursor, error) {
	return nil, 0, otp.ErrUnavailable
}

// TestSessionsCantBeChecked asks for pages of the app while nobody knows who
// is signed in.
func TestSessionsCantBeChecked(t *testing.T) {
	const text = "We can't check right now whether you are signed in. Try again in 1 second."
	s := newSite(t)
	b := s.browser()
	b.signIn("jane@example.com")
	s.Gate.Service = otp.NewService(otp.Config{
		Realm:     s.Service.Realm(),
		PublicURL: s.Service.PublicURL(),
		Keys:      s.Service.Keys(),
		Courier:   otp.NewCourier(silent{}, time.Second, s.Logger),
		Watch:     otp.NewWatch(silent{}, time.Second, s.Logger),
	})
	page := b.get("/private?a=1")
	page.says(t, http.StatusServiceUnavailable, text, "/private?a=1")
	for name, want := range map[string]string{
		"Retry-After": "1", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff",
	} {
		if got := page.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if !b.hasSession() {
		t.Error("the session's cookie is gone")
	}
	elsewhere := httptest.NewRequest(http.MethodGet, "/private", nil)
	elsewhere.URL = &url.URL{Path: "//evil.example/private"}
	elsewhere.Header.Set("Sec-Fetch-Mode", "navigate")
	b.do(elsewhere).says(t, http.StatusServiceUnavailable, text, "/")
	form := newPost("/private", url.Values{"a": {"1"}})
	form.Header.Set("Sec-Fetch-Mode", "navigate")
	b.do(form).says(t, http.StatusServiceUnavailable, text, "/")

	for name, value := range map[string]string{"Accept": "application/json", "Hx-Request": "true", "Upgrade": "websocket"} {
		r := httptest.NewRequest(http.MethodGet, "/private", nil)
		r.Header.Set("Accept", "text/html")
		r.Header.Set(name, value)
		a := b.do(r)
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Content-Type") != "application/problem+json; charset=utf-8" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}
