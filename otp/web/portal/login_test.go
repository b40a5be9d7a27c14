// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func TestSignInByCode(t *testing.T) {
	s := newSite(t)
	b := s.browser()

	toLogin := b.get("/private/report?year=2026")
	toLogin.redirects(t, login+"?return_to=%2Fprivate%2Freport%3Fyear%3D2026")
	page := b.get(toLogin.Header.Get("Location"))
	if page.Status != http.StatusOK || len(b.cookies) != 0 {
		t.Fatalf("login page: %d with cookies %v", page.Status, b.cookies)
	}
	back := attribute(named(page.document(t), "name", "return_to"), "value")
	m := b.start("Jane@Example.com", back)
	if m.To != "Jane@Example.com" || m.Code == "" || m.Link == "" || m.Dialect != Name {
		t.Fatalf("unexpected message to %q", m.To)
	}

	page = b.get(verify)
	const sent = "We have sent a message to Jane@Example.com, if it may sign in here. It can take a minute."
	if page.Status != http.StatusOK || !strings.Contains(textOf(element(page.document(t), "main")), sent) {
		t.Fatalf("verify page: %d %s", page.Status, page.Body)
	}
	b.post(verify, url.Values{"code": {" " + m.Code[:3] + " - " + m.Code[3:] + "\u00a0"}}).
		redirects(t, "/private/report?year=2026")
	if len(b.cookies) != 1 || b.session().Address.String() != "jane@example.com" {
		t.Errorf("cookies %v", b.cookies)
	}
	if a := b.get("/private/report?year=2026"); !a.FromApp() || a.Header.Get("X-Remote-User") != "jane@example.com" {
		t.Errorf("%d, as %q", a.Status, a.Header.Get("X-Remote-User"))
	}
}

func TestStartCookie(t *testing.T) {
	s := newSite(t)
	a := s.browser().post(login, url.Values{"address": {"jane@example.com"}})
	cookies := a.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	c := cookies[0]
	if c.Name != "__Host-otp-start" || c.Path != "/" || c.Domain != "" || !c.Secure || !c.HttpOnly ||
		c.SameSite != http.SameSiteLaxMode || c.MaxAge != 900 {
		t.Errorf("cookie is %v", c)
	}
}

func TestLoginAnswersDeniedAlike(t *testing.T) {
	deny, err := otp.ParsePattern("bad@example.com")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *otp.Config, _ *Config) { c.Admission.Deny = []otp.Pattern{deny} })
	allowed, denied := s.browser(), s.browser()
	code := ""
	for _, step := range []func(b *browser, address string) answer{
		func(b *browser, address string) answer { return b.post(login, url.Values{"address": {address}}) },
		func(b *browser, _ string) answer { return b.get(verify) },
		func(b *browser, _ string) answer {
			return b.post(verify, url.Values{"code": {webtest.OtherCode(code)}})
		},
		func(b *browser, _ string) answer { return b.post(login, url.Values{"again": {"1"}}) },
		func(b *browser, _ string) answer { return b.get(verify) },
		func(b *browser, _ string) answer { return b.post(login, url.Values{"again": {"1"}}) },
		func(b *browser, _ string) answer { return b.post(login, url.Values{"again": {"1"}}) },
	} {
		a, d := step(allowed, "bob@example.com"), step(denied, "bad@example.com")
		for s.Pending() > 0 {
			code = s.Message().Code
		}
		if a.Status != d.Status || a.Body != strings.ReplaceAll(d.Body, "bad@", "bob@") {
			t.Errorf("%d %s\nand for the denied\n%d %s", a.Status, a.Body, d.Status, d.Body)
		}
		hideCookieValues(a, d)
		for name, values := range a.Header {
			if got := strings.Join(d.Header[name], "|"); got != strings.Join(values, "|") {
				t.Errorf("header %s: %q and for the denied %q", name, values, got)
			}
		}
		if len(a.Header) != len(d.Header) {
			t.Errorf("headers %v and %v", a.Header, d.Header)
		}
	}
}

// hideCookieValues replaces the sealed values, which differ each time, by
// their lengths.
func hideCookieValues(answers ...answer) {
	for _, a := range answers {
		for i, cookie := range a.Header["Set-Cookie"] {
			name, rest, _ := strings.Cut(cookie, "=")
			value, attributes, _ := strings.Cut(rest, ";")
			a.Header["Set-Cookie"][i] = name + strings.Repeat("x", len(value)) + attributes
		}
	}
}

func TestDeniedGetsNoMessage(t *testing.T) {
	deny, err := otp.ParsePattern("*@denied.example")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *otp.Config, _ *Config) { c.Admission.Deny = []otp.Pattern{deny} })
	s.browser().post(login, url.Values{"address": {"x@denied.example"}}).redirects(t, verify)
	s.NoMessage()
}

