// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image/png"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// policy is a site with a policy of second factors, and throttles that its
// test doesn't run into.
func policy(p otp.MFAPolicy) webtest.Options {
	return webtest.Options{SMS: true, Protect: []string{"/private"}, Domain: func(c *otp.Config) {
		c.MFA = p
		c.Throttles = otp.Throttles{Address: []otp.Throttle{{Events: 1000, Window: time.Hour}}}
	}}
}

// people is a directory of everybody, who all have what one person has.
type people otp.Person

func (p people) Find(_ context.Context, a otp.Address) (otp.Person, error) {
	person := otp.Person(p)
	person.Subject = "who has " + a.String()
	person.Addresses = append([]otp.Address{a}, person.Addresses...)
	return person, nil
}

// ofPeople adds a directory to a site's options.
func ofPeople(o webtest.Options, p people) webtest.Options {
	domain := o.Domain
	o.Domain = func(c *otp.Config) { domain(c); c.Directory = p }
	return o
}

func (s *site) challenge(access, method string) webtest.Answer {
	s.Helper()
	return s.Post("/auth/mfa/challenge", fmt.Sprintf(`{"method":%q}`, method), webtest.Bearer(access)...)
}

func (s *site) prove(access, method, code, more string) webtest.Answer {
	s.Helper()
	return s.Post("/auth/mfa/verify", fmt.Sprintf(`{"method":%q,"otp":%q%s}`, method, code, more), webtest.Bearer(access)...)
}

// proved signs in and proves a second factor by e-mail.
func (s *site) proved(more string) webtest.Answer {
	s.Helper()
	access := s.signIn(alice, "email").Text("accessToken")
	s.challenge(access, "email").Want(http.StatusOK)
	return s.prove(access, "email", s.Code(), more).Want(http.StatusOK)
}

func (s *site) toggle(access string, on bool) webtest.Answer {
	s.Helper()
	return s.Post("/auth/mfa/toggle", fmt.Sprintf(`{"enabled":%v}`, on), webtest.Bearer(access)...)
}

// opens reports whether a bearer opens a path of the app that needs a session.
func (s *site) opens(access string) bool {
	s.Helper()
	return s.Get("/private", webtest.Bearer(access)...).FromApp()
}

// addApp sets an authenticator app up and returns what makes its codes.
func (s *site) addApp(access string) (codeAt func(time.Time) string) {
	s.Helper()
	setup := s.Post("/auth/mfa/setup-totp", `{"deviceName":"My phone"}`, webtest.Bearer(access)...).Want(http.StatusOK)
	secret := setup.Text("secret")
	codeAt = func(at time.Time) string {
		code, err := otp.TOTPCode(secret, at)
		if err != nil {
			s.Fatal(err)
		}
		return code
	}
	body := fmt.Sprintf(`{"secret":%q,"otp":%q}`, secret, codeAt(s.Now()))
	a := s.Post("/auth/mfa/verify-totp-setup", body, webtest.Bearer(access)...).Want(http.StatusOK)
	if a.Text("message") != "Device setup successfully" {
		s.Errorf("body is %s", a.Body)
	}
	wantRefusal(s.Post("/auth/mfa/verify-totp-setup", body, webtest.Bearer(access)...), http.StatusUnauthorized, "MFA_CODE_INVALID", "Invalid MFA code")
	return codeAt
}

const mfaRequired = "Multi-factor authentication is required"

