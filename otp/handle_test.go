// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"strings"
	"testing"
)

func TestHandle(t *testing.T) {
	s := newHouse(t, nil)
	victim := email(t, "vic@gmail.com")
	for _, same := range []string{"VIC@gmail.com", "v.i.c@googlemail.com", "vic+1@gmail.com", "v.ic+500@gmail.com"} {
		a := email(t, same)
		if s.handle(a) != s.handle(victim) {
			t.Errorf("%s has a handle of its own", same)
		}
		if a.String() == victim.String() {
			continue
		}
		if Subject("r", a) == Subject("r", victim) || SubjectHex("r", a) == SubjectHex("r", victim) || s.account(s.handle(a), a) == s.account(s.handle(a), victim) {
			t.Errorf("%s is taken for %s", same, victim)
		}
	}
	other := newHouse(t, func(c *Config) { c.Realm = "other.example.com" })
	rekeyed := newHouse(t, func(c *Config) { c.Keys = testKeys(t, "second") })
	for name, handle := range map[string]Handle{
		"another address": s.handle(email(t, "joe@gmail.com")),
		"another realm":   other.handle(victim),
		"another secret":  rekeyed.handle(victim),
	} {
		if handle == s.handle(victim) {
			t.Errorf("%s has the same handle", name)
		}
	}
}

func TestHandleSurvivesRotation(t *testing.T) {
	before := newHouse(t, nil)
	during := newHouse(t, func(c *Config) { c.Keys = testKeys(t, "second", "first") })
	a := email(t, "jane@example.com")
	if before.handle(a) != during.handle(a) || before.account("00", a) != during.account("00", a) ||
		before.group("portal", "", a, Login) != during.group("portal", "", a, Login) {
		t.Fatal("a new secret in front changes the names in the store")
	}
}

func TestNamesTellNothing(t *testing.T) {
	s := newHouse(t, nil)
	a := email(t, "jane@example.com")
	h := s.handle(a)
	id := s.newSessionID(h)
	for name, text := range map[string]string{
		"handle": string(h), "account": s.account(h, a), "session": string(id), "group": s.group("portal", "web", a, Login),
		"record": s.Record("signing key").key, "subject": Subject("realm", a), "hex subject": SubjectHex("realm", a),
	} {
		if text == "" || strings.Contains(text, "jane") || strings.Contains(text, "example") {
			t.Errorf("%s is %q", name, text)
		}
		for _, c := range text {
			if c <= ' ' || c > '~' {
				t.Errorf("%s is %q", name, text)
			}
		}
	}
	if s.account(h, a)[:2] != h.Shard() || id.Shard() != h.Shard() {
		t.Error("account and session aren't in the handle's shard")
	}
}

func TestShards(t *testing.T) {
	seen := make(map[string]bool)
	for range 2000 {
		key := randomText(8)
		shard := ShardOf(key)
		if len(shard) != 2 || !isDigits(shard) || shard >= "64" || shard != ShardOf(key) {
			t.Fatalf("shard of %q is %q", key, shard)
		}
		seen[shard] = true
	}
	if len(seen) != Shards {
		t.Errorf("2000 keys are in %d shards", len(seen))
	}
}

func TestSessionIDValid(t *testing.T) {
	s := newHouse(t, nil)
	genuine := s.newSessionID("63x")
	if !genuine.Valid() {
		t.Fatalf("%q isn't valid", genuine)
	}
	random := string(genuine[2:])
	for _, id := range []string{
		"", "63", string(genuine[:44]), string(genuine) + "A", "64" + random, "99" + random, "6a" + random, "-1" + random, " 1" + random,
		"63" + random[:42] + "=", "63" + random[:42] + " ", "63" + random[:41] + "\r\n", "63" + random[:42] + "}", "63" + random[:41] + "ü",
	} {
		if SessionID(id).Valid() {
			t.Errorf("%q is valid", id)
		}
	}
}

// TestSubjectIsForEver pins what apps keep beside their users.
func TestSubjectIsForEver(t *testing.T) {
	for _, tc := range []struct{ realm, typed, subject, hex string }{
		{"app.example.com", "Jane@Example.com", "UoO8yxKS2PlEuCRd24gRLQ", "5283bccb1292d8f944b8245d"},
		{"app.example.com", "+491701234567", "7UwDvy2eBQmp2lgZeiQVOg", "ed4c03bf2d9e0509a9da5819"},
	} {
		a := anyAddress(t, tc.typed)
		if got := Subject(tc.realm, a); got != tc.subject {
			t.Errorf("subject of %s is %s, want %s", a, got, tc.subject)
		}
		if got := SubjectHex(tc.realm, a); got != tc.hex {
			t.Errorf("hex subject of %s is %s, want %s", a, got, tc.hex)
		}
		if Subject("other", a) == tc.subject {
			t.Errorf("%s is the same in another realm", a)
		}
	}
}

// TestTag changes all that a secret is bound to, one by one.
func TestTag(t *testing.T) {
	s := newHouse(t, nil)
	other := newHouse(t, func(c *Config) { c.Realm = "other.example.com" })
	rekeyed := newHouse(t, func(c *Config) { c.Keys = testKeys(t, "second") })
	jane := email(t, "jane@example.com")
	tag := func(h *house, kind, dialect, client string, a Address, p Purpose, secret string) Tag {
		return h.keys.tag(h.tagParts(kind, dialect, client, a, p, nil, secret)...)
	}
	of := func(code string) Tag { return tag(s, codeTag, "nestauth", "web", jane, Login, code) }
	genuine := of("000123")
	if of("000123") != genuine {
		t.Fatal("the same is another tag")
	}
	for name, other := range map[string]Tag{
		"kind":              tag(s, linkTag, "nestauth", "web", jane, Login, "000123"),
		"realm":             tag(other, codeTag, "nestauth", "web", jane, Login, "000123"),
		"dialect":           tag(s, codeTag, "autional", "web", jane, Login, "000123"),
		"client":            tag(s, codeTag, "nestauth", "app", jane, Login, "000123"),
		"no client":         tag(s, codeTag, "nestauth", "", jane, Login, "000123"),
		"address":           tag(s, codeTag, "nestauth", "web", email(t, "joe@example.com"), Login, "000123"),
		"alias":             tag(s, codeTag, "nestauth", "web", email(t, "jane+1@example.com"), Login, "000123"),
		"channel":           tag(s, codeTag, "nestauth", "web", RestoreAddress(SMS, "jane@example.com"), Login, "000123"),
		"purpose":           tag(s, codeTag, "nestauth", "web", jane, Purpose("mfa"), "000123"),
		"code":              of("000124"),
		"lost zeros":        of("123"),
		"secret of the tag": tag(rekeyed, codeTag, "nestauth", "web", jane, Login, "000123"),
		"moved border":      tag(s, codeTag, "nestauthw", "eb", jane, Login, "000123"),
	} {
		if other == genuine {
			t.Errorf("%s isn't bound", name)
		}
	}
	if strings.Contains(string(genuine), "000123") || len(genuine) != 22 {
		t.Errorf("tag %q", genuine)
	}
}
