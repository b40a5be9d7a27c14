// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestFailuresAreMirrored tells a store, with each guess, what it said of the
// handle's failures before: it may have forgotten them.
func TestFailuresAreMirrored(t *testing.T) {
	h := newHouse(t, nil)
	said := Outcome{Result: Wrong, Failures: 8, Now: time.Now().Truncate(time.Microsecond)}
	h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return said, nil }
	told := func() Failures {
		h.Verify(t.Context(), verifyRequest(t, "jane@example.com", "123456"))
		return h.store.verifies[len(h.store.verifies)-1].guess.Failures
	}
	if got := told(); got != (Failures{}) {
		t.Errorf("before any failure: %+v", got)
	}
	want := Failures{Count: 8, At: said.Now}
	if got := told(); got != want {
		t.Errorf("told %+v, want %+v", got, want)
	}
	said = Outcome{Result: CoolingDown, RetryAfter: time.Second}
	told()
	if got := told(); got != want {
		t.Errorf("after a guess that wasn't counted: %+v", got)
	}
	said = Outcome{Result: Changed}
	told()
	if got := told(); got != want {
		t.Errorf("after the right guess that opened nothing: %+v", got)
	}
	if h.Verify(t.Context(), verifyRequest(t, "joe@example.com", "123456")); h.store.verifies[len(h.store.verifies)-1].guess.Failures != (Failures{}) {
		t.Error("they are somebody else's")
	}
	h.store.verify = nil // a success
	told()
	if got := told(); got != (Failures{}) {
		t.Errorf("after a success: %+v", got)
	}
}

func TestMirrorIsBounded(t *testing.T) {
	var m mirror
	now := time.Now()
	failed := Outcome{Result: Wrong, Failures: 3, Now: now}
	for n := range 3 * maxMirrored {
		m.note(Handle(fmt.Sprint(n)), failed, now)
	}
	if n := len(m.young) + len(m.old); n > maxMirrored {
		t.Errorf("%d are remembered", n)
	}
	if got := m.get(Handle(fmt.Sprint(3*maxMirrored-1)), now.Add(FailuresRemembered-time.Second)); got.Count != 3 {
		t.Errorf("forgotten before its time: %+v", got)
	}
	if got := m.get(Handle(fmt.Sprint(3*maxMirrored-1)), now.Add(FailuresRemembered)); got != (Failures{}) {
		t.Errorf("remembered though nothing new was: %+v", got)
	}
	m.note("late", failed, now.Add(FailuresRemembered))
	m.note("later", failed, now.Add(2*FailuresRemembered))
	if len(m.young)+len(m.old) != 2 {
		t.Error("what is old is remembered")
	}
}

func TestUnlock(t *testing.T) {
	h := newHouse(t, nil)
	jane := anyAddress(t, "Jane@Example.com")
	if err := h.Unlock(t.Context(), jane); err != nil {
		t.Fatal(err)
	}
	owner := h.signedIn(t, "jane@example.com").Owner
	if want := []Handle{h.handle(jane), h.recordHandle(owner), h.handleFor(jane, h.factorBudget(owner, true))}; !slices.Equal(h.store.unlocked, want) {
		t.Errorf("unlocked %v, want %v", h.store.unlocked, want)
	}
}

// TestUnlockPerson: whichever of a person's addresses an admin names, their
// second factors are unlocked with it. A directory that can't be asked keeps no
// address locked.
func TestUnlockPerson(t *testing.T) {
	person := personOf(t, "jane@example.com", "+491701234567")
	mail, phone := person.Addresses[0], person.Addresses[1]
	for name, tc := range map[string]struct {
		subject string
		err     error
		owners  []string
		want    error
	}{
		"with a subject":  {"42", nil, []string{"42"}, nil},
		"without":         {"", nil, []string{Subject("app.example.com", phone), Subject("app.example.com", mail)}, nil},
		"nobody any more": {"", ErrNobody, []string{Subject("app.example.com", phone)}, nil},
		"can't be asked":  {"", ErrUnavailable, []string{Subject("app.example.com", phone)}, ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			found := person
			found.Subject = tc.subject
			if tc.err != nil {
				found = Person{}
			}
			h := newHouse(t, func(c *Config) { c.Directory = oneDirectory{found, tc.err} })
			if err := h.Unlock(t.Context(), phone); !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			want := []Handle{h.handle(phone)}
			for _, owner := range tc.owners {
				owner = h.owner(owner)
				want = append(want, h.recordHandle(owner), h.handleFor(phone, h.factorBudget(owner, true)))
			}
			if !slices.Equal(h.store.unlocked, want) {
				t.Errorf("unlocked %v, want %v", h.store.unlocked, want)
			}
		})
	}
}