func TestLoginRefusesAddresses(t *testing.T) {
	s := newSite(t)
	for _, address := range []string{
		"", "jane", "jane@", "@example.com", "jane@example", "+4917012345678", "a@x.example\r\nBcc: b@x.example",
		`"a> SIZE=9 <b"@x.example`, "m\u0131ke@x.example", strings.Repeat("a", 65) + "@x.example", strings.Repeat("a", 300) + "@x.example",
		"<script>alert(1)</script>@x.example",
	} {
		b := s.browser()
		a := b.post(login, url.Values{"address": {address}, "return_to": {"/private"}})
		a.shows(t, http.StatusBadRequest, "This isn't a valid e-mail address. Check it for typing errors.")
		d := a.document(t)
		input := named(d, "name", "address")
		if got := attribute(input, "value"); got != strings.ReplaceAll(address, "\r\n", "\n") {
			t.Errorf("%q comes back as %q", address, got)
		}
		if attribute(input, "aria-invalid") != "true" || attribute(named(d, "name", "return_to"), "value") != "/private" {
			t.Errorf("%q: form is %s", address, a.Body)
		}
		if strings.Count(a.Body, "<script") != 1 || len(b.cookies) != 0 {
			t.Errorf("%q: cookies %v in %s", address, b.cookies, a.Body)
		}
	}
	s.NoMessage()
}

func TestLoginThrottled(t *testing.T) {
	s := newSiteIn(t, webtest.Options{Frozen: true})
	b := s.browser()
	first := b.start("jane@example.com", "/private")
	for range 2 {
		b.post(login, url.Values{"again": {"1"}}).redirects(t, verify)
		s.Message()
	}
	const alert = "You have asked too often. Try again in 20 seconds."
	again := b.post(login, url.Values{"again": {"1"}})
	again.shows(t, http.StatusTooManyRequests, alert)
	if again.Header.Get("Retry-After") != "20" || named(again.document(t), "name", "code") == nil {
		t.Errorf("Retry-After %q on %s", again.Header.Get("Retry-After"), again.Body)
	}
	other := s.browser().post(login, url.Values{"address": {"jane+tag@example.com"}})
	other.shows(t, http.StatusTooManyRequests, alert)
	if other.Header.Get("Retry-After") != "20" || named(other.document(t), "name", "address") == nil {
		t.Errorf("Retry-After %q on %s", other.Header.Get("Retry-After"), other.Body)
	}
	b.post(verify, url.Values{"code": {first.Code}}).redirects(t, "/private")

	s.Advance(21 * time.Second)
	s.browser().start("jane@example.com", "/")
}

func TestLoginWhenSignedIn(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("jane@example.com")
	for query, next := range map[string]string{
		"?return_to=%2Fprivate%3Fa%3D1": "/private?a=1", "": "/", "?return_to=%2F%2Fevil.example": "/",
	} {
		page := b.get(login + query)
		page.says(t, http.StatusOK, "You are signed in as jane@example.com.", next, sessions)
		again := url.Values{"return_to": {next}}.Encode()
		if got := attribute(element(page.document(t), "form"), "action"); got != logout+"?"+again {
			t.Errorf("%q: signing out is at %q", query, got)
		}
	}
	b.get(DefaultPath).redirects(t, login)
	b.get(DefaultPath+"/").redirects(t, login)
}

func TestSignInAsSomebodyElse(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("jane@example.com")
	jane := b.session()
	out := attribute(element(b.get(login+"?return_to=%2Fprivate%3Fa%3D1").document(t), "form"), "action")
	b.post(out, nil).redirects(t, login+"?return_to=%2Fprivate%3Fa%3D1")
	if _, err := s.Service.Current(t.Context(), jane); !errors.Is(err, otp.ErrNoSession) || b.hasSession() {
		t.Errorf("session: %v", err)
	}
	if page := b.get(login); named(page.document(t), "name", "address") == nil {
		t.Errorf("nothing asks for an address: %s", page.Body)
	}
	b.post(logout+"?return_to=%2F%2Fevil.example", nil).redirects(t, login)
}

func TestVerifyPassesOnceSignedInElsewhere(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	_, token := linkTarget(t, b.start("jane@example.com", "/private"))
	tab := b.copy()
	tab.post(link, url.Values{"token": {token}}).redirects(t, "/private")
	b.cookies["__Host-otp"] = tab.cookies["__Host-otp"]
	b.get(verify).redirects(t, "/private")
}

