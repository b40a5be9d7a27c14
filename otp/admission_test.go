// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"strings"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, tc := range []struct {
		pattern string
		matches []string
		spares  []string
	}{
		{
			pattern: "*@acme.com",
			matches: []string{"a@acme.com", "A@ACME.com", "a+b@acme.com"},
			spares:  []string{"a@sub.acme.com", "a@xacme.com", "a@acme.com.evil.org", "acme.com@evil.org", "+491701234567"},
		},
		{
			pattern: "*@ACME.com",
			matches: []string{"a@acme.com"},
			spares:  []string{"a@acme.org"},
		},
		{
			pattern: "*@*.acme.com",
			matches: []string{"a@sub.acme.com", "a@x.y.acme.com"},
			spares:  []string{"a@acme.com", "a@xacme.com", "a@sub.acme.com.evil.org"},
		},
		{
			pattern: "*@bücher.example",
			matches: []string{"a@bücher.example", "a@xn--bcher-kva.example"},
			spares:  []string{"a@bucher.example"},
		},
		{
			pattern: "Alice@X.org",
			matches: []string{"alice@x.org", "ALICE@x.ORG"},
			spares:  []string{"alice+1@x.org", "malice@x.org", "alice@x.org.uk"},
		},
		{
			pattern: "+49*",
			matches: []string{"+491701234567", "+4930901820"},
			spares:  []string{"+12125552368", "+8613800138000", "a@acme.com"},
		},
		{
			pattern: "+49 170 1234567",
			matches: []string{"+491701234567"},
			spares:  []string{"+4930901820"},
		},
	} {
		p, err := ParsePattern(tc.pattern)
		if err != nil {
			t.Errorf("%s: %v", tc.pattern, err)
			continue
		}
		if p.String() != tc.pattern {
			t.Errorf("%s prints as %s", tc.pattern, p)
		}
		for _, typed := range tc.matches {
			if !p.Matches(anyAddress(t, typed), nil) {
				t.Errorf("%s spares %s", tc.pattern, typed)
			}
		}
		for _, typed := range append(tc.spares, "") {
			if p.Matches(anyAddress(t, typed), nil) {
				t.Errorf("%s matches %q", tc.pattern, typed)
			}
		}
	}
}

func TestPatternRefused(t *testing.T) {
	for _, text := range []string{
		"", "*", "*@", "*@*", "*@*.", "*@.com", "*@a@b.com", "a*@acme.com", "*@a*.com", "*@*.*.com", "*@acme", "acme.com", "@acme.com",
		"+", "+*", "+4a*", "+49**", "+*49", "+49", "group:", "group:a,b", "group:a b", "jane doe@x.org",
	} {
		if p, err := ParsePattern(text); err == nil {
			t.Errorf("%q is read as %+v", text, p)
		}
	}
}

// TestPatternRefusedWithTheOneThatWasMeant: an error says what to write.
func TestPatternRefusedWithTheOneThatWasMeant(t *testing.T) {
	for text, meant := range map[string]string{
		"acme.com":        "write *@acme.com",
		"@acme.com":       "write *@acme.com",
		"@bücher.example": "write *@bücher.example",
		"acme":            "*@*.example.com",
		"@@acme.com":      "*@*.example.com",
		"0170*":           "+49*",
		"+49x*":           "write +49*",
	} {
		_, err := ParsePattern(text)
		if err == nil || !strings.Contains(err.Error(), meant) {
			t.Errorf("%q: %v doesn't say %s", text, err, meant)
		}
	}
}

