// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// oneDirectory knows one person, or fails.
type oneDirectory struct {
	person Person
	err    error
}

func (d oneDirectory) Find(context.Context, Address) (Person, error) { return d.person, d.err }

func personOf(t testing.TB, typed ...string) Person {
	t.Helper()
	var p Person
	for _, text := range typed {
		p.Addresses = append(p.Addresses, anyAddress(t, text))
	}
	return p
}

func TestSecondFactors(t *testing.T) {
	const mail, phone = "jane@example.com", "+491701234567"
	for _, tc := range []struct {
		name      string
		address   string
		person    []string
		directory error
		noMail    bool
		deny      string
		allow     string
		want      []string
	}{
		{name: "no directory", address: mail, want: []string{mail}},
		{name: "no other address", address: mail, person: []string{mail}, want: []string{mail}},
		{name: "the other channel first", address: mail, person: []string{mail, "jane@example.net", phone}, want: []string{phone, "jane@example.net"}},
		{name: "signed in by phone", address: phone, person: []string{mail, phone, "+491701234568"}, want: []string{mail, "+491701234568"}},
		{name: "another name of the same mailbox", address: mail, person: []string{mail, "jane+x@example.com"}, want: []string{mail}},
		{name: "dots in a Gmail address", address: "jane.doe@gmail.com", person: []string{"janedoe@googlemail.com", "jane.doe@gmail.com"}, want: []string{"jane.doe@gmail.com"}},
		{name: "a country that isn't offered", address: mail, person: []string{mail, "+12025550143"}, want: []string{mail}},
		{name: "denied", address: mail, person: []string{mail, phone}, deny: "+49*", want: []string{mail}},
		{name: "not allowed to sign in", address: mail, person: []string{mail, phone}, allow: "*@example.com", want: []string{phone}},
		{name: "no sender for the rest", address: phone, person: []string{mail, phone}, noMail: true, want: []string{phone}},
		{name: "nothing is left", address: mail, person: []string{mail}, noMail: true},
		{name: "nobody any more", address: mail, directory: ErrNobody},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) {
				c.Countries = []string{"DE"}
				c.Senders[SMS] = c.Senders[Email]
				if tc.noMail {
					delete(c.Senders, Email)
				}
				if tc.person != nil || tc.directory != nil {
					c.Directory = oneDirectory{personOf(t, tc.person...), tc.directory}
				}
				c.Admission = Admission{Allow: patterns(t, tc.allow), Deny: patterns(t, tc.deny)}
			})
			factors, err := h.Factors(t.Context(), Session{Address: anyAddress(t, tc.address)})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range factors.Addresses {
				got = append(got, a.String())
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestSecondFactorsUnknown: where the directory can't tell, the session's own
// address isn't taken instead.
func TestSecondFactorsUnknown(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Directory = oneDirectory{err: fmt.Errorf("dial: %w", ErrUnavailable)} })
	x := h.signedIn(t, "jane@example.com")
	if factors, err := h.Factors(t.Context(), x); !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 || factors.Addresses != nil {
		t.Errorf("%v, %v", factors, err)
	}
	if _, err := h.StartFactor(t.Context(), x, FactorRequest{Address: x.Address}); !errors.Is(err, ErrUnavailable) || len(h.store.starts) > 0 {
		t.Errorf("start: %v", err)
	}
	if _, err := h.Elevate(t.Context(), x, ElevateRequest{Address: x.Address, Code: "123456"}); !errors.Is(err, ErrUnavailable) || len(h.store.verifies) > 0 {
		t.Errorf("elevate: %v", err)
	}
}

// signedIn is the session of somebody who signed in a day ago, for a week.
func (h *house) signedIn(t testing.TB, typed string) Session {
	t.Helper()
	a := anyAddress(t, typed)
	since := time.Now().Add(-24 * time.Hour).Truncate(time.Millisecond)
	x := Session{
		ID: h.newSessionID(h.handle(a)), Subject: Subject(h.realm, a), Address: a, Method: ByLink, Dialect: "nestauth", Client: "web", Tenant: "acme",
		Scope: "openid", Device: "Firefox", Since: since.Add(-time.Hour), Created: since, Expires: since.Add(7 * 24 * time.Hour),
	}
	x.Owner = h.owner(x.Subject)
	return x
}

