// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

var sessionPromises = []promise{
	{"a session is kept and renewed", func(t *trial) {
		s, opened := t.signIn(newPerson("alice"))
		for i := range 3 {
			next := tag("refresh " + string(rune('0'+i)))
			got, err := t.store.Renew(t.Context(), s.ID, []otp.Tag{s.Refresh}, next)
			if err != nil {
				t.Fatal(err)
			}
			s.Refresh = next
			t.wantSession(got, s, opened)
			t.wantEqual("Since", got.Since, opened)
			t.advance(time.Hour)
		}
	}},
	{"a session is used when it is opened and when it is renewed", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		s := newSession(alice.handle)
		s.Owner = "jane"
		g := alice.guess("g", "the code")
		g.Browser = "browser"
		o := t.verify(g, s)
		t.want(o, otp.Verified)
		opened := o.Now
		t.wantEqual("Used when it is opened", o.Session.Used, opened)
		t.advance(otp.RepeatWindow / 2)
		repeated := t.verify(g, newSession(alice.handle))
		t.want(repeated, otp.Repeated)
		t.wantEqual("Used when the request is repeated", repeated.Session.Used, opened)
		t.wantEqual("Used in the list", t.sessions("jane")[0].Used, opened)
		t.advance(time.Hour)
		renewed, err := t.store.Renew(t.Context(), s.ID, []otp.Tag{s.Refresh}, tag("next"))
		if err != nil {
			t.Fatal(err)
		}
		t.wantEqual("Created", renewed.Created, opened)
		if rest := renewed.Used.Sub(opened) - time.Hour - otp.RepeatWindow/2; rest < -rounding || rest > margin {
			t.Fatalf("Used is %v from when it was renewed", rest)
		}
		t.advance(time.Hour)
		listed := t.sessions("jane")[0]
		t.wantEqual("Used in the list", listed.Used, renewed.Used)
		t.wantEqual("Created in the list", listed.Created, opened)
	}},
	{"any of several tags may renew", func(t *trial) {
		s, _ := t.signIn(newPerson("alice"))
		t.renew(s.ID, tag("next"), tag("x"), s.Refresh)
		t.renew(s.ID, tag("last"), tag("next"), tag("x"))
	}},
	{"a session ends with its lifetime, renewed or not", func(t *trial) {
		s, _ := t.signIn(newPerson("alice"))
		t.advance(s.Lifetime - margin)
		t.renew(s.ID, tag("next"), s.Refresh)
		t.advance(2 * margin)
		t.wantNoSession(s.ID)
	}},
	{"a session that never was can't be renewed", func(t *trial) {
		t.wantNoSession(newSession(newPerson("alice").handle).ID)
	}},
	{"a used refresh tag revokes the session", func(t *trial) {
		s, _ := t.signIn(newPerson("alice"))
		other, _ := t.signIn(newPerson("bob"))
		t.advance(time.Hour)
		t.renew(s.ID, tag("next"), s.Refresh)
		was, err := t.store.Renew(t.Context(), s.ID, []otp.Tag{s.Refresh}, tag("stolen"))
		if !errors.Is(err, otp.ErrReused) {
			t.Fatalf("error is %v, want ErrReused", err)
		}
		if was.ID != s.ID || !bytes.Equal(was.Sealed, s.Sealed) || was.Refresh != tag("next") || was.Lifetime != s.Lifetime || was.Created.IsZero() || was.Since.IsZero() || was.Used.Before(was.Created) {
			t.Fatalf("it was %+v, want %+v", was, s)
		}
		for _, held := range []otp.Tag{tag("next"), tag("stolen"), s.Refresh} {
			_, err := t.store.Renew(t.Context(), s.ID, []otp.Tag{held}, tag("x"))
			if !errors.Is(err, otp.ErrNoSession) {
				t.Fatalf("error is %v, want ErrNoSession", err)
			}
		}
		told, _ := t.revocations(0)
		r, ok := told[string(s.ID)]
		if !ok || len(told) != 1 {
			t.Fatalf("%d revocations, want the session's alone", len(told))
		}
		if rest := s.Lifetime - time.Hour; r.Lifetime > rest || r.Lifetime < rest-margin {
			t.Fatalf("the revocation is told for %v, want the rest of the session's lifetime, %v", r.Lifetime, rest)
		}
		t.renew(other.ID, tag("next"), other.Refresh)
	}},
	{"a session without a refresh tag can't be renewed, and stays", func(t *trial) {
		alice := newPerson("alice")
		s := newSession(alice.handle)
		s.Refresh = ""
		g := alice.guess("g", "the code")
		g.Browser = "browser"
		t.accepted(alice.challenge("g", "the code"))
		t.want(t.verify(g, s), otp.Verified)
		for _, old := range [][]otp.Tag{nil, {""}, {tag("x")}, {"", tag("x")}} {
			_, err := t.store.Renew(t.Context(), s.ID, old, tag("next"))
			if !errors.Is(err, otp.ErrNoSession) {
				t.Fatalf("error is %v, want ErrNoSession", err)
			}
		}
		if told, _ := t.revocations(0); len(told) > 0 {
			t.Fatal("the session is revoked")
		}
		t.want(t.guess(g), otp.Repeated)
	}},
	{"a revoked session can't be renewed", func(t *trial) {
		s, _ := t.signIn(newPerson("alice"))
		other, _ := t.signIn(newPerson("bob"))
		t.revoke(otp.Revocation{Session: s.ID, Lifetime: s.Lifetime})
		t.wantNoSession(s.ID)
		t.renew(other.ID, tag("next"), other.Refresh)
	}},
	{"revoking an owner leaves the records", func(t *trial) {
		s, _ := t.signIn(newPerson("alice"))
		t.revoke(otp.Revocation{Owner: "owner", Lifetime: s.Lifetime})
		t.renew(s.ID, tag("next"), s.Refresh)
	}},
	{"an owner's sessions are listed, the newest first", func(t *trial) {
		if listed := t.sessions("jane"); len(listed) > 0 {
			t.Fatal("sessions that nobody opened are listed")
		}
		var opened []otp.SessionRecord
		for _, name := range []string{"alice", "bob", "carol"} { // her addresses
			s, at := t.signInFor("jane", newPerson(name))
			s.Created, s.Since = at, at
			opened = append([]otp.SessionRecord{s}, opened...)
			t.advance(time.Minute)
		}
		t.signInFor("jan", newPerson("dave"))
		t.signInFor("jane2", newPerson("erin"))
		t.signInFor("", newPerson("frank"))
		listed := t.sessions("jane")
		if len(listed) != len(opened) {
			t.Fatalf("%d sessions are listed, want %d", len(listed), len(opened))
		}
		for i, want := range opened {
			t.wantSession(listed[i], want, want.Created)
			t.wantEqual("Since", listed[i].Since, want.Since)
			if listed[i].Owner != "jane" {
				t.Fatalf("owner is %q", listed[i].Owner)
			}
		}
	}},
	{"a session that has ended isn't listed", func(t *trial) {
		revoked, _ := t.signInFor("jane", newPerson("alice"))
		reused, _ := t.signInFor("jane", newPerson("bob"))
		kept, _ := t.signInFor("jane", newPerson("carol"))
		t.revoke(otp.Revocation{Session: revoked.ID, Lifetime: revoked.Lifetime})
		if _, err := t.store.Renew(t.Context(), reused.ID, []otp.Tag{tag("stolen")}, tag("x")); !errors.Is(err, otp.ErrReused) {
			t.Fatalf("error is %v, want ErrReused", err)
		}
		t.renew(kept.ID, tag("next"), kept.Refresh)
		if listed := t.sessions("jane"); len(listed) != 1 || listed[0].ID != kept.ID || listed[0].Refresh != tag("next") {
			t.Fatalf("%d sessions are listed, want the one that goes on", len(listed))
		}
		t.advance(kept.Lifetime + margin)
		if listed := t.sessions("jane"); len(listed) > 0 {
			t.Fatal("a session is listed whose time is over")
		}
		later, _ := t.signInFor("jane", newPerson("carol"))
		if listed := t.sessions("jane"); len(listed) != 1 || listed[0].ID != later.ID {
			t.Fatalf("%d sessions are listed, want the one opened since", len(listed))
		}
	}},
	{"no more than MaxSessions are listed", func(t *trial) {
		for i := range otp.MaxSessions + 3 {
			t.signInFor("jane", newPerson(fmt.Sprint("p", i)))
			t.advance(time.Second)
		}
		listed := t.sessions("jane")
		if len(listed) != otp.MaxSessions {
			t.Fatalf("%d sessions are listed, want %d", len(listed), otp.MaxSessions)
		}
		for i := range len(listed) - 1 {
			if listed[i].Created.Before(listed[i+1].Created) {
				t.Fatal("an older session is listed before a newer one")
			}
		}
	}},
}

