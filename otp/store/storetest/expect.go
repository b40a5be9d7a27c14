// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// recordKey is that of the record that guesses expect.
const recordKey = "key"

// expecting is a guess for whose session the record must be value; nil: none.
func expecting(g otp.Guess, value []byte) otp.Guess {
	g.Expect = &otp.ExpectedRecord{Key: recordKey, Value: value}
	return g
}

// wantChanged checks that an outcome is Changed, and to what.
func (t *trial) wantChanged(o otp.Outcome, record []byte) {
	t.Helper()
	t.want(o, otp.Changed)
	if !bytes.Equal(o.Record, record) || (o.Record == nil) != (record == nil) {
		t.Fatalf("the record is %q, want %q", o.Record, record)
	}
	if o.Session.ID != "" || o.Session.Sealed != nil || o.New || o.Failures != 0 {
		t.Fatal("a session was opened, or a failure counted")
	}
}

var expectPromises = []promise{
	{"a record that is expected, or missing as expected, opens the session", func(t *trial) {
		alice, value := newPerson("alice"), []byte("a\x00\xff\r\n value")
		for _, expected := range [][]byte{nil, {}, value} {
			if len(expected) > 0 {
				t.swap(true, recordKey, nil, value, 0)
			}
			t.accepted(alice.challenge("g", "the code"))
			session := newSession(alice.handle)
			o := t.verify(expecting(alice.guess("g", "the code"), expected), session)
			t.want(o, otp.Verified)
			if o.Session.ID != session.ID || o.Record != nil {
				t.Fatalf("the outcome is %+v", o)
			}
		}
		t.wantRecord(recordKey, value)
	}},
	{"the right guess with another record uses nothing up and tells the record", func(t *trial) {
		alice, value, other := newPerson("alice"), []byte("value\x00\xff"), []byte("other")
		t.accepted(alice.challenge("g", "the code"))
		guess := alice.guess("g", "the code")
		guess.Browser = "browser"
		for range attempts {
			t.wantChanged(t.guess(expecting(guess, value)), nil)
		}
		t.swap(true, recordKey, nil, value, 0)
		for range attempts {
			t.wantChanged(t.guess(expecting(guess, nil)), value)
			t.wantChanged(t.guess(expecting(guess, other)), value)
			t.wantChanged(t.guess(expecting(guess, value[:len(value)-1])), value)
		}
		t.swap(true, recordKey, value, other, 0)
		t.wantChanged(t.guess(expecting(guess, value)), other)
		o := t.guess(expecting(guess, other))
		t.want(o, otp.Verified)
		if !o.New {
			t.Error("the account was recorded before")
		}
	}},
	{"a link with another record stays good", func(t *trial) {
		alice, value := newPerson("alice"), []byte("value")
		t.swap(true, recordKey, nil, value, 0)
		t.accepted(alice.linked("g", "the link"))
		t.wantChanged(t.guess(expecting(alice.open("g", "the link"), nil)), value)
		t.want(t.guess(expecting(alice.open("g", "the link"), value)), otp.Verified)
	}},
	{"a record that is over is none", func(t *trial) {
		alice := newPerson("alice")
		t.swap(true, recordKey, nil, []byte("value"), time.Minute)
		t.accepted(alice.challenge("g", "the code"))
		t.wantChanged(t.guess(expecting(alice.guess("g", "the code"), nil)), []byte("value"))
		t.advance(time.Minute + margin)
		t.wantChanged(t.guess(expecting(alice.guess("g", "the code"), []byte("value"))), nil)
		t.want(t.guess(expecting(alice.guess("g", "the code"), nil)), otp.Verified)
	}},
	{"wrong guesses are counted and told alike, whatever the record", func(t *trial) {
		alice, bob := newPerson("alice"), newPerson("bob")
		t.swap(true, recordKey, nil, []byte("value"), 0)
		for _, p := range []person{alice, bob} {
			var expected []byte
			if p == bob {
				expected = []byte("value")
			}
			t.want(t.guess(expecting(p.guess("g", "never asked for"), expected)), otp.Wrong)
			t.accepted(p.challenge("g", "the code"))
			for i := range attempts {
				o := t.guess(expecting(p.guess("g", "wrong"), expected))
				if i < attempts-1 {
					t.want(o, otp.Wrong)
				} else {
					t.want(o, otp.Exhausted)
				}
				if o.Failures != i+1 || o.Record != nil {
					t.Fatalf("guess %d: %d failures, record %q", i+1, o.Failures, o.Record)
				}
			}
			t.want(t.guess(expecting(p.guess("g", "the code"), expected)), otp.Exhausted)
		}
	}},
	{"the right guess with another record clears no failures", func(t *trial) {
		alice := newPerson("alice")
		t.swap(true, recordKey, nil, []byte("value"), 0)
		for range 2 * otp.CoolDownFailures / attempts {
			t.accepted(alice.challenge("g", "the code"))
			for range attempts - 1 {
				t.wantChanged(t.guess(expecting(alice.guess("g", "the code"), nil)), []byte("value"))
				if o := t.guess(expecting(alice.guess("g", "wrong"), nil)); o.Result == otp.CoolingDown {
					return
				}
				if o := t.guess(expecting(alice.guess("g", "the code"), nil)); o.Result == otp.CoolingDown {
					return
				}
			}
		}
		t.Error("no cool-down")
	}},
	{"an expired code is Expired, whatever the record", func(t *trial) {
		alice := newPerson("alice")
		t.swap(true, recordKey, nil, []byte("value"), 0)
		t.accepted(alice.challenge("g", "the code"))
		t.advance(lifetime + margin)
		t.want(t.guess(expecting(alice.guess("g", "the code"), nil)), otp.Expired)
	}},
	{"an account that must exist is asked for before the record", func(t *trial) {
		alice := newPerson("alice")
		t.swap(true, recordKey, nil, []byte("value"), 0)
		t.accepted(alice.challenge("g", "the code"))
		guess := expecting(alice.guess("g", "the code"), nil)
		guess.Known = true
		t.want(t.guess(guess), otp.Wrong)
	}},
	{"with another record the charge comes back, and no refund is made", func(t *trial) {
		alice := newPerson("alice")
		once, start := perClient("verify", 1, time.Hour), perClient("start", 1, time.Hour)
		address := perAddress(1, time.Hour)
		t.swap(true, recordKey, nil, []byte("value"), 0)
		t.want(t.start(alice.challenge("g", "the code"), start), otp.Accepted)
		guess := alice.guess("g", "the code")
		guess.Refunds = []otp.Charge{start}
		for range 3 {
			t.wantChanged(t.verify(expecting(guess, nil), newSession(alice.handle), once, address), []byte("value"))
		}
		t.want(t.start(newPerson("bob").challenge("g", "1"), start), otp.Throttled)
		t.want(t.verify(expecting(guess, []byte("value")), newSession(alice.handle), once, address), otp.Verified)
		t.want(t.start(newPerson("bob").challenge("g", "1"), start), otp.Accepted)
		t.accepted(alice.challenge("g", "the next code"))
		t.want(t.verify(expecting(alice.guess("g", "wrong"), nil), newSession(alice.handle), once, address), otp.Wrong)
		t.want(t.verify(expecting(alice.guess("g", "the next code"), nil), newSession(alice.handle), once, address), otp.Throttled)
	}},
	{"a repeated request needs no record", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		guess := alice.guess("g", "the code")
		guess.Browser = "browser"
		first := t.guess(expecting(guess, nil))
		t.want(first, otp.Verified)
		t.swap(true, recordKey, nil, []byte("value"), 0)
		again := t.guess(expecting(guess, nil))
		t.want(again, otp.Repeated)
		if again.Session.ID != first.Session.ID {
			t.Error("it is another session")
		}
	}},
	{"a try needs no record", func(t *trial) {
		alice := newPerson("alice")
		t.swap(true, recordKey, nil, []byte("value"), 0)
		t.accepted(alice.challenge("g", "the code"))
		t.want(t.try(expecting(alice.guess("g", "the code"), nil)), otp.Verified)
		t.want(t.guess(expecting(alice.guess("g", "the code"), []byte("value"))), otp.Verified)
	}},
	{"of many right guesses that learn of the record one is Verified", func(t *trial) {
		alice, value := newPerson("alice"), []byte("value")
		t.swap(true, recordKey, nil, value, 0)
		t.accepted(alice.challenge("g", "the code"))
		var mu sync.Mutex
		changed := 0
		counts := t.parallel(50, func(ctx context.Context) (otp.Outcome, error) {
			o, err := t.store.Verify(ctx, expecting(alice.guess("g", "the code"), nil), newSession(alice.handle))
			if err != nil || o.Result != otp.Changed {
				return o, err
			}
			mu.Lock()
			changed++
			mu.Unlock()
			return t.store.Verify(ctx, expecting(alice.guess("g", "the code"), o.Record), newSession(alice.handle))
		})
		if counts[otp.Verified] != 1 || counts[otp.Wrong] != 49 || changed == 0 {
			t.Fatalf("results are %v, %d after Changed; want 1 Verified and 49 Wrong", named(counts), changed)
		}
	}},
}
