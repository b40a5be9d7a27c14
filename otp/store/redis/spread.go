// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
)

// A Cluster's scripts reach one slot, so what rides in the same script on one
// server is spread over several there: the buckets that handles share are
// charged before the handle's own script runs, and given back after it where
// they are not to be kept. Whoever fails in between leaves a bucket with one
// event too many, never with one too few.

// charged is an operation on a handle with what it charges and, after a match,
// gives back.
type charged struct {
	handle           otp.Handle
	charges, refunds []otp.Charge
	// run runs the handle's own script with those that it can reach.
	run func(ctx context.Context, charges, refunds []otp.Charge) (otp.Outcome, error)
	// ahead, unless it is nil, finds out what run must know besides on a
	// Cluster, while the shared buckets are charged.
	ahead func(ctx context.Context) error
	// returns says of an outcome which of the charges and refunds that the
	// script didn't reach are given back.
	returns func(otp.Outcome) (charges, refunds bool)
}

func (s *Store) runCharged(ctx context.Context, op charged) (otp.Outcome, error) {
	l := s.current.Load()
	ctx, cancel := within(ctx, l.timeout)
	defer cancel()
	spread, err := s.isSpread(ctx, l)
	if err != nil {
		return otp.Outcome{}, err
	}
	if !spread {
		return op.run(ctx, op.charges, op.refunds)
	}
	own := ownCharges(op.charges)
	var (
		finding sync.WaitGroup
		unknown error
	)
	if op.ahead != nil {
		finding.Go(func() { unknown = op.ahead(ctx) })
	}
	taken, refusal, levels, err := s.levy(ctx, sharedCharges(op.charges))
	finding.Wait()
	if err = cmp.Or(err, unknown); err != nil {
		s.giveBack(ctx, taken)
		return otp.Outcome{}, err
	}
	if refusal.Result == otp.Throttled {
		if told := s.wait(ctx, op.handle, own); told.RetryAfter > refusal.RetryAfter {
			refusal = told
		}
		s.giveBack(ctx, taken)
		return refusal, nil
	}
	outcome, err := op.run(ctx, own, ownCharges(op.refunds))
	if err != nil {
		if _, nothing := errors.AsType[*unrun](err); nothing {
			s.giveBack(ctx, taken)
		}
		return otp.Outcome{}, err
	}
	var back []otp.Charge
	charges, refunds := op.returns(outcome)
	if charges {
		back = append(back, taken...)
	}
	if refunds {
		back = append(back, sharedCharges(op.refunds)...)
	}
	s.giveBack(ctx, back)
	if outcome.Result == otp.Accepted {
		outcome.Levels = merge(op.charges, levels, outcome.Levels)
	}
	return outcome, nil
}

// isSpread reports whether the store is on a Cluster.
func (s *Store) isSpread(ctx context.Context, l *link) (bool, error) {
	var r route
	if found := l.found.Load(); found != nil {
		r = *found
	} else if err := l.guard(ctx, false, func(ctx context.Context) (err error) {
		r, err = l.route(ctx)
		return err
	}); err != nil {
		return false, err
	}
	_, is := r.(*cluster)
	return is, nil
}

// sharedCharges are those of buckets that have keys of their own.
func sharedCharges(all []otp.Charge) []otp.Charge {
	return filter(all, func(c otp.Charge) bool { return c.Bucket != "" })
}

// ownCharges are those that are kept with the handle.
func ownCharges(all []otp.Charge) []otp.Charge {
	return filter(all, func(c otp.Charge) bool { return c.Bucket == "" })
}

