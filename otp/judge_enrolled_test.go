// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"
)

// turnOn has the person of an address turn second factors on.
func (h *house) turnOn(t testing.TB, a Address) {
	t.Helper()
	h.changeOf(t, a, func(e *enrolment) { e.Enabled = true })
}

func (h *house) changeOf(t testing.TB, a Address, change func(*enrolment)) {
	t.Helper()
	err := h.changeEnrolment(t.Context(), h.owner(h.subject(Person{}, a)), func(e *enrolment) (bool, error) {
		change(e)
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// countingStore counts the calls of each method, and may do something before a
// guess is judged.
type countingStore struct {
	*fakeStore
	mu     sync.Mutex
	calls  map[string]int
	before func(Guess)
}

func newCountingStore() *countingStore {
	return &countingStore{fakeStore: newFakeStore(), calls: make(map[string]int)}
}

func (s *countingStore) count(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
}

func (s *countingStore) Start(ctx context.Context, c Challenge, m *Envelope, charges ...Charge) (Outcome, error) {
	s.count("Start")
	return s.fakeStore.Start(ctx, c, m, charges...)
}

func (s *countingStore) Verify(ctx context.Context, g Guess, r SessionRecord, charges ...Charge) (Outcome, error) {
	s.count("Verify")
	if s.before != nil {
		s.before(g)
	}
	return s.fakeStore.Verify(ctx, g, r, charges...)
}

func (s *countingStore) Unlock(ctx context.Context, h Handle) error {
	s.count("Unlock")
	return s.fakeStore.Unlock(ctx, h)
}

func (s *countingStore) Claim(ctx context.Context, realms []string, limit int, lease time.Duration) ([]Lease, error) {
	s.count("Claim")
	return s.fakeStore.Claim(ctx, realms, limit, lease)
}

func (s *countingStore) Settle(ctx context.Context, ends ...Settlement) error {
	s.count("Settle")
	return s.fakeStore.Settle(ctx, ends...)
}

func (s *countingStore) Renew(ctx context.Context, id SessionID, old []Tag, next Tag) (SessionRecord, error) {
	s.count("Renew")
	return s.fakeStore.Renew(ctx, id, old, next)
}

func (s *countingStore) Revoke(ctx context.Context, r Revocation) error {
	s.count("Revoke")
	return s.fakeStore.Revoke(ctx, r)
}

func (s *countingStore) Sessions(ctx context.Context, owner string) ([]SessionRecord, error) {
	s.count("Sessions")
	return s.fakeStore.Sessions(ctx, owner)
}

func (s *countingStore) Revocations(ctx context.Context, since Cursor) ([]Revocation, Cursor, error) {
	s.count("Revocations")
	return s.fakeStore.Revocations(ctx, since)
}

func (s *countingStore) Get(ctx context.Context, key string) ([]byte, error) {
	s.count("Get")
	return s.fakeStore.Get(ctx, key)
}

func (s *countingStore) Swap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	s.count("Swap")
	return s.fakeStore.Swap(ctx, key, old, next, ttl)
}

// TestStoreCalls: a start and a verification are one call of the store each.
// Only the right code of somebody who has second factors is another.
func TestStoreCalls(t *testing.T) {
	wrong := func(Guess, SessionRecord) (Outcome, error) { return Outcome{Result: Wrong}, nil }
	start := func(t *testing.T, h *house) error {
		_, err := h.Start(t.Context(), startRequest(t, "jane@example.com"))
		return err
	}
	verify := func(t *testing.T, h *house) error {
		r := verifyRequest(t, "jane@example.com", "123456")
		r.Renewable, r.Browser = true, "browser"
		_, err := h.Verify(t.Context(), r)
		return err
	}
	link := func(t *testing.T, h *house) error {
		_, err := h.VerifyLink(t.Context(), Link{Address: email(t, "jane@example.com"), secret: "s"}, Presented{Lifetime: time.Hour})
		return err
	}
	try := func(t *testing.T, h *house) error {
		return h.Try(t.Context(), verifyRequest(t, "jane@example.com", "123456"))
	}
	for _, tc := range []struct {
		name     string
		run      func(*testing.T, *house) error
		enrolled bool
		judge    func(Guess, SessionRecord) (Outcome, error)
		err      error
		want     map[string]int
	}{
		{"start", start, false, nil, nil, map[string]int{"Start": 1}},
		{"start, turned on", start, true, nil, nil, map[string]int{"Start": 1}},
		{"code", verify, false, nil, nil, map[string]int{"Verify": 1}},
		{"code, turned on", verify, true, nil, nil, map[string]int{"Verify": 2}},
		{"wrong code", verify, false, wrong, ErrWrong, map[string]int{"Verify": 1}},
		{"wrong code, turned on", verify, true, wrong, ErrWrong, map[string]int{"Verify": 1}},
		{"link", link, false, nil, nil, map[string]int{"Verify": 1}},
		{"link, turned on", link, true, nil, nil, map[string]int{"Verify": 2}},
		{"try", try, false, nil, nil, map[string]int{"Verify": 1}},
		{"try, turned on", try, true, nil, nil, map[string]int{"Verify": 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := newCountingStore()
			h := newHouseOn(t, store.fakeStore, func(c *Config) { c.Store = store })
			if tc.enrolled {
				h.turnOn(t, email(t, "jane@example.com"))
			}
			store.verify = tc.judge
			clear(store.calls)
			if err := tc.run(t, h); !errors.Is(err, tc.err) {
				t.Fatal(err)
			}
			if !maps.Equal(store.calls, tc.want) {
				t.Errorf("the store was asked for %v, want %v", store.calls, tc.want)
			}
		})
	}
}

// TestTurnedOnMeanwhile: a session knows what its person has turned on up to the
// very step that opens it.
func TestTurnedOnMeanwhile(t *testing.T) {
	store := newCountingStore()
	h := newHouseOn(t, store.fakeStore, func(c *Config) { c.Store, c.MFA = store, MFAPolicy{UserToggle: true} })
	r := verifyRequest(t, "jane@example.com", "123456")
	r.Due = KeepPending
	n := 0
	store.before = func(Guess) {
		if n++; n < enrolmentTries {
			h.changeOf(t, r.Address, func(e *enrolment) { e.Enabled = n == 1 || !e.Enabled })
		}
	}
	v, err := h.Verify(t.Context(), r)
	if err != nil || v.Session.Enrolled != (enrolmentTries%2 == 0) || v.Session.Pending != v.Session.Enrolled {
		t.Errorf("enrolled %v, pending %v, %v", v.Session.Enrolled, v.Session.Pending, err)
	}
	if n != enrolmentTries || len(store.verifies) != 1 {
		t.Errorf("%d tries, %d of them opened something", n, len(store.verifies))
	}
}

// TestTurnedOnAndOff for ever: at some time the person is told to try again, and
// the code is still good.
func TestTurnedOnAndOff(t *testing.T) {
	store := newCountingStore()
	h := newHouseOn(t, store.fakeStore, func(c *Config) { c.Store = store })
	r := verifyRequest(t, "jane@example.com", "123456")
	store.before = func(Guess) { h.changeOf(t, r.Address, func(e *enrolment) { e.Enabled = !e.Enabled }) }
	if _, err := h.Verify(t.Context(), r); !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 {
		t.Errorf("got %v", err)
	}
	if len(store.verifies) != 0 || store.calls["Verify"] != enrolmentTries {
		t.Errorf("%d tries, %d of them opened something", store.calls["Verify"], len(store.verifies))
	}
	store.before = nil
	if v, err := h.Verify(t.Context(), r); err != nil || len(store.verifies) != 1 || v.Session.ID != store.verifies[0].session.ID {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestRecordThatNothingOpens counts as turned on.
func TestRecordThatNothingOpens(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.MFA = MFAPolicy{UserToggle: true} })
	r := verifyRequest(t, "jane@example.com", "123456")
	h.turnOn(t, r.Address)
	for key := range h.store.records {
		h.store.records[key] = []byte("sealed by a secret that is gone")
	}
	if v, err := h.Verify(t.Context(), r); !errors.Is(err, ErrPending) {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestRepeatedOfTheEnrolled: the repeated request of somebody who has turned
// second factors on gets the session as it was opened, and an unproved one
// nobody who refuses those.
func TestRepeatedOfTheEnrolled(t *testing.T) {
	for _, tc := range []struct {
		name    string
		due     PendingRule
		pending time.Duration
		err     error
	}{
		{"refused", RefusePending, 0, ErrPending},
		{"by a challenge", RefusePending, time.Minute, nil},
		{"by tokens", KeepPending, 0, nil},
		{"at the gate", LeavePending, 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) { c.MFA = MFAPolicy{UserToggle: true} })
			r := verifyRequest(t, "jane@example.com", "123456")
			r.Browser, r.Due, r.Pending = "browser", tc.due, tc.pending
			h.turnOn(t, r.Address)
			first, err := h.Verify(t.Context(), r)
			if !errors.Is(err, tc.err) {
				t.Fatal(err)
			}
			kept := h.store.verifies[0].session
			kept.Created, kept.Since = time.Now(), time.Now()
			h.store.revocations = nil
			h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return Outcome{Result: Repeated, Session: kept}, nil }
			again, err := h.Verify(t.Context(), r)
			if !errors.Is(err, tc.err) {
				t.Fatal(err)
			}
			if again.Session.ID != first.Session.ID || again.Session.Pending != first.Session.Pending || again.Session.Enrolled != first.Session.Enrolled {
				t.Errorf("%+v, first %+v", again.Session, first.Session)
			}
			if refused := len(h.store.revocations) == 1; refused != (tc.err != nil) {
				t.Errorf("revoked %+v", h.store.revocations)
			}
		})
	}
}

// TestElevateAndEnrol knows what the person has turned on meanwhile.
func TestElevateAndEnrol(t *testing.T) {
	store := newCountingStore()
	h := newHouseOn(t, store.fakeStore, func(c *Config) {
		c.Store, c.MFA = store, MFAPolicy{UserToggle: true, Methods: []FactorMethod{EmailFactor}}
	})
	x := h.signedIn(t, "jane@example.com")
	r := ElevateRequest{Address: x.Address, Code: "123456", Enrol: true}
	turned := false
	store.before = func(Guess) {
		if !turned {
			turned = true
			h.turnOn(t, x.Address)
		}
	}
	v, err := h.Elevate(t.Context(), x, r)
	if err != nil || !v.Session.Enrolled || len(store.verifies) != 1 {
		t.Fatalf("%+v, %v, %d sessions opened", v.Session, err, len(store.verifies))
	}
	if e, err := h.enrolment(t.Context(), x.Owner); err != nil || len(e.Verified) != 1 {
		t.Errorf("%+v, %v", e, err)
	}
}
