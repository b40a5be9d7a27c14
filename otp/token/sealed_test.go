// SPDX-License-Identifier: Apache-2.0

package token

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

func TestSealed(t *testing.T) {
	s := NewSealed(testKeys(t, "first"), "app.example.com", "cookie")
	x, seen := testSession(t), time.UnixMilli(1_790_000_000_123)
	text := s.Seal(x, seen)
	got, gotSeen, current, err := s.Open(text)
	if err != nil || !current || !reflect.DeepEqual(got, x) || !gotSeen.Equal(seen) {
		t.Fatalf("%+v, %v, %v, %v; want %+v", got, gotSeen, current, err, x)
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{"jane", "example", "acme", "nestauth", x.Subject, string(x.ID)} {
		if strings.Contains(string(raw), shown) || strings.Contains(text, shown) {
			t.Errorf("%q is readable", shown)
		}
	}
	if again := s.Seal(x, seen); again == text {
		t.Error("the same session twice looks the same")
	}
}

func TestSealedOfLittle(t *testing.T) {
	s := NewSealed(testKeys(t, "first"), "app.example.com", "cookie")
	for _, x := range []otp.Session{
		{},
		{ID: "00x", Address: otp.RestoreAddress(otp.SMS, "+491701234567")},
		{Scope: strings.Repeat("ü", 1000)},
		{Temporary: true},
		{Enrolled: true},
		{Pending: true},
	} {
		x.Created, x.Expires, x.Since = time.UnixMilli(-1), time.UnixMilli(0), time.UnixMilli(1)
		if got, _, _, err := s.Open(s.Seal(x, time.Time{})); err != nil || !reflect.DeepEqual(got, x) {
			t.Errorf("%+v, %v; want %+v", got, err, x)
		}
	}
}

func TestSealedRefused(t *testing.T) {
	keys := testKeys(t, "first")
	s := NewSealed(keys, "app.example.com", "cookie")
	x := testSession(t)
	text := s.Seal(x, time.Now())
	cases := map[string]string{
		"nothing":        "",
		"noise":          "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"no base64":      strings.Repeat("!", 80),
		"another realm":  NewSealed(keys, "other.example.com", "cookie").Seal(x, time.Now()),
		"another use":    NewSealed(keys, "app.example.com", "bearer").Seal(x, time.Now()),
		"another secret": NewSealed(testKeys(t, "second"), "app.example.com", "cookie").Seal(x, time.Now()),
		"a link":         keys.Sealer("link").SealText([]byte("\x01"), "app.example.com"),
		"an outbox blob": keys.Sealer("outbox").SealText([]byte(`{"id":"1"}`), "app.example.com"),
		"padded":         text + "=",
		"one more":       text + "A",
	}
	for name, plain := range map[string][]byte{
		"empty":            {},
		"another version":  {2},
		"no more":          {1},
		"a torn time":      {1, 0x80},
		"a torn text":      {1, 0, 0, 0, 0, 5, 'a'},
		"a length too far": {1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"something behind": append([]byte{1, 0, 0, 0, 0}, make([]byte, 10)...),
	} {
		cases["sealed well, but "+name] = s.sealer.SealText(plain, s.realm)
	}
	for name, text := range cases {
		if got, seen, current, err := s.Open(text); !errors.Is(err, ErrInvalid) || !reflect.DeepEqual(got, otp.Session{}) || current || !seen.IsZero() {
			t.Errorf("%s: %+v, %v, %v, %v", name, got, seen, current, err)
		}
	}
	for n := range text {
		if _, _, _, err := s.Open(text[:n]); !errors.Is(err, ErrInvalid) {
			t.Errorf("cut to %d characters: %v", n, err)
		}
		other := byte('A')
		if text[n] == other {
			other = 'B'
		}
		if _, _, _, err := s.Open(text[:n] + string(other) + text[n+1:]); !errors.Is(err, ErrInvalid) {
			t.Errorf("character %d changed: %v", n, err)
		}
	}
}

func TestSealedAcrossRotation(t *testing.T) {
	x := testSession(t)
	text := NewSealed(testKeys(t, "old"), "app.example.com", "cookie").Seal(x, time.Now())
	s := NewSealed(testKeys(t, "new", "old"), "app.example.com", "cookie")
	if got, _, current, err := s.Open(text); err != nil || current || !reflect.DeepEqual(got, x) {
		t.Fatalf("%+v, current %v, %v", got, current, err)
	}
	if _, _, _, err := NewSealed(testKeys(t, "new"), "app.example.com", "cookie").Open(text); !errors.Is(err, ErrInvalid) {
		t.Fatalf("once the old secret is gone: %v", err)
	}
}

// FuzzSealedReader reads any plain form, as if an older version had sealed it.
func FuzzSealedReader(f *testing.F) {
	s := NewSealed(testKeys(f, "first"), "app.example.com", "cookie")
	plain, _, err := s.sealer.OpenText(s.Seal(testSession(f), time.UnixMilli(5)), s.realm)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, plain []byte) {
		x, seen, _, err := s.Open(s.sealer.SealText(plain, s.realm))
		if err != nil {
			if !errors.Is(err, ErrInvalid) || !reflect.DeepEqual(x, otp.Session{}) {
				t.Fatalf("%+v, %v", x, err)
			}
			return
		}
		again, seenAgain, _, err := s.Open(s.Seal(x, seen))
		if err != nil || !reflect.DeepEqual(again, x) || !seenAgain.Equal(seen) {
			t.Fatalf("%+v became %+v, %v", x, again, err)
		}
	})
}

func TestRefreshTokens(t *testing.T) {
	id := testSession(t).ID
	secret := strings.Repeat("s", 43)
	gotID, gotSecret, err := ParseRefresh(FormatRefresh(id, secret))
	if err != nil || gotID != id || gotSecret != secret {
		t.Fatalf("%s, %s, %v", gotID, gotSecret, err)
	}
	for _, raw := range []string{
		"", ".", string(id), string(id) + ".", "." + secret, string(id) + "." + secret + "s", string(id) + "." + secret[1:],
		string(id)[1:] + "." + secret, "64" + string(id)[2:] + "." + secret, string(id) + "," + secret, " " + string(id) + "." + secret,
		string(id)[:43] + "\r\n." + secret, "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", strings.Repeat("a", 1<<20),
	} {
		if gotID, gotSecret, err := ParseRefresh(raw); !errors.Is(err, ErrInvalid) || gotID != "" || gotSecret != "" {
			t.Errorf("%.60q is read as %q, %q, %v", raw, gotID, gotSecret, err)
		}
	}
}