// newPhoneHouse is a house of somebody with a phone.
func newPhoneHouse(t *testing.T) (h *house, x Session, phone Address) {
	t.Helper()
	h = newHouse(t, func(c *Config) {
		c.Countries = []string{"DE"}
		c.Senders[SMS] = c.Senders[Email]
		c.Admission.Allow = patterns(t, "*@example.com")
		c.Directory = oneDirectory{person: personOf(t, "jane@example.com", "+491701234567")}
	})
	return h, h.signedIn(t, "jane@example.com"), anyAddress(t, "+491701234567")
}

func TestStartFactor(t *testing.T) {
	h, x, phone := newPhoneHouse(t)
	ip := netip.MustParseAddr("192.0.2.1")
	policy := CodePolicy{Length: 6, Lifetime: 10 * time.Minute, SMSLifetime: 5 * time.Minute, Attempts: 5, Keep: 1}
	started, err := h.StartFactor(t.Context(), x, FactorRequest{Address: phone, Code: policy, ClientIP: ip, Locale: "de"})
	if err != nil || started.Lifetime != 5*time.Minute {
		t.Fatalf("%+v, %v", started, err)
	}
	call := h.store.starts[0]
	m, err := h.unseal(*call.message)
	if err != nil || m.Purpose != MFA || m.To != "+491701234567" || m.Channel != SMS || len(m.Code) != 6 || m.Link != "" || m.Locale != "de" || m.Dialect != "nestauth" || m.Tenant != "acme" {
		t.Fatalf("%+v, %v", m, err)
	}
	c := call.challenge
	tag := h.keys.tag(h.tagParts(codeTag, "nestauth", "web", phone, MFA, boundTo(x.ID), m.Code)...)
	if c.Handle != h.handle(phone) || c.Code != tag || c.Link != "" || c.Attempts != 5 || c.Group != h.group("nestauth", "web", phone, MFA) {
		t.Errorf("%+v", c)
	}
	if c.Group == h.group("nestauth", "web", phone, Login) {
		t.Error("a login's codes are replaced by it")
	}
	if fmt.Sprint(call.charges) != fmt.Sprint(h.startCharges(ip, "")) {
		t.Errorf("charged %+v", call.charges)
	}
	for _, other := range []string{"jane@example.com", "joe@example.com", "+491701234568"} {
		if _, err := h.StartFactor(t.Context(), x, FactorRequest{Address: anyAddress(t, other), Code: policy}); !errors.Is(err, ErrNoFactor) {
			t.Errorf("%s: %v", other, err)
		}
	}
	over := x
	over.Expires = time.Now()
	if _, err := h.StartFactor(t.Context(), over, FactorRequest{Address: phone, Code: policy}); !errors.Is(err, ErrNoSession) {
		t.Errorf("a session that is over: %v", err)
	}
	if len(h.store.starts) != 1 {
		t.Errorf("%d starts", len(h.store.starts))
	}
}

func TestElevate(t *testing.T) {
	h, x, phone := newPhoneHouse(t)
	r := ElevateRequest{Address: phone, Code: "000123", ClientIP: netip.MustParseAddr("192.0.2.1"), Browser: "browser", Renewable: true}
	v, err := h.Elevate(t.Context(), x, r)
	if err != nil {
		t.Fatal(err)
	}
	got, call := v.Session, h.store.verifies[0]
	g, handle := call.guess, h.handle(phone)
	if g.Handle != handle || g.Group != h.group("nestauth", "web", phone, MFA) || g.Link || g.Known || g.Browser != "browser" ||
		!slices.Equal(g.Tags, h.keys.candidates(h.tagParts(codeTag, "nestauth", "web", phone, MFA, boundTo(x.ID), "000123")...)) {
		t.Errorf("guess %+v", g)
	}
	if g.Account == h.account(handle, phone) || !strings.HasPrefix(g.Account, handle.Shard()) {
		t.Errorf("account %s", g.Account)
	}
	if fmt.Sprint(call.charges) != fmt.Sprint(h.verifyCharges(r.ClientIP, "")) || fmt.Sprint(g.Refunds) != fmt.Sprint(h.startRefunds(r.ClientIP, "")) {
		t.Errorf("charged %+v, refunded %+v", call.charges, g.Refunds)
	}
	if call.session.Owner != x.Owner || call.session.Refresh == "" || v.Refresh == "" || call.session.Lifetime > time.Until(x.Expires)+time.Second {
		t.Errorf("record %+v", call.session)
	}
	if got.ID == x.ID || got.ID.Shard() != handle.Shard() || !got.MFA.Equal(got.Created) || got.MFA.Before(x.Created) || got.MFAMethod != "sms" || got.New {
		t.Errorf("%+v", got)
	}
	if got.Expires.After(x.Expires) || !got.Since.Equal(x.Since) {
		t.Errorf("until %v, since %v; before %v, %v", got.Expires, got.Since, x.Expires, x.Since)
	}
	same := got.Subject == x.Subject && got.Owner == x.Owner && got.Address.String() == x.Address.String() && got.Method == x.Method && got.Dialect == x.Dialect &&
		got.Client == x.Client && got.Tenant == x.Tenant && got.Scope == x.Scope && got.Device == x.Device && len(got.Person.Addresses) == 2
	if !same {
		t.Errorf("%+v continues %+v", got, x)
	}
	if len(h.store.revocations) != 1 || h.store.revocations[0].Session != x.ID {
		t.Errorf("revoked %+v", h.store.revocations)
	}
}

