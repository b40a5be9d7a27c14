// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func withPolicy(p otp.MFAPolicy) setting {
	return func(c *otp.Config, _ *Config) {
		c.MFA = p
		c.Throttles.Address = []otp.Throttle{{Events: 100, Window: time.Hour}}
	}
}

// TestSecondFactorRequired: where the site demands one of everybody, who signs
// in is nobody until it is proved, and is led there.
func TestSecondFactorRequired(t *testing.T) {
	s := newSite(t, withPolicy(otp.MFAPolicy{Required: true}))
	b := s.browser()
	const page = mfa + "?return_to=%2Fopen"
	code := b.start("jane@example.com", "/open").Code
	b.post(verify, url.Values{"code": {code}}).redirects(t, page)
	if a := b.get("/open"); !a.FromApp() || a.Header.Get("X-Remote-User") != "" {
		t.Errorf("an open path: %d, the app is told of %q", a.Status, a.Header.Get("X-Remote-User"))
	}
	b.get("/private").redirects(t, mfa+"?return_to=%2Fprivate")
	if named(b.get(login+"?return_to=%2Fopen").document(t), "href", page) == nil {
		t.Error("the login page of who is signed in doesn't lead on to the second factor")
	}
	b.get(sessions).redirects(t, mfa+"?return_to=%2F.otp%2Fsessions")
	x := b.session()
	b.post(sessions, url.Values{"session": {string(x.ID)}}).redirects(t, sessions)
	if _, err := s.Service.Current(t.Context(), x); err != nil {
		t.Errorf("without a second factor a session was ended: %v", err)
	}
	b.post(mfa, url.Values{"to": {"0"}, "return_to": {"/open"}}).redirects(t, mfa)
	b.post(mfa, url.Values{"code": {s.Message().Code}}).redirects(t, "/open")
	if a := b.get(sessions); a.Status != http.StatusOK {
		t.Errorf("the list of sessions: %d", a.Status)
	}
	for _, path := range []string{"/open", "/private"} {
		if a := b.get(path); !a.FromApp() || a.Header.Get("X-Remote-User") != "jane@example.com" {
			t.Errorf("%s: %d, the app is told of %q", path, a.Status, a.Header.Get("X-Remote-User"))
		}
	}

	other := s.browser()
	target, token := linkTarget(t, other.start("jane@example.com", "/open"))
	if a := other.get(target); a.Status != http.StatusOK {
		t.Fatalf("the link: %d", a.Status)
	}
	other.post(link, url.Values{"token": {token}}).redirects(t, page)
}

// TestSecondFactorOff: nothing can be proved, so nothing that needs it opens.
func TestSecondFactorOff(t *testing.T) {
	s := newSite(t, withPolicy(otp.MFAPolicy{Off: true}))
	b := s.browser()
	b.signIn("jane@example.com")
	b.get("/vault").redirects(t, mfa+"?return_to=%2Fvault")
	if a := b.get(mfa + "?return_to=%2Fvault"); a.Status != http.StatusForbidden {
		t.Errorf("%d", a.Status)
	}
	b.post(mfa, url.Values{"to": {"0"}}).redirects(t, mfa+"?return_to=%2F")
	s.NoMessage()
}

// addApp adds an authenticator app to the account of a session and returns what
// the app shows.
func (s *site) addApp(t *testing.T, x otp.Session, name string) (code func() string) {
	t.Helper()
	setup, err := s.Service.StartTOTP(t.Context(), x, "", name)
	if err != nil {
		t.Fatal(err)
	}
	code = func() string {
		t.Helper()
		code, err := otp.TOTPCode(setup.Secret, s.Now())
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	if err := s.Service.ConfirmTOTP(t.Context(), x, setup.Secret, code()); err != nil {
		t.Fatal(err)
	}
	return code
}

// TestAuthenticatorAppOnPage proves a second factor by an app, and by a
// recovery code.
func TestAuthenticatorAppOnPage(t *testing.T) {
	s := newSite(t, withPolicy(otp.MFAPolicy{}))
	first := s.browser()
	first.signIn("jane@example.com")
	x := first.session()
	code := s.addApp(t, x, "Phone")
	recovery, err := s.Service.NewRecoveryCodes(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}

	// The app proves nothing for the session that it was added in, nor does
	// the mailbox that signs in, beside an app: the way is to sign in anew.
	if a := first.get(mfa + "?return_to=%2Fvault"); a.Status != http.StatusForbidden {
		t.Errorf("%d", a.Status)
	}
	s.Advance(time.Minute)
	b := s.browser()
	b.signIn("jane@example.com")
	offered := b.get(mfa + "?return_to=%2Fvault")
	if got := offered.buttons(t); !slices.Equal(got, []string{"Use a code from your authenticator app"}) {
		t.Fatalf("buttons %q", got)
	}
	b.post(mfa, url.Values{"to": {"0"}, "return_to": {"/vault"}}).redirects(t, mfa+"?return_to=%2Fvault") // no address is offered
	b.post(mfa, url.Values{"to": {"totp"}, "return_to": {"/vault"}}).redirects(t, mfa)
	if got := b.get(mfa).buttons(t); !slices.Equal(got, []string{"Confirm"}) {
		t.Errorf("buttons %q", got)
	}
	other := b.copy()
	b.post(mfa, url.Values{"code": {webtest.OtherCode(code())}}).shows(t, http.StatusBadRequest, wrongAlert)
	b.post(mfa, url.Values{"code": {code()[:3] + " " + code()[3:]}}).redirects(t, "/vault")
	if a := b.get("/vault"); !a.FromApp() || b.session().MFAMethod != "totp" {
		t.Errorf("%d, proved by %q", a.Status, b.session().MFAMethod)
	}
	if a := other.post(mfa, url.Values{"code": {code()}}); a.Status == http.StatusSeeOther && a.Header.Get("Location") == "/vault" {
		t.Error("the code is taken twice")
	}

	third := s.browser()
	third.signIn("jane@example.com")
	third.post(mfa, url.Values{"to": {"totp"}, "return_to": {"/vault"}}).redirects(t, mfa)
	third.post(mfa, url.Values{"code": {" " + recovery[0] + "\n"}}).redirects(t, "/vault")
	if third.session().MFAMethod != "recovery_code" {
		t.Errorf("proved by %q", third.session().MFAMethod)
	}
	s.NoMessage()
}
