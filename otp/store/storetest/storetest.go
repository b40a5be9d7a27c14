// SPDX-License-Identifier: Apache-2.0

// Package storetest holds what every implementation of [otp.Store] must do:
// one subtest for each promise of its doc comments.
//
// It moves the store's clock and never sleeps. The clock may also run by
// itself meanwhile: what is measured is measured in [otp.Outcome].Now, and
// everything else keeps [margin] away from an edge.
package storetest

import (
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Harness makes stores for the suite.
type Harness struct {
	// New returns an empty store. advance moves its clock forward; the suite
	// never sleeps.
	New func(t *testing.T) (store otp.Store, advance func(time.Duration))
	// Spread says that an operation is several steps on several servers, each
	// with its own time: what it tells in times is then exact but for what
	// passes between them.
	Spread bool
}

// Run runs the suite; h.New is called once for each subtest.
func Run(t *testing.T, h Harness) {
	for _, part := range []struct {
		name     string
		promises []promise
	}{
		{"throttle", throttlePromises},
		{"budget", budgetPromises},
		{"challenge", challengePromises},
		{"verify", verifyPromises},
		{"try", tryPromises},
		{"expect", expectPromises},
		{"parallel", parallelPromises},
		{"session", sessionPromises},
		{"revocation", revocationPromises},
		{"outbox", outboxPromises},
		{"record", recordPromises},
		{"context", contextPromises},
	} {
		t.Run(part.name, func(t *testing.T) {
			for _, p := range part.promises {
				t.Run(p.name, func(t *testing.T) {
					store, advance := h.New(t)
					p.check(&trial{T: t, store: store, advance: advance, rounding: h.rounding()})
				})
			}
		})
	}
}

func (h Harness) rounding() time.Duration {
	if h.Spread {
		return margin
	}
	return rounding
}

type promise struct {
	name  string
	check func(*trial)
}

const (
	// margin is how far from an edge in time the suite stays, for clocks that
	// run by themselves.
	margin = 5 * time.Second
	// rounding is how coarse a store's clock may be.
	rounding = 2 * time.Millisecond
)

// The challenge of most subtests.
const (
	lifetime = 10 * time.Minute
	attempts = 5
)

// trial is one subtest with a store of its own.
type trial struct {
	*testing.T
	store   otp.Store
	advance func(time.Duration)
	// rounding is how exact times of buckets must be.
	rounding time.Duration
}

// start runs a start that the store must be able to judge.
func (t *trial) start(c otp.Challenge, charges ...otp.Charge) otp.Outcome {
	t.Helper()
	return t.queue(c, nil, charges...)
}

// queue is start with a message.
func (t *trial) queue(c otp.Challenge, m *otp.Envelope, charges ...otp.Charge) otp.Outcome {
	t.Helper()
	o, err := t.store.Start(t.Context(), c, m, charges...)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	if o.Now.IsZero() {
		t.Fatal("start: the outcome doesn't tell the store's time")
	}
	return o
}

// accepted starts each challenge.
func (t *trial) accepted(challenges ...otp.Challenge) {
	t.Helper()
	for _, c := range challenges {
		t.want(t.start(c), otp.Accepted)
	}
}

// unlock unlocks somebody's handle.
func (t *trial) unlock(p person) {
	t.Helper()
	if err := t.store.Unlock(t.Context(), p.handle); err != nil {
		t.Fatal(err)
	}
}

// verify runs a guess that the store must be able to judge.
func (t *trial) verify(g otp.Guess, s otp.SessionRecord, charges ...otp.Charge) otp.Outcome {
	t.Helper()
	o, err := t.store.Verify(t.Context(), g, s, charges...)
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	if o.Now.IsZero() {
		t.Fatal("verify: the outcome doesn't tell the store's time")
	}
	return o
}

// guess verifies with a new session.
func (t *trial) guess(g otp.Guess) otp.Outcome {
	t.Helper()
	return t.verify(g, newSession(g.Handle))
}

// fail makes n wrong guesses, each of which must be judged.
func (t *trial) fail(p person, group string, n int) {
	t.Helper()
	for i := range n {
		switch o := t.guess(p.guess(group, "no such code")); o.Result {
		case otp.Wrong, otp.Exhausted:
		default:
			t.Fatalf("wrong guess %d of %d: result is %s, want Wrong or Exhausted", i+1, n, name(o.Result))
		}
	}
}

func (t *trial) want(o otp.Outcome, want otp.Result) {
	t.Helper()
	if o.Result != want {
		t.Fatalf("result is %s, want %s", name(o.Result), name(want))
	}
}

// wantAllowedAt checks when a refusal ends, in the store's time.
func (t *trial) wantAllowedAt(o otp.Outcome, want time.Time) {
	t.Helper()
	if d := o.Now.Add(o.RetryAfter).Sub(want); d.Abs() > t.rounding {
		t.Fatalf("refusal ends %v from when it should (retry after %v)", d, o.RetryAfter)
	}
}

// wantEqual fails unless two instants are the same for a store.
func (t *trial) wantEqual(what string, got, want time.Time) {
	t.Helper()
	if d := got.Sub(want); d.Abs() > rounding {
		t.Fatalf("%s is %v from what it should be", what, d)
	}
}

func name(r otp.Result) string {
	names := [...]string{"", "Accepted", "Throttled", "CoolingDown", "Wrong", "Expired", "Exhausted", "Verified", "Repeated", "Changed"}
	if int(r) <= 0 || int(r) >= len(names) {
		return "none"
	}
	return names[r]
}
