// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func verifyRequest(t testing.TB, typed, code string) VerifyRequest {
	t.Helper()
	return VerifyRequest{
		Presented: Presented{Lifetime: time.Hour, ClientIP: netip.MustParseAddr("192.0.2.1")},
		Dialect:   "portal",
		Client:    "web",
		Address:   anyAddress(t, typed),
		Purpose:   Login,
		Code:      code,
	}
}

func TestVerify(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Keys = testKeys(t, "second", "first") })
	r := verifyRequest(t, "Jane@Example.com", "000123")
	r.Browser, r.Known, r.Tenant, r.Scope = "browser", true, "acme", "openid"
	v, err := h.Verify(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	x := v.Session
	if x.Subject != Subject("app.example.com", r.Address) || x.Address.String() != "jane@example.com" || x.Method != ByCode || x.Dialect != "portal" ||
		x.Client != "web" || x.Tenant != "acme" || x.Scope != "openid" || !x.New || !x.ID.Valid() || v.Refresh != "" {
		t.Errorf("%+v", v)
	}
	if x.Expires.Sub(x.Created) != time.Hour || !x.Since.Equal(x.Created) {
		t.Errorf("from %v to %v, known since %v", x.Created, x.Expires, x.Since)
	}
	call := h.store.verifies[0]
	handle := h.handle(r.Address)
	want := h.keys.candidates(h.tagParts(codeTag, "portal", "web", r.Address, Login, nil, "000123")...)
	g := call.guess
	if len(want) != 2 || !slices.Equal(g.Tags, want) || g.Handle != handle || g.Account != h.account(handle, r.Address) || g.Link || !g.Known || g.Browser != "browser" ||
		g.Group != h.group("portal", "web", r.Address, Login) {
		t.Errorf("guess %+v", g)
	}
	if fmt.Sprint(call.charges) != fmt.Sprint(h.verifyCharges(r.ClientIP, "")) || fmt.Sprint(g.Refunds) != fmt.Sprint(h.startRefunds(r.ClientIP, "")) {
		t.Errorf("charged %+v, refunded %+v", call.charges, g.Refunds)
	}
	if call.session.ID != x.ID || call.session.Refresh != "" || call.session.Lifetime != time.Hour || x.ID.Shard() != handle.Shard() {
		t.Errorf("record %+v", call.session)
	}
}

// TestVerifyWithoutTags presents what can't be right, or may not be: the
// store is asked all the same, so that it counts and takes its time.
func TestVerifyWithoutTags(t *testing.T) {
	for _, tc := range []struct{ name, typed, code string }{
		{"nothing", "jane@example.com", ""},
		{"zeros lost", "jane@example.com", "123"},
		{"too long", "jane@example.com", "1234567890123"},
		{"letters", "jane@example.com", "abcdef"},
		{"blanks around", "jane@example.com", " 123456"},
		{"fullwidth digits", "jane@example.com", "１２３４５６"},
		{"denied", "bad@example.com", "123456"},
		{"not allowed", "joe@elsewhere.example", "123456"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) {
				c.Admission = Admission{Allow: patterns(t, "*@example.com"), Deny: patterns(t, "bad@example.com")}
			})
			h.store.verify = func(g Guess, _ SessionRecord) (Outcome, error) {
				if len(g.Tags) > 0 {
					return Outcome{}, errDefect
				}
				return Outcome{Result: Wrong}, nil
			}
			if v, err := h.Verify(t.Context(), verifyRequest(t, tc.typed, tc.code)); !errors.Is(err, ErrWrong) || !reflect.DeepEqual(v, Verification{}) {
				t.Errorf("%+v, %v", v, err)
			}
			if len(h.store.verifies) != 1 || len(h.store.verifies[0].charges) == 0 {
				t.Fatalf("store calls %+v", h.store.verifies)
			}
		})
	}
	h := newHouse(t, func(c *Config) { c.Admission.Deny = patterns(t, "bad@example.com") })
	if _, err := h.VerifyLink(t.Context(), Link{Address: email(t, "bad@example.com"), secret: "s"}, Presented{}); err != nil {
		t.Fatal(err)
	}
	if tags := h.store.verifies[0].guess.Tags; tags != nil {
		t.Errorf("a link of somebody denied presents %q", tags)
	}
}

func TestVerifyOutcomes(t *testing.T) {
	for _, tc := range []struct {
		name    string
		outcome Outcome
		storeEr error
		err     error
		retry   int
	}{
		{name: "wrong", outcome: Outcome{Result: Wrong}, err: ErrWrong},
		{name: "expired", outcome: Outcome{Result: Expired}, err: ErrExpired},
		{name: "exhausted", outcome: Outcome{Result: Exhausted}, err: ErrExhausted},
		{name: "throttled", outcome: Outcome{Result: Throttled, RetryAfter: 20 * time.Second}, err: ErrThrottled, retry: 20},
		{name: "cooling down", outcome: Outcome{Result: CoolingDown, RetryAfter: 30 * time.Second}, err: ErrCoolDown, retry: 30},
		{name: "unavailable", storeEr: fmt.Errorf("dial: %w", ErrUnavailable), err: ErrUnavailable, retry: 1},
		{name: "a defect", storeEr: errDefect, err: errDefect},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, nil)
			h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return tc.outcome, tc.storeEr }
			r := verifyRequest(t, "jane@example.com", "123456")
			r.Renewable = true
			v, err := h.Verify(t.Context(), r)
			if !errors.Is(err, tc.err) || RetryAfter(err) != tc.retry || !reflect.DeepEqual(v, Verification{}) {
				t.Errorf("%+v, %v (retry after %d)", v, err, RetryAfter(err))
			}
		})
	}
}

