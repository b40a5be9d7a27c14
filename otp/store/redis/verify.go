// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"bytes"
	"context"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Verify implements [otp.Store].
func (s *Store) Verify(ctx context.Context, g otp.Guess, session otp.SessionRecord, all ...otp.Charge) (otp.Outcome, error) {
	if session.ID == "" {
		g.Expect = nil // there is nothing that depends on it
	}
	judge := s.verify
	op := charged{
		handle: g.Handle, charges: all, refunds: g.Refunds,
		run: func(ctx context.Context, all, refunds []otp.Charge) (otp.Outcome, error) {
			g := g
			g.Refunds = refunds
			return judge(ctx, g, session, all)
		},
		returns: func(o otp.Outcome) (charges, refunds bool) {
			verified := o.Result == otp.Verified
			return verified || o.Result == otp.Changed || o.Result == otp.Throttled, verified && session.ID != ""
		},
	}
	if g.Expect != nil {
		op.ahead = func(ctx context.Context) error {
			record, err := s.Get(ctx, g.Expect.Key)
			judge = func(ctx context.Context, g otp.Guess, session otp.SessionRecord, all []otp.Charge) (otp.Outcome, error) {
				return s.verifyBeside(ctx, record, g, session, all)
			}
			return err
		}
	}
	return s.runCharged(ctx, op)
}

// verifyBeside is verify where the script doesn't reach the record that is
// expected: record is what it was just now. Where that is another one, the guess
// is only tried, so that a wrong one costs and learns the same as ever.
func (s *Store) verifyBeside(ctx context.Context, record []byte, g otp.Guess, session otp.SessionRecord, all []otp.Charge) (otp.Outcome, error) {
	changed := !bytes.Equal(record, g.Expect.Value)
	g.Expect = nil
	if changed {
		session.ID = ""
	}
	outcome, err := s.verify(ctx, g, session, all)
	if changed && outcome.Result == otp.Verified {
		outcome.Result, outcome.Record = otp.Changed, record
	}
	return outcome, err
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
	var expected []byte
	if g.Expect != nil {
		keys, expected = append(keys, s.recordKey(g.Expect.Key)), g.Expect.Value
	}
	args := []any{
		g.Group, flag(g.Link), g.Browser, flag(g.Known),
		string(session.ID), session.Sealed, string(session.Refresh), micros(session.Lifetime), session.Owner,
		flag(g.Expect != nil), expected,
		len(g.Tags),
	}
	for _, tag := range g.Tags {
		args = append(args, string(tag))
	}
	args = append(refunds.appendTo(charges.appendTo(args)), g.Failures.Count, g.Failures.At.UnixMicro())
	answer, err := s.run(ctx, s.scripts.verify, keys, args...)
	if err != nil {
		return otp.Outcome{}, err
	}
	r := newReply(answer)
	outcome := otp.Outcome{Result: otp.Result(r.integer(0)), Now: r.instant(1)}
	charges.refusal(&outcome, r)
	switch outcome.Result {
	case otp.Wrong, otp.Expired, otp.Exhausted:
		outcome.Failures = int(r.integer(2))
	case otp.Changed:
		if value := r.text(2); value != "" {
			outcome.Record = []byte(value)
		}
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

// Unlock implements [otp.Store].
func (s *Store) Unlock(ctx context.Context, h otp.Handle) error {
	_, err := s.run(ctx, s.scripts.unlock, []string{s.key(h.Shard(), "h", string(h))})
	return err
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
