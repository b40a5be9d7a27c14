// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

var budgetPromises = []promise{
	{"each cool-down is as long as CoolDown says, up to disabled", checkCoolDowns},
	{"failures are forgotten 30 days after the last", func(t *trial) {
		alice := newPerson("alice")
		failures(t, alice, otp.CoolDownFailures-1)
		t.advance(otp.DisabledFor - time.Hour)
		failures(t, alice, 1)
		t.want(t.guess(alice.guess("g", "1")), otp.CoolingDown)
		t.advance(otp.DisabledFor + margin)
		failures(t, alice, otp.CoolDownFailures-1)
		t.want(t.start(alice.challenge("g", "1")), otp.Accepted)
	}},
	{"failures are forgotten though the handle is in use", func(t *trial) {
		alice := newPerson("alice")
		failures(t, alice, otp.CoolDownFailures-1)
		t.advance(otp.DisabledFor - margin)
		t.accepted(alice.challenge("other", "1"))
		t.advance(2 * margin)
		failures(t, alice, otp.CoolDownFailures-1)
		t.accepted(alice.challenge("g", "1"))
	}},
	{"a start is refused during a cool-down and changes nothing", func(t *trial) {
		alice, charge := newPerson("alice"), perClient("a", 1, time.Hour)
		coolDown(t, alice, "g")
		o := t.queue(alice.challenge("g", "1"), newMessage("r"), charge)
		t.want(o, otp.CoolingDown)
		if o.RetryAfter <= 0 || o.RetryAfter > otp.FirstCoolDown {
			t.Fatalf("retry after is %v, want at most %v", o.RetryAfter, otp.FirstCoolDown)
		}
		t.want(t.start(newPerson("bob").challenge("g", "1"), charge), otp.Accepted)
		t.advance(otp.FirstCoolDown + time.Minute)
		if leases := t.claim("r"); len(leases) > 0 {
			t.Fatal("the message of a refused start is in the outbox")
		}
	}},
	{"a clock that is put back locks nobody out for longer", func(t *trial) {
		alice, bob, carol := newPerson("alice"), newPerson("bob"), newPerson("carol")
		t.accepted(alice.challenge("g", "1"))
		t.want(t.guess(alice.guess("g", "1")), otp.Verified)
		t.accepted(bob.challenge("g", "2"))
		t.want(t.guess(bob.guess("g", "wrong")), otp.Wrong)
		coolDown(t, carol, "g")
		t.advance(-time.Hour)
		t.want(t.start(alice.challenge("g", "3")), otp.Accepted)
		t.want(t.guess(bob.guess("g", "2")), otp.Verified)
		o := t.start(carol.challenge("g", "4"))
		t.want(o, otp.CoolingDown)
		if o.RetryAfter > otp.FirstCoolDown {
			t.Fatalf("retry after is %v, want at most %v", o.RetryAfter, otp.FirstCoolDown)
		}
	}},
	{"a throttle is told before a cool-down", func(t *trial) {
		alice, charge := newPerson("alice"), perClient("a", 1, time.Hour)
		t.want(t.start(newPerson("bob").challenge("g", "1"), charge), otp.Accepted)
		coolDown(t, alice, "g")
		t.want(t.start(alice.challenge("g", "1"), charge), otp.Throttled)
	}},
	{"a start with a link is accepted during a cool-down", func(t *trial) {
		alice := newPerson("alice")
		coolDown(t, alice, "g")
		both := alice.challenge("g", "the code")
		both.Link = tag("the link")
		t.accepted(both)
		t.want(t.guess(alice.guess("g", "the code")), otp.CoolingDown)
		t.want(t.guess(alice.open("g", "the link")), otp.Verified)
	}},
	{"a link works during a cool-down and clears it", func(t *trial) {
		alice := newPerson("alice")
		failures(t, alice, otp.CoolDownFailures-1)
		t.accepted(alice.linked("links", "the link"))
		failures(t, alice, 1)
		t.want(t.guess(alice.guess("g", "1")), otp.CoolingDown)
		t.want(t.guess(alice.open("links", "the link")), otp.Verified)
		t.accepted(alice.challenge("g", "the code"))
		t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
		failures(t, alice, otp.CoolDownFailures-1)
		t.accepted(alice.challenge("g", "1"))
	}},
	{"unlocking takes failures and the cool-down back", func(t *trial) {
		alice, bob := newPerson("alice"), newPerson("bob")
		coolDown(t, alice, "g")
		coolDown(t, bob, "g")
		t.unlock(alice)
		t.unlock(newPerson("nobody"))
		t.accepted(alice.challenge("g", "the code"))
		t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
		failures(t, alice, otp.CoolDownFailures-1)
		t.accepted(alice.challenge("g", "1"))
		t.want(t.start(bob.challenge("g", "1")), otp.CoolingDown)
	}},
	{"a code that died of wrong guesses stays dead when its handle is unlocked", func(t *trial) {
		alice := newPerson("alice")
		c := alice.challenge("g", "the code")
		t.accepted(c)
		t.fail(alice, "g", c.Attempts)
		t.unlock(alice)
		t.want(t.guess(alice.guess("g", "the code")), otp.Exhausted)
	}},
	{"failures are told where a guess was counted", func(t *trial) {
		alice := newPerson("alice")
		if o := t.guess(alice.guess("g", "1")); o.Failures != 0 {
			t.Fatalf("without a live code: %d", o.Failures)
		}
		t.accepted(alice.challenge("g", "the code"))
		for n := range 3 {
			if o := t.guess(alice.guess("g", "wrong")); o.Failures != n+1 {
				t.Fatalf("failure %d: told %d", n+1, o.Failures)
			}
		}
		if o := t.guess(alice.guess("g", "the code")); o.Result != otp.Verified || o.Failures != 0 {
			t.Fatalf("a right guess: %+v", o)
		}
	}},
	{"failures that a caller knows of and the store has forgotten count", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		wrong := alice.guess("g", "wrong")
		now := t.guess(newPerson("bob").guess("g", "1")).Now
		wrong.Failures = otp.Failures{Count: otp.CoolDownFailures - 1, At: now}
		if o := t.guess(wrong); o.Result != otp.Wrong || o.Failures != otp.CoolDownFailures {
			t.Fatalf("%+v", o)
		}
		t.want(t.guess(alice.guess("g", "the code")), otp.CoolingDown)
	}},
	{"fewer failures than the store knows of change nothing", func(t *trial) {
		alice := newPerson("alice")
		c := alice.challenge("g", "the code")
		c.Attempts = 10
		t.accepted(c)
		var o otp.Outcome
		for range 3 {
			o = t.guess(alice.guess("g", "wrong"))
		}
		wrong := alice.guess("g", "wrong")
		wrong.Failures = otp.Failures{Count: 2, At: o.Now}
		if o := t.guess(wrong); o.Failures != 4 {
			t.Fatalf("told %d, want 4", o.Failures)
		}
	}},
	{"failures before a success are over, whoever knows of them", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		failed := t.guess(alice.guess("g", "wrong"))
		t.advance(margin)
		t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
		t.accepted(alice.challenge("g", "another"))
		wrong := alice.guess("g", "wrong")
		wrong.Failures = otp.Failures{Count: otp.CoolDownFailures, At: failed.Now}
		if o := t.guess(wrong); o.Failures != 1 {
			t.Fatalf("told %d, want 1", o.Failures)
		}
	}},
	{"failures before an unlocking are over, also where the store had forgotten them", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		now := t.guess(newPerson("bob").guess("g", "1")).Now
		t.advance(margin)
		t.unlock(alice)
		wrong := alice.guess("g", "wrong")
		wrong.Failures = otp.Failures{Count: otp.CoolDownFailures, At: now}
		if o := t.guess(wrong); o.Result != otp.Wrong || o.Failures != 1 {
			t.Fatalf("%+v", o)
		}
	}},
	{"failures that are known of cost an address that was never started nothing", func(t *trial) {
		alice := newPerson("alice")
		wrong := alice.guess("g", "wrong")
		wrong.Failures = otp.Failures{Count: otp.DisableFailures, At: t.guess(wrong).Now}
		t.want(t.guess(wrong), otp.Wrong)
		t.want(t.start(alice.challenge("g", "1")), otp.Accepted)
	}},
	{"a wrong link is a failure", func(t *trial) {
		alice := newPerson("alice")
		failures(t, alice, otp.CoolDownFailures-1)
		t.accepted(alice.linked("links", "the link"))
		t.want(t.guess(alice.open("links", "wrong")), otp.Wrong)
		t.want(t.guess(alice.guess("links", "1")), otp.CoolingDown)
	}},
	{"the right code is refused during a cool-down, and not used up", func(t *trial) {
		alice := newPerson("alice")
		failures(t, alice, otp.CoolDownFailures-1)
		t.accepted(alice.challenge("other", "the code"))
		t.fail(alice, "other", 1)
		t.want(t.guess(alice.guess("other", "the code")), otp.CoolingDown)
		t.advance(otp.FirstCoolDown + margin)
		t.want(t.guess(alice.guess("other", "the code")), otp.Verified)
	}},
	{"a guess during a cool-down isn't counted", func(t *trial) {
		alice := newPerson("alice")
		coolDown(t, alice, "g")
		before := t.guess(alice.guess("g", "1"))
		t.want(before, otp.CoolingDown)
		for range 20 {
			t.want(t.guess(alice.guess("g", "1")), otp.CoolingDown)
		}
		t.wantAllowedAt(t.guess(alice.guess("g", "1")), before.Now.Add(before.RetryAfter))
	}},
	{"a wrong link during a cool-down isn't counted", func(t *trial) {
		alice := newPerson("alice")
		failures(t, alice, otp.CoolDownFailures-1)
		t.accepted(alice.linked("links", "the link"))
		t.accepted(alice.challenge("other", "the code"))
		t.fail(alice, "other", 1)
		before := t.guess(alice.guess("other", "the code"))
		t.want(before, otp.CoolingDown)
		for range 2 * attempts {
			o := t.guess(alice.open("links", "wrong"))
			if o.Result != otp.Wrong || o.Failures != 0 {
				t.Fatalf("%+v", o)
			}
		}
		t.wantAllowedAt(t.guess(alice.guess("other", "the code")), before.Now.Add(before.RetryAfter))
		t.advance(otp.FirstCoolDown + margin)
		t.want(t.guess(alice.guess("other", "the code")), otp.Verified)
	}},
	{"asking again doesn't reset the failures", func(t *trial) {
		alice := newPerson("alice")
		for range otp.CoolDownFailures {
			t.accepted(alice.challenge("g", "1"))
			t.fail(alice, "g", 1)
		}
		t.want(t.guess(alice.guess("g", "1")), otp.CoolingDown)
	}},
	{"failures count over all groups", func(t *trial) {
		alice := newPerson("alice")
		for i := range otp.CoolDownFailures {
			group := string(rune('a' + i%3))
			t.accepted(alice.challenge(group, "1"))
			t.fail(alice, group, 1)
		}
		t.want(t.guess(alice.guess("d", "1")), otp.CoolingDown)
	}},
	{"a failure is the handle's alone", func(t *trial) {
		coolDown(t, newPerson("alice"), "g")
		bob := newPerson("bob")
		t.accepted(bob.challenge("g", "the code"))
		t.want(t.guess(bob.guess("g", "the code")), otp.Verified)
	}},
	{"a match clears the failures", func(t *trial) {
		alice := newPerson("alice")
		for range 3 {
			failures(t, alice, otp.CoolDownFailures-1)
			t.accepted(alice.challenge("g", "the code"))
			t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
		}
	}},
	{"guesses without a live challenge count nothing", func(t *trial) {
		alice := newPerson("alice")
		for range 2 * otp.CoolDownFailures {
			t.want(t.guess(alice.guess("g", "1")), otp.Wrong)
		}
		t.accepted(alice.challenge("g", "the code"))
		t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
		for range 2 * otp.CoolDownFailures {
			t.want(t.guess(alice.guess("g", "1")), otp.Wrong)
		}
		failures(t, alice, otp.CoolDownFailures-1)
		t.accepted(alice.challenge("g", "1"))
		t.advance(lifetime + margin)
		for range 2 * otp.CoolDownFailures {
			t.want(t.guess(alice.guess("g", "2")), otp.Wrong)
		}
		t.accepted(alice.challenge("g", "1"))
	}},
}

