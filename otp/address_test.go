// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"strings"
	"testing"
	"unicode"
)

func TestParseEmail(t *testing.T) {
	for _, tc := range []struct {
		typed, canonical, delivery string
		err                        error
	}{
		{typed: "jane@example.com", canonical: "jane@example.com", delivery: "jane@example.com"},
		{typed: " \tJane.Doe@Example.COM\r\n", canonical: "jane.doe@example.com", delivery: "Jane.Doe@Example.COM"},
		{typed: "jane+news@example.com", canonical: "jane+news@example.com", delivery: "jane+news@example.com"},
		{typed: "!#$%&'*+-/=?^_`{|}~@example.com", canonical: "!#$%&'*+-/=?^_`{|}~@example.com", delivery: "!#$%&'*+-/=?^_`{|}~@example.com"},
		{typed: "a@b.co", canonical: "a@b.co", delivery: "a@b.co"},
		{typed: "jane@sub.example.co.uk", canonical: "jane@sub.example.co.uk", delivery: "jane@sub.example.co.uk"},

		{typed: "Jane@Bücher.example", canonical: "jane@xn--bcher-kva.example", delivery: "Jane@xn--bcher-kva.example"},
		{typed: "jane@XN--bcher-KVA.example", canonical: "jane@xn--bcher-kva.example", delivery: "jane@XN--bcher-KVA.example"},
		{typed: "jane@例え。jp", canonical: "jane@xn--r8jz45g.jp", delivery: "jane@xn--r8jz45g.jp"},
		{typed: "jane@faß.de", canonical: "jane@xn--fa-hia.de", delivery: "jane@xn--fa-hia.de"},
		{typed: "jane@ｅｘａｍｐｌｅ.com", canonical: "jane@example.com", delivery: "jane@example.com"},
		{typed: "jane@exаmple.com", canonical: "jane@xn--exmple-4nf.com", delivery: "jane@xn--exmple-4nf.com"}, // a Cyrillic а

		{typed: "", err: ErrAddressFormat},
		{typed: "jane", err: ErrAddressFormat},
		{typed: "@example.com", err: ErrAddressFormat},
		{typed: "jane@", err: ErrAddressFormat},
		{typed: "jane@localhost", err: ErrAddressFormat},
		{typed: "jane@example.com.", err: ErrAddressFormat},
		{typed: "jane@.example.com", err: ErrAddressFormat},
		{typed: "jane@example..com", err: ErrAddressFormat},
		{typed: "jane@exam_ple.com", err: ErrAddressFormat},
		{typed: "jane@-example.com", err: ErrAddressFormat},
		{typed: "jane@example.123", err: ErrAddressFormat},
		{typed: "jane@127.0.0.1", err: ErrAddressFormat},
		{typed: "jane@[127.0.0.1]", err: ErrAddressFormat},
		{typed: "jane@[IPv6:::1]", err: ErrAddressFormat},
		{typed: "jane@xn--a.example", err: ErrAddressFormat}, // no valid A-label
		{typed: "jane@a@example.com", err: ErrAddressFormat},
		{typed: ".jane@example.com", err: ErrAddressFormat},
		{typed: "jane.@example.com", err: ErrAddressFormat},
		{typed: "ja..ne@example.com", err: ErrAddressFormat},
		{typed: "ja ne@example.com", err: ErrAddressFormat},
		{typed: `"jane doe"@example.com`, err: ErrAddressFormat},
		{typed: `"a> SIZE=9 <b"@example.com`, err: ErrAddressFormat},
		{typed: "jane(work)@example.com", err: ErrAddressFormat},
		{typed: "jane@example.com(work)", err: ErrAddressFormat},
		{typed: "Jane <jane@example.com>", err: ErrAddressFormat},
		{typed: "jane@example.com, joe@example.com", err: ErrAddressFormat},
		{typed: "jane@example.com\r\nBcc: joe@example.com", err: ErrAddressFormat},
		{typed: "jane@example.com\nBcc:joe@example.com", err: ErrAddressFormat},
		{typed: "ja\r\nne@example.com", err: ErrAddressFormat},
		{typed: "jane\x00@example.com", err: ErrAddressFormat},
		{typed: "jane@exam\x00ple.com", err: ErrAddressFormat},
		{typed: "jane%0d%0a@example.com\x7f", err: ErrAddressFormat},

		{typed: "mıke@example.com", err: ErrAddressFormat},        // dotless i
		{typed: "mi\u212Ae@example.com", err: ErrAddressFormat},   // the Kelvin sign
		{typed: "\u0130@example.com", err: ErrAddressFormat},      // İ
		{typed: "ａ@example.com", err: ErrAddressFormat},           // fullwidth
		{typed: "je\u017Fsie@example.com", err: ErrAddressFormat}, // the long s
		{typed: "\uFB01nn@example.com", err: ErrAddressFormat},    // the ligature fi
		{typed: "jane\u200b@example.com", err: ErrAddressFormat},
		{typed: "jane\uFF20example.com", err: ErrAddressFormat}, // fullwidth @
		{typed: "jane@example\xff.com", err: ErrAddressFormat},

		{typed: strings.Repeat("a", 300) + "@example.com", err: ErrAddressTooLong},
		{typed: strings.Repeat("a", 300), err: ErrAddressTooLong},
		{typed: strings.Repeat("a", 65) + "@example.com", err: ErrAddressTooLong},
		{typed: "jane@" + strings.Repeat("a", 64) + ".com", err: ErrAddressFormat},
		{typed: "jane@" + strings.Repeat("üä", 30) + ".com", err: ErrAddressFormat}, // of 63 octets as it is, and more as an A-label
	} {
		a, err := ParseEmail(tc.typed)
		if !errors.Is(err, tc.err) {
			t.Errorf("ParseEmail(%q): error %v, want %v", tc.typed, err, tc.err)
			continue
		}
		if a.String() != tc.canonical || a.Delivery() != tc.delivery {
			t.Errorf("ParseEmail(%q) = %q delivered to %q, want %q to %q", tc.typed, a, a.Delivery(), tc.canonical, tc.delivery)
		}
		if (err == nil) == a.IsZero() {
			t.Errorf("ParseEmail(%q): IsZero is %v with error %v", tc.typed, a.IsZero(), err)
		}
	}
}

