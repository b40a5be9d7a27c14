// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// roomyForAddress lets addresses be asked for more often than an attacker needs.
func roomyForAddress(domain *otp.Config, _ *Config) {
	domain.Throttles = otp.Throttles{
		Address:  []otp.Throttle{{Events: 1000, Window: time.Minute}},
		ClientIP: []otp.Throttle{{Events: 1000, Window: time.Minute}},
	}
}

// guessWrong asks for a code and types another.
func (b *browser) guessWrong(address string) answer {
	b.site.Helper()
	code := b.start(address, "/").Code
	return b.post(verify, url.Values{"code": {webtest.OtherCode(code)}})
}

// TestNobodyLocksOthersOut has somebody guess once an hour for ten days: codes
// are no longer taken from strangers, and the address's owner gets in all the
// same, by the browser that they used before and by a link.
func TestNobodyLocksOthersOut(t *testing.T) {
	const jane = "jane@example.com"
	s := newSite(t, roomyForAddress)
	owner := s.browser()
	owner.post(verify, url.Values{"code": {owner.start(jane, "/").Code}, deviceField: {"on"}}).redirects(t, "/")

	attacker := s.browser()
	for range 10 * 24 {
		attacker.guessWrong(jane)
		s.Advance(time.Hour)
	}
	if a := attacker.post(verify, url.Values{"code": {attacker.start(jane, "/").Code}}); a.Status != http.StatusTooManyRequests {
		t.Fatalf("after 240 wrong guesses a stranger's right code gets %d", a.Status)
	}

	t.Run("the known browser", func(t *testing.T) {
		owner.post(logout, url.Values{})
		known := owner.copy()
		known.signIn(jane)
		if a := attacker.post(verify, url.Values{"code": {attacker.start(jane, "/").Code}}); a.Status != http.StatusTooManyRequests {
			t.Errorf("its sign-in lets strangers guess again: %d", a.Status)
		}
	})
	t.Run("a link", func(t *testing.T) {
		elsewhere := s.browser()
		target, _ := linkTarget(t, elsewhere.start(jane, "/"))
		elsewhere.post(link, formOf(t, elsewhere.get(target))).redirects(t, "/")
		elsewhere.session()
		s.browser().signIn(jane) // it has cleared the failures
	})
}

// TestKnownBrowserIsBounded has a known browser guess: it has a budget too.
func TestKnownBrowserIsBounded(t *testing.T) {
	const jane = "jane@example.com"
	s := newSite(t, roomyForAddress)
	known := s.browser()
	known.post(verify, url.Values{"code": {known.start(jane, "/").Code}, deviceField: {"on"}}).redirects(t, "/")
	known.post(logout, url.Values{})
	for range otp.CoolDownFailures {
		known.guessWrong(jane)
	}
	if a := known.post(verify, url.Values{"code": {known.start(jane, "/").Code}}); a.Status != http.StatusTooManyRequests {
		t.Errorf("after %d wrong guesses: %d", otp.CoolDownFailures, a.Status)
	}
	s.browser().signIn(jane) // others aren't stopped by it
}

// TestNobodyLocksOthersOutOfTheirSecondFactor has somebody use up the messages
// and the guesses that strangers have at a phone: its owner's known browser
// proves it as a second factor all the same, others don't.
func TestNobodyLocksOthersOutOfTheirSecondFactor(t *testing.T) {
	const jane = "jane@example.com"
	s, _ := newStaffSite(t)
	owner, elsewhere := s.browser(), s.browser()
	owner.post(verify, url.Values{"code": {owner.start(jane, "/").Code}, deviceField: {"on"}}).redirects(t, "/")
	elsewhere.signIn(jane)
	attacker := s.browser()
	for range otp.CoolDownFailures {
		attacker.guessWrong(janesPhone)
	}
	if a := attacker.post(login, url.Values{"address": {janesPhone}}); a.Status != http.StatusTooManyRequests {
		t.Fatalf("after %d wrong guesses: %d", otp.CoolDownFailures, a.Status)
	}
	if a := elsewhere.post(mfa, url.Values{"to": {"0"}}); a.Status != http.StatusTooManyRequests {
		t.Errorf("a browser that isn't known has a budget beside the strangers': %d", a.Status)
	}
	sent := owner.askFactor("0")
	wrong := owner.copy()
	wrong.post(mfa, url.Values{"code": {webtest.OtherCode(sent.Code)}}).shows(t, http.StatusBadRequest, wrongAlert)
	owner.post(mfa, url.Values{"code": {sent.Code}}).redirects(t, "/vault/x")
	if x := owner.session(); x.MFAMethod != string(otp.SMSFactor) {
		t.Errorf("proved by %q", x.MFAMethod)
	}
	if a := attacker.post(login, url.Values{"address": {janesPhone}}); a.Status != http.StatusTooManyRequests {
		t.Errorf("the proof lets strangers guess again: %d", a.Status)
	}
}

