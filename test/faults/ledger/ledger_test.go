// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"strings"
	"testing"
)

// TestReconcile shows that nothing that is lost or doubled goes unseen, and
// that what a client can't know accuses nobody.
func TestReconcile(t *testing.T) {
	const a, code = "a@example.com", "123456"
	login := func(l *Ledger) {
		l.Started(a, Done)
		l.Delivered("m1", a)
		l.Verified(a, code, "s1", Done)
	}
	guess := func(l *Ledger, times int, r Result) {
		for range times {
			l.Guessed(a, r)
		}
	}
	for name, c := range map[string]struct {
		seen          func(l *Ledger)
		lost, doubled int
	}{
		"a login":                   {seen: login},
		"a start without an answer": {seen: func(l *Ledger) { l.Started(a, Unknown) }},
		"a start without an answer that happened": {seen: func(l *Ledger) {
			l.Started(a, Unknown)
			l.Delivered("m1", a)
		}},
		"a start that was refused": {seen: func(l *Ledger) { l.Started(a, Refused) }},
		"a message that isn't there": {lost: 1, seen: func(l *Ledger) {
			l.Started(a, Done)
			l.Started(a, Done)
			l.Delivered("m1", a)
		}},
		"a message twice": {doubled: 1, seen: func(l *Ledger) {
			login(l)
			l.Delivered("m1", a)
		}},
		"two messages for a start": {doubled: 1, seen: func(l *Ledger) {
			login(l)
			l.Delivered("m2", a)
		}},
		"a message after a refusal": {doubled: 1, seen: func(l *Ledger) {
			l.Started(a, Refused)
			l.Delivered("m1", a)
		}},
		"a right code that is wrong": {lost: 1, seen: func(l *Ledger) {
			l.Started(a, Done)
			l.Delivered("m1", a)
			l.Verified(a, code, "", Refused)
		}},
		"a right code whose answer was lost": {seen: func(l *Ledger) {
			l.Started(a, Done)
			l.Delivered("m1", a)
			l.Verified(a, code, "", Unknown)
			l.Verified(a, code, "", Refused)
		}},
		"a right code again": {seen: func(l *Ledger) {
			login(l)
			l.Verified(a, code, "", Refused)
			l.Verified(a, code, "s1", Done)
		}},
		"two sessions of a code": {doubled: 1, seen: func(l *Ledger) {
			login(l)
			l.Verified(a, code, "s2", Done)
		}},
		"a session that isn't there": {lost: 1, seen: func(l *Ledger) {
			login(l)
			l.Gone(a, code)
		}},
		"a code that dies in time": {seen: func(l *Ledger) {
			l.Started(a, Done)
			l.Delivered("m1", a)
			guess(l, 5, Done)
			l.Died(a)
			l.Verified(a, code, "", Refused)
		}},
		"a code that dies of guesses without answers": {seen: func(l *Ledger) {
			guess(l, 3, Done)
			guess(l, 2, Unknown)
			l.Died(a)
		}},
		"a code that lives too long": {lost: 1, seen: func(l *Ledger) {
			guess(l, 6, Done)
			l.Died(a)
		}},
		"a code that dies too early": {doubled: 1, seen: func(l *Ledger) {
			guess(l, 4, Done)
			guess(l, 9, Refused)
			l.Died(a)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := New(5)
			c.seen(l)
			r := l.Reconcile()
			if len(r.Lost) != c.lost || len(r.Doubled) != c.doubled {
				t.Errorf("want lost %d, doubled %d: %s", c.lost, c.doubled, r)
			}
			if named := strings.Count(r.String(), "\n"); named != c.lost+c.doubled {
				t.Errorf("the report doesn't say which: %s", r)
			}
		})
	}
}
