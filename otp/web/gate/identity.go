// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Fact is one thing that is known of who is signed in.
type Fact string

// The facts.
const (
	User    Fact = "user"
	Email   Fact = "email"
	Phone   Fact = "phone"
	Groups  Fact = "groups"
	Subject Fact = "subject"
	Method  Fact = "method"
	MFA     Fact = "mfa"
)

// Facts are all of them.
var Facts = []Fact{User, Email, Phone, Groups, Subject, Method, MFA}

// Of returns the fact of a session, or "": the main address of its person, the
// person's e-mail address, phone number, groups (with commas between) and
// subject, how the session was opened (code or link), and by what a second
// factor was proved in it.
func (f Fact) Of(x *otp.Session) string {
	switch f {
	case User:
		if len(x.Person.Addresses) > 0 {
			return x.Person.Addresses[0].String()
		}
		return x.Address.String()
	case Email:
		return mainAddress(x, otp.Email)
	case Phone:
		return mainAddress(x, otp.SMS)
	case Groups:
		return strings.Join(x.Person.Groups, ",")
	case Subject:
		return x.Subject
	case Method:
		return string(x.Method)
	case MFA:
		if !x.MFA.IsZero() {
			return x.MFAMethod
		}
	}
	return ""
}

// mainAddress returns the address of a channel: the one that was signed in with
// or else the person's main one.
func mainAddress(x *otp.Session, c otp.Channel) string {
	if x.Address.Channel() == c {
		return x.Address.String()
	}
	return x.Person.Main(c).String()
}

// The headers that tell the app who is signed in, unless a site has its own.
const (
	RemoteUser    = "Remote-User"
	RemoteEmail   = "Remote-Email"
	RemotePhone   = "Remote-Phone"
	RemoteGroups  = "Remote-Groups"
	RemoteSubject = "Remote-Subject"
)

// IdentityHeader is a header that tells the app a fact.
type IdentityHeader struct {
	Name string
	Fact Fact
}

// DefaultHeaders are those of a site that has no others.
var DefaultHeaders = []IdentityHeader{
	{RemoteUser, User}, {RemoteEmail, Email}, {RemotePhone, Phone}, {RemoteGroups, Groups}, {RemoteSubject, Subject},
}

// Identity is how an app is told who is signed in, and what no client may tell
// it.
type Identity struct {
	headers []IdentityHeader
	// assertion is the header of the signed assertion, or empty.
	assertion string
	names     *nameSet
}

// NewIdentity returns the identity of a site with these headers; nil: the
// default ones. assertion is the name of one more, for a signed assertion of
// who is signed in; empty: there is none. [CheckName] must like all names.
func NewIdentity(headers []IdentityHeader, assertion string) *Identity {
	if headers == nil {
		headers = DefaultHeaders
	}
	i := &Identity{assertion: http.CanonicalHeaderKey(assertion)}
	names := []string{i.assertion}
	for _, header := range headers {
		header.Name = http.CanonicalHeaderKey(header.Name)
		i.headers = append(i.headers, header)
		names = append(names, header.Name)
	}
	// Apps that trust the default names do so wherever they stand.
	for _, header := range DefaultHeaders {
		names = append(names, header.Name)
	}
	i.names = newNameSet(names...)
	return i
}

// set tells who is signed in. Of each header the value is in a slice that ends
// with it: later handlers edit them in place. A fact that is empty, or can't
// be the value of a header, sets none.
func (i *Identity) set(h http.Header, x *otp.Session) {
	values := make([]string, 0, len(i.headers))
	for _, header := range i.headers {
		value := header.Fact.Of(x)
		if value == "" || !httpguts.ValidHeaderFieldValue(value) {
			continue
		}
		values = append(values, value)
		end := len(values)
		h[header.Name] = values[end-1 : end : end]
	}
}
