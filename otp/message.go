// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"encoding/json"
	"time"
)

// Message is a code, a link or both on their way to a person. It exists in
// the clear only while it is delivered; in the outbox it is sealed.
type Message struct {
	// ID is the same on every try: it makes the Message-ID of a mail and the
	// idempotency key of a provider.
	ID      string  `json:"id"`
	Channel Channel `json:"channel"`
	Purpose Purpose `json:"purpose"`
	// To is where the message goes: [Address.Delivery].
	To string `json:"to"`
	// Code and Link are empty where the message carries none.
	Code string `json:"code,omitempty"`
	Link string `json:"link,omitempty"`
	// Locale is the BCP 47 tag that was asked for; it may be empty.
	Locale string `json:"locale,omitempty"`
	// Dialect and Tenant are the wire API and the tenant of the start.
	Dialect string `json:"dialect"`
	Tenant  string `json:"tenant,omitempty"`
	// Site is the host of the site that the message was asked for at: of the
	// sites of its realm that one words and sends it.
	Site string `json:"site,omitempty"`
	// Lifetime is how long the code and the link live.
	Lifetime time.Duration `json:"lifetime"`

	// Text, Subject and HTML are what a [Composer] made of the above.
	// Subject and HTML are empty for SMS.
	Subject string `json:"-"`
	Text    string `json:"-"`
	HTML    string `json:"-"`
}

// A Composer words messages: it returns m with Subject, Text and HTML set and
// with Locale set to the language that it used.
type Composer interface {
	Compose(m Message) (Message, error)
}

// A Sender delivers composed messages, one try a call. An error that wraps
// [ErrUndeliverable] ends the tries, any other leads to another one. Send
// returns when ctx ends. It may be called concurrently.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

const outboxUse = "outbox"

func (s *Service) seal(m Message, lease time.Duration) (*Envelope, error) {
	plain, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return &Envelope{
		ID:       m.ID,
		Realm:    s.realm,
		Sealed:   s.outbox.Seal(plain, s.realm),
		Lifetime: m.Lifetime,
		Lease:    lease,
	}, nil
}

func (s *Service) unseal(e Envelope) (Message, error) {
	var m Message
	plain, _, err := s.outbox.Open(e.Sealed, s.realm)
	if err != nil {
		return m, err
	}
	err = json.Unmarshal(plain, &m)
	return m, err
}
