// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"testing"
	"time"
)

// TestWhatBecomesOfASession whose person must prove a second factor first.
func TestWhatBecomesOfASession(t *testing.T) {
	for _, tc := range []struct {
		name      string
		policy    MFAPolicy
		enrolled  bool
		wait      time.Duration
		due       PendingRule
		pending   bool
		renewable bool
		err       error
	}{
		{"nothing is demanded", MFAPolicy{}, false, 0, RefusePending, false, true, nil},
		{"required, and no way to prove it", MFAPolicy{Required: true}, false, 0, RefusePending, false, true, ErrPending},
		{"required, by tokens", MFAPolicy{Required: true}, false, 0, KeepPending, true, true, nil},
		{"required, by a challenge", MFAPolicy{Required: true}, false, time.Minute, RefusePending, true, false, nil},
		{"required, at the gate", MFAPolicy{Required: true}, false, 0, LeavePending, false, true, nil},
		{"turned on, and no way to prove it", MFAPolicy{UserToggle: true}, true, 0, RefusePending, false, true, ErrPending},
		{"turned on, by tokens", MFAPolicy{UserToggle: true}, true, 0, KeepPending, true, true, nil},
		{"turned on, by a challenge", MFAPolicy{UserToggle: true}, true, time.Minute, RefusePending, true, false, nil},
		{"turned on, at the gate", MFAPolicy{UserToggle: true}, true, 0, LeavePending, false, true, nil},
		{"turned on where nobody may any more", MFAPolicy{}, true, 0, KeepPending, false, true, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, func(c *Config) { c.MFA = tc.policy })
			r := verifyRequest(t, "jane@example.com", "123456")
			r.Lifetime, r.Renewable, r.Pending, r.Due = 24*time.Hour, true, tc.wait, tc.due
			if tc.enrolled {
				h.turnOn(t, r.Address)
			}
			v, err := h.Verify(t.Context(), r)
			if !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) {
				t.Fatalf("%v", err)
			}
			if err != nil {
				if opened := h.store.verifies[0].session.ID; len(h.store.revocations) != 1 || h.store.revocations[0].Session != opened || v.Session.ID != "" {
					t.Errorf("%+v; revoked %+v", v, h.store.revocations)
				}
				return
			}
			if v.Session.Pending != tc.pending || (v.Refresh != "") != tc.renewable || v.Session.Enrolled != tc.enrolled {
				t.Errorf("pending %v, refresh %q, enrolled %v", v.Session.Pending, v.Refresh, v.Session.Enrolled)
			}
			if _, err := h.Current(t.Context(), v.Session); errors.Is(err, ErrPending) != tc.pending || errors.Is(err, ErrNoSession) != tc.pending {
				t.Errorf("it is taken for a session: %v", err)
			}
		})
	}
}
