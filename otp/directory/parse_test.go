// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
)

func mustAddress(t testing.TB, text string) otp.Address {
	t.Helper()
	channel := otp.Email
	if strings.HasPrefix(text, "+") {
		channel = otp.SMS
	}
	a, err := otp.ParseAddress(channel, text, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// inWords writes a list as one line for each person, addresses in canonical
// form.
func inWords(l *list) string {
	var lines []string
	for _, p := range l.people {
		lines = append(lines, personInWords(p))
	}
	return strings.Join(lines, "\n")
}

func personInWords(p otp.Person) string {
	var words []string
	for _, a := range p.Addresses {
		words = append(words, a.String())
	}
	text := strings.Join(words, " ") + " groups=" + strings.Join(p.Groups, ",")
	if p.Subject != "" {
		text += " subject=" + p.Subject
	}
	if len(p.Tenants) > 0 {
		text += " tenants=" + strings.Join(p.Tenants, ",")
	}
	if p.MFA {
		text += " mfa"
	}
	return text
}

func TestParseCSV(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"every column": {
			"email,phone,groups,subject,tenant,mfa\nalice@example.com,+49 30 1234567,admins staff,auth0|42,acme,required\n",
			"alice@example.com +49301234567 groups=admins,staff subject=auth0|42 tenants=acme mfa",
		},
		"any order and case":          {"Groups,EMAIL\nadmins,Alice@Example.com\n", "alice@example.com groups=admins"},
		"phones only":                 {"phone\n+4930123456\n", "+4930123456 groups="},
		"no line end at the end":      {"email\nalice@example.com", "alice@example.com groups="},
		"Windows":                     {"\ufeffemail,groups\r\nalice@example.com,a\r\nbob@example.com,b\r\n", "alice@example.com groups=a\nbob@example.com groups=b"},
		"Excel with semicolons":       {"\ufeffemail;groups;mfa\r\nalice@example.com;admins staff;TRUE\r\n;;\r\n", "alice@example.com groups=admins,staff mfa"},
		"semicolons in a cell":        {"email,groups\nalice@example.com;a@example.com,admins;staff ; all\n", "alice@example.com a@example.com groups=admins,staff,all"},
		"quoted semicolons in Excel":  {"email;groups\nalice@example.com;\"admins;staff\"\n", "alice@example.com groups=admins,staff"},
		"several phones":              {"phone\n+49 30 1234567 +1 202-555-0143; +44 20 7946 0000\n", "+49301234567 +12025550143 +442079460000 groups="},
		"a line break in a cell":      {"email,groups\nalice@example.com,\"a\nb\"\nbob@example.com,c\n", "alice@example.com groups=a,b\nbob@example.com groups=c"},
		"blank rows":                  {"email,groups\n\n , \nalice@example.com,a\n,\n\n", "alice@example.com groups=a"},
		"a group twice":               {"email,groups\nalice@example.com,a b a\n", "alice@example.com groups=a,b"},
		"a domain outside ASCII":      {"email\nalice@münchen.example\n", "alice@xn--mnchen-3ya.example groups="},
		"what a name may have":        {"email,groups\nalice@example.com,org:dev/R&D_x.y-z@a+b\n", "alice@example.com groups=org:dev/R&D_x.y-z@a+b"},
		"mfa in its words":            {"email,mfa\na@x.org,required\nb@x.org,yes\nc@x.org,1\nd@x.org,\ne@x.org,no\nf@x.org,0\ng@x.org,False\n", "a@x.org groups= mfa\nb@x.org groups= mfa\nc@x.org groups= mfa\nd@x.org groups=\ne@x.org groups=\nf@x.org groups=\ng@x.org groups="},
		"a header alone is nobody":    {"email,groups\n", ""},
		"a header without a line end": {"email", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := parseCSV([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := inWords(l); got != c.want {
				t.Errorf("got\n%s\nnot\n%s", got, c.want)
			}
			for i, p := range l.people {
				for _, a := range p.Addresses {
					if found, ok := l.find(a); !ok || !reflect.DeepEqual(found, l.people[i]) {
						t.Errorf("%s finds %+v", a, found)
					}
				}
			}
		})
	}
}

const (
	unknownColumns = "; there are: email, phone, groups, subject, tenant, mfa (the first row names the columns)"
	badGroup       = "a name can't be a group's; write 1 to 64 characters of ASCII without blanks, commas and semicolons"
	badTenant      = "a name can't be a tenant's; write 1 to 128 characters of ASCII without commas and semicolons"
	badSubject     = "a subject has up to 255 characters of ASCII without blanks, commas, semicolons, quotes and backslashes"
)

func TestParseCSVRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                 {"", "the file is empty; its first row names the columns, such as email,groups"},
		"a BOM":                   {"\ufeff\r\n", "the file is empty; its first row names the columns, such as email,groups"},
		"no header":               {"secret@example.com\nbob@example.com\n", "line 1, column 1: unknown column" + unknownColumns},
		"no header but a number":  {"+4930123456\n", "line 1, column 1: unknown column" + unknownColumns},
		"an unknown column":       {"email,role\nsecret@example.com,a\n", "line 1, column 7: unknown column \"role\"" + unknownColumns},
		"a column without a name": {"email,\nsecret@example.com,\n", "line 1, column 7: unknown column" + unknownColumns},
		"a column twice":          {"email,groups,Email\n", "line 1, column 14 (email): this column stands twice; remove one"},
		"no column of addresses":  {"groups,mfa\n", "line 1, column 1: the list has no addresses; add a column email or phone"},
		"a row without an address": {"email,phone,groups\nbob@example.com,,\n,,admins\n",
			"line 3, column 1: this row has no address; give it an email or a phone, or remove it"},
		"no e-mail address": {"email\nbob@example.com\nsecret.example.com\n",
			"line 3, column 1 (email): not a valid address; write one like alice@example.com"},
		"a long e-mail address": {"email\n" + strings.Repeat("s", 65) + "@example.com\n",
			"line 2, column 1 (email): address is too long; write one like alice@example.com"},
		"a national number": {"groups,phone\na,030 123456\n",
			"line 2, column 3 (phone): not a valid phone number; write it with + and the country's code, like +49 30 1234567"},
		"Excel's number": {"phone\n4.93012E+11\n",
			"line 2, column 1 (phone): not a valid phone number; write it with + and the country's code, like +49 30 1234567"},
		"an address twice": {"email,groups\nsecret@example.com,a\nbob@example.com,b\nSecret@EXAMPLE.com,c\n",
			"line 4, column 1 (email): the same address is on line 2; a person stands once in a list, with all of their addresses"},
		"an address twice in a cell": {"email\nsecret@example.com secret@example.com\n",
			"line 2, column 1 (email): an address stands twice here; remove one"},
		"a number twice": {"email,phone\na@x.org,+49 30 123456\nb@x.org,+4930123456\n",
			"line 3, column 9 (phone): the same address is on line 2; a person stands once in a list, with all of their addresses"},
		"a subject twice": {"email,subject\na@x.org,secret\nb@x.org,secret\n",
			"line 3, column 9 (subject): the same subject is on line 2; a person stands once in a list, with all of their addresses"},
		"two subjects":       {"email,subject\na@x.org,1 2\n", "line 2, column 9 (subject): a person has one subject"},
		"a subject's comma":  {"email,subject\na@x.org,\"1,2\"\n", "line 2, column 9 (subject): " + badSubject},
		"a long subject":     {"email,subject\na@x.org," + strings.Repeat("1", 256) + "\n", "line 2, column 9 (subject): " + badSubject},
		"a group's comma":    {"email,groups\na@x.org,\"a,b\"\n", "line 2, column 9 (groups): " + badGroup},
		"a group's control":  {"email,groups\na@x.org,a\x00b\n", "line 2, column 9 (groups): " + badGroup},
		"a group's letter":   {"email,groups\na@x.org,Büro\n", "line 2, column 9 (groups): " + badGroup},
		"a tenant's comma":   {"email,tenant\na@x.org,\"a,b\"\n", "line 2, column 9 (tenant): " + badTenant},
		"a long group":       {"email,groups\na@x.org," + strings.Repeat("g", 65) + "\n", "line 2, column 9 (groups): " + badGroup},
		"too many groups":    {"email,groups\na@x.org," + many("g", 101) + "\n", "line 2, column 9 (groups): more than 100; leave some out"},
		"too long groups":    {"email,groups\na@x.org," + many(strings.Repeat("g", 60), 70) + "\n", "line 2, column 9 (groups): the groups are longer than 4096 characters together, too long for a header; leave some out"},
		"too many addresses": {"email\n" + strings.ReplaceAll(many("g", 17), " ", "@x.org ") + "@x.org\n", "line 2, column 1 (email): a person has at most 16 addresses; leave some out"},
		"another mfa":        {"email,mfa\na@x.org,maybe\n", "line 2, column 9 (mfa): write required or false"},
		"too few cells":      {"email,groups\na@x.org\n", "line 2, column 1: this row hasn't 2 cells as the first row has; a cell with a separator in it stands in quotes"},
		"too many cells":     {"email,groups\na@x.org,a,b\n", "line 2, column 1: this row hasn't 2 cells as the first row has; a cell with a separator in it stands in quotes"},
		"a quote amid a cell": {"email,groups\na@x.org,a\"b\n",
			"line 2, column 10: a quote is out of place; a cell with quotes stands in quotes itself, and each in it is written twice"},
		"a quote without end": {"email,groups\na@x.org,\"b\nc@x.org,d\n",
			"line 3, column 11: a quote is out of place; a cell with quotes stands in quotes itself, and each in it is written twice"},
		"Latin-1": {"email,groups\na@x.org,B\xfcro\n", "line 2, column 10: not UTF-8; save the file in this encoding (Excel: \"CSV UTF-8\")"},
		"UTF-16":  {"\xff\xfee\x00m\x00", "line 1, column 1: not UTF-8; save the file in this encoding (Excel: \"CSV UTF-8\")"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseCSV([]byte(c.text))
			wantError(t, err, c.want)
		})
	}
}

