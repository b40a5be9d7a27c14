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
	// Tenant is the caller's, echoed only.
	Tenant string
	// Scope is what the client was granted, in the dialect's words.
	Scope string
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
}

const sessionUse = "session record"

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
	})
	if err != nil {
		return SessionRecord{}, err
	}
	return SessionRecord{
		ID:       x.ID,
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
	return Session{
		ID:      r.ID,
		Subject: d.Subject,
		Address: RestoreAddress(d.Channel, d.Address),
		Method:  d.Method,
		Dialect: d.Dialect,
		Client:  d.Client,
		Tenant:  d.Tenant,
		Scope:   d.Scope,
		Since:   r.Since,
		Created: r.Created,
		Expires: r.Created.Add(r.Lifetime),
	}, nil
}