// failures makes n wrong guesses at fresh codes of the group g.
func failures(t *trial, p person, n int) {
	t.Helper()
	for n > 0 {
		t.accepted(p.challenge("g", "the code"))
		now := min(n, attempts)
		t.fail(p, "g", now)
		n -= now
	}
}

// coolDown brings a handle without failures into its first cool-down.
func coolDown(t *trial, p person, group string) {
	t.Helper()
	for range otp.CoolDownFailures / attempts {
		t.accepted(p.challenge(group, "the code"))
		t.fail(p, group, attempts)
	}
}

func checkCoolDowns(t *trial) {
	alice := newPerson("alice")
	for n := 1; n <= otp.DisableFailures; n++ {
		t.accepted(alice.challenge("g", "the code"))
		failed := t.guess(alice.guess("g", "wrong"))
		t.want(failed, otp.Wrong)
		wait := otp.CoolDown(n)
		if wait == 0 {
			continue
		}
		o := t.guess(alice.guess("g", "the code"))
		if o.Result != otp.CoolingDown {
			t.Fatalf("after %d failures: result is %s, want CoolingDown", n, name(o.Result))
		}
		t.wantAllowedAt(o, failed.Now.Add(wait))
		t.advance(wait - margin)
		t.want(t.guess(alice.guess("g", "the code")), otp.CoolingDown)
		t.want(t.start(alice.challenge("g", "the code")), otp.CoolingDown)
		t.advance(margin + time.Second)
	}
	// After the longest wait nothing is remembered.
	failures(t, alice, otp.CoolDownFailures-1)
	t.accepted(alice.challenge("g", "the code"))
	t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
}
