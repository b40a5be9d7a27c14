// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// clocks are the buckets that one operation charges. A bucket is the instant
// at which it is empty again (the theoretical arrival time of GCRA); each
// event moves it on by an interval, and it may be a burst ahead.
type clocks struct {
	step   *step
	handle *handle
	shared map[string]clock
}

type clock struct{ kept, at int64 }

func (x *step) clocks(h *handle) *clocks {
	return &clocks{step: x, handle: h, shared: make(map[string]clock)}
}

// charge takes one event from each bucket. Where that isn't possible it
// returns the refusal, and nothing may be saved.
func (c *clocks) charge(charges []otp.Charge) (refusal *otp.Outcome, err error) {
	now := c.step.now
	for _, charge := range charges {
		at, err := c.load(charge)
		if err != nil {
			return nil, err
		}
		interval := charge.Interval()
		burst := interval * time.Duration(charge.Events)
		// A clock that is further ahead is from before the machine's clock
		// was set back.
		next := min(max(at, now), now+int64(burst)) + int64(interval)
		c.set(charge, next)
		wait := time.Duration(next-now) - burst
		if wait > 0 && (refusal == nil || wait > refusal.RetryAfter) {
			refusal = &otp.Outcome{
				Result:     otp.Throttled,
				Now:        c.step.time(),
				RetryAfter: wait,
				Scope:      charge.Scope,
				Limit:      charge.Events,
			}
		}
	}
	return refusal, nil
}

// levels are how far ahead of now the bucket of each charge is.
func (c *clocks) levels(charges []otp.Charge) ([]time.Duration, error) {
	all := make([]time.Duration, len(charges))
	for i, charge := range charges {
		at, err := c.load(charge)
		if err != nil {
			return nil, err
		}
		all[i] = time.Duration(max(0, at-c.step.now))
	}
	return all, nil
}

// refund gives one event back to each bucket.
func (c *clocks) refund(charges []otp.Charge) error {
	for _, charge := range charges {
		at, err := c.load(charge)
		if err != nil {
			return err
		}
		if at > c.step.now {
			c.set(charge, max(at-int64(charge.Interval()), c.step.now))
		}
	}
	return nil
}

// save writes the buckets that changed; those of the handle are saved with it.
func (c *clocks) save() error {
	for name, clock := range c.shared {
		if clock.at == clock.kept {
			continue
		}
		if clock.at <= c.step.now {
			if err := c.step.delete(throttles, []byte(name)); err != nil {
				return err
			}
			continue
		}
		var e encoder
		e.number(clock.at)
		if err := c.step.put(throttles, []byte(name), clock.at, e); err != nil {
			return err
		}
	}
	return nil
}

func (c *clocks) load(charge otp.Charge) (int64, error) {
	if charge.Scope == otp.ScopeAddress {
		return c.handle.clocks[charge.Window], nil
	}
	name := bucketName(charge)
	if clock, ok := c.shared[name]; ok {
		return clock.at, nil
	}
	entry, err := c.step.get(throttles, []byte(name))
	if err != nil || entry == nil {
		return 0, err
	}
	d := decoder{rest: entry}
	at := d.number()
	if err := d.done(); err != nil {
		return 0, err
	}
	c.shared[name] = clock{kept: at, at: at}
	return at, nil
}

func (c *clocks) set(charge otp.Charge, at int64) {
	if charge.Scope == otp.ScopeAddress {
		c.handle.clocks[charge.Window] = at
		return
	}
	name := bucketName(charge)
	clock := c.shared[name]
	clock.at = at
	c.shared[name] = clock
}

func bucketName(charge otp.Charge) string { return string(charge.Scope) + "\x00" + charge.Bucket }
