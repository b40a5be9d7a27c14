// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
)

// The ways in which an address can be unusable.
var (
	ErrAddressFormat  = errors.New("not a valid address")
	ErrAddressTooLong = errors.New("address is too long")
)

// The longest addresses that can be delivered to: RFC 5321 §4.5.3.1 (a path
// of 256 octets holds an address of 254) and the local part's own bound.
const (
	maxEmailLength     = 254
	maxLocalPartLength = 64
	maxPhoneLength     = 32
	maxE164Length      = 1 + 15
)

// Address is an e-mail address or a phone number in canonical form. The
// canonical form is the identity: two addresses are the same person if and
// only if their canonical forms are equal. The zero Address is nobody.
type Address struct {
	channel   Channel
	canonical string
	delivery  string
}

// Channel returns how the address is reached.
func (a Address) Channel() Channel { return a.channel }

// String returns the canonical form: the e-mail address in lower case with
// its domain in A-labels, or the number in E.164.
func (a Address) String() string { return a.canonical }

// Delivery returns where a message goes: the e-mail address as it was typed,
// without surrounding blanks, or the number in E.164.
func (a Address) Delivery() string { return a.delivery }

// IsZero reports whether a is nobody's address.
func (a Address) IsZero() bool { return a.canonical == "" }

// Masked returns the address with all but its first character and its domain
// hidden (j***@example.com), or a number with its middle hidden (138****8000
// without the country's prefix). It is computed from the input alone.
func (a Address) Masked() string {
	if a.channel == SMS {
		return maskPhone(a.canonical)
	}
	local, domain, found := strings.Cut(a.canonical, "@")
	if !found || local == "" {
		return "" // nobody's address
	}
	return local[:1] + "***@" + domain
}

// Country returns the ISO 3166 region of a phone number in capitals, or ""
// for an e-mail address and for numbers of no country.
func (a Address) Country() string {
	if a.channel != SMS {
		return ""
	}
	number, err := phonenumbers.Parse(a.canonical, "")
	if err != nil {
		return ""
	}
	if region := phonenumbers.GetRegionCodeForNumber(number); region != phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
		return region
	}
	return ""
}

// ParseAddress reads s as an address of the channel. defaultCountry is the
// ISO 3166 region of phone numbers that don't begin with +; it may be empty.
func ParseAddress(channel Channel, s, defaultCountry string) (Address, error) {
	if channel == SMS {
		return ParsePhone(s, defaultCountry)
	}
	return ParseEmail(s)
}

// ParseEmail reads an e-mail address. Surrounding blanks are dropped. The
// local part must be an ASCII dot-atom (RFC 5322 §3.2.3): no quotes, comments
// or display names; the domain is any registrable name, converted to A-labels
// by UTS 46. It returns [ErrAddressFormat] or [ErrAddressTooLong].
func ParseEmail(s string) (Address, error) {
	typed := strings.Trim(s, " \t\r\n")
	if len(typed) > maxEmailLength {
		return Address{}, ErrAddressTooLong
	}
	local, domain, found := strings.Cut(typed, "@")
	if !found || !isDotAtom(local) {
		return Address{}, ErrAddressFormat
	}
	if len(local) > maxLocalPartLength {
		return Address{}, ErrAddressTooLong
	}
	ascii, err := asciiDomain(domain)
	if err != nil {
		return Address{}, err
	}
	local = lowerASCII(local)
	canonical := local + "@" + ascii
	if len(canonical) > maxEmailLength {
		return Address{}, ErrAddressTooLong
	}
	// What is delivered to is what was typed; only a domain outside ASCII is
	// converted, since relays without SMTPUTF8 refuse it.
	delivery := typed
	if !isASCII(domain) {
		delivery = typed[:len(local)] + "@" + ascii
	}
	return Address{
		channel:   Email,
		canonical: canonical,
		delivery:  delivery,
	}, nil
}

var domainProfile = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.BidiRule(),
	idna.StrictDomainName(true),
	idna.VerifyDNSLength(true),
)

func asciiDomain(domain string) (string, error) {
	if !utf8.ValidString(domain) || !strings.Contains(domain, ".") && isASCII(domain) {
		return "", ErrAddressFormat
	}
	if len(domain) > 253 {
		return "", ErrAddressTooLong
	}
	ascii, err := domainProfile.ToASCII(domain)
	if err != nil {
		return "", ErrAddressFormat
	}
	last := ascii[strings.LastIndexByte(ascii, '.')+1:]
	if last == ascii || last == "" || isDigits(last) {
		return "", ErrAddressFormat
	}
	return ascii, nil
}

// RestoreAddress returns the address whose canonical form was returned by
// [Address.String]. It doesn't judge it anew: it is for values that only this
// package's own seals could have kept.
func RestoreAddress(channel Channel, canonical string) Address {
	return Address{channel: channel, canonical: canonical, delivery: canonical}
}

// throttleForm is what throttles count by: the mailbox that would receive the
// message. Everybody's +tags are dropped, and Gmail's dots.
func (a Address) throttleForm() string {
	if a.channel == SMS {
		return a.canonical
	}
	local, domain, _ := strings.Cut(a.canonical, "@")
	if base, _, tagged := strings.Cut(local, "+"); tagged && base != "" {
		local = base
	}
	if domain == "googlemail.com" {
		domain = "gmail.com"
	}
	if domain == "gmail.com" {
		local = strings.ReplaceAll(local, ".", "")
	}
	return local + "@" + domain
}

// ParsePhone reads a phone number in international form (+49 30 …), or, where
// defaultCountry names an ISO 3166 region, in that country's national form.
// Extensions are refused. It returns [ErrAddressFormat] or [ErrAddressTooLong].
func ParsePhone(s, defaultCountry string) (Address, error) {
	typed := strings.Trim(s, " \t\r\n")
	if len(typed) > maxPhoneLength {
		return Address{}, ErrAddressTooLong
	}
	for _, c := range typed {
		if !strings.ContainsRune("+0123456789 -./()\u00a0", c) {
			return Address{}, ErrAddressFormat
		}
	}
	if defaultCountry == "" && !strings.HasPrefix(typed, "+") {
		return Address{}, ErrAddressFormat
	}
	number, err := phonenumbers.Parse(typed, defaultCountry)
	if err != nil || number.GetExtension() != "" || !phonenumbers.IsValidNumber(number) {
		return Address{}, ErrAddressFormat
	}
	e164 := phonenumbers.Format(number, phonenumbers.E164)
	if len(e164) > maxE164Length {
		return Address{}, ErrAddressFormat // the numbering plan is more generous than E.164
	}
	return Address{channel: SMS, canonical: e164, delivery: e164}, nil
}

// IsCountry reports whether code is an ISO 3166 region that has phone numbers.
func IsCountry(code string) bool {
	return phonenumbers.GetCountryCodeForRegion(code) != 0
}

// maskPhone shows the first three and the last four digits of a number without
// its country's prefix, and fewer of a short one: three at least are hidden.
func maskPhone(e164 string) string {
	national := strings.TrimPrefix(e164, "+")
	if number, err := phonenumbers.Parse(e164, ""); err == nil {
		national = phonenumbers.GetNationalSignificantNumber(number)
	}
	shown := min(7, max(0, len(national)-3))
	tail := (shown + 1) / 2
	return national[:shown-tail] + "****" + national[len(national)-tail:]
}

func isDotAtom(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if !isAtomByte(s[i]) && s[i] != '.' {
			return false
		}
	}
	return true
}

func isAtomByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// lowerASCII lowers A to Z only: strings.ToLower also maps letters such as
// the Kelvin sign onto ASCII, which would merge two people.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
