// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestUnlockedStaysUnlocked: an address that an admin has unlocked isn't locked
// again days later by what this node remembers of it.
func TestUnlockedStaysUnlocked(t *testing.T) {
	const jane = "jane@example.com"
	s := newSite(t, roomyForAddress)
	attacker := s.browser()
	for range otp.DisableFailures {
		attacker.guessWrong(jane)
		s.Advance(otp.LongestCoolDown)
	}
	if a := attacker.post(verify, url.Values{"code": {attacker.start(jane, "/").Code}}); a.Status != http.StatusTooManyRequests {
		t.Fatalf("isn't disabled: %d", a.Status)
	}
	address, err := s.Service.ParseAddress(otp.Email, jane)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Service.Unlock(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	s.Advance(48 * time.Hour)
	b := s.browser()
	b.post(verify, url.Values{"code": {b.start(jane, "/").Code}}).redirects(t, "/")
}