// many returns n different names.
func many(name string, n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(name, i))
	}
	return strings.Join(all, " ")
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nnot\n%s", err, want)
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("error quotes what may be somebody's: %v", err)
	}
}

func TestParseJSON(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"every key": {
			`[{"email": ["alice@example.com", "a@example.com"], "phone": "+49 30 1234567", "groups": ["admins", "R&D"], "subject": "42", "tenant": "Acme Inc.", "mfa": true}]`,
			"alice@example.com a@example.com +49301234567 groups=admins,R&D subject=42 tenants=Acme Inc. mfa",
		},
		"strings aren't split":   {`[{"email": "alice@example.com", "tenant": "a b"}]`, "alice@example.com groups= tenants=a b"},
		"nobody":                 {` [ ] `, ""},
		"blank strings are none": {`[{"email": "alice@example.com", "phone": "", "groups": "", "subject": "", "tenant": [], "mfa": ""}]`, "alice@example.com groups="},
		"mfa in words":           {`[{"email": "a@x.org", "mfa": "required"}, {"email": "b@x.org", "mfa": false}]`, "a@x.org groups= mfa\nb@x.org groups="},
		"a BOM":                  {"\ufeff[{\"email\": \"a@x.org\"}]\r\n", "a@x.org groups="},
		"escapes":                {`[{"email": "\u0061@x.org"}]`, "a@x.org groups="},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := parseJSON([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := inWords(l); got != c.want {
				t.Errorf("got\n%s\nnot\n%s", got, c.want)
			}
		})
	}
}

