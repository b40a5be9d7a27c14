// SPDX-License-Identifier: Apache-2.0

package otp

import "time"

// The failure budget of a handle: consecutive wrong guesses over all its
// codes, dialects, purposes and nodes. Only a success clears it
// (NIST SP 800-63B-4 §3.2.2); asking for a new code doesn't.
const (
	// CoolDownFailures is the number of failures from which each further one
	// is followed by a wait.
	CoolDownFailures = 10
	// FirstCoolDown is the first wait; each further failure doubles it.
	FirstCoolDown = 30 * time.Second
	// LongestCoolDown is where the doubling ends.
	LongestCoolDown = time.Hour
	// DisableFailures is the number of failures at which a handle is disabled
	// for codes.
	DisableFailures = 100
	// DisabledFor is how long a disabled handle stays so, and how long
	// failures are remembered after the last of them.
	DisabledFor = 30 * 24 * time.Hour
)

// CoolDown returns how long no code is judged after so many consecutive
// failures.
func CoolDown(failures int) time.Duration {
	switch {
	case failures < CoolDownFailures:
		return 0
	case failures >= DisableFailures:
		return DisabledFor
	}
	wait := FirstCoolDown
	for range failures - CoolDownFailures {
		if wait *= 2; wait >= LongestCoolDown {
			return LongestCoolDown
		}
	}
	return wait
}