func TestChannels(t *testing.T) {
	const (
		noEmail = "This isn't a valid e-mail address. Check it for typing errors."
		noPhone = "This isn't a valid phone number. Phone numbers from other countries need their prefix, such as +44."
		neither = "This is neither a valid e-mail address nor a valid phone number. " +
			"Phone numbers from other countries need their prefix, such as +44."
	)
	tests := map[string]struct {
		email, sms                   bool
		send                         otp.Form
		typ, autocomplete            string
		address, shown, refused, why string
		code, link                   bool
	}{
		"email": {
			email: true, send: otp.FormCode, typ: "email", autocomplete: "email",
			address: "jane@example.com", shown: "jane@example.com", code: true, refused: "+4917012345678", why: noEmail,
		},
		"email link": {
			email: true, send: otp.FormLink, typ: "email", autocomplete: "email",
			address: "jane@example.com", shown: "jane@example.com", link: true, refused: "+4917012345678", why: noEmail,
		},
		"sms": {
			sms: true, send: otp.FormLink, typ: "tel", autocomplete: "tel",
			address: "+49 170 12345678", shown: "+4917012345678", code: true, refused: "jane@example.com", why: noPhone,
		},
		"both, by phone": {
			email: true, sms: true, send: otp.FormBoth, typ: "text", autocomplete: "username",
			address: "0170 12345678", shown: "+4917012345678", code: true, refused: "12", why: neither,
		},
		"both, by email": {
			email: true, sms: true, send: otp.FormBoth, typ: "text", autocomplete: "username",
			address: "jane@example.com", shown: "jane@example.com", code: true, link: true, refused: "jane@", why: neither,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(c *otp.Config, pages *Config) {
				sender := c.Senders[otp.Email]
				c.Senders = make(map[otp.Channel][]otp.Sender)
				if test.email {
					c.Senders[otp.Email] = sender
				}
				if test.sms {
					c.Senders[otp.SMS] = sender
				}
				c.Countries = []string{"DE"}
				c.DefaultCountry = "DE"
				pages.Send = test.send
			})
			b := s.browser()
			input := named(b.get(login).document(t), "name", "address")
			if attribute(input, "type") != test.typ || attribute(input, "autocomplete") != test.autocomplete {
				t.Errorf("field is %v", input.Attr)
			}
			b.post(login, url.Values{"address": {test.refused}}).
				shows(t, http.StatusBadRequest, test.why)
			m := b.start(test.address, "/")
			if (m.Code != "") != test.code || (m.Link != "") != test.link {
				t.Errorf("message has code %t, link %t", m.Code != "", m.Link != "")
			}
			page := b.get(verify)
			if !strings.Contains(textOf(element(page.document(t), "main")), "to "+test.shown+", if") {
				t.Errorf("page doesn't say %s: %s", test.shown, page.Body)
			}
			if asks := named(page.document(t), "name", "code") != nil; asks != test.code {
				t.Errorf("page asks for a code: %t", asks)
			}
			if !test.code {
				return
			}
			b.post(verify, url.Values{"code": {m.Code}}).redirects(t, "/")
		})
	}
}

func TestPrefixHints(t *testing.T) {
	for country, want := range map[string]struct{ hint, wrong string }{
		"": {
			"Phone numbers with the country's prefix, such as +49.",
			"Phone numbers need the country's prefix, such as +49.",
		},
		"US": {
			"Phone numbers from other countries with their prefix, such as +49.",
			"Phone numbers from other countries need their prefix, such as +49.",
		},
		"DE": {
			"Phone numbers from other countries with their prefix, such as +44.",
			"Phone numbers from other countries need their prefix, such as +44.",
		},
	} {
		for _, email := range []bool{true, false} {
			s := newSite(t, func(c *otp.Config, _ *Config) {
				c.Senders[otp.SMS] = c.Senders[otp.Email]
				if !email {
					delete(c.Senders, otp.Email)
				}
				c.DefaultCountry = country
			})
			if got := textOf(named(s.browser().get(login).document(t), "id", "hint")); got != want.hint {
				t.Errorf("%q: hint %q", country, got)
			}
			alert := s.browser().post(login, url.Values{"address": {"12"}}).alert(t)
			if !strings.HasSuffix(alert, want.wrong) || strings.Contains(alert, "e-mail") != email {
				t.Errorf("%q: alert %q", country, alert)
			}
		}
	}
}

func TestStoreDownOnStart(t *testing.T) {
	s := newSite(t)
	s.FailStore(otp.ErrUnavailable)
	b := s.browser()
	if a := b.get(login); a.Status != http.StatusOK {
		t.Errorf("login page: %d", a.Status)
	}
	a := b.post(login, url.Values{"address": {"jane@example.com"}})
	a.shows(t, http.StatusServiceUnavailable, "Signing in isn't possible right now. Try again in 1 second.")
	if a.Header.Get("Retry-After") != "1" || len(b.cookies) != 0 {
		t.Errorf("Retry-After %q, cookies %v", a.Header.Get("Retry-After"), b.cookies)
	}
	if got := attribute(named(a.document(t), "name", "address"), "value"); got != "jane@example.com" {
		t.Errorf("address comes back as %q", got)
	}
}
