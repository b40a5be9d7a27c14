// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

var challengePromises = []promise{
	{"keep 1: the newest alone is valid", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "1"), alice.challenge("g", "2"))
		t.want(t.guess(alice.guess("g", "1")), otp.Wrong)
		t.want(t.guess(alice.guess("g", "2")), otp.Verified)
	}},
	{"keep 3: the newest three are valid", func(t *trial) {
		for _, test := range []struct {
			code string
			want otp.Result
		}{{"1", otp.Wrong}, {"2", otp.Verified}, {"3", otp.Verified}, {"4", otp.Verified}} {
			alice := newPerson("alice" + test.code)
			for _, code := range []string{"1", "2", "3", "4"} {
				t.accepted(keeping(3, alice.challenge("g", code)))
			}
			t.want(t.guess(alice.guess("g", test.code)), test.want)
		}
	}},
	{"keep 2 counts the live ones", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(keeping(3, alice.challenge("g", "1")), keeping(3, alice.challenge("g", "2")))
		t.want(t.guess(alice.guess("g", "2")), otp.Verified)
		t.accepted(keeping(2, alice.challenge("g", "3")))
		t.want(t.guess(alice.guess("g", "1")), otp.Verified)
		t.want(t.guess(alice.guess("g", "3")), otp.Verified)
	}},
	{"each lives for its own lifetime", func(t *trial) {
		alice := newPerson("alice")
		long, short := keeping(3, alice.challenge("g", "long")), keeping(3, alice.challenge("g", "short"))
		short.Lifetime = time.Minute
		t.accepted(long, short)
		t.advance(time.Minute - margin)
		t.accepted(keeping(3, alice.challenge("g", "late")))
		t.advance(2 * margin)
		t.want(t.guess(alice.guess("g", "short")), otp.Expired)
		t.want(t.guess(alice.guess("g", "long")), otp.Verified)
		t.advance(lifetime - 4*margin)
		t.want(t.guess(alice.guess("g", "late")), otp.Verified)
	}},
	{"groups are kept side by side", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("a", "1"), alice.challenge("b", "2"), alice.challenge("b", "3"))
		t.want(t.guess(alice.guess("a", "1")), otp.Verified)
		t.want(t.guess(alice.guess("b", "2")), otp.Wrong)
		t.want(t.guess(alice.guess("b", "3")), otp.Verified)
	}},
	{"a handle has at most three: the oldest goes", func(t *trial) {
		alice := newPerson("alice")
		for _, group := range []string{"a", "b", "c", "d"} {
			t.accepted(alice.challenge(group, group))
		}
		t.want(t.guess(alice.guess("a", "a")), otp.Wrong)
		for _, group := range []string{"b", "c", "d"} {
			t.want(t.guess(alice.guess(group, group)), otp.Verified)
		}
	}},
	{"a handle has at most three: the dead go before the oldest", func(t *trial) {
		for _, test := range []struct {
			name string
			die  func(alice person)
		}{
			{"used", func(alice person) {
				t.want(t.guess(alice.guess("b", "b")), otp.Verified)
			}},
			{"exhausted", func(alice person) {
				t.fail(alice, "b", 1)
			}},
			{"expired", func(person) { t.advance(time.Minute + margin) }},
		} {
			alice := newPerson(test.name)
			b := alice.challenge("b", "b")
			b.Attempts, b.Lifetime = 1, time.Minute
			t.accepted(alice.challenge("a", "a"), b, alice.challenge("c", "c"))
			test.die(alice)
			t.accepted(alice.challenge("d", "d"))
			for _, group := range []string{"a", "c", "d"} {
				t.want(t.guess(alice.guess(group, group)), otp.Verified)
			}
		}
	}},
	{"a start forgets the dead of its group", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "1"))
		t.advance(lifetime + margin)
		t.want(t.guess(alice.guess("g", "1")), otp.Expired)
		t.accepted(keeping(3, alice.challenge("g", "2")))
		t.want(t.guess(alice.guess("g", "1")), otp.Wrong)
	}},
	{"a start keeps the dead of other groups", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("a", "1"))
		t.advance(lifetime + margin)
		t.accepted(alice.challenge("b", "2"))
		t.want(t.guess(alice.guess("a", "1")), otp.Expired)
	}},
	{"what expired is remembered for an hour", func(t *trial) {
		for _, test := range []struct {
			after time.Duration
			want  otp.Result
		}{
			{margin, otp.Expired},
			{otp.Remembered - margin, otp.Expired},
			{otp.Remembered + margin, otp.Wrong},
		} {
			alice := newPerson(test.after.String())
			t.accepted(alice.challenge("g", "1"))
			t.advance(lifetime + test.after)
			t.want(t.guess(alice.guess("g", "1")), test.want)
		}
	}},
	{"what was exhausted is remembered until an hour after it expires", func(t *trial) {
		for _, test := range []struct {
			after time.Duration
			want  otp.Result
		}{
			{otp.Remembered - margin, otp.Exhausted},
			{otp.Remembered + margin, otp.Wrong},
		} {
			alice := newPerson(test.after.String())
			t.accepted(alice.challenge("g", "1"))
			t.fail(alice, "g", attempts)
			t.advance(lifetime + test.after)
			t.want(t.guess(alice.guess("g", "2")), test.want)
		}
	}},
	{"failures outlive what is forgotten of challenges", func(t *trial) {
		alice := newPerson("alice")
		failures(t, alice, otp.CoolDownFailures-1)
		t.advance(lifetime + 24*time.Hour)
		failures(t, alice, 1)
		t.want(t.guess(alice.guess("g", "1")), otp.CoolingDown)
	}},
}

func keeping(n int, c otp.Challenge) otp.Challenge {
	c.Keep = n
	return c
}
