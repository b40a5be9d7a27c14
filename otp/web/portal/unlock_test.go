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

// TestUnlockSecondFactor: an admin who unlocks somebody's address also unlocks
// their authenticator app and recovery codes, at which whoever has got hold of a
// session may have guessed.
func TestUnlockSecondFactor(t *testing.T) {
	s := newSite(t, roomyForAddress, withPolicy(otp.MFAPolicy{}))
	first := s.browser()
	first.signIn("jane@example.com")
	x := first.session()
	recovery, err := s.Service.NewRecoveryCodes(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	code := s.addApp(t, x, "")
	s.Advance(time.Minute)
	b := s.browser()
	b.signIn("jane@example.com")
	x = b.session()
	for range otp.DisableFailures {
		_, err := s.Service.ElevateTOTP(t.Context(), x, otp.ElevateRequest{Code: webtest.OtherCode(code())})
		if !errors.Is(err, otp.ErrWrong) {
			t.Fatal(err)
		}
		s.Advance(otp.LongestCoolDown)
	}
	b = s.browser()
	b.signIn("jane@example.com")
	x = b.session()
	if _, err := s.Service.ElevateRecovery(t.Context(), x, otp.ElevateRequest{Code: recovery[0]}); !errors.Is(err, otp.ErrCoolDown) {
		t.Fatalf("isn't disabled: %v", err)
	}
	if err := s.Service.Unlock(t.Context(), x.Address); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Service.ElevateTOTP(t.Context(), x, otp.ElevateRequest{Code: code()}); err != nil {
		t.Error(err)
	}
}
