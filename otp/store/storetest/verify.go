// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

var verifyPromises = []promise{
	{"the right code opens the session", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		s := newSession(alice.handle)
		o := t.verify(alice.guess("g", "the code"), s)
		t.want(o, otp.Verified)
		t.wantSession(o.Session, s, o.Now)
	}},
	{"a wrong code is Wrong and opens nothing", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		s := newSession(alice.handle)
		t.want(t.verify(alice.guess("g", "wrong"), s), otp.Wrong)
		t.wantNoSession(s.ID)
	}},
	{"no tag at all is counted and Wrong", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		g := alice.guess("g", "")
		g.Tags = nil
		for range attempts - 1 {
			t.want(t.guess(g), otp.Wrong)
		}
		t.want(t.guess(g), otp.Exhausted)
		t.want(t.guess(alice.guess("g", "the code")), otp.Exhausted)
	}},
	{"an empty tag is equal to none", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("codes", "the code"), alice.linked("links", "the link"))
		g := alice.guess("links", "")
		g.Tags = []otp.Tag{""}
		t.want(t.guess(g), otp.Wrong)
		g = alice.open("codes", "")
		g.Tags = []otp.Tag{""}
		t.want(t.guess(g), otp.Wrong)
		t.advance(lifetime + margin)
		t.want(t.guess(g), otp.Wrong)
	}},
	{"the last guess that a code has may be right", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		t.fail(alice, "g", attempts-1)
		t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
	}},
	{"the guess that kills and those after it are Exhausted", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		for range attempts - 1 {
			t.want(t.guess(alice.guess("g", "wrong")), otp.Wrong)
		}
		t.want(t.guess(alice.guess("g", "wrong")), otp.Exhausted)
		t.want(t.guess(alice.guess("g", "the code")), otp.Exhausted)
	}},
	{"Exhausted is told of the newest of the guess's group", func(t *trial) {
		alice := newPerson("alice")
		first, second := keeping(3, alice.challenge("g", "1")), keeping(3, alice.challenge("g", "2"))
		first.Attempts, second.Attempts = 2, 3
		t.accepted(first, second)
		t.want(t.guess(alice.guess("g", "wrong")), otp.Wrong)
		t.want(t.guess(alice.guess("g", "wrong")), otp.Wrong) // kills the first
		t.want(t.guess(alice.guess("g", "1")), otp.Exhausted) // kills the second
		t.want(t.guess(alice.guess("other", "wrong")), otp.Wrong)
	}},
	{"Expired is told of an older one too", func(t *trial) {
		alice := newPerson("alice")
		first, second := keeping(3, alice.challenge("g", "1")), keeping(3, alice.challenge("g", "2"))
		first.Lifetime = time.Minute
		t.accepted(first, second)
		t.advance(time.Minute + margin)
		t.want(t.guess(alice.guess("g", "1")), otp.Expired)
		t.fail(alice, "g", attempts-1)
		t.want(t.guess(alice.guess("g", "1")), otp.Expired)
		t.want(t.guess(alice.guess("g", "wrong")), otp.Exhausted)
	}},
	{"an expired code is Expired, a wrong one then is Wrong", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		t.advance(lifetime - margin)
		t.want(t.guess(alice.guess("g", "wrong")), otp.Wrong)
		t.advance(2 * margin)
		t.want(t.guess(alice.guess("g", "the code")), otp.Expired)
		t.want(t.guess(alice.guess("g", "wrong")), otp.Wrong)
	}},
	{"a used code is Wrong, also once it has expired", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
		t.want(t.guess(alice.guess("g", "the code")), otp.Wrong)
		t.advance(lifetime + margin)
		t.want(t.guess(alice.guess("g", "the code")), otp.Wrong)
	}},
	{"an expired code presented beside a live one counts", func(t *trial) {
		alice := newPerson("alice")
		old := alice.challenge("a", "old")
		old.Lifetime = time.Minute
		t.accepted(old, alice.challenge("b", "new"))
		t.advance(time.Minute + margin)
		for range attempts {
			t.want(t.guess(alice.guess("a", "old")), otp.Expired)
		}
		t.want(t.guess(alice.guess("b", "new")), otp.Exhausted)
	}},
	{"a guess counts on every live challenge by its own Attempts", func(t *trial) {
		alice := newPerson("alice")
		a, b := alice.challenge("a", "a"), alice.challenge("b", "b")
		a.Attempts, b.Attempts = 3, 6
		t.accepted(a, b)
		t.fail(alice, "a", 2)
		t.want(t.guess(alice.guess("b", "wrong")), otp.Wrong)
		t.want(t.guess(alice.guess("a", "a")), otp.Exhausted)
		t.want(t.guess(alice.guess("b", "b")), otp.Verified)
	}},
	{"a match takes its attempt back from the others", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("a", "a"), alice.challenge("b", "b"))
		t.fail(alice, "a", attempts-1)
		t.want(t.guess(alice.guess("a", "a")), otp.Verified)
		t.want(t.guess(alice.guess("b", "b")), otp.Verified)
	}},
	{"a match leaves the attempts before it", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("a", "a"), alice.challenge("b", "b"))
		t.fail(alice, "a", attempts-1)
		t.want(t.guess(alice.guess("a", "a")), otp.Verified)
		t.want(t.guess(alice.guess("b", "wrong")), otp.Exhausted)
		t.want(t.guess(alice.guess("b", "b")), otp.Exhausted)
	}},
	{"any of several tags may match", func(t *trial) {
		for i, tags := range [][]otp.Tag{
			{tag("kept"), tag("x"), tag("y")},
			{tag("x"), tag("kept"), tag("y")},
			{tag("x"), tag("y"), tag("kept")},
		} {
			alice := newPerson("alice" + string(rune('0'+i)))
			t.accepted(alice.challenge("g", "kept"))
			g := alice.guess("g", "")
			g.Tags = tags
			t.want(t.guess(g), otp.Verified)
		}
	}},
	{"nobody spoils a link by guessing codes", func(t *trial) {
		alice := newPerson("alice")
		both := alice.challenge("g", "the code")
		both.Link = tag("the link")
		t.accepted(both)
		t.fail(alice, "g", attempts)
		t.want(t.guess(alice.guess("g", "the code")), otp.Exhausted)
		t.want(t.guess(alice.open("g", "the link")), otp.Verified)
		t.want(t.guess(alice.open("g", "the link")), otp.Wrong)
	}},
	{"guesses at codes count nothing where there are only links", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.linked("g", "the link"))
		for range otp.CoolDownFailures + attempts {
			t.want(t.guess(alice.guess("g", "wrong")), otp.Wrong)
		}
		t.accepted(alice.challenge("codes", "the code"))
		t.want(t.guess(alice.guess("codes", "the code")), otp.Verified)
		t.want(t.guess(alice.open("g", "the link")), otp.Verified)
	}},
	{"guesses at links count nothing where there are only codes", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		for range otp.CoolDownFailures + attempts {
			t.want(t.guess(alice.open("g", "wrong")), otp.Wrong)
		}
		t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
	}},
	{"a wrong link counts on the codes", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("codes", "the code"), alice.linked("links", "the link"))
		for range attempts {
			t.want(t.guess(alice.open("links", "wrong")), otp.Wrong)
		}
		t.want(t.guess(alice.guess("codes", "the code")), otp.Exhausted)
		t.want(t.guess(alice.open("links", "the link")), otp.Verified)
	}},
	{"a code isn't a link, nor a link a code", func(t *trial) {
		alice := newPerson("alice")
		both := alice.challenge("g", "the code")
		both.Link = tag("the link")
		t.accepted(both)
		t.want(t.guess(alice.open("g", "the code")), otp.Wrong)
		t.want(t.guess(alice.guess("g", "the link")), otp.Wrong)
		t.want(t.guess(alice.open("g", "the link")), otp.Verified)
		t.want(t.guess(alice.guess("g", "the code")), otp.Wrong)
	}},
	{"a code isn't a link once it has expired either", func(t *trial) {
		alice := newPerson("alice")
		both := alice.challenge("g", "the code")
		both.Link = tag("the link")
		t.accepted(both)
		t.advance(lifetime + margin)
		t.want(t.guess(alice.open("g", "the code")), otp.Wrong)
		t.want(t.guess(alice.guess("g", "the link")), otp.Wrong)
		t.want(t.guess(alice.open("g", "the link")), otp.Expired)
		t.want(t.guess(alice.guess("g", "the code")), otp.Expired)
	}},
	{"the code of a used link is used", func(t *trial) {
		alice := newPerson("alice")
		both := alice.challenge("g", "the code")
		both.Link = tag("the link")
		t.accepted(both)
		t.want(t.guess(alice.guess("g", "the code")), otp.Verified)
		t.want(t.guess(alice.open("g", "the link")), otp.Wrong)
	}},
	{"another handle's code is Wrong", func(t *trial) {
		alice, bob := newPerson("alice"), newPerson("bob")
		t.accepted(alice.challenge("g", "alice's"), bob.challenge("g", "bob's"))
		t.want(t.guess(alice.guess("g", "bob's")), otp.Wrong)
		t.want(t.guess(bob.guess("g", "bob's")), otp.Verified)
	}},
	{"the browser that used a code may repeat it, and gets the same session", checkRepeat},
	{"no other browser may repeat", func(t *trial) {
		for _, test := range []struct{ used, repeated string }{
			{"browser", "other"}, {"browser", ""}, {"", "browser"}, {"", ""},
		} {
			alice := newPerson("alice" + test.used + "/" + test.repeated)
			t.accepted(alice.challenge("g", "the code"))
			g := alice.guess("g", "the code")
			g.Browser = test.used
			t.want(t.guess(g), otp.Verified)
			g.Browser = test.repeated
			t.want(t.guess(g), otp.Wrong)
		}
	}},
	{"a repetition needs the same kind of secret", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		g := alice.guess("g", "the code")
		g.Browser = "browser"
		t.want(t.guess(g), otp.Verified)
		g.Link = true
		t.want(t.guess(g), otp.Wrong)
	}},
	{"nothing is repeated after the window", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		g := alice.guess("g", "the code")
		g.Browser = "browser"
		t.want(t.guess(g), otp.Verified)
		t.advance(otp.RepeatWindow + time.Second)
		t.want(t.guess(g), otp.Wrong)
	}},
	{"a session that has ended isn't repeated", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		g := alice.guess("g", "the code")
		g.Browser = "browser"
		o := t.guess(g)
		t.want(o, otp.Verified)
		t.revoke(otp.Revocation{Session: o.Session.ID, Lifetime: time.Hour})
		t.want(t.guess(g), otp.Wrong)
	}},
	{"Known refuses an account that never verified, and counts", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		known := alice.guess("g", "the code")
		known.Known = true
		s := newSession(alice.handle)
		t.want(t.verify(known, s), otp.Wrong)
		t.wantNoSession(s.ID)
		t.fail(alice, "g", attempts-2)
		t.want(t.guess(known), otp.Exhausted)
		t.want(t.guess(alice.guess("g", "the code")), otp.Exhausted)
	}},
	{"Known uses nothing up, and passes who has verified", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "1"))
		known := alice.guess("g", "1")
		known.Known = true
		t.want(t.guess(known), otp.Wrong)
		t.want(t.guess(alice.guess("g", "1")), otp.Verified)
		t.accepted(alice.challenge("g", "2"))
		known.Tags = []otp.Tag{tag("2")}
		t.want(t.guess(known), otp.Verified)
	}},
	{"an account is new once, and since then for ever", func(t *trial) {
		alice := newPerson("alice")
		signIn := func(account string) otp.Outcome {
			t.Helper()
			t.accepted(alice.challenge("g", "the code"))
			g := alice.guess("g", "the code")
			g.Account = account
			o := t.guess(g)
			t.want(o, otp.Verified)
			return o
		}
		first := signIn(alice.account)
		if !first.New {
			t.Fatal("the first verification isn't New")
		}
		t.wantEqual("Since", first.Session.Since, first.Now)
		t.advance(400 * 24 * time.Hour)
		again := signIn(alice.account)
		if again.New {
			t.Fatal("the second verification is New")
		}
		t.wantEqual("Since", again.Session.Since, first.Now)
		t.wantEqual("Created", again.Session.Created, again.Now)
		other := signIn(alice.handle.Shard() + digest("account", "alice's other address"))
		if !other.New {
			t.Fatal("another account of the handle isn't New")
		}
	}},
}