func TestParseJSONRefuses(t *testing.T) {
	const keys = "; there are: email, phone, groups, subject, tenant, mfa"
	for name, c := range map[string]struct{ text, want string }{
		"nothing":          {" \n", "the file is empty; write [] for nobody"},
		"an object":        {`{"email": "a@x.org"}`, "line 1, column 1: an array of people was expected here"},
		"cut short":        {"[\n  {\"email\": \"a@x.org\"},\n", "line 3, column 1: the text ends here, in the middle; is it cut short?"},
		"cut in a string":  {"[\n  {\"email\": \"secr", "line 2, column 13: the text ends here, in the middle; is it cut short?"},
		"cut in an object": {"[{\"email\": \"a@x.org\"", "line 1, column 21: the text ends here, in the middle; is it cut short?"},
		"a comma too many": {`[{"email": "a@x.org"},]`, "line 1, column 23: no JSON; is a comma, a quote or a brace missing, or too many?"},
		"a comma missing":  {`[{"email": "a@x.org" "phone": ""}]`, "line 1, column 22: no JSON; is a comma, a quote or a brace missing, or too many?"},
		"no JSON":          {"email,groups\na@x.org,b\n", "line 1, column 1: no JSON; is a comma, a quote or a brace missing, or too many?"},
		"data behind it":   {"[]\n[]", "line 2, column 1: something follows the end; remove it"},
		"an array within":  {"[[]]", "line 1, column 2: an object was expected here, such as {\"email\": \"alice@example.com\"}"},
		"no array's end":   {`[{"email": "a@x.org"}}`, "line 1, column 22: no JSON; is a comma, a quote or a brace missing, or too many?"},
		"an unknown key":   {`[{"role": "a"}]`, "line 1, column 3: unknown key \"role\"" + keys},
		"a key's case":     {`[{"Email": "secret@x.org"}]`, "line 1, column 3: unknown key \"Email\"" + keys},
		"a personal key":   {`[{"secret@x.org": "a"}]`, "line 1, column 3: unknown key" + keys},
		"a key twice":      {`[{"email": "a@x.org", "email": "secret@x.org"}]`, "line 1, column 23 (email): this key stands twice; remove one"},
		"null":             {`[{"email": "a@x.org", "tenant": null}]`, "line 1, column 33 (tenant): a string or an array of strings was expected here; leave the key out where there is none"},
		"a number":         {`[{"email": 1}]`, "line 1, column 12 (email): a string or an array of strings was expected here; leave the key out where there is none"},
		"subjects":         {`[{"email": "a@x.org", "subject": ["1"]}]`, "line 1, column 34 (subject): a string was expected here; leave the key out where there is none"},
		"a number as mfa":  {`[{"email": "a@x.org", "mfa": 1}]`, "line 1, column 30 (mfa): true, false or \"required\" was expected here; leave the key out where there is none"},
		"a truth as group": {`[{"email": "a@x.org", "groups": true}]`, "line 1, column 33 (groups): a string or an array of strings was expected here; leave the key out where there is none"},
		"a null within":    {`[{"email": ["a@x.org", null]}]`, "line 1, column 24 (email): a string that isn't blank was expected here"},
		"a blank within":   {`[{"email": ["a@x.org", ""]}]`, "line 1, column 24 (email): a string that isn't blank was expected here"},
		"no address":       {`[{"groups": "a"}]`, "line 1, column 2: this object has no address; give it an email or a phone, or remove it"},
		"two in a string":  {`[{"email": "secret@x.org b@x.org"}]`, "line 1, column 12 (email): not a valid address; write one like alice@example.com"},
		"a lone surrogate": {`[{"email": "a@x.org", "groups": "\ud800"}]`, "line 1, column 33 (groups): " + badGroup},
		"blanks at an end": {`[{"email": "a@x.org", "groups": "a "}]`, "line 1, column 33 (groups): " + badGroup},
		"an address twice": {"[{\"email\": \"secret@x.org\"},\n {\"groups\": \"a\", \"email\": [\"b@x.org\", \"SECRET@x.org\"]}]",
			"line 2, column 27 (email): the same address is on line 1; a person stands once in a list, with all of their addresses"},
		"not UTF-8": {"[\n\xff]", "line 2, column 1: not UTF-8; save the file in this encoding (Excel: \"CSV UTF-8\")"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseJSON([]byte(c.text))
			wantError(t, err, c.want)
		})
	}
}