// TestPending: of somebody who must prove a second factor first a login's
// tokens open nothing but the way to prove it.
func TestPending(t *testing.T) {
	byChoice := func(s *site) {
		access := s.signIn(alice, "email").Text("accessToken")
		s.toggle(access, true).Want(http.StatusOK)
	}
	for name, tc := range map[string]struct {
		options webtest.Options
		before  func(*site)
	}{
		"required":     {options: policy(otp.MFAPolicy{Required: true})},
		"by directory": {options: ofPeople(policy(otp.MFAPolicy{}), people{MFA: true})},
		"by choice":    {options: policy(otp.MFAPolicy{UserToggle: true}), before: byChoice},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tc.options)
			if tc.before != nil {
				tc.before(s)
			}
			login := s.signIn(alice, "email")
			access, refresh := login.Text("accessToken"), login.Text("refreshToken")
			if login.Fields["isRequiresMfa"] != true || login.Text("defaultMfaMethod") != "email" || fmt.Sprint(login.Fields["mfaMethods"]) != "[email]" {
				t.Errorf("login answers %s", login.Body)
			}
			if _, c := claims(t, access); c["isMfaEnabled"] != true || c["isMfaVerified"] != false {
				t.Errorf("claims %v", c)
			}
			for path, method := range map[string]string{
				"/auth/user": "GET", "/auth/logout-all": "POST", "/auth/mfa/toggle": "POST", "/auth/mfa/generate-recovery-code": "POST",
				"/auth/mfa/setup-totp": "POST", "/auth/mfa/verify-totp-setup": "POST", "/auth/mfa/devices": "GET", "/auth/mfa/devices/x": "DELETE",
			} {
				wantRefusal(s.Do(webtest.Request(method, path, "", webtest.Bearer(access)...)), http.StatusUnauthorized, "MFA_REQUIRED", mfaRequired)
			}
			for _, path := range []string{"/auth/me", "/auth/verify-session", "/auth/mfa/status"} {
				s.Get(path, webtest.Bearer(access)...).Want(http.StatusOK)
			}
			renewed := s.refresh(refresh).Want(http.StatusOK).Text("accessToken")
			for kind, headers := range map[string][]string{
				"bearer": webtest.Bearer(access), "renewed": webtest.Bearer(renewed), "cookie": {"Cookie", "accessToken=" + access},
			} {
				a := s.Get("/private", headers...)
				if a.FromApp() || a.Status != http.StatusUnauthorized || kind != "cookie" && a.Text("code") != "MFA_REQUIRED" {
					t.Errorf("%s at a protected path: %d %s", kind, a.Status, a.Body)
				}
				if a := s.Get("/open", headers...); a.Header.Get("X-Remote-User") != "" {
					t.Errorf("%s at an open path is %s", kind, a.Header.Get("X-Remote-User"))
				}
			}

			s.challenge(access, "email").Want(http.StatusOK)
			full := s.prove(access, "email", s.Code(), "").Want(http.StatusOK)
			if full.Text("message") != "2FA verification successful" || full.Fields["isRequiresMfa"] != false || full.Fields["trustToken"] != nil {
				t.Errorf("answers %s", full.Body)
			}
			if _, c := claims(t, full.Text("accessToken")); c["isMfaEnabled"] != true || c["isMfaVerified"] != true {
				t.Errorf("claims %v", c)
			}
			if !s.opens(full.Text("accessToken")) || s.opens(access) {
				t.Error("the new token alone must open the app")
			}
			again := s.refresh(full.Text("refreshToken")).Want(http.StatusOK)
			if !s.opens(again.Text("accessToken")) {
				t.Error("renewed, it opens nothing")
			}
			wantRefusal(s.refresh(refresh), http.StatusUnauthorized, "REFRESH_TOKEN_INVALID", "Refresh token is no longer valid (rotated or replayed)")
		})
	}
}

// TestRecordDeleted: what the site demands doesn't depend on the store's
// record.
func TestRecordDeleted(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{Required: true}))
	full := s.proved("")
	app := s.addApp(full.Text("accessToken"))
	trusted := s.trustByApp(app)
	if n := s.DeleteRecords(); n < 2 { // one is the signing key
		t.Fatal("there was no record")
	}
	login := s.signInAlice(nil)
	if login.Fields["isRequiresMfa"] != true || s.opens(login.Text("accessToken")) {
		t.Errorf("login answers %s", login.Body)
	}
	login = s.signInAlice([]string{TrustHeader, trusted})
	if login.Fields["isRequiresMfa"] != true || s.opens(login.Text("accessToken")) {
		t.Errorf("login of a device that was trusted answers %s", login.Body)
	}
	access := login.Text("accessToken")
	s.Advance(time.Minute)
	wantRefusal(s.prove(access, "totp", app(s.Now()), ""), http.StatusUnauthorized, "MFA_CODE_INVALID", "Invalid MFA code")
	s.challenge(access, "email").Want(http.StatusOK)
	if !s.opens(s.prove(access, "email", s.Code(), "").Want(http.StatusOK).Text("accessToken")) {
		t.Error("a code by e-mail opens nothing")
	}
}

// signInAlice signs alice in with headers.
func (s *site) signInAlice(headers []string) webtest.Answer {
	s.Helper()
	return s.signIn(alice, "email", headers...)
}

