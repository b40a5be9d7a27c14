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
	// given are the charges in this order, and places where each of them stood.
	given  []otp.Charge
	places []int
}

func (s *Store) charges(all []otp.Charge) charges {
	var c charges
	for place, charge := range all {
		if charge.Bucket != "" {
			c.keys = append(c.keys, s.key(otp.ShardOf(charge.Bucket), "b", charge.Bucket))
			c.add(charge, place)
		}
	}
	for place, charge := range all {
		if charge.Bucket == "" {
			c.windows = append(c.windows, charge.Window.String())
			c.add(charge, place)
		}
	}
	return c
}

// add notes a charge's rate in whole µs, so that Lua counts exactly.
func (c *charges) add(charge otp.Charge, place int) {
	interval := max(charge.Interval(), time.Microsecond).Microseconds()
	c.rates = append(c.rates, interval, interval*int64(charge.Events))
	c.given = append(c.given, charge)
	c.places = append(c.places, place)
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
		if place < 0 || place >= len(c.given) {
			r.bad = true
			return
		}
		o.Scope, o.Limit = c.given[place].Scope, c.given[place].Events
		o.RetryAfter = r.duration(2)
	case otp.CoolingDown:
		o.RetryAfter = r.duration(2)
	}
}

// levels reads what start.lua answers to charges that it took.
func (c *charges) levels(r *reply) []time.Duration {
	all := make([]time.Duration, len(c.given))
	for i, place := range c.places {
		all[place] = r.duration(2 + i)
	}
	return all
}
