// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// try is a guess that opens no session.
func (t *trial) try(g otp.Guess, charges ...otp.Charge) otp.Outcome {
	t.Helper()
	o := t.verify(g, otp.SessionRecord{}, charges...)
	if o.Session.ID != "" || o.Session.Sealed != nil || o.New {
		t.Fatal("a try opened a session")
	}
	return o
}

var tryPromises = []promise{
	{"a right try uses nothing up", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		for range 2 * attempts {
			t.want(t.try(alice.guess("g", "the code")), otp.Verified)
		}
		o := t.guess(alice.guess("g", "the code"))
		t.want(o, otp.Verified)
		if !o.New {
			t.Error("a try recorded the account")
		}
		t.want(t.try(alice.guess("g", "the code")), otp.Wrong)
	}},
	{"a right try of a link uses nothing up", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.linked("g", "the link"))
		t.want(t.try(alice.open("g", "the link")), otp.Verified)
		t.want(t.guess(alice.open("g", "the link")), otp.Verified)
	}},
	{"wrong tries count, and right ones don't clear that", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		for range attempts - 1 {
			t.want(t.try(alice.guess("g", "wrong")), otp.Wrong)
			t.want(t.try(alice.guess("g", "the code")), otp.Verified)
		}
		t.want(t.try(alice.guess("g", "wrong")), otp.Exhausted)
		t.want(t.try(alice.guess("g", "the code")), otp.Exhausted)
	}},
	{"a right try leaves the failures of the handle", func(t *trial) {
		alice := newPerson("alice")
		for range 2 * otp.CoolDownFailures / attempts {
			t.accepted(alice.challenge("g", "the code"))
			t.want(t.try(alice.guess("g", "the code")), otp.Verified)
			for range attempts - 1 {
				if o := t.try(alice.guess("g", "wrong")); o.Result == otp.CoolingDown {
					return
				}
			}
		}
		t.Error("no cool-down")
	}},
	{"a right try of an expired code is Expired", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		t.advance(lifetime + margin)
		t.want(t.try(alice.guess("g", "the code")), otp.Expired)
	}},
	{"a right try gets its charge back, a wrong one doesn't", func(t *trial) {
		alice := newPerson("alice")
		once := otp.Charge{Scope: otp.ScopeClientIP, Bucket: "bucket", Throttle: otp.Throttle{Events: 1, Window: time.Hour}}
		t.accepted(alice.challenge("g", "the code"))
		t.want(t.try(alice.guess("g", "the code"), once), otp.Verified)
		t.want(t.try(alice.guess("g", "the code"), once), otp.Verified)
		t.want(t.try(alice.guess("g", "wrong"), once), otp.Wrong)
		t.want(t.try(alice.guess("g", "the code"), once), otp.Throttled)
	}},
}