// TestSharedNetworkLocksNobodyOutOfTheirApp: a known browser isn't counted by its
// network address where an authenticator app is its second factor either.
func TestSharedNetworkLocksNobodyOutOfTheirApp(t *testing.T) {
	const jane = "jane@example.com"
	s := newSite(t, withPolicy(otp.MFAPolicy{}), func(domain *otp.Config, _ *Config) {
		domain.Throttles.ClientIP = []otp.Throttle{{Events: 4, Window: time.Hour}}
	})
	first := s.browser()
	first.signIn(jane)
	code := s.addApp(t, first.session(), "")
	s.Advance(time.Minute)
	owner, elsewhere := s.browser(), s.browser()
	owner.post(verify, url.Values{"code": {owner.start(jane, "/").Code}, deviceField: {"on"}}).redirects(t, "/")
	elsewhere.signIn(jane)
	flood := s.browser()
	for _, address := range []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"} {
		flood.start(address, "/")
	}
	for _, b := range []*browser{owner, elsewhere} {
		b.post(mfa, url.Values{"to": {"totp"}, "return_to": {"/vault"}}).redirects(t, mfa)
	}
	if a := elsewhere.post(mfa, url.Values{"code": {code()}}); a.Status != http.StatusTooManyRequests {
		t.Errorf("the network isn't throttled: %d", a.Status)
	}
	owner.post(mfa, url.Values{"code": {code()}}).redirects(t, "/vault")
}

// TestSecondFactorsOfKnownBrowsersAreBounded: whoever has somebody's mailbox
// makes as many browsers known as they like, and guesses at their phone no more
// often for that. An admin unlocks it with the phone.
func TestSecondFactorsOfKnownBrowsersAreBounded(t *testing.T) {
	const jane = "jane@example.com"
	s, _ := newStaffSite(t)
	known := func() *browser {
		b := s.browser()
		b.post(verify, url.Values{"code": {b.start(jane, "/").Code}, deviceField: {"on"}}).redirects(t, "/")
		return b
	}
	for range otp.CoolDownFailures {
		b := known()
		b.post(mfa, url.Values{"code": {webtest.OtherCode(b.askFactor("0").Code)}}).shows(t, http.StatusBadRequest, wrongAlert)
	}
	b := known()
	if a := b.post(mfa, url.Values{"to": {"0"}}); a.Status != http.StatusTooManyRequests {
		t.Errorf("after %d wrong guesses from as many browsers: %d", otp.CoolDownFailures, a.Status)
	}
	phone, err := s.Service.ParseAddress(otp.SMS, janesPhone)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Service.Unlock(t.Context(), phone); err != nil {
		t.Fatal(err)
	}
	b.post(mfa, url.Values{"code": {b.askFactor("0").Code}}).redirects(t, "/vault/x")
}

// TestRepeatedSignInIsOneKnownBrowser: whoever got hold of one code can't make
// many known browsers of it, of which each would have a budget of its own.
func TestRepeatedSignInIsOneKnownBrowser(t *testing.T) {
	const jane = "jane@example.com"
	s := newSite(t, roomyForAddress)
	address, err := s.Service.ParseAddress(otp.Email, jane)
	if err != nil {
		t.Fatal(err)
	}
	thief := s.browser()
	code := thief.start(jane, "/").Code
	mallory := s.browser() // known for another address already
	mallory.post(verify, url.Values{"code": {mallory.start("mallory@example.com", "/").Code}, deviceField: {"on"}}).redirects(t, "/")
	mallory.cookies["__Host-otp-start"] = thief.cookies["__Host-otp-start"]
	delete(mallory.cookies, "__Host-otp")

	names := make(map[string]bool)
	for _, b := range []*browser{thief.copy(), thief.copy(), mallory} {
		b.post(verify, url.Values{"code": {code}, deviceField: {"on"}}).redirects(t, "/")
		r := newPost(login, nil)
		r.AddCookie(&http.Cookie{Name: "__Host-otp-browser", Value: b.cookies["__Host-otp-browser"]})
		names[s.Gate.Browser.Known(r, s.Service.Handle(address))] = true
	}
	if len(names) != 1 || names[""] {
		t.Errorf("one sign-in made %d known browsers", len(names))
	}
}

// TestKnownBrowserHasItsOwnSends uses up the messages that strangers may have
// sent to an address, and all of a network's.
func TestKnownBrowserHasItsOwnSends(t *testing.T) {
	const jane = "jane@example.com"
	s := newSite(t, func(domain *otp.Config, _ *Config) {
		domain.Throttles = otp.Throttles{
			Address:  []otp.Throttle{{Events: 3, Window: time.Hour}},
			ClientIP: []otp.Throttle{{Events: 5, Window: time.Hour}},
		}
	})
	owner := s.browser()
	owner.post(verify, url.Values{"code": {owner.start(jane, "/").Code}, deviceField: {"on"}}).redirects(t, "/")
	owner.post(logout, url.Values{})
	flood := s.browser()
	for range 2 {
		flood.start(jane, "/")
	}
	for _, address := range []string{jane, "a@example.com", "b@example.com", "c@example.com", "d@example.com"} {
		flood.post(login, url.Values{"address": {address}})
	}
	if a := flood.post(login, url.Values{"address": {"e@example.com"}}); a.Status != http.StatusTooManyRequests {
		t.Fatalf("the network isn't throttled: %d", a.Status)
	}
	for range 3 {
		s.Advance(time.Second)
		code := owner.post(login, url.Values{"address": {jane}})
		code.redirects(t, verify)
	}
	if a := owner.post(login, url.Values{"address": {jane}}); a.Status != http.StatusTooManyRequests {
		t.Errorf("a known browser may have any number of messages sent: %d", a.Status)
	}
	if a := owner.post(login, url.Values{"address": {"joe@example.com"}}); a.Status != http.StatusTooManyRequests {
		t.Errorf("a known browser is known for others' addresses: %d", a.Status)
	}
}
