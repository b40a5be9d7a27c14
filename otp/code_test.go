// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"encoding/base64"
	"testing"
	"time"
)

// TestCodeDigits takes the χ² of each place's digits. The bound is passed by a
// fair source once in 10 million places; a digit of 26/256 in place of 1/10,
// as a byte modulo ten gives, is far above it.
func TestCodeDigits(t *testing.T) {
	const (
		codes  = 200_000
		length = 6
		bound  = 50.0 // p = 1.1e-7 with 9 degrees of freedom
	)
	var counts [length][10]int
	for range codes {
		code := newCode(length)
		if len(code) != length || !IsCode(code) {
			t.Fatalf("code %q", code)
		}
		for place := range length {
			counts[place][code[place]-'0']++
		}
	}
	for place, digits := range counts {
		const expected = codes / 10.0
		var chi2 float64
		for _, n := range digits {
			d := float64(n) - expected
			chi2 += d * d / expected
		}
		if chi2 > bound {
			t.Errorf("place %d: χ² is %.1f: %v", place+1, chi2, digits)
		}
	}
}

func TestCodeLength(t *testing.T) {
	for length := MinCodeLength; length <= MaxCodeLength; length++ {
		if code := newCode(length); len(code) != length || !IsCode(code) {
			t.Errorf("code of %d digits: %q", length, code)
		}
	}
}

func TestIsCode(t *testing.T) {
	for text, want := range map[string]bool{
		"000123": true, "123456": true, "123456789012": true,
		"": false, "123": false, "12345": false, "1234567890123": false,
		" 123456": false, "123456 ": false, "12345a": false, "+12345": false, "-12345": false,
		"１２３４５６": false, "١٢٣٤٥٦": false, "123456\x00": false, "0x1234": false,
	} {
		if IsCode(text) != want {
			t.Errorf("IsCode(%q) is %v", text, !want)
		}
	}
}

func TestRandomText(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		text := randomText(32)
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(b) != 32 || seen[text] {
			t.Fatalf("%q: %v", text, err)
		}
		seen[text] = true
	}
}

func TestLifetimeOn(t *testing.T) {
	p := CodePolicy{Lifetime: 10 * time.Minute, SMSLifetime: 5 * time.Minute}
	if p.LifetimeOn(Email) != 10*time.Minute || p.LifetimeOn(SMS) != 5*time.Minute {
		t.Fatal(p.LifetimeOn(Email), p.LifetimeOn(SMS))
	}
}
