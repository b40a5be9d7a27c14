// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func grantRequest() GrantRequest {
	return GrantRequest{Dialect: "auth0", Client: "page", Payload: []byte("payload"), Lifetime: time.Minute}
}

// TestGrant looks at what the store sees of a grant, and at the session that it
// opens.
func TestGrant(t *testing.T) {
	h := newHouse(t, nil)
	x := h.signedIn(t, "jane@example.com")
	x.MFA, x.MFAMethod = x.Created.Add(time.Minute), "sms"
	code, err := h.Grant(t.Context(), x, grantRequest())
	if err != nil {
		t.Fatal(err)
	}
	g, err := h.OpenGrant(code)
	if err != nil || g.Dialect != "auth0" || g.Client != "page" || string(g.Payload) != "payload" {
		t.Fatalf("%+v, %v", g, err)
	}
	start := h.store.starts[0]
	if c := start.challenge; len(start.charges) > 0 || start.message != nil || c.Link == "" || c.Code != "" || c.Lifetime != time.Minute ||
		c.Handle == h.handle(x.Address) || c.Handle.Shard() != h.handle(x.Address).Shard() {
		t.Errorf("the store was told %+v", start)
	}
	v, err := h.RedeemGrant(t.Context(), g, Presented{Lifetime: time.Hour, Renewable: true, Scope: "openid", Audience: "api", Device: "Safari", Browser: "b"})
	if err != nil {
		t.Fatal(err)
	}
	guess := h.store.verifies[0].guess
	if !guess.Link || !guess.Known || guess.Browser != "" || len(guess.Refunds) > 0 || len(h.store.verifies[0].charges) > 0 ||
		guess.Account != h.account(h.handle(x.Address), x.Address) || guess.Tags[0] != start.challenge.Link {
		t.Errorf("the guess is %+v", guess)
	}
	got := v.Session
	if got.ID == x.ID || got.Subject != x.Subject || got.Owner != x.Owner || got.Address.String() != x.Address.String() || got.Method != x.Method || got.Tenant != x.Tenant {
		t.Errorf("the session is another person's: %+v", got)
	}
	if got.Dialect != "auth0" || got.Client != "page" || got.Scope != "openid" || got.Audience != "api" || got.Device != "Safari" || v.Refresh == "" {
		t.Errorf("the session isn't the client's: %+v", got)
	}
	if !got.MFA.Equal(x.MFA) || got.MFAMethod != "sms" || got.Expires.Sub(got.Created) != time.Hour {
		t.Errorf("second factor %s of %v, for %v", got.MFAMethod, got.MFA, got.Expires.Sub(got.Created))
	}
}

// TestGrantReused redeems what the store says is used: the session that was
// opened ends, and no other.
func TestGrantReused(t *testing.T) {
	h := newHouse(t, nil)
	x := h.signedIn(t, "jane@example.com")
	code, err := h.Grant(t.Context(), x, grantRequest())
	if err != nil {
		t.Fatal(err)
	}
	g, err := h.OpenGrant(code)
	if err != nil {
		t.Fatal(err)
	}
	h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return Outcome{Result: Wrong, Now: time.Now()}, nil }
	if _, err := h.RedeemGrant(t.Context(), g, Presented{Lifetime: time.Hour}); !errors.Is(err, ErrWrong) {
		t.Errorf("error is %v", err)
	}
	if r := h.store.revocations; len(r) != 1 || r[0].Session != g.next || r[0].Lifetime != time.Hour {
		t.Errorf("revoked: %+v", r)
	}
	if strings.Contains(h.log.String(), code) || strings.Contains(h.log.String(), "jane") {
		t.Error("the log tells more than it should")
	}
}