// trustByApp signs in with an authenticator app's code and returns the token of
// the device that is trusted then.
func (s *site) trustByApp(app func(time.Time) string) string {
	s.Helper()
	s.Advance(time.Minute)
	access := s.signInAlice(nil).Text("accessToken")
	return s.prove(access, "totp", app(s.Now()), `,"trustDevice":true`).Want(http.StatusOK).Text("trustToken")
}

func TestAuthenticatorApp(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{UserToggle: true, Issuer: "Example"}))
	first := s.signIn(alice, "email").Text("accessToken")
	setup := s.Post("/auth/mfa/setup-totp", ``, webtest.Bearer(first)...).Want(http.StatusOK)
	if setup.Text("issuer") != "Example" || setup.Text("account") != alice || !strings.HasPrefix(setup.Text("otpAuthUrl"), "otpauth://totp/Example:alice%40example.com?secret="+setup.Text("secret")) {
		t.Errorf("set-up is %s", setup.Body)
	}
	picture, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(setup.Text("qrCode"), "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(strings.NewReader(string(picture))); err != nil {
		t.Error(err)
	}
	app := s.addApp(first)
	s.toggle(first, true).Want(http.StatusOK)

	// An app that somebody adds to a session elevates no session from before.
	s.Advance(time.Minute)
	wantRefusal(s.prove(first, "totp", app(s.Now()), ""), http.StatusUnauthorized, "MFA_CODE_INVALID", "Invalid MFA code")

	s.Advance(time.Minute)
	login := s.signIn(alice, "email")
	access := login.Text("accessToken")
	if fmt.Sprint(login.Fields["mfaMethods"]) != "[totp]" {
		t.Errorf("methods are %v: the mailbox that signs in is no second factor beside an app", login.Fields["mfaMethods"])
	}
	wantRefusal(s.challenge(access, "email"), http.StatusForbidden, "MFA_METHOD_NOT_AVAILABLE", "MFA method is not available")
	s.challenge(access, "totp").Want(http.StatusOK)
	s.NoMessage()
	code := app(s.Now())
	wantRefusal(s.prove(access, "totp", webtest.OtherCode(code), ""), http.StatusUnauthorized, "MFA_CODE_INVALID", "Invalid MFA code")
	full := s.prove(access, "totp", code, "").Want(http.StatusOK).Text("accessToken")

	// Each code is taken once, also in another session, and no older one after it.
	other := s.signIn(alice, "email").Text("accessToken")
	wantRefusal(s.prove(other, "totp", code, ""), http.StatusUnauthorized, "MFA_CODE_INVALID", "Invalid MFA code")
	wantRefusal(s.prove(other, "totp", app(s.Now().Add(-30*time.Second)), ""), http.StatusUnauthorized, "MFA_CODE_INVALID", "Invalid MFA code")
	s.prove(other, "totp", app(s.Now().Add(30*time.Second)), "").Want(http.StatusOK)

	var devices []map[string]any
	listed := s.Get("/auth/mfa/devices", webtest.Bearer(full)...).Want(http.StatusOK)
	if err := json.Unmarshal([]byte(listed.Body), &devices); err != nil {
		t.Fatal(err)
	}
	if len(devices) != 1 || devices[0]["deviceName"] != "My phone" || devices[0]["verified"] != true || devices[0]["lastUsedAt"] == nil {
		t.Fatalf("devices are %s", listed.Body)
	}
	id := devices[0]["id"].(string)
	remove := func(access, id string) webtest.Answer {
		return s.Do(webtest.Request(http.MethodDelete, "/auth/mfa/devices/"+id, "", webtest.Bearer(access)...))
	}
	wantRefusal(remove(full, "another"), http.StatusNotFound, "NOT_FOUND", "MFA device not found")
	stranger := s.signIn("bob@example.com", "email").Text("accessToken")
	wantRefusal(remove(stranger, id), http.StatusNotFound, "NOT_FOUND", "MFA device not found")
	wantRefusal(remove(first, id), http.StatusUnauthorized, "MFA_REQUIRED", mfaRequired)
	wantRefusal(s.toggle(first, false), http.StatusUnauthorized, "MFA_REQUIRED", mfaRequired)
	if a := remove(full, id).Want(http.StatusOK); a.Text("message") != "MFA device removed successfully" {
		t.Errorf("body is %s", a.Body)
	}
	if a := s.toggle(full, false).Want(http.StatusOK); a.Text("message") != "MFA disabled successfully" {
		t.Errorf("body is %s", a.Body)
	}
	if a := s.signIn(alice, "email"); a.Fields["isRequiresMfa"] != false {
		t.Errorf("login answers %s", a.Body)
	}
}