// checkList is what holds for every list that was taken.
func checkList(t *testing.T, l *list) {
	t.Helper()
	addresses := 0
	for i, p := range l.people {
		if len(p.Addresses) == 0 {
			t.Errorf("person %d has no address", i)
		}
		addresses += len(p.Addresses)
		for _, a := range p.Addresses {
			if again, err := otp.ParseAddress(a.Channel(), a.String(), ""); err != nil || again.String() != a.String() || l.byAddress[a.String()] != i {
				t.Errorf("address %q of person %d: %v", a, i, err)
			}
		}
		for _, name := range slices.Concat(p.Groups, p.Tenants) {
			if name == "" || strings.ContainsAny(name, ",;\r\n\x00") {
				t.Errorf("name %q", name)
			}
		}
		if strings.ContainsAny(p.Subject, ",; \r\n\x00\"") {
			t.Errorf("subject %q", p.Subject)
		}
	}
	if addresses != len(l.byAddress) {
		t.Errorf("%d addresses, %d found", addresses, len(l.byAddress))
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add("email,phone,groups,subject,tenant,mfa\nalice@example.com,+49 30 1234567,admins staff,42,acme,required\n")
	f.Add("\ufeffemail;groups\r\nalice@example.com;\"a;b\"\r\n;\r\n")
	f.Add("phone\n+49 30 1234567 +1 202 555 0143;+;++\n")
	f.Add("email\n\"a@x.org\n")
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := parseCSV([]byte(text)); err == nil {
			checkList(t, l)
		}
	})
}