func TestEmailOfGreatestLength(t *testing.T) {
	local := strings.Repeat("a", 64)
	domain := strings.Repeat(strings.Repeat("b", 62)+".", 3)[:254-64-1-4] + ".com"
	a, err := ParseEmail(local + "@" + domain)
	if err != nil || len(a.String()) != 254 {
		t.Fatalf("254 octets: %d, %v", len(a.String()), err)
	}
	if _, err := ParseEmail(local + "@b" + domain); !errors.Is(err, ErrAddressTooLong) {
		t.Fatalf("255 octets: %v", err)
	}
}

func TestParsePhone(t *testing.T) {
	for _, tc := range []struct {
		typed, country, canonical string
		err                       error
	}{
		{typed: "+49 30 901820", canonical: "+4930901820"},
		{typed: " +49 (30) 90-18.20/\t", canonical: "+4930901820"},
		{typed: "+49\u00a0170\u00a01234567", canonical: "+491701234567"},
		{typed: "+8613800138000", canonical: "+8613800138000"},
		{typed: "+39 06 6982", canonical: "+39066982"}, // Italy keeps its zero
		{typed: "0170 1234567", country: "DE", canonical: "+491701234567"},
		{typed: "13800138000", country: "CN", canonical: "+8613800138000"},
		{typed: "(212) 555-2368", country: "US", canonical: "+12125552368"},
		{typed: "+49 170 1234567", country: "US", canonical: "+491701234567"},

		{typed: "", err: ErrAddressFormat},
		{typed: "", country: "DE", err: ErrAddressFormat},
		{typed: "+", err: ErrAddressFormat},
		{typed: "0170 1234567", err: ErrAddressFormat},
		{typed: "0170 1234567", country: "XX", err: ErrAddressFormat},
		{typed: "+49", err: ErrAddressFormat},
		{typed: "+999123456789", err: ErrAddressFormat},
		{typed: "+49 20100000000000", err: ErrAddressFormat}, // over 15 digits
		{typed: "+1 212 555 2368 ext. 5", err: ErrAddressFormat},
		{typed: "+1 212 555 2368x5", err: ErrAddressFormat},
		{typed: "+1 212 555 2368;ext=5", err: ErrAddressFormat},
		{typed: "+1 212 555 2368 #5", err: ErrAddressFormat},
		{typed: "tel:+12125552368", err: ErrAddressFormat},
		{typed: "+1 800 FLOWERS", err: ErrAddressFormat},
		{typed: "+49 170 1234567\r\nX", err: ErrAddressFormat},
		{typed: "+４９ 170 1234567", err: ErrAddressFormat}, // fullwidth digits
		{typed: "+٤٩ 170 1234567", err: ErrAddressFormat}, // Arabic digits
		{typed: "jane@example.com", err: ErrAddressFormat},
		{typed: strings.Repeat("1", 300), err: ErrAddressTooLong},
	} {
		a, err := ParsePhone(tc.typed, tc.country)
		if !errors.Is(err, tc.err) || a.String() != tc.canonical || a.Delivery() != tc.canonical {
			t.Errorf("ParsePhone(%q, %q) = %q delivered to %q, %v; want %q, %v", tc.typed, tc.country, a, a.Delivery(), err, tc.canonical, tc.err)
		}
	}
}

