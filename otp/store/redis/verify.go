// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Verify implements [otp.Store].
func (s *Store) Verify(ctx context.Context, g otp.Guess, session otp.SessionRecord, all ...otp.Charge) (otp.Outcome, error) {
	return s.runCharged(ctx, charged{
		handle: g.Handle, charges: all, refunds: g.Refunds,
		run: func(ctx context.Context, all, refunds []otp.Charge) (otp.Outcome, error) {
			g := g
			g.Refunds = refunds
			return s.verify(ctx, g, session, all)
		},
		returns: func(o otp.Outcome) (charges, refunds bool) {
			match := o.Result == otp.Verified
			return match || o.Result == otp.Throttled, match && session.ID != ""
		},
	})
}

// verify is Verify with charges and refunds that may be in one script.
func (s *Store) verify(ctx context.Context, g otp.Guess, session otp.SessionRecord, all []otp.Charge) (otp.Outcome, error) {
	shard := g.Handle.Shard()
	sessions := shard
	if session.ID != "" {
		sessions = session.ID.Shard()
	}
	charges, refunds := s.charges(all), s.charges(g.Refunds)
	keys := append([]string{
		s.key(shard, "h", string(g.Handle)),
		s.key(shard, "a", g.Account),
		s.key(sessions, "s", string(session.ID)),
		s.key(sessions, "o", session.Owner),
	}, charges.keys...)
	keys = append(keys, refunds.keys...)
	args := []any{
		g.Group, flag(g.Link), g.Browser, flag(g.Known),
		string(session.ID), session.Sealed, string(session.Refresh), micros(session.Lifetime), session.Owner,
		len(g.Tags),
	}
	for _, tag := range g.Tags {
		args = append(args, string(tag))
	}
	args = refunds.appendTo(charges.appendTo(args))
	answer, err := s.run(ctx, s.scripts.verify, keys, args...)
	if err != nil {
		return otp.Outcome{}, err
	}
	r := newReply(answer)
	outcome := otp.Outcome{Result: otp.Result(r.integer(0)), Now: r.instant(1)}
	charges.refusal(&outcome, r)
	switch outcome.Result {
	case otp.Verified:
		if session.ID == "" {
			return checked(outcome, r)
		}
		session.Created, session.Since, session.Used = outcome.Now, r.instant(2), outcome.Now
		outcome.Session = session
	case otp.Repeated:
		outcome.Session = otp.SessionRecord{
			ID:       otp.SessionID(r.text(2)),
			Sealed:   []byte(r.text(3)),
			Refresh:  otp.Tag(r.text(4)),
			Lifetime: r.duration(5),
			Created:  r.instant(6),
			Since:    r.instant(7),
			Used:     r.instant(8),
		}
	}
	outcome.New = outcome.Session.ID != "" && outcome.Session.Since.Equal(outcome.Session.Created)
	return checked(outcome, r)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
