// SPDX-License-Identifier: Apache-2.0

package otp

import "time"

// Quota is how much of a limit a caller has left.
type Quota struct {
	// Limit is how many events the limit allows at once.
	Limit int
	// Left is how many of them are left.
	Left int
	// Reset is how long it takes until all of them are there again, without
	// further events.
	Reset time.Duration
}

// scarcest returns the quota of the network address that has least left. That
// of the mailbox isn't told: others may have used it.
func scarcest(charges []Charge, levels []time.Duration) Quota {
	var least Quota
	for i, charge := range charges {
		if charge.Scope != ScopeClientIP || i >= len(levels) {
			continue
		}
		q := charge.quota(levels[i])
		if least.Limit == 0 || q.Left < least.Left {
			least = q
		}
	}
	return least
}

// quota is what a bucket at a level has left.
func (t Throttle) quota(level time.Duration) Quota {
	interval := t.Interval()
	return Quota{
		Limit: t.Events,
		Left:  max(0, int((interval*time.Duration(t.Events)-level)/interval)),
		Reset: max(0, level),
	}
}

// StartLimit returns how many starts a network address has at once, by the
// limit that allows fewest, or 0 where there is none.
func (s *Service) StartLimit() int {
	least := 0
	for _, t := range s.throttles.ClientIP {
		if least == 0 || t.Events < least {
			least = t.Events
		}
	}
	return least
}
