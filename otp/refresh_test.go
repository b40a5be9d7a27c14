// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// anotherLetter is a letter that isn't this one.
func anotherLetter(letter byte) string {
	if letter == 'A' {
		return "B"
	}
	return "A"
}

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		r := verifyRequest(t, "jane@example.com", "123456")
		r.Renewable = true
		v, err := h.Verify(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		kept := h.store.verifies[0].session
		kept.Created, kept.Since = v.Session.Created, v.Session.Since
		h.store.renew = func(id SessionID, old []Tag) (SessionRecord, error) {
			if id != kept.ID || !slices.Contains(old, kept.Refresh) {
				return kept, ErrReused
			}
			kept.Refresh = h.store.renewals[len(h.store.renewals)-1].next
			return kept, nil
		}
		next, err := h.Refresh(t.Context(), v.Session.Dialect, v.Session.ID, v.Refresh)
		if err != nil || next.Refresh == v.Refresh || next.Session.ID != v.Session.ID || next.Session.Subject != v.Session.Subject {
			t.Fatalf("%+v, %v", next, err)
		}
		if was, err := h.Refresh(t.Context(), v.Session.Dialect, v.Session.ID, v.Refresh); !errors.Is(err, ErrReused) || was.Session.Subject != v.Session.Subject || was.Refresh != "" {
			t.Errorf("the old secret again: %+v, %v", was, err)
		}
		calls := len(h.store.renewals)
		if _, err := h.Refresh(t.Context(), v.Session.Dialect, "../../x", next.Refresh); !errors.Is(err, ErrNoSession) || len(h.store.renewals) != calls {
			t.Errorf("no id: %v after %d calls", err, len(h.store.renewals)-calls)
		}
		other := newHouse(t, func(c *Config) { c.Realm = "other.example.com" })
		foreign, _ := other.newRefresh(v.Session.Dialect, v.Session.ID)
		for what, secret := range map[string]string{
			"nothing":         "",
			"a made-up one":   strings.Repeat("s", len(next.Refresh)),
			"another realm's": foreign,
			"a changed one":   anotherLetter(next.Refresh[0]) + next.Refresh[1:],
			"a longer one":    next.Refresh + "x",
		} {
			if _, err := h.Refresh(t.Context(), v.Session.Dialect, v.Session.ID, secret); !errors.Is(err, ErrNoSession) || len(h.store.renewals) != calls {
				t.Errorf("%s: %v after %d calls", what, err, len(h.store.renewals)-calls)
			}
		}
		if _, err := h.Refresh(t.Context(), "another dialect", v.Session.ID, next.Refresh); !errors.Is(err, ErrNoSession) || len(h.store.renewals) != calls {
			t.Errorf("through another dialect: %v after %d calls", err, len(h.store.renewals)-calls)
		}

		if err := h.SignOutEverywhere(t.Context(), v.Session.Subject, time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Refresh(t.Context(), v.Session.Dialect, v.Session.ID, next.Refresh); !errors.Is(err, ErrNoSession) {
			t.Errorf("after a sign-out everywhere: %v", err)
		}
	})
}

func TestRefreshWhileTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.store.err = ErrUnavailable
		id := h.newSessionID("00x")
		secret, _ := h.newRefresh("nestauth", id)
		_, err := h.Refresh(t.Context(), "nestauth", id, secret)
		if !errors.Is(err, ErrUnavailable) || RetryAfter(err) != 1 || len(h.store.renewals) != 0 {
			t.Fatalf("%v after %d renewals", err, len(h.store.renewals))
		}
	})
}

func TestRefreshOfTheDenied(t *testing.T) {
	h := newHouse(t, nil)
	r := verifyRequest(t, "jane@example.com", "123456")
	r.Renewable = true
	v, err := h.Verify(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	kept := h.store.verifies[0].session
	kept.Created = v.Session.Created
	h.store.renew = func(SessionID, []Tag) (SessionRecord, error) { return kept, nil }
	later := newHouseOn(t, h.store, func(c *Config) { c.Admission.Deny = patterns(t, "jane@example.com") })
	if _, err := later.Refresh(t.Context(), v.Session.Dialect, v.Session.ID, v.Refresh); !errors.Is(err, ErrNoSession) {
		t.Fatalf("somebody who may no longer sign in: %v", err)
	}
}
