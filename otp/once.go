// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// ErrTaken: there is nothing to take under a ticket: it was taken before, is
// too old, or never was one.
var ErrTaken = errors.New("nothing to take")

// Once keeps values of one use in the store, sealed, until each is taken once.
type Once struct {
	service *Service
	sealer  *Sealer
	use     string
}

// Once returns what keeps the values of a use in the service's realm. A ticket
// of one use, or of one realm, takes nothing of another.
func (s *Service) Once(use string) Once {
	return Once{service: s, sealer: s.keys.Sealer("once " + use), use: use}
}

// taken is in the place of a value that was taken.
var taken = []byte{0}

// ticketLength is that of a ticket: 256 random bits as base64url.
const ticketLength = 43

// Put keeps a value for a while and returns the ticket that takes it. The
// store can't tell the ticket. The error is [ErrUnavailable] in a
// [RetryError].
func (o Once) Put(ctx context.Context, value []byte, lifetime time.Duration) (ticket string, err error) {
	ticket = randomText(32)
	key := o.key(ticket)
	ctx, cancel := o.service.storeContext(ctx)
	defer cancel()
	kept, err := o.service.store.Swap(ctx, key, nil, o.sealer.Seal(value, key), lifetime)
	if err == nil && !kept {
		return "", errors.New("a new ticket is in use")
	}
	return ticket, unavailable(err)
}

// Take returns the value of a ticket, to one caller only. It returns
// [ErrTaken], or [ErrUnavailable] in a [RetryError]: after that the ticket may
// be used up.
func (o Once) Take(ctx context.Context, ticket string) ([]byte, error) {
	if len(ticket) != ticketLength || !isBase64URL(ticket) {
		return nil, ErrTaken
	}
	key := o.key(ticket)
	ctx, cancel := o.service.storeContext(ctx)
	defer cancel()
	sealed, err := o.service.store.Get(ctx, key)
	if err != nil {
		return nil, unavailable(err)
	}
	if sealed == nil || bytes.Equal(sealed, taken) {
		return nil, ErrTaken
	}
	// A store can't delete; what was taken is soon forgotten.
	first, err := o.service.store.Swap(ctx, key, sealed, taken, time.Second)
	if err != nil {
		return nil, unavailable(err)
	}
	if !first {
		return nil, ErrTaken
	}
	value, _, err := o.sealer.Open(sealed, key)
	if err != nil {
		return nil, ErrTaken // sealed by a secret that is gone
	}
	return value, nil
}

// key names a ticket's value in the store.
func (o Once) key(ticket string) string {
	return o.service.keys.name("once", o.service.realm, o.use, ticket)
}
