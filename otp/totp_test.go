// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestTOTPVectors are those of RFC 6238 appendix B for SHA-1, whose codes of
// eight digits end in ours of six, and of RFC 4226 appendix D.
func TestTOTPVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for unix, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		if got := totpCode(secret, totpStepAt(time.Unix(unix, 0))); got != want[2:] {
			t.Errorf("at %d: %s, want %s", unix, got, want[2:])
		}
	}
	for counter, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := totpCode(secret, int64(counter)); got != want {
			t.Errorf("counter %d: %s, want %s", counter, got, want)
		}
	}
}

func TestMatchTOTP(t *testing.T) {
	secret := []byte("12345678901234567890")
	now := time.Unix(1_000_000_010, 0)
	present := totpStepAt(now)
	for _, tc := range []struct {
		name       string
		step, last int64
		want       int64
	}{
		{"two steps late", present - 2, 0, 0},
		{"a step late", present - 1, 0, present - 1},
		{"now", present, 0, present},
		{"a step early", present + 1, 0, present + 1},
		{"two steps early", present + 2, 0, 0},
		{"used before", present, present, 0},
		{"older than the one used", present - 1, present, 0},
		{"the one after", present + 1, present, present + 1},
	} {
		if got := matchTOTP(secret, totpCode(secret, tc.step), now, tc.last); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
	for _, code := range []string{"", "1", "0000000", totpCode(secret, present) + " "} {
		if got := matchTOTP(secret, code, now, 0); got != 0 {
			t.Errorf("%q: %d", code, got)
		}
	}
}

func TestParseTOTPSecret(t *testing.T) {
	const typed = "gezd gnbv gy3t qojq gezd gnbv gy3t qojq"
	secret, ok := parseTOTPSecret(typed)
	if !ok || string(secret) != "12345678901234567890" {
		t.Fatalf("%q, %v", secret, ok)
	}
	for _, text := range []string{"", "GEZDGNBV", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", strings.Repeat("A", 104), strings.Repeat(" ", 4096)} {
		if secret, ok := parseTOTPSecret(text); ok {
			t.Errorf("%q is read as %q", text, secret)
		}
	}
}

func TestTOTPURL(t *testing.T) {
	text := totpURL([]byte("12345678901234567890"), "Example & Co", "jane+x@example.com")
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Example & Co:jane+x@example.com" || q.Get("secret") != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" ||
		q.Get("issuer") != "Example & Co" || q.Get("digits") != "6" || q.Get("period") != "30" || q.Get("algorithm") != "SHA1" {
		t.Errorf("%s", text)
	}
}

// FuzzTOTPSecret: what is taken for a secret is of a length that is one, and
// reads the same again.
func FuzzTOTPSecret(f *testing.F) {
	f.Add("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
	f.Add("gezd gnbv gy3t qojq gezd gnbv gy3t qojq====")
	f.Add("\n=")
	f.Fuzz(func(t *testing.T, text string) {
		secret, ok := parseTOTPSecret(text)
		if !ok {
			return
		}
		again, ok := parseTOTPSecret(totpEncoding.EncodeToString(secret))
		if len(secret) < minTOTPSecretBytes || len(secret) > maxTOTPSecretBytes || !ok || string(again) != string(secret) {
			t.Fatalf("%q is read as %x", text, secret)
		}
	})
}
