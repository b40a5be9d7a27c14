// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
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

const (
	firefoxOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
	safariOnIPhone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)

// rows are the sessions that a page lists, as text: its device, its line, and
// whether it is this browser's or has a button to end it.
func (a answer) rows(t testing.TB) []string {
	t.Helper()
	a.Want(http.StatusOK)
	var rows []string
	for n := range a.document(t).Descendants() {
		if n.Type == html.ElementNode && n.Data == "li" {
			rows = append(rows, strings.Join(strings.FieldsFunc(textOf(n), func(r rune) bool { return r == '\n' }), "|"))
		}
	}
	return rows
}

// holds reports whether a browser's session opens the private part.
func (b *browser) holds() bool {
	b.site.Helper()
	a := b.get("/private")
	return a.FromApp()
}

func TestSessions(t *testing.T) {
	s := newSiteIn(t, webtest.Options{Frozen: true})
	desk, phone, joe := s.browser(), s.browser(), s.browser()
	desk.device, phone.device = firefoxOnWindows, safariOnIPhone
	joe.signIn("joe@example.com")
	phone.signIn("jane@example.com")
	s.Advance(3 * time.Hour)
	api, access := s.SignInBy("nestauth", "jane@example.com")
	s.Advance(90 * time.Second)
	desk.signIn("jane@example.com")

	want := []string{
		"Firefox on Windows|Signed in 1 second ago, on the login page.|This browser",
		"Unknown device|Signed in 1 minute ago, through an app (nestauth).|End this session",
		"Safari on iPhone|Signed in 3 hours ago, on the login page.|End this session",
	}
	page := desk.get(sessions)
	if got := page.rows(t); !slices.Equal(got, want) || !strings.Contains(page.Body, "You are signed in as jane@example.com in these places.") {
		t.Errorf("%q, want %q", got, want)
	}
	desk.language = "de"
	want = []string{
		"Firefox auf Windows|Vor 1 Sekunde auf der Anmeldeseite angemeldet.|Dieser Browser",
		"Unbekanntes Gerät|Vor 1 Minute über eine App angemeldet (nestauth).|Diese Sitzung beenden",
		"Safari auf iPhone|Vor 3 Stunden auf der Anmeldeseite angemeldet.|Diese Sitzung beenden",
	}
	if got := desk.get(sessions).rows(t); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}

	desk.post(sessions, url.Values{"session": {string(phone.session().ID)}}).redirects(t, sessions)
	if phone.holds() || !desk.holds() || !joe.holds() {
		t.Errorf("phone %v, desk %v, joe %v", phone.holds(), desk.holds(), joe.holds())
	}
	if a := s.Get("/private", "Authorization", "Bearer "+access); !a.FromApp() {
		t.Errorf("the app's session ended: %d", a.Status)
	}
	desk.post(sessions, url.Values{"session": {string(api.Session.ID)}}).redirects(t, sessions)
	if a := s.Get("/private", "Authorization", "Bearer "+access); a.FromApp() {
		t.Error("the app's session holds")
	}
	if got := desk.get(sessions).rows(t); len(got) != 1 {
		t.Errorf("left are %q", got)
	}
	if got := joe.get(sessions).rows(t); len(got) != 1 {
		t.Errorf("joe has %q", got)
	}
}

// TestSessionsAfterFactor: the session that goes on with a second factor is the
// only one, of the same device.
func TestSessionsAfterFactor(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.device = firefoxOnWindows
	b.signIn("jane@example.com")
	b.post(mfa, url.Values{"to": {"0"}, "return_to": {"/vault"}}).redirects(t, mfa)
	b.post(mfa, url.Values{"code": {s.Message().Code}}).redirects(t, "/vault")
	if got := b.get(sessions).rows(t); len(got) != 1 || !strings.HasPrefix(got[0], "Firefox on Windows|") {
		t.Errorf("%q", got)
	}
}

// TestSessionsOfOthers: to know a session's name isn't to have a say over it.
func TestSessionsOfOthers(t *testing.T) {
	s := newSite(t)
	jane, joe := s.browser(), s.browser()
	jane.signIn("jane@example.com")
	joe.signIn("joe@example.com")
	for _, form := range []url.Values{
		{"session": {string(jane.session().ID)}}, {"session": {""}}, {"session": {"x"}}, nil, {"session": {string(jane.session().Owner)}},
		{"everywhere": {"1"}}, // which is the logout's field
	} {
		joe.post(sessions, form).redirects(t, sessions)
		s.browser().post(sessions, form).redirects(t, sessions)
	}
	if !jane.holds() || !joe.holds() {
		t.Errorf("jane %v, joe %v", jane.holds(), joe.holds())
	}
	joe.post(sessions, url.Values{"session": {string(joe.session().ID), "x"}}).Want(http.StatusBadRequest)
}

