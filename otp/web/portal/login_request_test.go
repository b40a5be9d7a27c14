// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestLoginHint: an address stands in the form, and nothing is sent to it.
func TestLoginHint(t *testing.T) {
	s := newSite(t)
	for hint, want := range map[string]string{
		"jane@example.com":          "jane@example.com",
		"+4915123456789":            "+4915123456789",
		`"><script>x`:               `"><script>x`,
		"a\r\nb@example.com":        "",
		"\xff@example.com":          "",
		strings.Repeat("x", 255):    "",
		"jane@example.com\u202ecom": "",
	} {
		a := s.browser().get(login + "?" + url.Values{"login_hint": {hint}}.Encode())
		if got := formOf(t, a).Get("address"); got != want || strings.Contains(a.Body, "<script>x") {
			t.Errorf("%q: the form has %q", hint, got)
		}
	}
	s.NoMessage()
}

// TestLocales: the pages of a login are in the language that it was asked for in,
// and so is its message.
func TestLocales(t *testing.T) {
	s := newSite(t)
	for locales, want := range map[string]string{
		"de": "de", "de-AT en": "de", "fr-CA de en": "de", "en de": "en", "fr": "en", "": "en", "<de>": "en", strings.Repeat("de ", 99): "en",
	} {
		b := s.browser()
		page := b.get(login + "?" + url.Values{"ui_locales": {locales}, "return_to": {"/app"}}.Encode())
		action, _, _ := strings.Cut(page.Body[strings.Index(page.Body, `action="`)+len(`action="`):], `"`)
		form := formOf(t, page)
		form.Set("address", "jane@example.com")
		b.post(html.UnescapeString(action), form).redirects(t, verify)
		message, code := s.Message(), b.get(verify)
		wrong := b.post(verify, url.Values{"code": {"x"}})
		for what, got := range map[string]string{
			"page": page.Header.Get("Content-Language"), "message": message.Locale,
			"code page": code.Header.Get("Content-Language"), "refusal": wrong.Header.Get("Content-Language"),
		} {
			if got != want {
				t.Errorf("%q: the %s is in %q, want %q", locales, what, got, want)
			}
		}
		s.Advance(time.Hour)
	}
}

// TestOtherAddressKeepsTheRequest: choosing another address on the code's page changes nothing
// else of what the login was asked for with.
func TestOtherAddressKeepsTheRequest(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signInOn("jane@example.com")
	before := b.session()
	asked := url.Values{"fresh": {"1"}, "return_to": {"/app?x=1"}, "ui_locales": {"de"}}
	form := formOf(t, b.get(login+"?"+asked.Encode()))
	form.Set("address", "typo@example.com")
	b.post(login+"?ui_locales=de", form).redirects(t, verify)
	s.Message()
	code := b.get(verify)
	if !strings.Contains(code.Body, `<a href="`+login+"?"+strings.ReplaceAll(asked.Encode(), "&", "&amp;")+`">`) {
		t.Fatalf("it leads elsewhere: %s", code.Body)
	}
	form = formOf(t, b.get(login+"?"+asked.Encode()))
	if form.Get("fresh") != "1" || form.Get("return_to") != "/app?x=1" {
		t.Fatalf("the page asks with %v", form)
	}
	form.Set("address", "jane@example.com")
	b.post(login, form).redirects(t, verify)
	b.post(verify, url.Values{"code": {s.Code()}}).redirects(t, "/app?x=1")
	if b.session().ID == before.ID {
		t.Error("the session is the old one")
	}
}

// TestFreshHandoff: who must sign in again does so at the home, once.
func TestFreshHandoff(t *testing.T) {
	r := newRealm(t)
	p := r.person(t)
	_, page := p.open(origin2 + login + "?return_to=%2Fapp")
	if last, _ := p.open(p.signInAtHome(page, "jane@example.com")); last != origin2+"/app" {
		t.Fatalf("it ends at %s", last)
	}
	before := p.at[origin2].session()
	r.home().Advance(time.Minute)
	last, page := p.open(origin2 + login + "?" + url.Values{
		"fresh": {"1"}, "return_to": {"/again"}, "login_hint": {"jane@example.com"}, "ui_locales": {"de"},
	}.Encode())
	form := formOf(t, page)
	if page.Status != http.StatusOK || !strings.HasPrefix(last, webtest.Origin+handoff) || form.Get("fresh") != "1" ||
		form.Get("address") != "jane@example.com" || page.Header.Get("Content-Language") != "de" {
		t.Fatalf("%s asks with %v", last, form)
	}
	if again, a := p.open(last); again != last || formOf(t, a).Get("fresh") != "1" {
		t.Errorf("a reload leads to %s", again)
	}
	if last, _ := p.open(p.signInAtHome(page, "jane@example.com")); last != origin2+"/again" {
		t.Fatalf("it ends at %s", last)
	}
	after := p.at[origin2].session()
	if after.ID == before.ID || !after.Created.After(before.Created) || after.ID != p.at[webtest.Origin].session().ID {
		t.Error("the session is the old one")
	}
	// The next demand is one of its own; but who has just signed in has.
	if last, _ := p.open(origin2 + login + "?fresh=1&return_to=%2Fthird"); last != origin2+"/third" {
		t.Errorf("it ends at %s", last)
	}
	// Without such a demand the home hands over whom it knows.
	if last, _ := p.open(origin3 + login + "?return_to=%2Fapp"); last != origin3+"/app" {
		t.Errorf("it ends at %s", last)
	}
}
