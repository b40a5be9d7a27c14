// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

var throttlePromises = []promise{
	{"a burst, then one each interval: address", func(t *trial) {
		checkBucket(t, perAddress(3, time.Minute), 20*time.Second)
	}},
	{"a burst, then one each interval: client_ip", func(t *trial) {
		checkBucket(t, perClient("a", 4, 2*time.Minute), 30*time.Second)
	}},
	{"an idle bucket refills to its burst and no further", func(t *trial) {
		alice, charge := newPerson("alice"), perAddress(3, time.Minute)
		t.want(t.start(alice.challenge("g", "1"), charge), otp.Accepted)
		t.advance(24 * time.Hour)
		for range 3 {
			t.want(t.start(alice.challenge("g", "1"), charge), otp.Accepted)
		}
		t.want(t.start(alice.challenge("g", "1"), charge), otp.Throttled)
	}},
	{"address buckets belong to the handle", func(t *trial) {
		charge := perAddress(1, time.Hour)
		t.want(t.start(newPerson("alice").challenge("g", "1"), charge), otp.Accepted)
		t.want(t.start(newPerson("alice").challenge("other group", "1"), charge), otp.Throttled)
		t.want(t.start(newPerson("bob").challenge("g", "1"), charge), otp.Accepted)
	}},
	{"client_ip buckets are shared by handles and told apart by name", func(t *trial) {
		t.want(t.start(newPerson("alice").challenge("g", "1"), perClient("a", 1, time.Hour)), otp.Accepted)
		o := t.start(newPerson("bob").challenge("g", "1"), perClient("a", 1, time.Hour))
		t.want(o, otp.Throttled)
		if o.Scope != otp.ScopeClientIP {
			t.Fatalf("scope is %q, want %q", o.Scope, otp.ScopeClientIP)
		}
		t.want(t.start(newPerson("bob").challenge("g", "1"), perClient("b", 1, time.Hour)), otp.Accepted)
	}},
	{"the longest wait of those refused is told", func(t *trial) {
		for _, test := range []struct {
			charges []otp.Charge
			wait    time.Duration
			scope   otp.Scope
		}{
			{[]otp.Charge{perAddress(1, time.Minute), perAddress(1, time.Hour)}, time.Hour, otp.ScopeAddress},
			{[]otp.Charge{perAddress(1, time.Hour), perAddress(1, time.Minute)}, time.Hour, otp.ScopeAddress},
			{[]otp.Charge{perClient("a", 1, time.Hour), perAddress(1, time.Minute)}, time.Hour, otp.ScopeClientIP},
			{[]otp.Charge{perClient("b", 1, time.Minute), perAddress(1, time.Hour)}, time.Hour, otp.ScopeAddress},
			{[]otp.Charge{perClient("c", 2, 10*time.Hour), perAddress(1, time.Minute)}, time.Minute, otp.ScopeAddress},
		} {
			alice := newPerson(fmt.Sprint(test.charges))
			first := t.start(alice.challenge("g", "1"), test.charges...)
			t.want(first, otp.Accepted)
			refused := t.start(alice.challenge("g", "1"), test.charges...)
			t.want(refused, otp.Throttled)
			t.wantAllowedAt(refused, first.Now.Add(test.wait))
			if refused.Scope != test.scope {
				t.Fatalf("%v: scope is %q, want %q", test.charges, refused.Scope, test.scope)
			}
			if refused.Limit != 1 {
				t.Fatalf("%v: limit is %d, want 1", test.charges, refused.Limit)
			}
		}
	}},
	{"an accepted start tells the level of each bucket", func(t *trial) {
		// In an order that isn't that of any store.
		charges := []otp.Charge{
			perAddress(3, 3*time.Hour), perClient("a", 4, 8*time.Hour),
			perAddress(6, 24*time.Hour), perClient("b", 2, 2*time.Hour),
		}
		want := []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, time.Hour}
		alice := newPerson("alice")
		first := t.start(alice.challenge("g", "1"), charges...)
		t.want(first, otp.Accepted)
		second := t.queue(alice.challenge("g", "2"), newMessage("r"), charges...)
		t.want(second, otp.Accepted)
		passed := second.Now.Sub(first.Now)
		for i, interval := range want {
			if len(first.Levels) != len(want) || !t.isLevel(first.Levels[i], interval) {
				t.Fatalf("levels %v, want %v", first.Levels, want)
			}
			if got, level := second.Levels[i], 2*interval-passed; len(second.Levels) != len(want) || !t.isLevel(got, level) {
				t.Fatalf("charge %d: level %v, want %v", i, got, level)
			}
		}
		if o := t.start(alice.challenge("g", "3")); o.Result != otp.Accepted || len(o.Levels) != 0 {
			t.Fatalf("without charges: result %d, levels %v", o.Result, o.Levels)
		}
	}},
	{"several windows of an address count side by side", func(t *trial) {
		alice := newPerson("alice")
		charges := []otp.Charge{perAddress(3, time.Minute), perAddress(5, time.Hour), perAddress(10, 24*time.Hour)}
		start := func() otp.Outcome { return t.start(alice.challenge("g", "1"), charges...) }
		first := start()
		t.want(first, otp.Accepted)
		t.want(start(), otp.Accepted)
		t.want(start(), otp.Accepted)
		t.wantAllowedAt(start(), first.Now.Add(20*time.Second))
		t.advance(time.Minute + margin)
		t.want(start(), otp.Accepted)
		t.want(start(), otp.Accepted)
		o := start()
		t.want(o, otp.Throttled)
		t.wantAllowedAt(o, first.Now.Add(12*time.Minute))
	}},
	{"1000 refused starts change nothing", func(t *trial) {
		alice, client := newPerson("alice"), perClient("a", 5, time.Hour)
		charges := []otp.Charge{client, perAddress(1, time.Hour)}
		t.want(t.start(alice.challenge("g", "the code"), charges...), otp.Accepted)
		before := t.start(alice.challenge("g", "1"), charges...)
		t.want(before, otp.Throttled)
		for range 1000 {
			t.want(t.queue(alice.challenge("g", "1"), newMessage("r"), charges...), otp.Throttled)
		}
		after := t.start(alice.challenge("g", "1"), charges...)
		t.wantAllowedAt(after, before.Now.Add(before.RetryAfter))

		for i := range 4 {
			t.want(t.start(newPerson(fmt.Sprint(i)).challenge("g", "1"), client), otp.Accepted)
		}
		t.want(t.start(newPerson("bob").challenge("g", "1"), client), otp.Throttled)
		t.advance(time.Minute)
		if leases := t.claim("r"); len(leases) > 0 {
			t.Fatalf("%d messages of refused starts are in the outbox", len(leases))
		}
		t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
	}},
	{"a refused verification changes nothing", func(t *trial) {
		alice, other := newPerson("alice"), perClient("b", 2, time.Hour)
		charges := []otp.Charge{perClient("a", 1, time.Hour), other}
		t.accepted(alice.challenge("g", "the code"))
		first := t.verify(alice.guess("g", "wrong"), newSession(alice.handle), charges...)
		t.want(first, otp.Wrong)
		for range 100 {
			o := t.verify(alice.guess("g", "wrong"), newSession(alice.handle), charges...)
			t.want(o, otp.Throttled)
			t.wantAllowedAt(o, first.Now.Add(time.Hour))
			t.want(t.verify(alice.guess("g", "the code"), newSession(alice.handle), charges...), otp.Throttled)
		}
		t.want(t.verify(alice.guess("g", "wrong"), newSession(alice.handle), other), otp.Wrong)
		t.want(t.verify(alice.guess("g", "wrong"), newSession(alice.handle), other), otp.Throttled)
		t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
	}},
	{"a verification without a match stays charged", func(t *trial) {
		charge := perClient("a", 4, time.Hour)
		nobody, alice := newPerson("nobody"), newPerson("alice")
		guess := func(g otp.Guess, want otp.Result) {
			t.Helper()
			t.want(t.verify(g, newSession(g.Handle), charge), want)
		}
		guess(nobody.guess("g", "1"), otp.Wrong)
		t.accepted(alice.challenge("g", "the code"))
		guess(alice.guess("g", "wrong"), otp.Wrong)
		right := alice.guess("g", "the code")
		right.Browser = "b"
		t.want(t.guess(right), otp.Verified)
		guess(right, otp.Repeated)
		coolDown(t, alice, "g")
		guess(alice.guess("g", "1"), otp.CoolingDown)
		guess(alice.guess("g", "1"), otp.Throttled)
	}},
	{"a match gives the charges and the refunds one event back", func(t *trial) {
		alice := newPerson("alice")
		start, verify := perClient("start", 2, time.Hour), perClient("verify", 2, time.Hour)
		signIn := func() {
			t.Helper()
			t.want(t.start(alice.challenge("g", "the code"), start), otp.Accepted)
			g := alice.guess("g", "the code")
			g.Refunds = []otp.Charge{start}
			t.want(t.verify(g, newSession(alice.handle), verify), otp.Verified)
		}
		for range 5 {
			signIn()
		}
		t.want(t.start(alice.challenge("g", "1"), start), otp.Accepted)
		t.want(t.start(alice.challenge("g", "1"), start), otp.Accepted)
		t.want(t.start(alice.challenge("g", "1"), start), otp.Throttled)
		t.want(t.verify(alice.guess("g", "wrong"), newSession(alice.handle), verify), otp.Wrong)
		t.want(t.verify(alice.guess("g", "wrong"), newSession(alice.handle), verify), otp.Wrong)
		t.want(t.verify(alice.guess("g", "wrong"), newSession(alice.handle), verify), otp.Throttled)
	}},
	{"one event is given back and no more", func(t *trial) {
		alice, start := newPerson("alice"), perClient("start", 3, time.Hour)
		for _, name := range []string{"alice", "bob", "carol"} {
			t.want(t.start(newPerson(name).challenge("g", "the code"), start), otp.Accepted)
		}
		g := alice.guess("g", "the code")
		g.Refunds = []otp.Charge{start}
		t.want(t.guess(g), otp.Verified)
		t.want(t.start(alice.challenge("g", "1"), start), otp.Accepted)
		t.want(t.start(alice.challenge("g", "1"), start), otp.Throttled)
	}},
	{"only a match refunds", func(t *trial) {
		alice, start := newPerson("alice"), perClient("start", 1, time.Hour)
		t.want(t.start(alice.challenge("g", "the code"), start), otp.Accepted)
		g := alice.guess("g", "wrong")
		g.Refunds = []otp.Charge{start}
		t.want(t.guess(g), otp.Wrong)
		t.want(t.start(alice.challenge("g", "1"), start), otp.Throttled)
	}},
	{"a refund never goes below empty", func(t *trial) {
		alice, start := newPerson("alice"), perClient("start", 2, time.Hour)
		for range 5 {
			t.accepted(alice.challenge("g", "the code"))
			g := alice.guess("g", "the code")
			g.Refunds = []otp.Charge{start}
			t.want(t.guess(g), otp.Verified)
		}
		t.want(t.start(alice.challenge("g", "1"), start), otp.Accepted)
		t.want(t.start(alice.challenge("g", "1"), start), otp.Accepted)
		t.want(t.start(alice.challenge("g", "1"), start), otp.Throttled)
	}},
}

// isLevel reports whether a bucket's level is as it must be: exactly, where one
// clock tells it.
func (t *trial) isLevel(got, want time.Duration) bool {
	return got == want || t.rounding > rounding && (got-want).Abs() <= t.rounding
}

// checkBucket empties a bucket and follows its refill.
func checkBucket(t *trial, charge otp.Charge, interval time.Duration) {
	alice := newPerson("alice")
	start := func() otp.Outcome { return t.start(alice.challenge("g", "1"), charge) }
	first := start()
	t.want(first, otp.Accepted)
	for range charge.Events - 1 {
		t.want(start(), otp.Accepted)
	}
	for n := range 3 {
		refused := start()
		t.want(refused, otp.Throttled)
		t.wantAllowedAt(refused, first.Now.Add(time.Duration(n+1)*interval))
		if refused.Scope != charge.Scope {
			t.Fatalf("scope is %q, want %q", refused.Scope, charge.Scope)
		}
		t.advance(refused.RetryAfter - margin)
		t.want(start(), otp.Throttled)
		t.advance(margin + time.Second)
		t.want(start(), otp.Accepted)
	}
}
