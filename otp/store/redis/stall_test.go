// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"sync/atomic"
	"testing"
	"time"
)

// measureStalls watches how late this process gets to do what is due, until
// stop is called, which returns the worst: on a busy machine it isn't the store
// alone that comes late.
func measureStalls() (stop func() time.Duration) {
	done, ended := make(chan struct{}), make(chan time.Duration)
	go func() {
		const pause = 5 * time.Millisecond
		var worst time.Duration
		for {
			due := time.Now().Add(pause)
			select {
			case <-done:
				ended <- worst
				return
			case <-time.After(pause):
				worst = max(worst, time.Since(due))
			}
		}
	}()
	return func() time.Duration {
		close(done)
		return <-ended
	}
}

// hops is how many times in a row an operation may have to wait for its turn on
// a processor: its caller, the driver, their timers.
const hops = 4

// wantWithin checks that the longest of some operations took no more than a
// limit, and what stalls of this process explain.
func wantWithin(t *testing.T, limit, longest, stalled time.Duration) {
	t.Helper()
	if longest > limit+hops*stalled {
		t.Errorf("an operation took %v, more than %v; this process stood still for %v", longest, limit, stalled)
	}
}

// raise makes a maximum of a time, unless it is longer already.
func raise(longest *atomic.Int64, took time.Duration) {
	for last := longest.Load(); int64(took) > last && !longest.CompareAndSwap(last, int64(took)); last = longest.Load() {
	}
}
