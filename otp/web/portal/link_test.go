// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

const linkInvalid = "This link isn't valid any more. Ask for a new one."

func TestSignInByLink(t *testing.T) {
	s := newSite(t)
	target, token := linkTarget(t, s.browser().start("jane@example.com", "/private?a=1"))

	// Scanners come first, each in its own way.
	for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodGet, http.MethodGet} {
		scanner := s.browser()
		r := httptest.NewRequest(method, target, nil)
		r.Header.Set("Sec-Purpose", "prefetch")
		a := scanner.do(r)
		if a.Status != http.StatusOK || len(a.Header["Set-Cookie"]) != 0 {
			t.Fatalf("%s: %d, cookies %v", method, a.Status, a.Header["Set-Cookie"])
		}
	}

	b := s.browser()
	page := b.get(target)
	if !strings.Contains(page.Body, "j***@example.com") || !strings.Contains(page.Body, "app.example.com") {
		t.Errorf("page says %s", page.Body)
	}
	form := formOf(t, page)
	if form.Get("token") != token {
		t.Fatal("the page's form has another token")
	}
	b.post(link, form).redirects(t, "/private?a=1")
	x := b.session()
	if x.Method != otp.ByLink || x.Address.String() != "jane@example.com" {
		t.Errorf("session by %s of %s", x.Method, x.Address)
	}
	if strings.Contains(b.cookies["__Host-otp"], token) || strings.Contains(token, string(x.ID)) {
		t.Error("the link's token is in the session")
	}

	for _, secret := range []string{token, "jane", b.cookies["__Host-otp"]} {
		if strings.Contains(s.Logged(), secret) {
			t.Errorf("log holds %q", secret)
		}
	}

	s.Advance(otp.RepeatWindow + time.Second)
	used := s.browser().post(link, form)
	if used.Status != http.StatusBadRequest || !strings.Contains(textOf(element(used.document(t), "main")), linkInvalid) {
		t.Errorf("used link: %d %s", used.Status, used.Body)
	}
	if got := attribute(element(element(used.document(t), "main"), "a"), "href"); got != login+"?return_to=%2Fprivate%3Fa%3D1" {
		t.Errorf("the page leads to %q", got)
	}
}

// formOf returns the fields of a page's one form.
func formOf(t *testing.T, a answer) url.Values {
	t.Helper()
	form := url.Values{}
	for n := range element(a.document(t), "form").Descendants() {
		if n.Data == "input" {
			form.Set(attribute(n, "name"), attribute(n, "value"))
		}
	}
	return form
}

func TestRepeatedLink(t *testing.T) {
	s := newSite(t)
	target, token := linkTarget(t, s.browser().start("jane@example.com", "/"))
	first, second := s.browser(), s.browser()
	form := formOf(t, first.get(target))
	first.post(link, form).redirects(t, "/")
	second.post(link, form).redirects(t, "/")
	if first.session().ID != second.session().ID {
		t.Error("the repeated post opened another session")
	}
	for _, other := range []url.Values{formOf(t, s.browser().get(target)), {"token": {token}}} {
		if a := s.browser().post(link, other); a.Status != http.StatusBadRequest {
			t.Errorf("another browser got %d", a.Status)
		}
	}
}

// altered is another token for sure: a letter in its middle, all of whose bits
// count, is another one.
func altered(token string) string {
	middle := len(token) / 2
	letter := "A"
	if token[middle] == 'A' {
		letter = "B"
	}
	return token[:middle] + letter + token[middle+1:]
}

func TestUnusableLinks(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	_, good := linkTarget(t, b.start("jane@example.com", "/"))
	_, foreign := linkTarget(t, newSite(t).browser().start("jane@example.com", "/"))
	_, auth0 := linkTarget(t, startLink(t, s, "auth0"))
	start := b.cookies["__Host-otp-start"]
	for name, token := range map[string]string{
		"empty": "", "garbage": "x", "altered": altered(good), "another site": foreign,
		"another dialect": auth0, "a cookie": start, "markup": `"><script>alert(1)</script>`,
	} {
		t.Run(name, func(t *testing.T) {
			b := s.browser()
			for _, a := range []answer{
				b.get(link + "?" + url.Values{"token": {token}}.Encode()),
				b.post(link, url.Values{"token": {token}}),
			} {
				if a.Status != http.StatusBadRequest || strings.Contains(a.Body, "<script") || b.hasSession() {
					t.Errorf("%d %s", a.Status, a.Body)
				}
				if got := attribute(element(element(a.document(t), "main"), "a"), "href"); got != login {
					t.Errorf("the page leads to %q", got)
				}
			}
		})
	}
	s.Advance(10 * time.Minute)
	if a := b.post(link, url.Values{"token": {good}}); a.Status != http.StatusBadRequest {
		t.Errorf("expired link: %d", a.Status)
	}
}

// startLink has a link sent through another dialect.
func startLink(t *testing.T, s *site, dialect string) otp.Message {
	t.Helper()
	address, err := otp.ParseEmail("jane@example.com")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Service.Start(t.Context(), otp.StartRequest{
		Dialect: dialect, Client: "client1", Address: address, Purpose: otp.Login, Form: otp.FormLink, Code: s.pages.Code,
		ClientIP: netip.MustParseAddr("192.0.2.7"), LinkPath: link + "?token=", LinkPayload: []byte("https://spa.example/callback"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.Message()
}

func TestDialectFinishesItsLinks(t *testing.T) {
	finish := func(w http.ResponseWriter, _ *http.Request, l otp.Link, v otp.Verification) {
		w.Header().Set("Location", string(l.Payload)+"?code="+v.Session.Client)
		w.WriteHeader(http.StatusFound)
	}
	s := newSite(t, func(_ *otp.Config, pages *Config) {
		pages.FinishLink = map[string]func(http.ResponseWriter, *http.Request, otp.Link, otp.Verification){"auth0": finish}
	})
	target, _ := linkTarget(t, startLink(t, s, "auth0"))
	b := s.browser()
	page := b.get(target)
	a := b.post(link, formOf(t, page))
	if a.Status != http.StatusFound || a.Header.Get("Location") != "https://spa.example/callback?code=client1" {
		t.Errorf("%d to %q", a.Status, a.Header.Get("Location"))
	}
	if x := b.session(); x.Dialect != "auth0" {
		t.Errorf("session is of %q", x.Dialect)
	}
}

func TestLinkIgnoresTheHost(t *testing.T) {
	s := newSite(t)
	r := newPost(login, url.Values{"address": {"jane@example.com"}})
	r.Host = "evil.example"
	for name, value := range map[string]string{
		"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "X-Forwarded-Proto": "http", "X-Original-Host": "evil.example",
	} {
		r.Header.Set(name, value)
	}
	s.browser().do(r).redirects(t, verify)
	linkTarget(t, s.Message())
}
