// SPDX-License-Identifier: Apache-2.0

package redis

import "time"

// micros is a duration in whole µs, at least one where it isn't zero: zero has
// a meaning of its own to the scripts.
func micros(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return max(1, d.Microseconds())
}