func checkRepeat(t *trial) {
	alice, bob := newPerson("alice"), newPerson("bob")
	t.accepted(alice.challenge("g", "the code"), bob.challenge("g", "the code"))
	g := alice.guess("g", "the code")
	g.Browser = "browser"
	kept := newSession(alice.handle)
	first := t.verify(g, kept)
	t.want(first, otp.Verified)

	unused := newSession(alice.handle)
	o := t.verify(g, unused)
	t.want(o, otp.Repeated)
	t.wantSession(o.Session, kept, first.Now)
	t.wantEqual("Since", o.Session.Since, first.Now)
	if !o.New {
		t.Fatal("the repetition of a first verification isn't New")
	}
	t.wantNoSession(unused.ID)

	// Repeating counts nothing, neither on the handle nor on live codes.
	t.accepted(alice.challenge("other", "another code"))
	for range otp.CoolDownFailures + 1 {
		t.want(t.guess(g), otp.Repeated)
	}
	t.want(t.guess(alice.guess("other", "another code")), otp.Verified)

	// The same browser's name means nothing to somebody else's code.
	g = bob.guess("g", "the code")
	g.Browser = "browser"
	t.want(t.guess(g), otp.Verified)
}

// wantSession checks a session that the store kept at now.
func (t *trial) wantSession(got, want otp.SessionRecord, now time.Time) {
	t.Helper()
	if got.ID != want.ID || !bytes.Equal(got.Sealed, want.Sealed) || got.Refresh != want.Refresh {
		t.Fatal("the session isn't the one that was kept")
	}
	if got.Lifetime != want.Lifetime {
		t.Fatalf("the session's lifetime is %v, want %v", got.Lifetime, want.Lifetime)
	}
	t.wantEqual("Created", got.Created, now)
}
