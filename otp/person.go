// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"slices"
)

// ErrNobody: a directory knows no person of an address.
var ErrNobody = errors.New("nobody in the directory has this address")

// Directory knows the people of a site.
type Directory interface {
	// Find returns the person that an address belongs to, [ErrNobody] where
	// there is none, or an error that wraps [ErrUnavailable] where that can't
	// be told now. It is asked on every request of a session, so it must be
	// quick: it answers from memory whenever it can. It is safe for concurrent
	// use. What it returns is shared and must not be changed.
	Find(ctx context.Context, a Address) (Person, error)
}

// Asker is a [Directory] that is sooner with an answer which it gave before.
// Who types an address must not be able to tell that: it would say who comes
// here.
type Asker interface {
	Directory
	// Ask is Find without memory: how long it takes and whether it can tell
	// doesn't depend on what was asked for before.
	Ask(ctx context.Context, a Address) (Person, error)
}

// Person is what a directory knows of somebody.
type Person struct {
	// Subject is the app's own identifier of the person. Where it is empty the
	// person is known by the address that they sign in with.
	Subject string
	// Addresses are all that sign this person in, the main one first.
	Addresses []Address
	Groups    []string
	// Tenants are those that the person belongs to, the main one first; none:
	// tenants have no meaning for the person.
	Tenants []string
	// MFA demands a second factor for everything that needs a session.
	MFA bool
}

// Main returns the first address of a channel, or the zero Address.
func (p Person) Main(c Channel) Address {
	for _, a := range p.Addresses {
		if a.channel == c {
			return a
		}
	}
	return Address{}
}

// isZero reports whether nothing is known.
func (p *Person) isZero() bool {
	return p.Subject == "" && p.Addresses == nil && p.Groups == nil && p.Tenants == nil && !p.MFA
}

// InAny reports whether the person is in one of the groups.
func (p Person) InAny(groups []string) bool {
	return slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(p.Groups, g) })
}

// isOf reports whether the person may be signed in for a tenant.
func (p Person) isOf(tenant string) bool {
	return tenant == "" || len(p.Tenants) == 0 || slices.Contains(p.Tenants, tenant)
}

// maxGroupLength is the longest name of a group, in bytes.
const maxGroupLength = 64

// IsGroup reports whether a text can be the name of a group: printable ASCII
// without blanks, commas and semicolons, which separate groups in headers and
// files.
func IsGroup(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == ',' || c == ';' {
			return false
		}
	}
	return text != "" && len(text) <= maxGroupLength
}

// boundTenant is the tenant that a code or link is bound to: nothing where
// tenants have no meaning for the person.
type boundTenant []string

// bound returns what a code or link that is asked for with a tenant is bound
// to. It is the caller's own word: one that was asked for without a tenant
// isn't good with one.
func (p Person) bound(tenant string) boundTenant {
	if len(p.Tenants) == 0 {
		return nil
	}
	return boundTenant{tenant}
}

// tenant returns the tenant of a session that is asked for with one, or with
// none: then it is the person's main one.
func (p Person) tenant(asked string) string {
	if asked == "" && len(p.Tenants) > 0 {
		return p.Tenants[0]
	}
	return asked
}
