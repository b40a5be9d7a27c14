// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"net/netip"
	"testing"
	"time"
)

// newDemandingHouse is a house with a directory that demands a second factor of
// Jane, who has a phone, and not of Joe.
func newDemandingHouse(t *testing.T) *house {
	t.Helper()
	jane := personOf(t, "jane@example.com", "+491701234567")
	jane.Subject, jane.MFA = "u-17", true
	h, _ := directoryHouse(t, map[string]Person{
		"jane@example.com": jane,
		"+491701234567":    jane,
		"joe@example.com":  personOf(t, "joe@example.com"),
	}, func(c *Config) {
		c.Countries = []string{"DE"}
		c.Senders[SMS] = c.Senders[Email]
	})
	return h
}

// TestPendingLogin opens sessions that wait for their second factor where one
// is demanded, and only where the caller has them wait.
func TestPendingLogin(t *testing.T) {
	for _, tc := range []struct {
		name, address string
		wait          time.Duration
		pending       bool
	}{
		{"demanded", "jane@example.com", 10 * time.Minute, true},
		{"demanded, where nobody waits", "jane@example.com", 0, false},
		{"not demanded", "joe@example.com", 10 * time.Minute, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newDemandingHouse(t)
			r := verifyRequest(t, tc.address, "123456")
			r.Lifetime, r.Renewable, r.Pending = 24*time.Hour, true, tc.wait
			v, err := h.Verify(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			kept := h.store.verifies[0].session
			lifetime := 24 * time.Hour
			if tc.pending {
				lifetime = tc.wait
			}
			if v.Session.Pending != tc.pending || kept.Lifetime != lifetime || v.Session.Expires.Sub(v.Session.Created) != lifetime {
				t.Errorf("pending %v, for %v", v.Session.Pending, kept.Lifetime)
			}
			// Neither listed nor renewable while it waits.
			if (kept.Owner == "") != tc.pending || (kept.Refresh == "") != tc.pending || (v.Refresh == "") != tc.pending || v.Session.Owner == "" {
				t.Errorf("kept is %+v, refresh %q", kept, v.Refresh)
			}
		})
	}
}

// TestElevatePending has the session that waited continued by one that lasts.
func TestElevatePending(t *testing.T) {
	h := newDemandingHouse(t)
	r := verifyRequest(t, "jane@example.com", "123456")
	r.Lifetime, r.Renewable, r.Pending = 24*time.Hour, true, 10*time.Minute
	v, err := h.Verify(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	x := v.Session
	phone := anyAddress(t, "+491701234567")
	elevated, err := h.Elevate(t.Context(), x, ElevateRequest{
		Address: phone, Code: "123456", ClientIP: netip.MustParseAddr("192.0.2.1"), Renewable: true, Lifetime: 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	got, kept := elevated.Session, h.store.verifies[1].session
	if got.Pending || got.ID == x.ID || got.Subject != "u-17" || got.MFA.IsZero() || got.MFAMethod != "sms" || elevated.Refresh == "" {
		t.Errorf("%+v", got)
	}
	if got.Expires.Sub(got.Created) != 24*time.Hour || kept.Owner != x.Owner || kept.Refresh == "" || x.Since.Sub(got.Since).Abs() > time.Millisecond {
		t.Errorf("until %v, kept %+v", got.Expires, kept)
	}
	if len(h.store.revocations) != 1 || h.store.revocations[0].Session != x.ID {
		t.Errorf("revoked %+v", h.store.revocations)
	}
}