// TestAppGuesses: guesses at an app's codes are counted, and only a success
// clears the count.
func TestAppGuesses(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{Required: true}))
	app := s.addApp(s.proved("").Text("accessToken"))
	s.Advance(time.Minute)
	access := s.signInAlice(nil).Text("accessToken")
	for range 10 {
		wantRefusal(s.prove(access, "totp", webtest.OtherCode(app(s.Now())), ""), http.StatusUnauthorized, "MFA_CODE_INVALID", "Invalid MFA code")
	}
	a := s.prove(access, "totp", app(s.Now()), "")
	wantRefusal(a, http.StatusTooManyRequests, "ACCOUNT_LOCKED", "Account temporarily locked after too many failed attempts. Please try again later.")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.Advance(time.Minute)
	s.prove(access, "totp", app(s.Now()), "").Want(http.StatusOK)
}

func TestRecoveryCodes(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{Required: true}))
	full := s.proved("").Text("accessToken")
	app := s.addApp(full)
	generate := func() []any {
		a := s.Post("/auth/mfa/generate-recovery-code", ``, webtest.Bearer(full)...).Want(http.StatusOK)
		codes := a.Fields["codes"].([]any)
		if len(codes) != 10 || codes[0] != a.Fields["code"] || len(a.Text("code")) != 27 {
			t.Fatalf("body is %s", a.Body)
		}
		return codes
	}
	recover := func(access string, code any, more string) webtest.Answer {
		return s.Post("/auth/mfa/verify-recovery-code", fmt.Sprintf(`{"code":%q%s}`, code, more), webtest.Bearer(access)...)
	}
	wantBad := func(a webtest.Answer) {
		t.Helper()
		wantRefusal(a, http.StatusUnauthorized, "MFA_RECOVERY_CODE_INVALID", "Invalid recovery code")
	}
	old, codes := generate(), generate()
	if a := s.Get("/auth/mfa/status", webtest.Bearer(full)...); a.Fields["hasRecoveryCode"] != true {
		t.Errorf("status is %s", a.Body)
	}
	access := s.signInAlice(nil).Text("accessToken")
	wantBad(recover(access, old[0], ""))
	wantBad(recover(access, "garbage", ""))
	a := recover(access, codes[3], "").Want(http.StatusOK)
	if a.Text("message") != "Recovery code verification successful" || !s.opens(a.Text("accessToken")) {
		t.Errorf("answers %s", a.Body)
	}
	access = s.signInAlice(nil).Text("accessToken")
	wantBad(recover(access, codes[3], ""))

	reset := func(code any) webtest.Answer {
		return s.Post("/auth/mfa/reset-totp", fmt.Sprintf(`{"code":%q}`, code), webtest.Bearer(access)...)
	}
	wantBad(reset(codes[3]))
	if a := reset(codes[4]).Want(http.StatusOK); a.Text("message") != "MFA reset successfully" {
		t.Errorf("body is %s", a.Body)
	}
	wantBad(reset(codes[4]))
	s.Advance(time.Minute)
	wantRefusal(s.prove(access, "totp", app(s.Now()), ""), http.StatusUnauthorized, "MFA_CODE_INVALID", "Invalid MFA code")
	if s.opens(access) {
		t.Error("still pending, it opens the app")
	}
	stranger := s.signIn("bob@example.com", "email").Text("accessToken")
	wantBad(recover(stranger, codes[5], ""))
}

