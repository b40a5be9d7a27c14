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

// TestKnownBrowsersGoOn: while guesses are sprayed over the site's addresses, a
// browser in which somebody has signed in with theirs gets codes and has them
// judged, for this address alone; strangers wait.
func TestKnownBrowsersGoOn(t *testing.T) {
	s := newSiteIn(t, webtest.Options{Frozen: true}, func(c *otp.Config, pages *Config) {
		c.Throttles.ClientIP = nil
		pages.Send = otp.FormCode
	})
	known, stranger, sprayer := s.browser(), s.browser(), s.browser()
	code := known.start("jane@example.com", "/").Code
	known.post(verify, url.Values{"code": {code}, "device": {"1"}}).redirects(t, "/")
	delete(known.cookies, "__Host-otp") // signed out, or expired
	s.Advance(time.Hour)
	before := stranger.start("joe@example.com", "/").Code

	for i := range 301 {
		sprayer.guessWrong("victim" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "@example.com")
	}

	const busy = "Too many people are signing in right now. Try again in 1 minute."
	sprayed := sprayer.post(login, url.Values{"address": {"victim@example.com"}})
	sprayed.shows(t, http.StatusTooManyRequests, busy)
	if got := sprayed.Header.Get("Retry-After"); got != "60" {
		t.Errorf("Retry-After is %q", got)
	}
	stranger.post(verify, url.Values{"code": {before}}).shows(t, http.StatusTooManyRequests, busy)
	known.post(login, url.Values{"address": {"victim@example.com"}}).shows(t, http.StatusTooManyRequests, busy)
	known.signIn("jane@example.com")

	s.Advance(time.Minute)
	stranger.post(verify, url.Values{"code": {before}}).redirects(t, "/")
	stranger.session()
}

func TestGlobalThrottle(t *testing.T) {
	s := newSiteIn(t, webtest.Options{Frozen: true}, func(c *otp.Config, _ *Config) {
		c.Throttles.Global = []otp.Throttle{{Events: 2, Window: time.Hour}}
	})
	s.browser().start("jane@example.com", "/")
	s.browser().start("joe@example.com", "/")
	s.browser().post(login, url.Values{"address": {"jill@example.com"}}).
		shows(t, http.StatusTooManyRequests, "Too many people are signing in right now. Try again in 30 minutes.")
	s.NoMessage()
	s.Advance(30 * time.Minute)
	s.browser().start("jill@example.com", "/")
}
