// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
)

// key is what can be said of a person: a column of a CSV file, a member of a
// JSON object.
type key int

const (
	keyEmail key = iota
	keyPhone
	keyGroups
	keySubject
	keyTenant
	keyMFA
	keyCount
)

var keyNames = [keyCount]string{"email", "phone", "groups", "subject", "tenant", "mfa"}

func (k key) String() string { return keyNames[k] }

// keyOf returns the key of a name, or false.
func keyOf(name string) (key, bool) {
	i := slices.Index(keyNames[:], name)
	return key(i), i >= 0
}

// errUnknown is the error of a name that is no key. It quotes the name only
// where that can't be somebody's address.
func errUnknown(what, name string) error {
	if len(name) > 32 || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-") != "" {
		return fmt.Errorf("unknown %s; there are: %s", what, strings.Join(keyNames[:], ", "))
	}
	return fmt.Errorf("unknown %s %q; there are: %s", what, name, strings.Join(keyNames[:], ", "))
}

// Bounds of what a person can have. Groups go into a header, of which most
// servers take 8 KiB for all together.
const (
	maxAddresses    = 16
	maxGroups       = 100
	maxGroupsLength = 4096
	maxTenants      = 100
	maxTenantLength = 128
	maxSubject      = 255 // of OpenID Connect's sub
)

// entry is a person as a list has them.
type entry struct {
	start  position
	values [keyCount][]string
	at     [keyCount]position
}

// readers judge the values of each key, of which there is at least one.
var readers = [keyCount]func(*otp.Person, []string) error{
	keyEmail:   readEmails,
	keyPhone:   readPhones,
	keyGroups:  readGroups,
	keySubject: readSubject,
	keyTenant:  readTenants,
	keyMFA:     readMFA,
}

// person judges an entry.
func (e *entry) person() (otp.Person, error) {
	var p otp.Person
	for k, values := range e.values {
		if len(values) == 0 {
			continue
		}
		if err := readers[k](&p, values); err != nil {
			return otp.Person{}, e.at[k].at(key(k).String(), err)
		}
	}
	return p, nil
}

func readEmails(p *otp.Person, values []string) error {
	return readAddresses(p, values, func(text string) (otp.Address, error) {
		a, err := otp.ParseEmail(text)
		if err != nil {
			return a, fmt.Errorf("%w; write one like alice@example.com", err)
		}
		return a, nil
	})
}

func readPhones(p *otp.Person, values []string) error {
	return readAddresses(p, values, func(text string) (otp.Address, error) {
		a, err := otp.ParsePhone(text, "")
		if err != nil {
			return a, errors.New("not a valid phone number; write it with + and the country's code, like +49 30 1234567")
		}
		return a, nil
	})
}

func readAddresses(p *otp.Person, values []string, parse func(string) (otp.Address, error)) error {
	if len(p.Addresses)+len(values) > maxAddresses {
		return fmt.Errorf("a person has at most %d addresses; leave some out", maxAddresses)
	}
	for _, text := range values {
		a, err := parse(text)
		if err != nil {
			return err
		}
		p.Addresses = append(p.Addresses, a)
	}
	return nil
}

func readGroups(p *otp.Person, values []string) (err error) {
	if p.Groups, err = names(values, maxGroups, checkGroup); err != nil {
		return err
	}
	if len(strings.Join(p.Groups, ",")) > maxGroupsLength {
		return fmt.Errorf("the groups are longer than %d characters together, too long for a header; leave some out", maxGroupsLength)
	}
	return nil
}

func readTenants(p *otp.Person, values []string) (err error) {
	p.Tenants, err = names(values, maxTenants, checkTenant)
	return err
}

// names returns the names of a list, each once.
func names(values []string, most int, check func(string) error) ([]string, error) {
	all := make([]string, 0, len(values))
	for _, name := range values {
		if err := check(name); err != nil {
			return nil, err
		}
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
		if len(all) > most {
			return nil, fmt.Errorf("more than %d; leave some out", most)
		}
	}
	return all, nil
}

func checkGroup(name string) error {
	if !otp.IsGroup(name) {
		return errors.New("a name can't be a group's; write 1 to 64 characters of ASCII without blanks, commas and semicolons")
	}
	return nil
}

// checkTenant takes what a caller's tenantId can be, of printable ASCII.
func checkTenant(name string) error {
	if name == "" || len(name) > maxTenantLength || !isPrintable(name, ",;") {
		return fmt.Errorf("a name can't be a tenant's; write 1 to %d characters of ASCII without commas and semicolons", maxTenantLength)
	}
	return nil
}

// isPrintable reports whether a text is printable ASCII without some marks.
func isPrintable(text, but string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || strings.IndexByte(but, c) >= 0 {
			return false
		}
	}
	return true
}

func readSubject(p *otp.Person, values []string) error {
	if len(values) > 1 {
		return errors.New("a person has one subject")
	}
	subject := values[0]
	if len(subject) > maxSubject || !isPrintable(subject, " \",;\\") {
		return fmt.Errorf("a subject has up to %d characters of ASCII without blanks, commas, semicolons, quotes and backslashes", maxSubject)
	}
	p.Subject = subject
	return nil
}

func readMFA(p *otp.Person, values []string) error {
	if len(values) == 1 {
		switch strings.ToLower(values[0]) {
		case "required", "true", "yes", "1":
			p.MFA = true
			return nil
		case "false", "no", "0":
			return nil
		}
	}
	return errors.New("write required or false")
}
