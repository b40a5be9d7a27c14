// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"time"
)

// What can come of [Once.Take] besides the value.
var (
	// ErrNotKept: nothing is kept there for who asks, or not any more.
	ErrNotKept = errors.New("nothing is kept")
	// ErrTaken: what was kept there has been taken before.
	ErrTaken = errors.New("taken before")
)

// Once keeps values of one use in the store, sealed, each in a slot and for a
// while. A value can be taken once, on whichever node. A store sees neither the
// values nor the names of the slots.
type Once struct {
	service  *Service
	sealer   *Sealer
	use      string
	lifetime time.Duration
}

// Once returns what keeps values of a use in the service's realm for lifetime,
// which must be above zero.
func (s *Service) Once(use string, lifetime time.Duration) Once {
	return Once{service: s, sealer: s.keys.Sealer("once " + use), use: use, lifetime: lifetime}
}

// The first byte of what is sealed.
const (
	onceTaken byte = iota
	onceKept
)

// Put keeps a value in a slot, in place of what was there, taken or not. It can
// be taken with the same secret only; who names a slot by a secret may leave
// that empty. It returns [ErrUnavailable] in a [RetryError].
func (o Once) Put(ctx context.Context, slot, secret string, value []byte) error {
	key := o.key(slot)
	next := o.seal(onceKept, value, key, secret)
	for {
		old, err := o.get(ctx, key)
		if err != nil {
			return err
		}
		if swapped, err := o.swap(ctx, key, old, next); err != nil || swapped {
			return err
		}
	}
}

// Take returns the value of a slot to the first who asks with its secret. It
// returns [ErrTaken] to everybody after, for as long again as it was kept;
// [ErrNotKept] where there is none, or another secret's; or [ErrUnavailable] in
// a [RetryError]: then it may have been taken all the same.
func (o Once) Take(ctx context.Context, slot, secret string) ([]byte, error) {
	key := o.key(slot)
	for {
		sealed, err := o.get(ctx, key)
		if err != nil {
			return nil, err
		}
		plain, _, err := o.sealer.Open(sealed, key+"\x00"+secret)
		switch {
		case err != nil || len(plain) == 0:
			return nil, ErrNotKept
		case plain[0] != onceKept:
			return nil, ErrTaken
		}
		swapped, err := o.swap(ctx, key, sealed, o.seal(onceTaken, nil, key, secret))
		if err != nil {
			return nil, err
		}
		if swapped {
			return plain[1:], nil
		}
	}
}

// Claim takes a slot in which nothing needs to be kept, such as one that is
// named by what may be presented once. It returns [ErrTaken] where that was
// done within the lifetime, or [ErrUnavailable] in a [RetryError].
func (o Once) Claim(ctx context.Context, slot string) error {
	key := o.key(slot)
	swapped, err := o.swap(ctx, key, nil, o.seal(onceTaken, nil, key, ""))
	if err == nil && !swapped {
		err = ErrTaken
	}
	return err
}

func (o Once) key(slot string) string {
	return o.service.keys.name("once", o.service.realm, o.use, slot)
}

func (o Once) seal(state byte, value []byte, key, secret string) []byte {
	return o.sealer.Seal(append([]byte{state}, value...), key+"\x00"+secret)
}

func (o Once) get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := o.service.storeContext(ctx)
	defer cancel()
	sealed, err := o.service.store.Get(ctx, key)
	return sealed, unavailable(err)
}

func (o Once) swap(ctx context.Context, key string, old, next []byte) (bool, error) {
	ctx, cancel := o.service.storeContext(ctx)
	defer cancel()
	swapped, err := o.service.store.Swap(ctx, key, old, next, o.lifetime)
	return swapped, unavailable(err)
}
