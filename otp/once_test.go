// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestOnce(t *testing.T) {
	h := newHouse(t, nil)
	forms := h.Once("form", time.Minute)
	take := func(step string, o Once, slot, secret, want string, wantErr error) {
		t.Helper()
		value, err := o.Take(t.Context(), slot, secret)
		if string(value) != want || !errors.Is(err, wantErr) {
			t.Errorf("%s: %q, %v", step, value, err)
		}
	}
	put := func(slot, secret, value string) {
		t.Helper()
		if err := forms.Put(t.Context(), slot, secret, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	take("before", forms, "slot", "secret", "", ErrNotKept)
	put("slot", "secret", "the value")
	for key, kept := range h.store.records {
		if bytes.Contains(kept, []byte("value")) || key == "slot" {
			t.Errorf("%s is kept as %q", key, kept)
		}
	}
	other := newHouseOn(t, h.store, func(c *Config) { c.Realm = "other.example.com" })
	take("another realm", other.Once("form", time.Minute), "slot", "secret", "", ErrNotKept)
	take("another use", h.Once("ticket", time.Minute), "slot", "secret", "", ErrNotKept)
	take("another slot", forms, "other", "secret", "", ErrNotKept)
	take("another secret", forms, "slot", "other", "", ErrNotKept)
	take("no secret", forms, "slot", "", "", ErrNotKept)
	take("another node", newHouseOn(t, h.store, nil).Once("form", time.Minute), "slot", "secret", "the value", nil)
	take("again", forms, "slot", "secret", "", ErrTaken)
	take("again with another secret", forms, "slot", "other", "", ErrNotKept)

	put("slot", "second", "")
	take("the first of two", forms, "slot", "secret", "", ErrNotKept)
	take("an empty value", forms, "slot", "second", "", nil)
	take("an empty value again", forms, "slot", "second", "", ErrTaken)
	put("slot", "third", "replaced")
	put("slot", "fourth", "kept")
	take("a replaced one", forms, "slot", "third", "", ErrNotKept)
	take("what replaced it", forms, "slot", "fourth", "kept", nil)
	put("ticket", "", "without a secret")
	take("without a secret", forms, "ticket", "", "without a secret", nil)
	for key, kept := range h.store.records {
		h.store.records[key] = append(kept[:len(kept)-1:len(kept)-1], kept[len(kept)-1]^1)
	}
	take("a torn one", forms, "slot", "fourth", "", ErrNotKept)
}

func TestOnceErrors(t *testing.T) {
	h := newHouse(t, nil)
	forms := h.Once("form", time.Minute)
	if err := forms.Put(t.Context(), "slot", "", []byte("x")); err != nil {
		t.Fatal(err)
	}
	h.store.setErr(ErrUnavailable)
	if err := forms.Put(t.Context(), "slot", "", []byte("y")); !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 {
		t.Errorf("put: %v", err)
	}
	if value, err := forms.Take(t.Context(), "slot", ""); !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 || value != nil {
		t.Errorf("take: %q, %v", value, err)
	}
	h.store.setErr(nil)
	if value, err := forms.Take(t.Context(), "slot", ""); string(value) != "x" || err != nil {
		t.Errorf("%q, %v", value, err)
	}
}

// TestOnceRace lets many take at once.
func TestOnceRace(t *testing.T) {
	store := newFakeStore()
	for range 50 {
		const nodes = 8
		var taken atomic.Int64
		var running sync.WaitGroup
		forms := newHouseOn(t, store, nil).Once("form", time.Minute)
		if err := forms.Put(t.Context(), "slot", "", []byte("x")); err != nil {
			t.Fatal(err)
		}
		for range nodes {
			running.Go(func() {
				value, err := forms.Take(context.Background(), "slot", "")
				switch {
				case err == nil && string(value) == "x":
					taken.Add(1)
				case !errors.Is(err, ErrTaken):
					t.Errorf("%q, %v", value, err)
				}
			})
		}
		running.Wait()
		if taken.Load() != 1 {
			t.Fatalf("taken %d times", taken.Load())
		}
	}
}

// afterGet is a store in which something happens after the next Get.
type afterGet struct {
	*fakeStore
	once func()
}

func (s *afterGet) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := s.fakeStore.Get(ctx, key)
	if happens := s.once; happens != nil {
		s.once = nil
		happens()
	}
	return value, err
}

// TestOnceAtOnce: of two who have read the same, one gets it.
func TestOnceAtOnce(t *testing.T) {
	store := &afterGet{fakeStore: newFakeStore()}
	h := newHouse(t, func(c *Config) { c.Store = store })
	tickets := h.Once("ticket", time.Minute)
	if err := tickets.Put(t.Context(), "slot", "", []byte("a value")); err != nil {
		t.Fatal(err)
	}
	var faster []byte
	var err error
	store.once = func() { faster, err = tickets.Take(t.Context(), "slot", "") }
	value, lost := tickets.Take(t.Context(), "slot", "")
	if err != nil || string(faster) != "a value" {
		t.Errorf("the faster one: %q, %v", faster, err)
	}
	if !errors.Is(lost, ErrTaken) || value != nil {
		t.Errorf("the slower one: %q, %v", value, lost)
	}
}

// TestOnceClaim: whoever claims a slot first has it.
func TestOnceClaim(t *testing.T) {
	h := newHouse(t, nil)
	seen := h.Once("seen", time.Minute)
	claim := func(step string, o Once, slot string, want error) {
		t.Helper()
		if err := o.Claim(t.Context(), slot); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", step, err, want)
		}
	}
	claim("first", seen, "slot", nil)
	claim("again", seen, "slot", ErrTaken)
	claim("another node", newHouseOn(t, h.store, nil).Once("seen", time.Minute), "slot", ErrTaken)
	claim("another slot", seen, "other", nil)
	claim("another use", h.Once("form", time.Minute), "slot", nil)
	h.store.setErr(ErrUnavailable)
	claim("no store", seen, "third", ErrUnavailable)
}