func TestTrustedDevice(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{Required: true, TrustedDevice: time.Hour}))
	full := s.proved(`,"trustDevice":true`)
	trust := full.Text("trustToken")
	login := s.signInAlice([]string{TrustHeader, trust})
	if _, c := claims(t, login.Text("accessToken")); login.Fields["isRequiresMfa"] != false || c["isMfaVerified"] != true || !s.opens(login.Text("accessToken")) {
		t.Errorf("login answers %s with claims %v", login.Body, c)
	}
	for name, headers := range map[string][]string{
		"none": nil, "garbage": {TrustHeader, "garbage"}, "altered": {TrustHeader, webtest.OtherCode(trust)}, "shortened": {TrustHeader, trust[1:]},
	} {
		if a := s.signInAlice(headers); a.Fields["isRequiresMfa"] != true {
			t.Errorf("%s: %s", name, a.Body)
		}
	}
	if a := s.signIn("bob@example.com", "email", TrustHeader, trust); a.Fields["isRequiresMfa"] != true {
		t.Errorf("somebody else's: %s", a.Body)
	}

	// In cookie mode the token is in a cookie, which the app doesn't get.
	s.challenge(login.Text("accessToken"), "email").Want(http.StatusOK)
	a := s.Post("/auth/mfa/verify", fmt.Sprintf(`{"method":"email","otp":%q,"trustDevice":true}`, s.Code()),
		"Cookie", "accessToken="+login.Text("accessToken"), "X-Access-Token-Type", "cookie").Want(http.StatusOK)
	cookie := a.Cookie(TrustCookie)
	if a.Fields["trustToken"] != nil || a.Fields["accessToken"] != nil || cookie.MaxAge != 3600 || !cookie.HttpOnly || cookie.Path != "/" {
		t.Errorf("%s sets %v", a.Body, cookie)
	}
	if a := s.signInAlice([]string{"Cookie", TrustCookie + "=" + cookie.Value}); a.Fields["isRequiresMfa"] != false {
		t.Errorf("login answers %s", a.Body)
	}

	s.Advance(time.Hour)
	if a := s.signInAlice([]string{TrustHeader, trust}); a.Fields["isRequiresMfa"] != true {
		t.Errorf("an hour later: %s", a.Body)
	}
	trust = s.proved(`,"trustDevice":true`).Text("trustToken")
	access := s.signInAlice([]string{TrustHeader, trust}).Text("accessToken")
	s.Post("/auth/logout-all", "", webtest.Bearer(access)...).Want(http.StatusOK)
	if a := s.signInAlice([]string{TrustHeader, trust}); a.Fields["isRequiresMfa"] != true {
		t.Errorf("signed out everywhere: %s", a.Body)
	}
}

// TestDistinct: no channel is a second factor to itself.
func TestDistinct(t *testing.T) {
	s := newSite(t, ofPeople(policy(otp.MFAPolicy{Required: true, Distinct: true}), people{Addresses: []otp.Address{otp.RestoreAddress(otp.SMS, phone)}}))
	login := s.signInAlice(nil)
	access := login.Text("accessToken")
	if fmt.Sprint(login.Fields["mfaMethods"]) != "[sms]" {
		t.Errorf("login answers %s", login.Body)
	}
	wantRefusal(s.challenge(access, "email"), http.StatusForbidden, "MFA_METHOD_NOT_AVAILABLE", "MFA method is not available")
	s.challenge(access, "sms").Want(http.StatusOK)
	if !s.opens(s.prove(access, "sms", s.Code(), "").Want(http.StatusOK).Text("accessToken")) {
		t.Error("nothing opens")
	}

	alone := newSite(t, policy(otp.MFAPolicy{Required: true, Distinct: true}))
	login = alone.signInAlice(nil)
	if login.Fields["mfaMethods"] != nil || alone.opens(login.Text("accessToken")) {
		t.Errorf("login answers %s", login.Body)
	}
}

// TestFirstFactorGivesNoSecond: whoever has the mailbox alone can't give
// themselves a second factor for their next login, where the person has one.
func TestFirstFactorGivesNoSecond(t *testing.T) {
	withPhone := people{Addresses: []otp.Address{otp.RestoreAddress(otp.SMS, phone)}}
	for name, tc := range map[string]struct {
		options webtest.Options
		enrol   func(s *site)
	}{
		"a phone in the directory": {ofPeople(policy(otp.MFAPolicy{}), withPhone), func(*site) {}},
		"an app": {policy(otp.MFAPolicy{}), func(s *site) {
			s.addApp(s.signInAlice(nil).Text("accessToken"))
			s.Advance(time.Minute)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tc.options)
			tc.enrol(s)
			s.wantNothingAdded(s.signInAlice(nil).Text("accessToken"))
		})
	}
	t.Run("a session from before it was turned on", func(t *testing.T) {
		s := newSite(t, policy(otp.MFAPolicy{UserToggle: true}))
		old := s.signInAlice(nil).Text("accessToken")
		s.toggle(s.proved("").Text("accessToken"), true).Want(http.StatusOK)
		s.wantNothingAdded(old)
	})
}

