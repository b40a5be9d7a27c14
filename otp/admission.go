// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"fmt"
	"slices"
	"strings"
)

// Pattern matches addresses: *@acme.com (that domain and none below it),
// *@*.acme.com (all below it), alice@x.org, +49* (numbers that begin so) or
// +491701234567; or people of a directory: group:admins.
type Pattern struct {
	text    string
	group   string
	channel Channel
	exact   string
	domain  string
	below   bool
	prefix  string
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// ParsePattern reads a pattern. The error says what can be written.
func ParsePattern(s string) (Pattern, error) {
	p := Pattern{text: s}
	switch {
	case strings.HasPrefix(s, groupPrefix):
		p.group = s[len(groupPrefix):]
		if !IsGroup(p.group) {
			return p, fmt.Errorf("%q names no group; write group:admins", s)
		}
	case strings.HasPrefix(s, "*@"):
		p.channel = Email
		domain := s[len("*@"):]
		if rest, ok := strings.CutPrefix(domain, "*."); ok {
			p.below, domain = true, rest
		}
		ascii, err := asciiDomain(domain)
		if err != nil {
			return p, fmt.Errorf("%q is no domain", domain)
		}
		p.domain = ascii
	case strings.HasPrefix(s, "+") && strings.HasSuffix(s, "*"):
		p.channel = SMS
		p.prefix = strings.TrimSuffix(s, "*")
		if !isDigits(p.prefix[1:]) {
			return p, fmt.Errorf("%q is no beginning of a number; write +49*", s)
		}
	case strings.HasPrefix(s, "+"):
		a, err := ParsePhone(s, "")
		if err != nil {
			return p, fmt.Errorf("%q is no phone number", s)
		}
		p.channel, p.exact = SMS, a.String()
	default:
		a, err := ParseEmail(s)
		if err != nil || strings.Contains(s, "*") { // an atom may have one, but nobody means that
			if domain := strings.TrimPrefix(s, "@"); isDomain(domain) {
				return p, fmt.Errorf("%q: for everybody of a domain write *@%s", s, domain)
			}
			return p, fmt.Errorf("%q is neither *@example.com, *@*.example.com, an e-mail address nor +49*", s)
		}
		p.channel, p.exact = Email, a.String()
	}
	return p, nil
}

func isDomain(s string) bool {
	_, err := asciiDomain(s)
	return err == nil
}

// groupPrefix begins a pattern of a group.
const groupPrefix = "group:"

// Group returns the group that the pattern is of, or "".
func (p Pattern) Group() string { return p.group }

// Matches reports whether the pattern covers an address, of somebody in
// groups.
func (p Pattern) Matches(a Address, groups []string) bool {
	if p.group != "" {
		return slices.Contains(groups, p.group)
	}
	if a.channel != p.channel {
		return false
	}
	switch {
	case p.exact != "":
		return a.canonical == p.exact
	case p.prefix != "":
		return strings.HasPrefix(a.canonical, p.prefix)
	}
	_, domain, _ := strings.Cut(a.canonical, "@")
	if p.below {
		return strings.HasSuffix(domain, "."+p.domain)
	}
	return domain == p.domain
}

// coversMailbox reports whether the pattern covers an address or names another
// of the same mailbox: +tags and Gmail's dots evade no denial.
func (p Pattern) coversMailbox(a Address, groups []string) bool {
	if p.exact == "" || a.channel != p.channel {
		return p.Matches(a, groups)
	}
	return RestoreAddress(p.channel, p.exact).throttleForm() == a.throttleForm()
}

// Admission says whose addresses may sign in. Deny wins, for the whole mailbox
// of an address that it names; without any Allow everybody else may.
type Admission struct {
	Allow []Pattern
	Deny  []Pattern
}

// Admits reports whether an address of somebody in groups may sign in.
func (d Admission) Admits(a Address, groups []string) bool { return d.refusal(a, groups) == "" }

// denies reports whether an address may be used for nothing.
func (d Admission) denies(a Address, groups []string) bool {
	return slices.ContainsFunc(d.Deny, func(p Pattern) bool { return p.coversMailbox(a, groups) })
}

// refusal returns the option by which an address may not sign in, or "".
func (d Admission) refusal(a Address, groups []string) string {
	if d.denies(a, groups) {
		return "deny"
	}
	for _, p := range d.Allow {
		if p.Matches(a, groups) {
			return ""
		}
	}
	if len(d.Allow) > 0 {
		return "allow"
	}
	return ""
}