// TestVerifyOfNonsense pins that an answer which makes no sense opens nothing.
func TestVerifyOfNonsense(t *testing.T) {
	for _, outcome := range []Outcome{{}, {Result: Accepted}, {Result: 99}, {Result: Verified}, {Result: Verified, Session: SessionRecord{ID: "00x", Sealed: []byte("?")}}} {
		h := newHouse(t, nil)
		h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return outcome, nil }
		v, err := h.Verify(t.Context(), verifyRequest(t, "jane@example.com", "123456"))
		if err == nil || !reflect.DeepEqual(v, Verification{}) {
			t.Errorf("%+v: %+v, %v", outcome, v, err)
		}
	}
}

func TestVerifyGoesOn(t *testing.T) {
	h := newHouse(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Verify(ctx, verifyRequest(t, "jane@example.com", "123456")); err != nil || len(h.store.verifies) != 1 {
		t.Fatalf("%d guesses counted, %v", len(h.store.verifies), err)
	}
	h = newHouse(t, func(c *Config) { c.Timeout = time.Millisecond })
	h.store.hang = true
	if _, err := h.Verify(t.Context(), verifyRequest(t, "jane@example.com", "123456")); !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 {
		t.Fatalf("a store that hangs: %v", err)
	}
}

// TestVerifyInTime has a store that answers each operation just in time: what a
// verification needs of it must be there in that time all the same. One step is
// enough for who has no record, two aren't.
func TestVerifyInTime(t *testing.T) {
	for name, tc := range map[string]struct {
		enrolled bool
		err      error
		took     time.Duration
	}{
		"one step":  {false, nil, DefaultTimeout * 3 / 4},
		"two steps": {true, ErrUnavailable, DefaultTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, nil)
				r := verifyRequest(t, "jane@example.com", "000123")
				if tc.enrolled {
					h.turnOn(t, r.Address)
				}
				h.store.slow = DefaultTimeout * 3 / 4
				begin := time.Now()
				if _, err := h.Verify(t.Context(), r); !errors.Is(err, tc.err) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(begin); took != tc.took {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestRepeated gives the browser the session that it opened before, and no
// refresh secret that would look stolen.
func TestRepeated(t *testing.T) {
	h := newHouse(t, nil)
	r := verifyRequest(t, "jane@example.com", "123456")
	r.Browser, r.Renewable = "browser", true
	first, err := h.Verify(t.Context(), r)
	if err != nil || first.Refresh == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	kept := h.store.verifies[0].session
	kept.Created, kept.Since = first.Session.Created, first.Session.Since
	h.store.verify = func(Guess, SessionRecord) (Outcome, error) {
		return Outcome{Result: Repeated, Session: kept, New: true}, nil
	}
	again, err := h.Verify(t.Context(), r)
	if err != nil || !reflect.DeepEqual(again.Session, first.Session) {
		t.Fatalf("%+v, %v; want %+v", again.Session, err, first.Session)
	}
	if again.Refresh != "" {
		t.Fatal("a refresh secret whose tag isn't kept")
	}
}

func TestSessionRecords(t *testing.T) {
	h := newHouse(t, nil)
	other := newHouse(t, func(c *Config) { c.Realm = "other.example.com" })
	x := Session{
		ID: h.newSessionID("07x"), Subject: "s", Address: phone(t, "+491701234567"), Method: ByLink, Dialect: "auth0", Client: "c", Tenant: "t", Scope: "openid",
		Person: Person{
			Addresses: []Address{RestoreAddress(Email, "jane@example.com"), RestoreAddress(SMS, "+491701234567")},
			Groups:    []string{"admins", "staff"}, MFA: true,
		},
		Owner: h.owner("s"), Device: "Firefox on Linux", MFA: time.UnixMilli(3), MFAMethod: "sms",
	}
	r, err := h.sealSession(x, time.Hour, "tag")
	if err != nil || r.ID != x.ID || r.Lifetime != time.Hour || r.Refresh != "tag" || r.Owner != x.Owner {
		t.Fatalf("%+v, %v", r, err)
	}
	r.Created, r.Since = time.UnixMilli(2), time.UnixMilli(1)
	x.Created, x.Since, x.Expires = r.Created, r.Since, r.Created.Add(time.Hour)
	if got, err := h.unsealSession(r); err != nil || !reflect.DeepEqual(got, x) {
		t.Errorf("%+v, %v; want %+v", got, err, x)
	}
	if got, err := other.unsealSession(r); !errors.Is(err, ErrNoSession) {
		t.Errorf("another realm reads %+v, %v", got, err)
	}
	moved := r
	moved.ID = h.newSessionID("07x")
	if got, err := h.unsealSession(moved); !errors.Is(err, ErrNoSession) {
		t.Errorf("under another id %+v, %v", got, err)
	}
}
