// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Verify implements [otp.Store].
func (s *Store) Verify(ctx context.Context, g otp.Guess, r otp.SessionRecord, charges ...otp.Charge) (otp.Outcome, error) {
	return write(ctx, s, func(x *step) (otp.Outcome, error) { return x.verify(g, r, charges) })
}

// Unlock implements [otp.Store].
func (s *Store) Unlock(ctx context.Context, name otp.Handle) error {
	_, err := write(ctx, s, func(x *step) (struct{}, error) {
		h, err := x.handle(name)
		if err != nil || h.failures == 0 && len(h.challenges) == 0 {
			return struct{}{}, err // there are none, and nobody can remind of any
		}
		h.clear(x.now)
		return struct{}{}, x.saveHandle(name, h)
	})
	return err
}

// verify follows the steps of [otp.Store], in their order.
func (x *step) verify(g otp.Guess, r otp.SessionRecord, charges []otp.Charge) (otp.Outcome, error) {
	h, err := x.handle(g.Handle)
	if err != nil {
		return otp.Outcome{}, err
	}
	h.remind(g.Failures)
	clocks := x.clocks(h)
	refusal, err := clocks.charge(charges)
	if err != nil {
		return otp.Outcome{}, err
	}
	if refusal != nil {
		return *refusal, nil
	}
	repeated, err := x.repeated(h, g)
	if err != nil {
		return otp.Outcome{}, err
	}
	live := slices.ContainsFunc(h.challenges, func(c challenge) bool { return c.admits(g, x.now) })
	if wait := h.coolDown(x.now); repeated != nil || wait > 0 && !g.Link || !live {
		outcome := otp.Outcome{Now: x.time()}
		switch {
		case repeated != nil:
			outcome.Result, outcome.Session = otp.Repeated, *repeated
			outcome.New = repeated.Since.Equal(repeated.Created)
		case wait > 0 && !g.Link:
			outcome.Result, outcome.RetryAfter = otp.CoolingDown, wait
		default:
			outcome.Result = h.miss(g, x.now)
		}
		if err := x.saveCharges(g.Handle, h, clocks, charges); err != nil {
			return otp.Outcome{}, err
		}
		return outcome, nil
	}
	return x.judge(h, g, r, clocks, charges)
}

// saveCharges writes what was charged and nothing else of the handle.
func (x *step) saveCharges(name otp.Handle, h *handle, clocks *clocks, charges []otp.Charge) error {
	if slices.ContainsFunc(charges, func(c otp.Charge) bool { return c.Scope == otp.ScopeAddress }) {
		if err := x.saveHandle(name, h); err != nil {
			return err
		}
	}
	return clocks.save()
}

// repeated returns the session that the same browser opened with the same
// secret just now, or nil.
func (x *step) repeated(h *handle, g otp.Guess) (*otp.SessionRecord, error) {
	if g.Browser == "" {
		return nil, nil
	}
	for _, c := range h.challenges {
		if c.used == 0 || c.browser != g.Browser || x.now >= c.used+int64(otp.RepeatWindow) || !c.matches(g) {
			continue
		}
		r, err := x.session(c.session)
		if err != nil || r != nil {
			return r, err
		}
	}
	return nil, nil
}

// judge counts the guess, then compares. A link isn't counted during the cool-down.
func (x *step) judge(h *handle, g otp.Guess, r otp.SessionRecord, clocks *clocks, charges []otp.Charge) (otp.Outcome, error) {
	since, err := x.account(g.Account)
	if err != nil {
		return otp.Outcome{}, err
	}
	before := *h
	before.challenges = slices.Clone(h.challenges)
	counted := !g.Link || h.coolDown(x.now) == 0
	if counted {
		h.failures++
		h.lastFailure = x.now
	}
	match := -1
	for i := range h.challenges {
		c := &h.challenges[i]
		admitted := c.admits(g, x.now)
		if counted && c.isCodeLive(x.now) {
			c.attempts++
		}
		if admitted && c.matches(g) && (since != 0 || !g.Known) {
			match = i
		}
	}
	outcome := otp.Outcome{Now: x.time()}
	if match < 0 {
		outcome.Result = h.miss(g, x.now)
		if counted {
			outcome.Failures = h.failures
		}
		if err := clocks.save(); err != nil {
			return otp.Outcome{}, err
		}
		return outcome, x.saveHandle(g.Handle, h)
	}

	if err := clocks.refund(charges); err != nil {
		return otp.Outcome{}, err
	}
	outcome.Result = otp.Verified
	if r.ID != "" && g.Expect != nil {
		record, err := x.get(records, []byte(g.Expect.Key))
		if err != nil {
			return otp.Outcome{}, err
		}
		if !bytes.Equal(record, g.Expect.Value) {
			outcome.Result, outcome.Record = otp.Changed, bytes.Clone(record)
		}
	}
	if r.ID == "" || outcome.Result == otp.Changed {
		h.challenges, h.failures, h.lastFailure = before.challenges, before.failures, before.lastFailure
		return outcome, x.saveCharges(g.Handle, h, clocks, charges)
	}
	h.challenges = before.challenges
	h.clear(x.now)
	used := &h.challenges[match]
	used.used, used.browser, used.session = x.now, g.Browser, r.ID
	if err := clocks.refund(g.Refunds); err != nil {
		return otp.Outcome{}, err
	}
	if outcome.New = since == 0; outcome.New {
		since = x.now
		var e encoder
		e.number(since)
		if err := x.put(accounts, []byte(g.Account), never, e); err != nil {
			return otp.Outcome{}, err
		}
	}
	r.Created, r.Since, r.Used = x.time(), time.Unix(0, since), x.time()
	outcome.Session = r
	if err := clocks.save(); err != nil {
		return otp.Outcome{}, err
	}
	if err := x.openSession(r); err != nil {
		return otp.Outcome{}, err
	}
	return outcome, x.saveHandle(g.Handle, h)
}

// miss says why a guess redeemed nothing.
func (h *handle) miss(g otp.Guess, now int64) otp.Result {
	expired := false
	var newest *challenge
	for i := range h.challenges {
		c := &h.challenges[i]
		matches := c.matches(g)
		expired = expired || matches && c.used == 0 && now >= c.expires
		if c.group == g.Group {
			newest = c
		}
	}
	switch {
	case expired:
		return otp.Expired
	case !g.Link && newest != nil && newest.isExhausted():
		return otp.Exhausted
	}
	return otp.Wrong
}

// account returns when an account was first verified, or 0.
func (x *step) account(name string) (since int64, err error) {
	entry, err := x.get(accounts, []byte(name))
	if err != nil || entry == nil {
		return 0, err
	}
	d := decoder{rest: entry}
	since = d.number()
	return since, d.done()
}
