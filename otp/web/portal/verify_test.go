// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

const (
	wrongAlert     = "This code is wrong."
	expiredAlert   = "This code has expired. Ask for a new one."
	exhaustedAlert = "There were too many wrong tries of this code. Ask for a new one."
	noCodeAlert    = "The code consists of digits only. Copy it from the message."
)

func TestWrongCode(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	code := b.start("jane@example.com", "/").Code
	for range 4 {
		b.post(verify, url.Values{"code": {webtest.OtherCode(code)}}).shows(t, http.StatusBadRequest, wrongAlert)
	}
	b.post(verify, url.Values{"code": {webtest.OtherCode(code)}}).shows(t, http.StatusBadRequest, exhaustedAlert)
	b.post(verify, url.Values{"code": {code}}).shows(t, http.StatusBadRequest, exhaustedAlert)
	if b.hasSession() {
		t.Fatal("signed in without a live code")
	}
	b.post(login, url.Values{"again": {"1"}}).redirects(t, verify)
	b.post(verify, url.Values{"code": {s.Message().Code}}).redirects(t, "/")
}

func TestNoCodeIsNoGuess(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	code := b.start("jane@example.com", "/").Code
	for range 2 {
		for _, typed := range []string{"", "12345", "1234567890123", "12345a", "１２３４５６", "+123456", "0x1234", " - "} {
			b.post(verify, url.Values{"code": {typed}}).shows(t, http.StatusBadRequest, noCodeAlert)
		}
	}
	b.post(verify, url.Values{}).shows(t, http.StatusBadRequest, noCodeAlert)
	b.post(verify, url.Values{"code": {code}}).redirects(t, "/")
}

func TestExpiredCode(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	code := b.start("jane@example.com", "/").Code
	s.Advance(10 * time.Minute)
	b.post(verify, url.Values{"code": {code}}).shows(t, http.StatusBadRequest, expiredAlert)

	s.Advance(5 * time.Minute)
	b.post(verify, url.Values{"code": {code}}).redirects(t, login+"?restart=1")
	page := b.get(login + "?restart=1")
	if named(page.document(t), "role", "status") == nil {
		t.Errorf("nothing says why: %s", page.Body)
	}
}

func TestUsedCode(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	code := b.start("jane@example.com", "/").Code
	late := b.copy()
	b.post(verify, url.Values{"code": {code}}).redirects(t, "/")
	s.Advance(otp.RepeatWindow + time.Second)
	late.post(verify, url.Values{"code": {code}}).shows(t, http.StatusBadRequest, wrongAlert)
}

// The answer to the first post is lost and the browser posts again.
func TestRepeatedVerify(t *testing.T) {
	s := newSite(t)
	first := s.browser()
	code := first.start("jane@example.com", "/private").Code
	second := first.copy()
	other := s.browser()
	s.Advance(time.Second)
	other.start("jane@example.com", "/")

	first.post(verify, url.Values{"code": {code}}).redirects(t, "/private")
	second.post(verify, url.Values{"code": {code}}).redirects(t, "/private")
	if first.session().ID != second.session().ID {
		t.Error("the repeated post opened another session")
	}
	if _, err := s.pages.Gate.Service.Current(t.Context(), first.session()); err != nil {
		t.Error("the repeated post ended the session")
	}
	other.post(verify, url.Values{"code": {code}}).shows(t, http.StatusBadRequest, wrongAlert)
}