func filter(all []otp.Charge, keep func(otp.Charge) bool) []otp.Charge {
	var kept []otp.Charge
	for _, c := range all {
		if keep(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

// merge puts the levels of both kinds of charges into the order of all.
func merge(all []otp.Charge, shared, own []time.Duration) []time.Duration {
	levels := make([]time.Duration, 0, len(all))
	for _, c := range all {
		from := &own
		if c.Bucket != "" {
			from = &shared
		}
		levels = append(levels, (*from)[0])
		*from = (*from)[1:]
	}
	return levels
}

// byShard groups charges by the shards of their buckets; a group's places say
// where each stood.
type shardCharges struct {
	charges []otp.Charge
	places  []int
}

func byShard(all []otp.Charge) []*shardCharges {
	var groups []*shardCharges
	of := make(map[string]*shardCharges)
	for place, c := range all {
		shard := otp.ShardOf(c.Bucket)
		g := of[shard]
		if g == nil {
			g = new(shardCharges)
			of[shard] = g
			groups = append(groups, g)
		}
		g.charges, g.places = append(g.charges, c), append(g.places, place)
	}
	return groups
}

// levy charges buckets, those of a shard all or none. It returns what it
// charged for certain; the refusal that waits longest, if there is one; and else
// the levels of all.
func (s *Store) levy(ctx context.Context, all []otp.Charge) (taken []otp.Charge, refusal otp.Outcome, levels []time.Duration, err error) {
	levels = make([]time.Duration, len(all))
	var (
		running sync.WaitGroup
		mu      sync.Mutex
	)
	for _, g := range byShard(all) {
		running.Go(func() {
			outcome, failure := s.levyShard(ctx, g.charges)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case failure != nil:
				err = failure
			case outcome.Result != otp.Accepted:
				if refusal.Result == 0 || outcome.RetryAfter > refusal.RetryAfter {
					refusal = outcome
				}
			default:
				taken = append(taken, g.charges...)
				for i, place := range g.places {
					levels[place] = outcome.Levels[i]
				}
			}
		})
	}
	running.Wait()
	return taken, refusal, levels, err
}

func (s *Store) levyShard(ctx context.Context, all []otp.Charge) (otp.Outcome, error) {
	c := s.charges(all)
	answer, err := s.run(ctx, s.scripts.charge, c.keys, c.appendTo(nil)...)
	if err != nil {
		return otp.Outcome{}, err
	}
	return c.outcome(answer)
}

// outcome reads the answer of a script that does nothing but charge.
func (c *charges) outcome(answer any) (otp.Outcome, error) {
	r := newReply(answer)
	outcome := otp.Outcome{Result: otp.Result(r.integer(0)), Now: r.instant(1)}
	c.refusal(&outcome, r)
	switch {
	case outcome.Result == otp.Accepted && len(c.keys) > 0:
		outcome.Levels = c.levels(r)
	case outcome.Result != otp.Accepted && outcome.Result != otp.Throttled:
		return otp.Outcome{}, errNonsense
	}
	return checked(outcome, r)
}

// wait returns the refusal by a handle's own throttles where one more event
// would be refused. It is asked only for how long a refusal is told to last, so
// an error changes nothing.
func (s *Store) wait(ctx context.Context, handle otp.Handle, own []otp.Charge) otp.Outcome {
	if len(own) == 0 {
		return otp.Outcome{}
	}
	c := s.charges(own)
	answer, err := s.run(ctx, s.scripts.wait, []string{s.key(handle.Shard(), "h", string(handle))}, c.appendTo(nil)...)
	if err != nil {
		return otp.Outcome{}
	}
	outcome, err := c.outcome(answer)
	if err != nil || outcome.Result != otp.Throttled {
		return otp.Outcome{}
	}
	return outcome
}

// giveBack takes one event off each bucket, also where ctx ends meanwhile: then
// it returns at once and goes on by itself. What can't be given back stays
// charged.
func (s *Store) giveBack(ctx context.Context, all []otp.Charge) {
	if len(all) == 0 {
		return
	}
	apart, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.current.Load().timeout)
	var running sync.WaitGroup
	for _, g := range byShard(all) {
		running.Go(func() {
			c := s.charges(g.charges)
			args := make([]any, len(c.keys))
			for i := range args {
				args[i] = c.rates[2*i]
			}
			s.run(apart, s.scripts.refund, c.keys, args...)
		})
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		cancel()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// everywhere runs a script with a key of each shard: all of them at once, or
// on a Cluster each by itself. It returns the answers of all.
func (s *Store) everywhere(ctx context.Context, script *goredis.Script, keys []string, args ...any) ([]any, error) {
	l := s.current.Load()
	ctx, cancel := within(ctx, l.timeout)
	defer cancel()
	spread, err := s.isSpread(ctx, l)
	if err != nil {
		return nil, err
	}
	if !spread {
		return s.runAlone(ctx, command{script, keys, args})
	}
	commands := make([]command, len(keys))
	for i, key := range keys {
		commands[i] = command{script, []string{key}, args}
	}
	return s.runAlone(ctx, commands...)
}

// unrun is an error of a command that certainly had no effect.
type unrun struct{ error }

func (e *unrun) Unwrap() error { return e.error }

// ranNothing reports whether an error says that a command had no effect. A
// script writes nothing before its first refusal, and isn't refused after its
// first write, but for want of a permission.
func ranNothing(err error) bool {
	if reply, ok := errors.AsType[goredis.Error](err); ok {
		text := reply.Error()
		code := refusal(text)
		return code != "" && code != "UNBLOCKED" && !(code == "NOPERM" && strings.Contains(text, "script"))
	}
	return errors.Is(err, errShed) || errors.Is(err, goredis.ErrPoolTimeout) || isDial(err)
}