// wantNothingAdded wants a session refused that would add a second factor.
func (s *site) wantNothingAdded(access string) {
	s.Helper()
	for _, path := range []string{"generate-recovery-code", "setup-totp", "verify-totp-setup"} {
		body := `{}`
		if path == "verify-totp-setup" {
			const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
			code, _ := otp.TOTPCode(secret, s.Now())
			body = fmt.Sprintf(`{"secret":%q,"otp":%q}`, secret, code)
		}
		wantRefusal(s.Post("/auth/mfa/"+path, body, webtest.Bearer(access)...), http.StatusUnauthorized, "MFA_REQUIRED", mfaRequired)
	}
}

// TestRemovedAppIsNotTrusted: with an app its trusted devices go, and no others.
func TestRemovedAppIsNotTrusted(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{Required: true}))
	first := s.proved(`,"trustDevice":true`)
	byApp := s.trustByApp(s.addApp(first.Text("accessToken")))
	var devices []map[string]any
	if err := json.Unmarshal([]byte(s.Get("/auth/mfa/devices", webtest.Bearer(first.Text("accessToken"))...).Body), &devices); err != nil || len(devices) != 1 {
		t.Fatal(devices, err)
	}
	s.Do(webtest.Request(http.MethodDelete, fmt.Sprint("/auth/mfa/devices/", devices[0]["id"]), "", webtest.Bearer(first.Text("accessToken"))...)).Want(http.StatusOK)
	if a := s.signInAlice([]string{TrustHeader, byApp}); a.Fields["isRequiresMfa"] != true {
		t.Errorf("by the app: %s", a.Body)
	}
	if a := s.signInAlice([]string{TrustHeader, first.Text("trustToken")}); a.Fields["isRequiresMfa"] != false {
		t.Errorf("by e-mail: %s", a.Body)
	}
}

// TestTurnedOnForAllSites: what somebody has turned on holds as well for a
// session that another site of the realm opened, which lets nobody turn it on.
func TestTurnedOnForAllSites(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{UserToggle: true}))
	s.toggle(s.proved("").Text("accessToken"), true).Want(http.StatusOK)
	options := policy(otp.MFAPolicy{})
	options.Origin, options.Beside = "https://other.example.com", s.Site
	other := newSite(t, options)
	access := other.signInAlice(nil).Text("accessToken")
	if !other.opens(access) || s.opens(access) {
		t.Error("it must open the other site, and not the one where it was turned on")
	}
}

// TestToggle: where it is no choice of theirs, people can't turn it off.
func TestToggle(t *testing.T) {
	for name, tc := range map[string]struct {
		options webtest.Options
		code    string
	}{
		"not offered":  {policy(otp.MFAPolicy{}), "MFA_TOGGLING_NOT_ALLOWED"},
		"required":     {policy(otp.MFAPolicy{Required: true}), "MFA_TOGGLING_NOT_ALLOWED"},
		"by directory": {ofPeople(policy(otp.MFAPolicy{UserToggle: true}), people{MFA: true}), "MFA_TOGGLING_NOT_ALLOWED"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, tc.options)
			access := s.proved("").Text("accessToken")
			for _, on := range []bool{true, false} {
				wantRefusal(s.toggle(access, on), http.StatusForbidden, tc.code, "MFA toggle is not allowed")
			}
		})
	}
	s := newSite(t, policy(otp.MFAPolicy{UserToggle: true, Distinct: true}))
	access := s.signInAlice(nil).Text("accessToken")
	wantRefusal(s.toggle(access, true), http.StatusBadRequest, "MFA_CANNOT_ENABLE_WITHOUT_METHOD", "MFA cannot be enabled without a method")
	wantRefusal(s.Post("/auth/mfa/toggle", `{"enabled":"yes"}`, webtest.Bearer(access)...), http.StatusBadRequest, "INVALID_INPUT", "enabled must be a boolean value")
}