func TestParseAddressByChannel(t *testing.T) {
	for _, tc := range []struct {
		channel Channel
		typed   string
		ok      bool
	}{
		{Email, "jane@example.com", true},
		{SMS, "jane@example.com", false},
		{SMS, "01701234567", true},
		{Email, "+491701234567", false},
	} {
		a, err := ParseAddress(tc.channel, tc.typed, "DE")
		if (err == nil) != tc.ok || tc.ok && a.Channel() != tc.channel {
			t.Errorf("ParseAddress(%s, %q) = %v on %q, %v", tc.channel, tc.typed, a, a.Channel(), err)
		}
	}
}

func TestThrottleForm(t *testing.T) {
	for _, tc := range []struct{ typed, form string }{
		{"v+1@gmail.com", "v@gmail.com"},
		{"v+500@gmail.com", "v@gmail.com"},
		{"V.I.C@googlemail.com", "vic@gmail.com"},
		{"v.i.c+x+y@GMail.com", "vic@gmail.com"},
		{"v.i.c+x@example.com", "v.i.c@example.com"},
		{"+x@example.com", "+x@example.com"},
		{"v@gmail.com.example.com", "v@gmail.com.example.com"},
	} {
		a := email(t, tc.typed)
		if got := a.throttleForm(); got != tc.form {
			t.Errorf("throttle form of %s is %s, want %s", tc.typed, got, tc.form)
		}
		if tc.typed != tc.form && a.String() == tc.form {
			t.Errorf("%s has lost its identity", tc.typed)
		}
	}
	if a := phone(t, "+491701234567"); a.throttleForm() != a.String() {
		t.Errorf("throttle form of %s is %s", a, a.throttleForm())
	}
}

func TestMasked(t *testing.T) {
	for _, tc := range []struct {
		address Address
		masked  string
	}{
		{email(t, "Jane.Doe@Example.com"), "j***@example.com"},
		{email(t, "j@example.com"), "j***@example.com"},
		{phone(t, "+8613800138000"), "138****8000"},
		{phone(t, "+491701234567"), "170****4567"},
		{email(t, "jane+secret@mail.example.co.uk"), "j***@mail.example.co.uk"},
		{email(t, "jane@exämple.com"), "j***@xn--exmple-cua.com"},
		{phone(t, "+12025550143"), "202****0143"},
		{phone(t, "+4741234567"), "41****567"},
		{RestoreAddress(SMS, "+2902311"), "****1"},
		{RestoreAddress(SMS, "+29023"), "****"},
		{Address{}, ""},
	} {
		if got := tc.address.Masked(); got != tc.masked {
			t.Errorf("%s is masked as %q, want %q", tc.address, got, tc.masked)
		}
	}
}

