// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// charges are the charges of one operation in the order that the scripts have
// them in: first the buckets with keys of their own, then those of the handle.
type charges struct {
	keys    []string
	windows []string
	// rates are the interval and the burst of each, in µs.
	rates []any
	// scopes are what each counts by.
	scopes []otp.Scope
}

func (s *Store) charges(all []otp.Charge) charges {
	var c charges
	for _, charge := range all {
		if charge.Bucket != "" {
			c.keys = append(c.keys, s.key(otp.ShardOf(charge.Bucket), "b", charge.Bucket))
			c.add(charge)
		}
	}
	for _, charge := range all {
		if charge.Bucket == "" {
			c.windows = append(c.windows, charge.Window.String())
			c.add(charge)
		}
	}
	return c
}

// add notes a charge's rate in whole µs, so that Lua counts exactly.
func (c *charges) add(charge otp.Charge) {
	interval := max(charge.Interval(), time.Microsecond).Microseconds()
	c.rates = append(c.rates, interval, interval*int64(charge.Events))
	c.scopes = append(c.scopes, charge.Scope)
}

// appendTo appends the charges to a script's arguments, as gcra.lua says.
func (c *charges) appendTo(args []any) []any {
	args = append(args, len(c.keys), len(c.windows))
	for _, window := range c.windows {
		args = append(args, window)
	}
	return append(args, c.rates...)
}

// refusal reads what start.lua and verify.lua answer to a refused charge.
func (c *charges) refusal(o *otp.Outcome, r *reply) {
	switch o.Result {
	case otp.Throttled:
		place := int(r.integer(3)) - 1
		if place < 0 || place >= len(c.scopes) {
			r.bad = true
			return
		}
		o.Scope = c.scopes[place]
		o.RetryAfter = r.duration(2)
	case otp.CoolingDown:
		o.RetryAfter = r.duration(2)
	}
}
