// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestOnce(t *testing.T) {
	h := newHouse(t, nil)
	once := h.Once("hand-off")
	ticket, err := once.Put(t.Context(), []byte("a value"), 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for key, kept := range h.store.records {
		if bytes.Contains(kept, []byte("value")) || strings.Contains(key, ticket) {
			t.Errorf("kept as %s: %q", key, kept)
		}
	}
	other := newHouseOn(t, h.store, func(c *Config) { c.Realm = "other.example.com" })
	foreign := newHouseOn(t, h.store, func(c *Config) { c.Keys = testKeys(t, "second") })
	for name, o := range map[string]Once{
		"another use": h.Once("form"), "another realm": other.Once("hand-off"), "another secret": foreign.Once("hand-off"),
	} {
		if value, err := o.Take(t.Context(), ticket); !errors.Is(err, ErrTaken) || value != nil {
			t.Errorf("%s: %q, %v", name, value, err)
		}
	}
	for _, odd := range []string{"", ticket[1:], ticket + "A", ticket[:42] + "\n", strings.Repeat("é", 22), strings.Repeat("A", 43)} {
		if value, err := once.Take(t.Context(), odd); !errors.Is(err, ErrTaken) || value != nil {
			t.Errorf("%q: %q, %v", odd, value, err)
		}
	}
	if value, err := once.Take(t.Context(), ticket); err != nil || string(value) != "a value" {
		t.Fatalf("%q, %v", value, err)
	}
	if value, err := once.Take(t.Context(), ticket); !errors.Is(err, ErrTaken) || value != nil {
		t.Errorf("twice: %q, %v", value, err)
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
	once := h.Once("hand-off")
	ticket, err := once.Put(t.Context(), []byte("a value"), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var faster []byte
	store.once = func() { faster, err = once.Take(t.Context(), ticket) }
	value, lost := once.Take(t.Context(), ticket)
	if err != nil || string(faster) != "a value" {
		t.Errorf("the faster one: %q, %v", faster, err)
	}
	if !errors.Is(lost, ErrTaken) || value != nil {
		t.Errorf("the slower one: %q, %v", value, lost)
	}
}

func TestOnceWithoutStore(t *testing.T) {
	h := newHouse(t, nil)
	once := h.Once("hand-off")
	ticket, err := once.Put(t.Context(), []byte("a value"), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	h.store.err = ErrUnavailable
	if _, err := once.Put(t.Context(), []byte("a value"), time.Minute); !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 {
		t.Errorf("put: %v", err)
	}
	if _, err := once.Take(t.Context(), ticket); !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 {
		t.Errorf("taken: %v", err)
	}
}
