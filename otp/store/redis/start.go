// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Start implements [otp.Store].
func (s *Store) Start(ctx context.Context, c otp.Challenge, m *otp.Envelope, all ...otp.Charge) (otp.Outcome, error) {
	return s.runCharged(ctx, charged{
		handle: c.Handle, charges: all,
		run: func(ctx context.Context, all, _ []otp.Charge) (otp.Outcome, error) {
			return s.start(ctx, c, m, all)
		},
		returns: func(o otp.Outcome) (charges, refunds bool) { return o.Result != otp.Accepted, false },
	})
}

// start is Start with charges that may be in one script.
func (s *Store) start(ctx context.Context, c otp.Challenge, m *otp.Envelope, all []otp.Charge) (otp.Outcome, error) {
	shard := c.Handle.Shard()
	var id, realm, value string
	var lifetime, lease int64
	if m != nil {
		id, realm, value = m.ID, m.Realm, encodeMessage(c.Handle, m)
		lifetime, lease = micros(m.Lifetime), micros(m.Lease)
	}
	charges := s.charges(all)
	keys := append([]string{
		s.key(shard, "h", string(c.Handle)),
		s.key(shard, "m", id),
		s.key(shard, "q", realm),
	}, charges.keys...)
	args := charges.appendTo([]any{
		c.Group, string(c.Code), string(c.Link), micros(c.Lifetime), c.Attempts, c.Keep,
		id, value, lifetime, lease,
	})
	answer, err := s.run(ctx, s.scripts.start, keys, args...)
	if err != nil {
		return otp.Outcome{}, err
	}
	r := newReply(answer)
	outcome := otp.Outcome{Result: otp.Result(r.integer(0)), Now: r.instant(1)}
	charges.refusal(&outcome, r)
	if outcome.Result == otp.Accepted {
		outcome.Levels = charges.levels(r)
	}
	return checked(outcome, r)
}

// checked returns the outcome that a script answered with, if it did.
func checked(o otp.Outcome, r *reply) (otp.Outcome, error) {
	if err := r.err(); err != nil {
		return otp.Outcome{}, err
	}
	return o, nil
}
