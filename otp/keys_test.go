// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func TestNewKeys(t *testing.T) {
	long, short := bytes.Repeat([]byte("x"), MinSecretLength), bytes.Repeat([]byte("x"), MinSecretLength-1)
	for _, tc := range []struct {
		name    string
		secrets [][]byte
		ok      bool
	}{
		{"none", nil, false},
		{"empty", [][]byte{{}}, false},
		{"31 bytes", [][]byte{short}, false},
		{"31 bytes behind 32", [][]byte{long, short}, false},
		{"32 bytes", [][]byte{long}, true},
		{"two", [][]byte{long, append(long, 'y')}, true},
	} {
		keys, err := NewKeys(tc.secrets...)
		if (err == nil) != tc.ok || (keys != nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "xx") {
			t.Errorf("%s: the error quotes the secret: %v", tc.name, err)
		}
	}
}

func TestSeal(t *testing.T) {
	keys := testKeys(t, "first")
	sealer := keys.Sealer("cookie")
	sealed := sealer.Seal([]byte("the text"), "realm")
	plain, current, err := sealer.Open(sealed, "realm")
	if err != nil || !current || string(plain) != "the text" {
		t.Fatalf("%q, %v, %v", plain, current, err)
	}
	if bytes.Contains(sealed, []byte("text")) {
		t.Fatal("it is readable")
	}
	if _, _, err := sealer.Open(sealer.Seal(nil, ""), ""); err != nil {
		t.Fatalf("nothing at all: %v", err)
	}

	for name, open := range map[string]func() error{
		"another use":     func() error { return openErr(keys.Sealer("bearer"), sealed, "realm") },
		"another context": func() error { return openErr(sealer, sealed, "other") },
		"no context":      func() error { return openErr(sealer, sealed, "") },
		"another secret":  func() error { return openErr(testKeys(t, "second").Sealer("cookie"), sealed, "realm") },
		"one byte more":   func() error { return openErr(sealer, append(bytes.Clone(sealed), 0), "realm") },
		"nothing":         func() error { return openErr(sealer, nil, "realm") },
	} {
		if err := open(); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range sealed {
		if err := openErr(sealer, sealed[:n], "realm"); !errors.Is(err, ErrSealed) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
		for bit := range 8 {
			flipped := bytes.Clone(sealed)
			flipped[n] ^= 1 << bit
			if err := openErr(sealer, flipped, "realm"); !errors.Is(err, ErrSealed) {
				t.Errorf("bit %d of byte %d flipped: %v", bit, n, err)
			}
		}
	}
}

func openErr(s *Sealer, sealed []byte, context string) error {
	plain, _, err := s.Open(sealed, context)
	if err != nil && plain != nil {
		return errors.New("something came out beside an error")
	}
	return err
}

func TestSealText(t *testing.T) {
	sealer := testKeys(t, "first").Sealer("link")
	text := sealer.SealText([]byte("plain"), "realm")
	plain, current, err := sealer.OpenText(text, "realm")
	if err != nil || !current || string(plain) != "plain" {
		t.Fatalf("%q, %v, %v", plain, current, err)
	}
	if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Fatalf("%q can't stand in an address or a cookie", text)
	}
	last := text[len(text)-1]
	for _, broken := range []string{
		"", "!", text + "=", text + "A", text[1:], text[:len(text)-1], " " + text, text + "\n", text[:9] + "\n" + text[9:],
		text[:len(text)-1] + string(alphabetNeighbour(last)), // the unused bits of the last letter
	} {
		if _, _, err := sealer.OpenText(broken, "realm"); !errors.Is(err, ErrSealed) {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

func alphabetNeighbour(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, c)^1]
}

// TestNonces seals more often than 32 random bits would bear.
func TestNonces(t *testing.T) {
	sealer := testKeys(t, "first").Sealer("cookie")
	seen := make(map[string]bool)
	for range 150_000 {
		sealed := sealer.Seal(nil, "")
		nonce := string(sealed[keyIDLength : keyIDLength+12])
		if seen[nonce] {
			t.Fatal("a nonce came twice")
		}
		seen[nonce] = true
	}
}

func TestRotation(t *testing.T) {
	before := testKeys(t, "old")
	during := testKeys(t, "new", "old")
	after := testKeys(t, "new")
	sealed := before.Sealer("cookie").Seal([]byte("plain"), "realm")
	plain, current, err := during.Sealer("cookie").Open(sealed, "realm")
	if err != nil || current || string(plain) != "plain" {
		t.Fatalf("sealed before: %q, current %v, %v", plain, current, err)
	}
	sealed = during.Sealer("cookie").Seal(plain, "realm")
	if _, current, err := during.Sealer("cookie").Open(sealed, "realm"); err != nil || !current {
		t.Fatalf("sealed anew: current %v, %v", current, err)
	}
	if _, current, err := after.Sealer("cookie").Open(sealed, "realm"); err != nil || !current {
		t.Fatalf("once the old one is gone: current %v, %v", current, err)
	}
	if err := openErr(before.Sealer("cookie"), sealed, "realm"); !errors.Is(err, ErrSealed) {
		t.Fatalf("a node without the new secret: %v", err)
	}
	if before.name("a", "b") != during.name("a", "b") {
		t.Error("a new secret in front changes the names in the store")
	}
	if during.name("a", "b") == after.name("a", "b") {
		t.Error("the last secret doesn't derive the names")
	}
	if tag := before.tag("a", "b"); tag == during.tag("a", "b") || during.candidates("a", "b")[1] != tag {
		t.Error("tags made before aren't recognised")
	}
	if during.candidates("a", "b")[0] != during.tag("a", "b") {
		t.Error("the newest tag isn't the first candidate")
	}
}

// TestMacParts moves bytes over the borders of the parts.
func TestMacParts(t *testing.T) {
	raw := []byte("a key")
	key := newHMACKey(raw)
	seen := make(map[string][]string)
	for _, parts := range [][]string{
		{}, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"ab", ""}, {"", "ab"}, {"a", "", "b"}, {"b", "a"},
		{"a\x00\x00\x00\x01b"}, {strings.Repeat("a", 256)}, {strings.Repeat("a", 255), "a"},
	} {
		sum := key.mac(parts...)
		h := hmac.New(sha256.New, raw)
		for _, part := range parts {
			h.Write([]byte{0, 0, byte(len(part) >> 8), byte(len(part))})
			h.Write([]byte(part))
		}
		if want := base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16]); sum != want {
			t.Errorf("%q: %s, want %s", parts, sum, want)
		}
		if other, twice := seen[sum]; twice {
			t.Errorf("%q and %q are the same", parts, other)
		}
		seen[sum] = parts
	}
	if newHMACKey([]byte("another")).mac("ab") == key.mac("ab") {
		t.Error("the key changes nothing")
	}
}

func FuzzOpenText(f *testing.F) {
	sealer := testKeys(f, randomText(32)).Sealer("cookie")
	genuine := sealer.SealText([]byte("plain"), "realm")
	f.Add(genuine)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, err := sealer.OpenText(text, "realm"); err == nil && text != genuine {
			t.Fatalf("%q opens", text)
		}
	})
}

func TestMACKeys(t *testing.T) {
	before := secretsOf(t, "older").MACKeys("use")
	after := secretsOf(t, "newer", "older").MACKeys("use")
	if len(before) != 1 || len(after) != 2 || !bytes.Equal(after[1].Key, before[0].Key) || after[1].ID != before[0].ID {
		t.Error("what the older secret signed no longer verifies")
	}
	if bytes.Equal(after[0].Key, before[0].Key) || after[0].ID == before[0].ID {
		t.Error("the newer secret doesn't sign")
	}
	if other := secretsOf(t, "older").MACKeys("another use"); bytes.Equal(other[0].Key, before[0].Key) || other[0].ID == before[0].ID {
		t.Error("two uses share a key")
	}
}