// sessions lists those of an owner.
func (t *trial) sessions(owner string) []otp.SessionRecord {
	t.Helper()
	listed, err := t.store.Sessions(t.Context(), owner)
	if err != nil {
		t.Fatalf("sessions: %v", err)
	}
	return listed
}

// signInFor is signIn for a session with an owner.
func (t *trial) signInFor(owner string, p person) (otp.SessionRecord, time.Time) {
	t.Helper()
	t.accepted(p.challenge("g", "the code"))
	s := newSession(p.handle)
	s.Owner = owner
	o := t.verify(p.guess("g", "the code"), s)
	t.want(o, otp.Verified)
	return s, o.Now
}

// signIn opens a session and returns it and when it was opened.
func (t *trial) signIn(p person) (otp.SessionRecord, time.Time) {
	t.Helper()
	t.accepted(p.challenge("g", "the code"))
	s := newSession(p.handle)
	o := t.verify(p.guess("g", "the code"), s)
	t.want(o, otp.Verified)
	return s, o.Now
}

func (t *trial) renew(id otp.SessionID, next otp.Tag, old ...otp.Tag) {
	t.Helper()
	s, err := t.store.Renew(t.Context(), id, old, next)
	if err != nil {
		t.Fatalf("renew: %v", err)
	}
	if s.ID != id || s.Refresh != next {
		t.Fatal("renew: the session isn't the one that was renewed")
	}
}

func (t *trial) wantNoSession(id otp.SessionID) {
	t.Helper()
	_, err := t.store.Renew(t.Context(), id, []otp.Tag{tag("refresh")}, tag("next"))
	if !errors.Is(err, otp.ErrNoSession) {
		t.Fatalf("renew: error is %v, want ErrNoSession", err)
	}
}