// TestOtherAPIsHaveNoSecondFactor: an API that can't ask for one opens no
// session of who must prove one.
func TestOtherAPIsHaveNoSecondFactor(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{Required: true}))
	address := otp.RestoreAddress(otp.Email, alice)
	request := otp.StartRequest{Dialect: "another", Address: address, Purpose: otp.Login, Form: otp.FormCode, Code: webtest.CodePolicy()}
	if _, err := s.Service.Start(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	_, err := s.Service.Verify(t.Context(), otp.VerifyRequest{
		Presented: otp.Presented{Lifetime: time.Hour}, Dialect: "another", Address: address, Purpose: otp.Login, Code: s.Code(),
	})
	if err != otp.ErrPending {
		t.Fatalf("%v", err)
	}
	sessions, err := s.Service.Sessions(t.Context(), otp.Subject(s.Service.Realm(), address))
	if err != nil || len(sessions) != 0 {
		t.Errorf("%v, %v", sessions, err)
	}
}

func TestMFARefuses(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{}))
	access := webtest.Bearer(s.signIn(alice, "email").Text("accessToken"))
	for _, test := range []struct{ path, body, message string }{
		{"challenge", `{"Method":"email"}`, "property Method should not exist"},
		{"verify", `{"otp":"123456"}`, "method must be one of the following values: email, sms, totp"},
		{"verify", `{"method":"email"}`, "otp should not be empty"},
		{"verify", `{"method":"email","otp":123456}`, "otp must be a string"},
		{"verify", `{"method":"email","otp":"123456","trustDevice":1}`, "trustDevice must be a boolean value"},
		{"verify-recovery-code", `{}`, "code should not be empty"},
		{"reset-totp", `{"code":""}`, "code should not be empty"},
		{"toggle", `{}`, "enabled must be a boolean value"},
		{"setup-totp", `{"label":"` + strings.Repeat("x", 129) + `"}`, "label must be shorter than or equal to 128 characters"},
		{"setup-totp", `{"deviceName":5}`, "deviceName must be a string"},
		{"verify-totp-setup", `{"otp":"123456"}`, "secret should not be empty"},
		{"toggle", `{"enab`, "Request body must be one JSON object without duplicate keys"},
	} {
		wantRefusal(s.Post("/auth/mfa/"+test.path, test.body, access...), http.StatusBadRequest, "INVALID_INPUT", test.message)
	}
	only := newSite(t, policy(otp.MFAPolicy{Methods: []otp.FactorMethod{otp.EmailFactor}}))
	access = webtest.Bearer(only.signIn(alice, "email").Text("accessToken"))
	wantRefusal(only.Post("/auth/mfa/setup-totp", ``, access...), http.StatusForbidden, "MFA_METHOD_NOT_AVAILABLE", "MFA method is not available")
	a := only.Get("/auth/mfa/status", access...).Want(http.StatusOK)
	if fmt.Sprint(a.Fields["configuredMethods"]) != "[email]" || a.Fields["allowMethodSelection"] != false {
		t.Errorf("status is %s", a.Body)
	}
}

// TestAppCodeInParallel: of many who present one code at once, one is let in.
func TestAppCodeInParallel(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{Required: true}))
	app := s.addApp(s.proved("").Text("accessToken"))
	s.Advance(time.Minute)
	access := s.signInAlice(nil).Text("accessToken")
	request := fmt.Sprintf(`{"method":"totp","otp":%q}`, app(s.Now()))
	var statuses [8]int
	var done sync.WaitGroup
	for i := range statuses {
		done.Go(func() { statuses[i] = s.Post("/auth/mfa/verify", request, webtest.Bearer(access)...).Status })
	}
	done.Wait()
	let := 0
	for _, status := range statuses {
		switch status {
		case http.StatusOK:
			let++
		case http.StatusUnauthorized:
		default:
			t.Errorf("status %d", status)
		}
	}
	if let > 1 {
		t.Errorf("%d are let in: %v", let, statuses)
	}
}