// TestGrantRefusals has what can't be granted or redeemed.
func TestGrantRefusals(t *testing.T) {
	h := newHouse(t, nil)
	x := h.signedIn(t, "jane@example.com")
	for _, lifetime := range []time.Duration{0, -1, 10*time.Minute + 1} {
		r := grantRequest()
		r.Lifetime = lifetime
		if _, err := h.Grant(t.Context(), x, r); err == nil {
			t.Errorf("a grant for %v", lifetime)
		}
	}
	over := x
	over.Expires = time.Now().Add(-time.Second)
	if _, err := h.Grant(t.Context(), over, grantRequest()); !errors.Is(err, ErrNoSession) {
		t.Errorf("of a session that is over: %v", err)
	}
	code, err := h.Grant(t.Context(), x, grantRequest())
	if err != nil {
		t.Fatal(err)
	}
	other := newHouse(t, func(c *Config) { c.Realm = "other" })
	for _, text := range []string{"", "x", code + "A", code[1:]} {
		if _, err := h.OpenGrant(text); !errors.Is(err, ErrWrong) {
			t.Errorf("opened %.8q: %v", text, err)
		}
	}
	if _, err := other.OpenGrant(code); !errors.Is(err, ErrWrong) {
		t.Errorf("opened in another realm: %v", err)
	}
	g, err := h.OpenGrant(code)
	if err != nil {
		t.Fatal(err)
	}
	for result, want := range map[Result]error{Expired: ErrExpired, Wrong: ErrWrong} {
		h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return Outcome{Result: result, Now: time.Now()}, nil }
		if _, err := h.RedeemGrant(t.Context(), g, Presented{Lifetime: time.Hour}); !errors.Is(err, want) {
			t.Errorf("error is %v, want %v", err, want)
		}
	}
	if err := h.SignOut(t.Context(), x.ID, x.Expires); err != nil {
		t.Fatal(err)
	}
	guesses := len(h.store.verifies)
	if _, err := h.RedeemGrant(t.Context(), g, Presented{Lifetime: time.Hour}); !errors.Is(err, ErrNoSession) || len(h.store.verifies) != guesses {
		t.Errorf("of a session that has ended: %v", err)
	}
	h.store.err = ErrUnavailable
	if _, err := h.Grant(t.Context(), h.signedIn(t, "joe@example.com"), grantRequest()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
}

// TestGrantPending: nothing is granted to a session that lacks a second factor
// which is demanded of it, nor redeemed where that came later.
func TestGrantPending(t *testing.T) {
	demanding := &fakeDirectory{people: map[string]Person{"jane@example.com": {MFA: true}}}
	for name, test := range map[string]struct {
		edit     func(*Config)
		enrolled bool
	}{
		"the site":      {func(c *Config) { c.MFA.Required = true }, false},
		"the person":    {func(c *Config) { c.MFA.UserToggle = true }, true},
		"the directory": {func(c *Config) { c.Directory = demanding }, false},
	} {
		t.Run(name, func(t *testing.T) {
			h, before := newHouse(t, test.edit), newHouse(t, nil)
			x := before.signedIn(t, "jane@example.com")
			x.Enrolled = test.enrolled
			if _, err := h.Grant(t.Context(), x, grantRequest()); !errors.Is(err, ErrPending) || len(h.store.starts) > 0 {
				t.Errorf("granted: %v", err)
			}
			if _, err := h.Derive(t.Context(), x, "auth0", "page", Presented{Lifetime: time.Hour}); !errors.Is(err, ErrPending) {
				t.Errorf("derived: %v", err)
			}
			code, err := before.Grant(t.Context(), x, grantRequest())
			if err != nil {
				t.Fatal(err)
			}
			g, err := h.OpenGrant(code)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.RedeemGrant(t.Context(), g, Presented{Lifetime: time.Hour}); !errors.Is(err, ErrPending) || len(h.store.verifies) > 0 {
				t.Errorf("redeemed: %v", err)
			}
			x.MFA = x.Created
			if _, err := h.Grant(t.Context(), x, grantRequest()); err != nil {
				t.Errorf("with the factor: %v", err)
			}
		})
	}
}

// TestTry asks the store with no session to open.
func TestTry(t *testing.T) {
	h := newHouse(t, nil)
	r := VerifyRequest{Dialect: "auth0", Client: "page", Address: anyAddress(t, "jane@example.com"), Purpose: Login, Code: "123456"}
	if err := h.Try(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if call := h.store.verifies[0]; call.session.ID != "" || call.guess.Handle != h.handle(r.Address) || len(call.charges) == 0 {
		t.Errorf("the store was told %+v", call)
	}
	for result, want := range map[Result]error{Wrong: ErrWrong, Expired: ErrExpired, Exhausted: ErrExhausted, CoolingDown: ErrCoolDown, Throttled: ErrThrottled} {
		h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return Outcome{Result: result, Now: time.Now()}, nil }
		if err := h.Try(t.Context(), r); !errors.Is(err, want) {
			t.Errorf("error is %v, want %v", err, want)
		}
	}
	r.Purpose = MFA
	if err := h.Try(t.Context(), r); err == nil {
		t.Error("a second factor's code is tried as a login's")
	}
}