func FuzzParseJSON(f *testing.F) {
	f.Add(`[{"email": ["alice@example.com"], "phone": "+49 30 1234567", "groups": ["a"], "subject": "42", "tenant": "acme", "mfa": true}]`)
	f.Add(`[{"email": "a@x.org"}, {"email": "a@x.org"}] `)
	f.Add(`[{"email": "a@x.org", "mfa": null},]`)
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := parseJSON([]byte(text)); err == nil {
			checkList(t, l)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(`{"groups": ["a"], "subject": "42", "mfa": "required"}`)
	f.Add(`{"email": "b@example.com", "phone": ["+49 30 1234567"]}`)
	f.Add(`{} {}`)
	asked := mustAddress(f, "alice@example.com")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := answered([]byte(text), asked)
		if err == nil && p.Main(otp.Email).IsZero() {
			t.Errorf("%+v hasn't the address that was asked for", p)
		}
	})
}

// TestFindAllocatesNothing: it is asked on every request.
func TestFindAllocatesNothing(t *testing.T) {
	l, err := parseCSV([]byte("email,groups\nalice@example.com,a\n"))
	if err != nil {
		t.Fatal(err)
	}
	file := new(File)
	file.current.Store(l)
	alice, bob := mustAddress(t, "alice@example.com"), mustAddress(t, "bob@example.com")
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := file.Find(t.Context(), alice); err != nil {
			t.Error(err)
		}
		if _, err := file.Find(t.Context(), bob); !errors.Is(err, otp.ErrNobody) {
			t.Error(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func manyPeople(n int) []byte {
	var text strings.Builder
	text.WriteString("email,phone,groups,subject\n")
	for i := range n {
		fmt.Fprintf(&text, "person%d@example.com,+4915112%06d,staff team%d,%d\n", i, i, i%50, i)
	}
	return []byte(text.String())
}

func BenchmarkParseCSV(b *testing.B) {
	text := manyPeople(100_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseCSV(text); err != nil {
			b.Fatal(err)
		}
	}
}