// TestSessionsNeedOne: nobody, and no program, sees or ends sessions.
func TestSessionsNeedOne(t *testing.T) {
	s := newSite(t)
	const toLogin = login + "?return_to=%2F.otp%2Fsessions"
	s.browser().get(sessions).redirects(t, toLogin)
	v, access := s.SignInBy("nestauth", "jane@example.com")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := newPost(sessions, url.Values{"session": {string(v.Session.ID)}})
		if method == http.MethodGet {
			r = httptest.NewRequest(method, sessions, nil)
		}
		r.Header.Set("Authorization", "Bearer "+access)
		a := s.browser().do(r)
		if a.Status != http.StatusSeeOther || strings.Contains(a.Body, "jane") {
			t.Errorf("%s: %d %s", method, a.Status, a.Body)
		}
	}
	if a := s.Get("/private", "Authorization", "Bearer "+access); !a.FromApp() {
		t.Error("a program ended its session")
	}
	b := s.browser()
	b.signIn("joe@example.com")
	gone := b.copy()
	b.post(logout, nil)
	gone.get(sessions).redirects(t, toLogin)
}

func TestSessionsWithoutStore(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("jane@example.com")
	s.FailStore(otp.ErrUnavailable)
	b.get(sessions).says(t, http.StatusServiceUnavailable, "We can't check right now whether you are signed in.", sessions)
	b.post(sessions, url.Values{"session": {string(b.session().ID)}}).says(t, http.StatusServiceUnavailable, "We can't check right now", "/")
}

// TestDevicesSayNothingOfTheirOwn: what a program calls itself is never shown.
func TestDevicesSayNothingOfTheirOwn(t *testing.T) {
	s := newSite(t)
	for i, device := range []string{"Your account is at risk: evil.example", "Mozilla/5.0 (evil.example) Firefox/evil.example", "curl/evil.example"} {
		b := s.browser()
		b.device = device
		b.signIn("jane" + string(rune('a'+i)) + "@example.com")
		if page := b.get(sessions).Want(http.StatusOK); strings.Contains(page.Body, "evil") {
			t.Errorf("%s", page.Body)
		}
	}
}

func TestSignOutEverywhere(t *testing.T) {
	s := newSite(t)
	desk, phone, joe := s.browser(), s.browser(), s.browser()
	desk.signIn("jane@example.com")
	phone.signIn("jane@example.com")
	joe.signIn("joe@example.com")
	_, access := s.SignInBy("nestauth", "jane@example.com")
	for _, page := range []string{logout, sessions} {
		button := named(desk.get(page).document(t), "name", "everywhere")
		if button == nil || attribute(button.Parent, "action") != logout || attribute(button, "value") != "1" {
			t.Errorf("%s has no button for it", page)
		}
	}
	s.Advance(time.Second)
	desk.post(logout, url.Values{"everywhere": {"1"}}).redirects(t, logout)
	if len(desk.cookies) != 0 {
		t.Errorf("cookies %v", desk.cookies)
	}
	if phone.holds() || !joe.holds() {
		t.Errorf("phone %v, joe %v", phone.holds(), joe.holds())
	}
	if a := s.Get("/private", "Authorization", "Bearer "+access); a.FromApp() {
		t.Error("the app's session holds")
	}
	s.Advance(time.Minute) // the throttle of her address
	desk.signIn("jane@example.com")
	if got := desk.get(sessions).rows(t); !desk.holds() || len(got) != 1 {
		t.Errorf("a new session: holds %v, %q", desk.holds(), got)
	}
}

// TestDeadSessionEndsNoOthers: a stolen cookie that was revoked can't throw
// its owner out.
func TestDeadSessionEndsNoOthers(t *testing.T) {
	s := newSite(t)
	stolen, kept := s.browser(), s.browser()
	stolen.signIn("jane@example.com")
	kept.signIn("jane@example.com")
	thief := stolen.copy()
	stolen.post(logout, nil)
	thief.post(logout, url.Values{"everywhere": {"1"}}).redirects(t, logout)
	if !kept.holds() {
		t.Error("the other session ended")
	}
}

func TestSignOutEverywhereWithoutStore(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("jane@example.com")
	x := b.session()
	s.FailStore(otp.ErrUnavailable)
	a := b.post(logout, url.Values{"everywhere": {"1"}})
	if a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, "signed out in this browser only") || b.hasSession() {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	s.FailStore(nil)
	if _, err := s.Service.Current(t.Context(), x); errors.Is(err, otp.ErrNoSession) {
		t.Error("the session ended after all")
	}
}

// TestLogoutByScript: a script posts no form.
func TestLogoutByScript(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("jane@example.com")
	r := newPost(logout, nil)
	r.Header.Del("Content-Type")
	b.do(r).redirects(t, logout)
	if b.hasSession() {
		t.Error("still signed in")
	}
}