// TestElevatedSessionEnds when the one before would have, whatever the store's
// clock says.
func TestElevatedSessionEnds(t *testing.T) {
	h, x, phone := newPhoneHouse(t)
	h.store.verify = func(_ Guess, r SessionRecord) (Outcome, error) {
		r.Created = time.Now().Add(time.Minute)
		r.Since = r.Created
		return Outcome{Result: Verified, Session: r, New: true}, nil
	}
	v, err := h.Elevate(t.Context(), x, ElevateRequest{Address: phone, Code: "123456"})
	if err != nil || !v.Session.Expires.Equal(x.Expires) || !v.Session.MFA.Equal(v.Session.Created) {
		t.Fatalf("%v, until %v, not %v", err, v.Session.Expires, x.Expires)
	}
	again, err := h.Elevate(t.Context(), v.Session, ElevateRequest{Address: phone, Code: "123456"})
	if err != nil || !again.Session.Expires.Equal(x.Expires) || !again.Session.Since.Equal(x.Since) || again.Session.ID == v.Session.ID || !again.Session.MFA.After(v.Session.MFA) {
		t.Fatalf("%+v, %v", again, err)
	}
}

// TestElevateRefuses what opens nothing: the session goes on as it is.
func TestElevateRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		address, code string
		outcome       Outcome
		storeErr, err error
		asks          bool
	}{
		"wrong":        {"+491701234567", "123456", Outcome{Result: Wrong}, nil, ErrWrong, true},
		"no code":      {"+491701234567", "12345a", Outcome{Result: Wrong}, nil, ErrWrong, true},
		"exhausted":    {"+491701234567", "123456", Outcome{Result: Exhausted}, nil, ErrExhausted, true},
		"cooling down": {"+491701234567", "123456", Outcome{Result: CoolingDown, RetryAfter: time.Minute}, nil, ErrCoolDown, true},
		"store down":   {"+491701234567", "123456", Outcome{}, fmt.Errorf("dial: %w", ErrUnavailable), ErrUnavailable, true},
		"nonsense":     {"+491701234567", "123456", Outcome{Result: Verified, Session: SessionRecord{ID: "00x", Sealed: []byte("?")}}, nil, ErrNoSession, true},
		"own address":  {"jane@example.com", "123456", Outcome{}, nil, ErrNoFactor, false},
		"another's":    {"+491701234568", "123456", Outcome{}, nil, ErrNoFactor, false},
	} {
		t.Run(name, func(t *testing.T) {
			h, x, _ := newPhoneHouse(t)
			h.store.verify = func(g Guess, _ SessionRecord) (Outcome, error) {
				if IsCode(tc.code) != (len(g.Tags) > 0) {
					t.Errorf("guess %+v", g)
				}
				return tc.outcome, tc.storeErr
			}
			v, err := h.Elevate(t.Context(), x, ElevateRequest{Address: anyAddress(t, tc.address), Code: tc.code, Browser: "browser"})
			if !errors.Is(err, tc.err) || v.Session.ID != "" || v.Refresh != "" || (len(h.store.verifies) > 0) != tc.asks {
				t.Errorf("%+v, %v, %d guesses", v, err, len(h.store.verifies))
			}
			if len(h.store.revocations) > 0 {
				t.Errorf("revoked %+v", h.store.revocations)
			}
		})
	}
}