func TestAdmission(t *testing.T) {
	for _, tc := range []struct {
		name        string
		allow, deny string
		admits      []string
		refuses     []string
	}{
		{name: "nothing said", admits: []string{"a@x.org", "+491701234567"}},
		{name: "allow", allow: "*@acme.com", admits: []string{"a@acme.com"}, refuses: []string{"a@x.org", "+491701234567", ""}},
		{name: "deny", deny: "*@acme.com", admits: []string{"a@x.org", "+491701234567"}, refuses: []string{"a@acme.com"}},
		{name: "deny wins", allow: "*@acme.com +49*", deny: "bad@acme.com", admits: []string{"a@acme.com", "+491701234567"}, refuses: []string{"bad@acme.com"}},
		{name: "deny wins over its like", allow: "a@x.org", deny: "a@x.org", refuses: []string{"a@x.org"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := Admission{Allow: patterns(t, tc.allow), Deny: patterns(t, tc.deny)}
			for _, typed := range tc.admits {
				if !d.Admits(anyAddress(t, typed), nil) {
					t.Errorf("%s is refused", typed)
				}
			}
			for _, typed := range tc.refuses {
				if d.Admits(anyAddress(t, typed), nil) {
					t.Errorf("%q is admitted", typed)
				}
			}
		})
	}
}

func TestAdmissionOfGroups(t *testing.T) {
	for _, tc := range []struct {
		allow, deny string
		groups      []string
		admits      bool
	}{
		{allow: "group:admins", groups: []string{"staff", "admins"}, admits: true},
		{allow: "group:admins", groups: []string{"Admins", "admin", "admins2"}},
		{allow: "group:admins"},
		{allow: "group:admins *@acme.com", admits: true},
		{deny: "group:guests", groups: []string{"guests"}},
		{deny: "group:guests", groups: []string{"staff"}, admits: true},
		{allow: "group:staff", deny: "group:guests", groups: []string{"staff", "guests"}},
	} {
		d := Admission{Allow: patterns(t, tc.allow), Deny: patterns(t, tc.deny)}
		if got := d.Admits(email(t, "a@acme.com"), tc.groups); got != tc.admits {
			t.Errorf("allow %q, deny %q: somebody in %q is admitted: %v", tc.allow, tc.deny, tc.groups, got)
		}
	}
}

func FuzzParsePattern(f *testing.F) {
	for _, seed := range []string{"*@acme.com", "*@*.acme.com", "alice@x.org", "+49*", "+491701234567", "group:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePattern(text)
		if err != nil {
			return
		}
		kinds := 0
		for _, set := range []bool{p.exact != "", p.domain != "", p.prefix != "", p.group != ""} {
			if set {
				kinds++
			}
		}
		if kinds != 1 || (p.group == "") != (p.channel == Email || p.channel == SMS) {
			t.Fatalf("%q is read as %+v", text, p)
		}
		if p.Matches(Address{}, nil) {
			t.Fatalf("%q matches nobody", text)
		}
	})
}

func patterns(t *testing.T, texts string) (all []Pattern) {
	t.Helper()
	for text := range strings.FieldsSeq(texts) {
		p, err := ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// anyAddress reads an address of either channel; "" is nobody's.
func anyAddress(t testing.TB, typed string) Address {
	t.Helper()
	switch {
	case typed == "":
		return Address{}
	case typed[0] == '+':
		return phone(t, typed)
	}
	return email(t, typed)
}

// TestDenialCoversTheMailbox: whoever is denied by address doesn't come back
// by another spelling of it; whoever is allowed by address is that one alone.
func TestDenialCoversTheMailbox(t *testing.T) {
	for _, tc := range []struct {
		deny, allow, typed string
		admits             bool
	}{
		{deny: "alice@gmail.com", typed: "a.lice+x@googlemail.com"},
		{deny: "a.lice@gmail.com", typed: "alice@gmail.com"},
		{deny: "alice@example.com", typed: "alice+1@example.com"},
		{deny: "alice@example.com", typed: "a.lice@example.com", admits: true},
		{deny: "alice@example.com", typed: "bob@example.com", admits: true},
		{allow: "alice@example.com", typed: "alice@example.com", admits: true},
		{allow: "alice@example.com", typed: "alice+1@example.com"},
		{allow: "alice@gmail.com", typed: "a.lice@gmail.com"},
	} {
		var d Admission
		if tc.deny != "" {
			d.Deny = patterns(t, tc.deny)
		}
		if tc.allow != "" {
			d.Allow = patterns(t, tc.allow)
		}
		if got := d.Admits(email(t, tc.typed), nil); got != tc.admits {
			t.Errorf("deny %q, allow %q: %s is admitted: %v", tc.deny, tc.allow, tc.typed, got)
		}
	}
}