// TestStoreDownAtSecondFactor: what can't be asked lets nobody in, and uses no
// code up.
func TestStoreDownAtSecondFactor(t *testing.T) {
	for name, p := range map[string]otp.MFAPolicy{"required": {Required: true}, "by choice": {UserToggle: true}} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, policy(p))
			full := s.proved("").Text("accessToken")
			app := s.addApp(full)
			if p.UserToggle {
				s.toggle(full, true).Want(http.StatusOK)
			}
			trust := s.trustByApp(app)
			s.send(alice, "email").Want(http.StatusOK)
			code := s.Code()
			s.FailStore(otp.ErrUnavailable)
			for _, a := range []webtest.Answer{
				s.login(alice, code), s.login(alice, code, TrustHeader, trust), s.prove(full, "totp", app(s.Now()), ""),
				s.challenge(full, "email"), s.Get("/auth/mfa/status", webtest.Bearer(full)...), s.Post("/auth/mfa/reset-totp", `{"code":"x"}`, webtest.Bearer(full)...),
				s.Post("/auth/mfa/generate-recovery-code", ``, webtest.Bearer(full)...),
			} {
				wantRefusal(a, http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", "Service temporarily unavailable. Please try again later.")
				if a.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			}
			s.FailStore(nil)
			s.login(alice, code, TrustHeader, trust).Want(http.StatusOK)
		})
	}
}

// TestDemandedLater: a session from before the directory demanded a second
// factor of its person opens no more than a pending one.
func TestDemandedLater(t *testing.T) {
	var d demands
	o := policy(otp.MFAPolicy{})
	domain := o.Domain
	o.Domain = func(c *otp.Config) { domain(c); c.Directory = &d }
	s := newSite(t, o)
	access := s.signIn(alice, "email").Text("accessToken")
	s.Get("/auth/user", webtest.Bearer(access)...).Want(http.StatusOK)
	d.Store(true)
	wantRefusal(s.Get("/auth/user", webtest.Bearer(access)...), http.StatusUnauthorized, "MFA_REQUIRED", mfaRequired)
	if s.opens(access) {
		t.Error("it opens the app")
	}
	s.challenge(access, "email").Want(http.StatusOK)
	if !s.opens(s.prove(access, "email", s.Code(), "").Want(http.StatusOK).Text("accessToken")) {
		t.Error("with a second factor it opens nothing")
	}
}

// demands is a directory that may demand a second factor of everybody.
type demands struct{ atomic.Bool }

func (d *demands) Find(context.Context, otp.Address) (otp.Person, error) {
	return otp.Person{MFA: d.Load()}, nil
}

// TestCrossOriginDevice: pages of a configured origin may remove a device.
func TestCrossOriginDevice(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{}), func(c *Config) { c.Origins = []string{"https://spa.example.com"} })
	r := webtest.Request(http.MethodOptions, "/auth/mfa/devices/x", "", "Origin", "https://spa.example.com", "Access-Control-Request-Method", "DELETE")
	a := s.Do(r).Want(http.StatusNoContent)
	if a.Header.Get("Access-Control-Allow-Methods") != "DELETE" || !strings.Contains(a.Header.Get("Access-Control-Allow-Headers"), TrustHeader) {
		t.Errorf("%v", a.Header)
	}
	for path, ours := range map[string]bool{"/auth/mfa/devices/a/b": false, "/auth/mfa/x/a": false} {
		s.Do(webtest.Request(http.MethodDelete, path, "")).WantOurs(ours, "")
	}
}

// FuzzMFABody: whatever is posted to a path of the second factor, the answer is
// a success or an error of the client's with all of its fields.
func FuzzMFABody(f *testing.F) {
	s := newSite(f, policy(otp.MFAPolicy{UserToggle: true}))
	access := s.signIn(alice, "email").Text("accessToken")
	paths := []string{"challenge", "verify", "verify-recovery-code", "toggle", "reset-totp", "setup-totp", "verify-totp-setup", "generate-recovery-code"}
	for i := range paths {
		f.Add(i, ``)
		f.Add(i, `{"method":"totp","otp":"123456","trustDevice":true,"code":"x","enabled":true,"secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","label":"ſ","deviceName":null}`)
		f.Add(i, `{"method":["email"],"otp":{},"code":5,"enabled":"x","secret":true}`)
		f.Add(i, `{"Method":"email"}`)
	}
	f.Fuzz(func(t *testing.T, path int, body string) {
		a := s.in(t).Post("/auth/mfa/"+paths[uint(path)%uint(len(paths))], body, webtest.Bearer(access)...)
		if a.Status == http.StatusOK {
			return
		}
		for _, field := range []string{"statusCode", "error", "message", "code"} {
			if a.Status < 400 || a.Status > 499 || a.Fields[field] == nil {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
		}
	})
}