func TestCountry(t *testing.T) {
	for _, tc := range []struct {
		address Address
		country string
	}{
		{phone(t, "+491701234567"), "DE"},
		{phone(t, "+12125552368"), "US"},
		{phone(t, "+16135550123"), "CA"},
		{phone(t, "+80012345678"), ""}, // of no country
		{email(t, "jane@example.com"), ""},
		{Address{}, ""},
	} {
		if got := tc.address.Country(); got != tc.country {
			t.Errorf("country of %s is %q, want %q", tc.address, got, tc.country)
		}
	}
	for code, want := range map[string]bool{"DE": true, "US": true, "XX": false, "": false, "001": false, "de": false} {
		if IsCountry(code) != want {
			t.Errorf("IsCountry(%q) is %v", code, !want)
		}
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{
		"jane@example.com", "Jane+x@Bücher.example", "jane@例え。jp", "a@xn--bcher-kva.example", "mi\u212Ae@x.com",
		"a@b.c\r\nBcc: d@e.f", `"a b"@c.de`, "a@[1.2.3.4]", "a@\u2488com.de", "a@\u00ad.de", "a@b。com", "a@faß.de",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		a, err := ParseEmail(typed)
		if err != nil {
			if !a.IsZero() {
				t.Fatalf("%q: an address with %v", typed, err)
			}
			return
		}
		wantPlain(t, a)
		for _, again := range []string{a.String(), a.Delivery()} {
			b, err := ParseEmail(again)
			if err != nil || b.String() != a.String() {
				t.Fatalf("%q: %q is read as %q, %v; want %q", typed, again, b, err, a)
			}
		}
		if pattern, err := ParsePattern(a.String()); err == nil && !pattern.Matches(a, nil) {
			t.Fatalf("%q doesn't match itself", a)
		}
	})
}

func FuzzParsePhone(f *testing.F) {
	for _, seed := range []string{"+49 30 901820", "0170 1234567", "+1 (212) 555-2368", "+39 06 6982", "++49", "+49/30.9", "00491701234567"} {
		f.Add(seed, "DE")
	}
	f.Add("13800138000", "CN")
	f.Fuzz(func(t *testing.T, typed, country string) {
		a, err := ParsePhone(typed, country)
		if err != nil {
			if !a.IsZero() {
				t.Fatalf("%q: an address with %v", typed, err)
			}
			return
		}
		wantPlain(t, a)
		if a.String()[0] != '+' || !isDigits(a.String()[1:]) || len(a.String()) > 16 {
			t.Fatalf("%q became %q, which isn't E.164", typed, a)
		}
		b, err := ParsePhone(a.String(), country)
		if err != nil || b != a {
			t.Fatalf("%q: %q is read as %q, %v", typed, a, b, err)
		}
	})
}

// wantPlain fails where an address could break out of a line or a header.
func wantPlain(t *testing.T, a Address) {
	t.Helper()
	for _, text := range []string{a.String(), a.Delivery(), a.Masked()} {
		for _, c := range text {
			if c <= ' ' || c > unicode.MaxASCII || c == 0x7f || strings.ContainsRune(`"<>(),;:\[]`, c) {
				t.Fatalf("%q has %q", text, c)
			}
		}
	}
}

func email(t testing.TB, typed string) Address {
	t.Helper()
	a, err := ParseEmail(typed)
	if err != nil {
		t.Fatalf("%q: %v", typed, err)
	}
	return a
}

func phone(t testing.TB, typed string) Address {
	t.Helper()
	a, err := ParsePhone(typed, "")
	if err != nil {
		t.Fatalf("%q: %v", typed, err)
	}
	return a
}

// FuzzMasked: a mask says no more than the first character and the domain, and
// hides three digits of a number at least.
func FuzzMasked(f *testing.F) {
	f.Add("jane.doe@example.com", false)
	f.Add("+4741234567", true)
	f.Fuzz(func(t *testing.T, typed string, sms bool) {
		channel := Email
		if sms {
			channel = SMS
		}
		a, err := ParseAddress(channel, typed, "")
		if err != nil {
			return
		}
		masked := a.Masked()
		if sms {
			shown := strings.ReplaceAll(masked, "*", "")
			if len(shown) > 7 || len(shown) > max(0, len(a.String())-len("+1")-3) || strings.Count(masked, "*") != 4 {
				t.Fatalf("%s is masked as %s", a, masked)
			}
			return
		}
		local, domain, _ := strings.Cut(a.String(), "@")
		if masked != local[:1]+"***@"+domain {
			t.Fatalf("%s is masked as %s", a, masked)
		}
	})
}