func TestVerifyCoolDown(t *testing.T) {
	s := newSiteIn(t, webtest.Options{Frozen: true})
	b := s.browser()
	message := b.start("jane@example.com", "/")
	for range 2 {
		for range 4 {
			b.post(verify, url.Values{"code": {webtest.OtherCode(message.Code)}}).shows(t, http.StatusBadRequest, wrongAlert)
		}
		b.post(verify, url.Values{"code": {webtest.OtherCode(message.Code)}}).shows(t, http.StatusBadRequest, exhaustedAlert)
		b.post(login, url.Values{"again": {"1"}}).redirects(t, verify)
		message = s.Message()
	}
	a := b.post(verify, url.Values{"code": {message.Code}})
	a.shows(t, http.StatusTooManyRequests,
		"There were too many wrong codes for this address. Open the link in the message, or try again in 30 seconds.")
	if a.Header.Get("Retry-After") != "30" || b.hasSession() {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
	target, token := linkTarget(t, message)
	if page := b.get(target); page.Status != http.StatusOK {
		t.Fatalf("link page: %d", page.Status)
	}
	b.post(link, url.Values{"token": {token}}).redirects(t, "/")
	b.session()
}

func TestStartInCoolDown(t *testing.T) {
	s := newSiteIn(t, webtest.Options{Frozen: true}, func(_ *otp.Config, pages *Config) { pages.Send = otp.FormCode })
	b := s.browser()
	code := b.start("jane@example.com", "/").Code
	for range 4 {
		b.post(verify, url.Values{"code": {webtest.OtherCode(code)}})
	}
	b.post(verify, url.Values{"code": {webtest.OtherCode(code)}})
	b.post(login, url.Values{"again": {"1"}}).redirects(t, verify)
	code = s.Message().Code
	for range 5 {
		b.post(verify, url.Values{"code": {webtest.OtherCode(code)}})
	}
	const alert = "There were too many wrong codes for this address. Try again in 30 seconds."
	b.post(login, url.Values{"again": {"1"}}).shows(t, http.StatusTooManyRequests, alert)
	b.post(login, url.Values{"address": {"jane@example.com"}}).shows(t, http.StatusTooManyRequests, alert)
	s.NoMessage()
}

func TestVerifyThrottled(t *testing.T) {
	s := newSiteIn(t, webtest.Options{Frozen: true}, func(c *otp.Config, _ *Config) {
		c.Throttles.ClientIP = []otp.Throttle{{Events: 1, Window: time.Hour}}
	})
	b := s.browser()
	code := b.start("jane@example.com", "/").Code
	for range 6 {
		b.post(verify, url.Values{"code": {webtest.OtherCode(code)}})
	}
	b.post(verify, url.Values{"code": {code}}).
		shows(t, http.StatusTooManyRequests, "You have asked too often. Try again in 10 minutes.")
}

func TestVerifyWithoutAttempt(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	code := b.start("jane@example.com", "/").Code
	good := b.cookies["__Host-otp-start"]
	foreign := newSite(t).browser()
	foreign.start("jane@example.com", "/")
	restart := login + "?restart=1"
	for name, header := range map[string]string{
		"none":         "",
		"garbage":      "__Host-otp-start=garbage",
		"altered":      "__Host-otp-start=" + altered(good),
		"another site": "__Host-otp-start=" + foreign.cookies["__Host-otp-start"],
		"planted":      "__Host-otp-start=" + good + "; __Host-otp-start=" + good,
		"a session":    "__Host-otp=" + good,
	} {
		t.Run(name, func(t *testing.T) {
			r := newPost(verify, url.Values{"code": {code}})
			get := newPost(verify, nil)
			get.Method = http.MethodGet
			again := newPost(login, url.Values{"again": {"1"}})
			for _, r := range []*http.Request{r, get, again} {
				if header != "" {
					r.Header.Set("Cookie", header)
				}
				visitor := s.browser()
				visitor.do(r).redirects(t, restart)
				if visitor.hasSession() {
					t.Error("signed in")
				}
			}
		})
	}
	s.NoMessage()
}

func TestNewSessionEndsTheOld(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.signIn("mallory@example.com")
	planted := b.session()
	code := b.start("jane@example.com", "/").Code
	b.post(verify, url.Values{"code": {code}}).redirects(t, "/")
	if b.session().ID == planted.ID || b.session().Address.String() != "jane@example.com" {
		t.Error("the session wasn't replaced")
	}
	if _, err := s.Service.Current(t.Context(), planted); !errors.Is(err, otp.ErrNoSession) {
		t.Errorf("the old session: %v", err)
	}
}

func TestStoreDownOnVerify(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	message := b.start("jane@example.com", "/")
	_, token := linkTarget(t, message)
	s.FailStore(otp.ErrUnavailable)
	for target, form := range map[string]url.Values{
		verify: {"code": {message.Code}},
		login:  {"again": {"1"}},
		link:   {"token": {token}},
	} {
		a := b.post(target, form)
		a.shows(t, http.StatusServiceUnavailable, "Signing in isn't possible right now. Try again in 1 second.")
		if a.Header.Get("Retry-After") != "1" || b.hasSession() {
			t.Errorf("%s: Retry-After %q", target, a.Header.Get("Retry-After"))
		}
	}
}

func TestCleanCode(t *testing.T) {
	for typed, want := range map[string]string{
		"123456":             "123456",
		" 123 456 ":          "123456",
		"123-456":            "123456",
		"12–34—56":           "123456",
		"123\u00a0456\u2009": "123456",
		"\u200b123456\ufeff": "123456",
		"123.456":            "123.456",
		"12a456":             "12a456",
	} {
		if got := cleanCode(typed); got != want {
			t.Errorf("%q is cleaned to %q", typed, got)
		}
	}
}
