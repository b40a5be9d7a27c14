// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"sync"
	"time"
)

const (
	// patience is how long a condition may seem not to hold before that is
	// believed: a server that is slow, or a connection that is lost, is no
	// outage.
	patience = 500 * time.Millisecond
	// doubts is how many failures in a row it takes besides.
	doubts = 3
)

// condition is what must hold for operations to succeed: a circuit breaker.
// While it is open, operations that need it fail at once, and only a probe
// closes it.
type condition struct {
	mu sync.Mutex
	// lastHeld is when it was last seen to hold.
	lastHeld time.Time
	// failures since then; when the first of them began, and was noticed.
	failures       int
	since, noticed time.Time
	// open says why it is open.
	open error
	// opened is since when it hasn't held, as was told; zero where it holds.
	opened time.Time
}

// succeed makes a condition that is new, instead of an earlier one, tell of the
// end of what that told of.
func (c *condition) succeed(earlier *condition) {
	earlier.mu.Lock()
	defer earlier.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened, earlier.opened = earlier.opened, time.Time{}
}

// fail notes that an operation that began at a time failed for want of the
// condition. It reports whether the condition opened now.
func (c *condition) fail(err error, began, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Of what began before an answer came, the answer tells more.
	if began.Before(c.lastHeld) || c.open != nil {
		return false
	}
	if c.failures == 0 || began.Before(c.since) {
		c.since = began
	}
	if c.failures == 0 {
		c.noticed = now
	}
	c.failures++
	// Where it is we who stood still, many come too late at once.
	if c.failures < doubts || now.Sub(c.noticed) < patience {
		return false
	}
	c.open = err
	if c.opened.IsZero() {
		c.opened = c.since
	}
	return true
}

// hold notes that an operation, or a probe, found the condition to hold. It
// reports whether it closed now, and for how long it had not held.
func (c *condition) hold(now time.Time, probe bool) (lasted time.Duration, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open != nil && !probe {
		return 0, false
	}
	closed = !c.opened.IsZero()
	if closed {
		lasted = now.Sub(c.opened)
	}
	c.lastHeld, c.failures, c.open, c.opened = now, 0, nil, time.Time{}
	return lasted, closed
}

// age is for how long it hasn't held, as far as that was told, or 0.
func (c *condition) age(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened.IsZero() {
		return 0
	}
	return now.Sub(c.opened)
}

// err is why the condition is open, or nil.
func (c *condition) err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// doubtful reports whether it is unknown whether the condition holds.
func (c *condition) doubtful() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures > 0 || !c.opened.IsZero()
}