// TestElevateEndedMeanwhile: another node ends the session between the look at
// it and the store's step.
func TestElevateEndedMeanwhile(t *testing.T) {
	for name, ended := range map[string]func(x Session) Revocation{
		"itself":     func(x Session) Revocation { return Revocation{Session: x.ID, Lifetime: time.Hour} },
		"everywhere": func(x Session) Revocation { return Revocation{Owner: x.Owner, Lifetime: time.Hour} },
	} {
		t.Run(name, func(t *testing.T) {
			h, x, phone := newPhoneHouse(t)
			var opened SessionID
			h.store.verify = func(_ Guess, r SessionRecord) (Outcome, error) {
				gone := ended(x)
				gone.At = time.Now()
				h.store.revocations = append(h.store.revocations, gone)
				r.Created, r.Since, opened = time.Now(), time.Now(), r.ID
				return Outcome{Result: Verified, Session: r}, nil
			}
			v, err := h.Elevate(t.Context(), x, ElevateRequest{Address: phone, Code: "123456", Browser: "browser"})
			if !errors.Is(err, ErrNoSession) || v.Session.ID != "" {
				t.Fatalf("%+v, %v", v, err)
			}
			last := h.store.revocations[len(h.store.revocations)-1]
			if last.Session != opened {
				t.Errorf("what was opened isn't ended: %+v", h.store.revocations)
			}
		})
	}
}

// TestElevateThoughOldStays: where the one before can't be ended, the log says
// so.
func TestElevateThoughOldStays(t *testing.T) {
	h, x, phone := newPhoneHouse(t)
	h.store.verify = func(_ Guess, r SessionRecord) (Outcome, error) {
		h.store.err = ErrUnavailable
		r.Created, r.Since = time.Now(), time.Now()
		return Outcome{Result: Verified, Session: r}, nil
	}
	v, err := h.Elevate(t.Context(), x, ElevateRequest{Address: phone, Code: "123456"})
	if err != nil || v.Session.MFA.IsZero() || !strings.Contains(h.log.String(), "can't be ended") {
		t.Fatalf("%+v, %v\n%s", v, err, h.log.String())
	}
}

// TestGuessOfEndedSession: a session that has ended can get back what it was
// continued by, and nothing else.
func TestGuessOfEndedSession(t *testing.T) {
	h, x, phone := newPhoneHouse(t)
	if err := h.SignOut(t.Context(), x.ID, x.Expires); err != nil {
		t.Fatal(err)
	}
	r := ElevateRequest{Address: phone, Code: "123456"}
	if _, err := h.Elevate(t.Context(), x, r); !errors.Is(err, ErrNoSession) || len(h.store.verifies) != 0 {
		t.Fatalf("of no browser: %v", err)
	}
	r.Browser = "browser"
	for _, result := range []Result{Wrong, Expired, Exhausted} {
		h.store.verify = func(g Guess, _ SessionRecord) (Outcome, error) {
			if !g.Known || g.Account == h.account(g.Handle, phone) || g.Account == h.factorAccount(g.Handle, phone) {
				t.Errorf("guess %+v", g)
			}
			return Outcome{Result: result}, nil
		}
		if v, err := h.Elevate(t.Context(), x, r); !errors.Is(err, ErrNoSession) || v.Session.ID != "" {
			t.Errorf("%+v, %v", v, err)
		}
	}
}

// TestFactorIsNoLogin: no dialect can take a second factor's code for a login by
// mistake.
func TestFactorIsNoLogin(t *testing.T) {
	h := newHouse(t, nil)
	start, verify := startRequest(t, "jane@example.com"), verifyRequest(t, "jane@example.com", "123456")
	start.Purpose, verify.Purpose = MFA, MFA
	if _, err := h.Start(t.Context(), start); !errors.Is(err, errOfFactor) || len(h.store.starts) > 0 {
		t.Errorf("start: %v", err)
	}
	if v, err := h.Verify(t.Context(), verify); !errors.Is(err, errOfFactor) || len(h.store.verifies) > 0 || v.Session.ID != "" {
		t.Errorf("verify: %+v, %v", v, err)
	}
}
