// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"encoding/json"
	"time"
)

// Method is how a session was opened.
type Method string

// The methods.
const (
	ByCode Method = "code"
	ByLink Method = "link"
)

// Session is what a verified challenge opens.
type Session struct {
	ID      SessionID
	Subject string
	Address Address
	Method  Method
	// Dialect and Client are through what the session was opened.
	Dialect string
	Client  string
	// Tenant is the caller's, echoed only; of somebody whom a directory gives
	// tenants it is one of those.
	Tenant string
	// Scope is what the client was granted, in the dialect's words.
	Scope string
	// Audience is whom the session's access tokens are for; empty: this site. A
	// sealed cookie or token doesn't carry it.
	Audience string
	// Person is what the directory says of who is signed in, when it could
	// last be asked; without a directory it is empty.
	Person Person
	// Owner names the person in the store, as all of their sessions do.
	Owner string
	// Device is a short label of the program that opened the session, or
	// empty. A sealed cookie or token doesn't carry it.
	Device string
	// MFA is when a second factor was last proved in the session, and
	// MFAMethod by what; both are zero where none was.
	MFA       time.Time
	MFAMethod string
	// Temporary says that the browser forgets the session when it is closed.
	// The sealed cookie alone carries it.
	Temporary bool
	// Since is when the address was first verified, and New whether that was
	// when this session was opened.
	Since time.Time
	New   bool
	// Created and Expires bound the session, in the store's time.
	Created time.Time
	Expires time.Time
}

// sessionDetails is what a store keeps of a session, sealed.
type sessionDetails struct {
	Subject string  `json:"sub"`
	Channel Channel `json:"ch"`
	Address string  `json:"addr"`
	Method  Method  `json:"m"`
	Dialect string  `json:"d"`
	Client  string  `json:"c,omitempty"`
	Tenant  string  `json:"t,omitempty"`
	Scope   string  `json:"sc,omitempty"`

	Audience string `json:"aud,omitempty"`

	Person personDetails `json:"p,omitzero"`
	Device string        `json:"dev,omitempty"`
	// MFA is in Unix ms; 0 with a method: when the session was opened, by the
	// store's clock.
	MFA       int64  `json:"mfa,omitempty"`
	MFAMethod string `json:"mm,omitempty"`

	// Since and Expires, in Unix ms, are those of the session that this one
	// continues.
	Since   int64 `json:"since,omitempty"`
	Expires int64 `json:"exp,omitempty"`
}

// personDetails is what is kept of a [Person] who is signed in.
type personDetails struct {
	Emails []string `json:"e,omitempty"`
	Phones []string `json:"t,omitempty"`
	Groups []string `json:"g,omitempty"`
	MFA    bool     `json:"m,omitempty"`
}

const sessionUse = "session record"

// sealSession returns the record of a session that is to be opened. Its Since
// and Expires are zero unless it continues another one, which it doesn't
// outlive.
func (s *Service) sealSession(x Session, lifetime time.Duration, refresh Tag) (SessionRecord, error) {
	plain, err := json.Marshal(sessionDetails{
		Subject: x.Subject,
		Channel: x.Address.channel,
		Address: x.Address.canonical,
		Method:  x.Method,
		Dialect: x.Dialect,
		Client:  x.Client,
		Tenant:  x.Tenant,
		Scope:   x.Scope,

		Audience:  x.Audience,
		Person:    detailsOf(x.Person),
		Device:    x.Device,
		MFA:       unixMilli(x.MFA),
		MFAMethod: x.MFAMethod,

		Since:   unixMilli(x.Since),
		Expires: unixMilli(x.Expires),
	})
	if err != nil {
		return SessionRecord{}, err
	}
	return SessionRecord{
		ID:       x.ID,
		Owner:    x.Owner,
		Sealed:   s.sessions.Seal(plain, s.realm+"\x00"+string(x.ID)),
		Refresh:  refresh,
		Lifetime: lifetime,
	}, nil
}

func (s *Service) unsealSession(r SessionRecord) (Session, error) {
	plain, _, err := s.sessions.Open(r.Sealed, s.realm+"\x00"+string(r.ID))
	if err != nil {
		return Session{}, ErrNoSession // of another realm, or sealed by a secret that is gone
	}
	var d sessionDetails
	if err := json.Unmarshal(plain, &d); err != nil {
		return Session{}, err
	}
	x := Session{
		ID:      r.ID,
		Subject: d.Subject,
		Address: RestoreAddress(d.Channel, d.Address),
		Method:  d.Method,
		Dialect: d.Dialect,
		Client:  d.Client,
		Tenant:  d.Tenant,
		Scope:   d.Scope,
		Person:  d.Person.person(),
		Owner:   s.owner(d.Subject),
		Device:  d.Device,
		MFA:     timeOf(d.MFA),

		Audience:  d.Audience,
		MFAMethod: d.MFAMethod,

		Since:   r.Since,
		Created: r.Created,
		Expires: r.Created.Add(r.Lifetime),
	}
	if x.MFAMethod != "" && d.MFA == 0 {
		x.MFA = x.Created
	}
	if d.Since != 0 {
		x.Since = timeOf(d.Since)
	}
	if expires := timeOf(d.Expires); d.Expires != 0 && expires.Before(x.Expires) {
		x.Expires = expires
	}
	return x, nil
}

func detailsOf(p Person) personDetails {
	d := personDetails{Groups: p.Groups, MFA: p.MFA}
	for _, a := range p.Addresses {
		if a.channel == SMS {
			d.Phones = append(d.Phones, a.canonical)
		} else {
			d.Emails = append(d.Emails, a.canonical)
		}
	}
	return d
}

func (d personDetails) person() Person {
	p := Person{Groups: d.Groups, MFA: d.MFA}
	for _, text := range d.Emails {
		p.Addresses = append(p.Addresses, RestoreAddress(Email, text))
	}
	for _, text := range d.Phones {
		p.Addresses = append(p.Addresses, RestoreAddress(SMS, text))
	}
	return p
}

// unixMilli is a time in Unix milliseconds, or 0 for the zero time.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
