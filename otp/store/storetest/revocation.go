// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

var revocationPromises = []promise{
	{"an empty store has none", func(t *trial) {
		told, cursor := t.revocations(0)
		again, _ := t.revocations(cursor)
		if len(told)+len(again) > 0 {
			t.Fatal("there are revocations that nobody made")
		}
	}},
	{"sessions and owners are told as they were given", func(t *trial) {
		session := newSession(newPerson("alice").handle)
		// The start only tells the time.
		now := t.start(newPerson("bob").challenge("g", "1")).Now
		t.revoke(otp.Revocation{Session: session.ID, Lifetime: time.Hour})
		t.revoke(otp.Revocation{Owner: "owner", Lifetime: 2 * time.Hour})
		told, _ := t.revocations(0)
		if len(told) != 2 {
			t.Fatalf("%d revocations, want 2", len(told))
		}
		for key, want := range map[string]otp.Revocation{
			string(session.ID): {Session: session.ID, Lifetime: time.Hour},
			"owner":            {Owner: "owner", Lifetime: 2 * time.Hour},
		} {
			got := told[key]
			if d := got.At.Sub(now); d < -rounding || d > margin {
				t.Fatalf("%s was revoked %v from when it was", key, d)
			}
			if want.At = got.At; got != want {
				t.Fatalf("revocation is %+v, want %+v", got, want)
			}
		}
	}},
	{"a cursor goes on where it was, with an overlap", func(t *trial) {
		t.revoke(otp.Revocation{Owner: "old", Lifetime: time.Hour})
		t.advance(10 * time.Minute)
		t.revoke(otp.Revocation{Owner: "1", Lifetime: time.Hour})
		t.wantTold(0, "old", "1")
		_, cursor := t.revocations(0)
		for i := range 3 {
			t.revoke(otp.Revocation{Owner: fmt.Sprint("2.", i), Lifetime: time.Hour})
		}
		_, later := t.revocations(cursor)
		t.wantTold(cursor, "1", "2.0", "2.1", "2.2")
		t.wantTold(later, "1", "2.0", "2.1", "2.2")
		t.advance(time.Minute)
		t.revoke(otp.Revocation{Owner: "3", Lifetime: time.Hour})
		_, latest := t.revocations(later)
		t.advance(time.Minute)
		t.wantTold(latest, "3")
		t.wantTold(0, "old", "1", "2.0", "2.1", "2.2", "3")
	}},
	{"none is missed by who polls", func(t *trial) {
		var cursor otp.Cursor
		seen := make(map[string]bool)
		for i := range 60 {
			t.revoke(otp.Revocation{Owner: fmt.Sprint(i), Lifetime: time.Hour})
			if i%7 == 0 {
				told, next := t.revocations(cursor)
				for key := range told {
					seen[key] = true
				}
				cursor = next
			}
			t.advance(700 * time.Millisecond)
		}
		told, _ := t.revocations(cursor)
		for key := range told {
			seen[key] = true
		}
		if len(seen) != 60 {
			t.Fatalf("%d of 60 revocations were told", len(seen))
		}
	}},
	{"it is forgotten after its lifetime", func(t *trial) {
		t.revoke(otp.Revocation{Owner: "short", Lifetime: time.Minute})
		t.revoke(otp.Revocation{Owner: "long", Lifetime: time.Hour})
		t.advance(time.Minute - margin)
		t.wantTold(0, "short", "long")
		t.advance(2 * margin)
		t.wantTold(0, "long")
		t.advance(time.Hour)
		t.wantTold(0)
	}},
	{"a session is revoked that nobody keeps, and twice", func(t *trial) {
		id := newSession(newPerson("alice").handle).ID
		t.revoke(otp.Revocation{Session: id, Lifetime: time.Minute})
		t.revoke(otp.Revocation{Session: id, Lifetime: time.Hour})
		t.advance(2 * time.Minute)
		t.wantTold(0, string(id))
	}},
	{"an owner's later revocation is told with its own time", func(t *trial) {
		t.revoke(otp.Revocation{Owner: "owner", Lifetime: time.Hour})
		first, cursor := t.revocations(0)
		t.advance(10 * time.Minute)
		t.revoke(otp.Revocation{Owner: "owner", Lifetime: time.Hour})
		second, _ := t.revocations(cursor)
		if d := second["owner"].At.Sub(first["owner"].At); d < 10*time.Minute || d > 10*time.Minute+margin {
			t.Fatalf("the second revocation is %v after the first, want 10m", d)
		}
	}},
}

func (t *trial) revoke(r otp.Revocation) {
	t.Helper()
	if err := t.store.Revoke(t.Context(), r); err != nil {
		t.Fatalf("revoke: %v", err)
	}
}

// revocations returns those since a cursor by session or owner; of several
// the latest.
func (t *trial) revocations(since otp.Cursor) (map[string]otp.Revocation, otp.Cursor) {
	t.Helper()
	list, cursor, err := t.store.Revocations(t.Context(), since)
	if err != nil {
		t.Fatalf("revocations: %v", err)
	}
	told := make(map[string]otp.Revocation)
	for _, r := range list {
		key := r.Owner
		if r.Session != "" {
			key = string(r.Session)
		}
		if r.At.After(told[key].At) {
			told[key] = r
		}
	}
	return told, cursor
}

func (t *trial) wantTold(since otp.Cursor, keys ...string) {
	t.Helper()
	told, _ := t.revocations(since)
	for _, key := range keys {
		if _, ok := told[key]; !ok {
			t.Fatalf("the revocation of %s isn't told", key)
		}
	}
	if len(told) != len(keys) {
		t.Fatalf("%d revocations are told, want %d", len(told), len(keys))
	}
}
