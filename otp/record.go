// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"encoding/binary"
)

// Record is one value of the store that is kept sealed and for ever, such as a
// key.
type Record struct {
	service *Service
	sealer  *Sealer
	key     string
}

// Record returns the record of a use in the service's realm.
func (s *Service) Record(use string) Record {
	name := s.keys.name("record", s.realm, use)
	return Record{service: s, sealer: s.keys.Sealer("record " + use), key: name}
}

// recordOf returns the record that somebody has of a use.
func (s *Service) recordOf(use, owner string) Record {
	name := s.keys.name("record", s.realm, use, owner)
	return Record{service: s, sealer: s.keys.Sealer("record " + use), key: name}
}

// load returns the record's value, or nil where there is none. exists without
// a value: none of the secrets opens it.
func (r Record) load(ctx context.Context) (value []byte, exists bool, err error) {
	sealed, err := r.get(ctx)
	if err != nil {
		return nil, false, unavailable(err)
	}
	value, _ = r.open(sealed)
	return value, sealed != nil, nil
}

// change replaces the record's value by what next makes of it: of the value as
// [Record.load] has it, until nobody has changed it meanwhile. Where next
// returns nil or an error nothing is changed.
func (r Record) change(ctx context.Context, next func(value []byte, exists bool) ([]byte, error)) error {
	for {
		sealed, err := r.get(ctx)
		if err != nil {
			return unavailable(err)
		}
		value, _ := r.open(sealed)
		changed, err := next(value, sealed != nil)
		if err != nil || changed == nil {
			return err
		}
		swapped, err := r.swap(ctx, sealed, r.seal(changed))
		if err != nil || swapped {
			return unavailable(err)
		}
	}
}

func (r Record) swap(ctx context.Context, old, next []byte) (bool, error) {
	ctx, cancel := r.service.storeContext(ctx)
	defer cancel()
	return r.service.store.Swap(ctx, r.key, old, next, 0)
}

// LoadOrCreate returns the record's value. Where there is none that this
// deployment's secrets open, it stores what create returns, unless another
// node was faster: then it returns the other's.
func (r Record) LoadOrCreate(ctx context.Context, create func() ([]byte, error)) ([]byte, error) {
	for {
		value, again, err := r.tryLoadOrCreate(ctx, create)
		if err != nil || !again {
			return value, err
		}
	}
}

func (r Record) tryLoadOrCreate(ctx context.Context, create func() ([]byte, error)) (value []byte, again bool, err error) {
	sealed, err := r.get(ctx)
	if err != nil {
		return nil, false, unavailable(err)
	}
	value, current := r.open(sealed)
	if current {
		return value, false, nil
	}
	if value == nil {
		if value, err = create(); err != nil {
			return nil, false, err
		}
	}
	swapped, err := r.swap(ctx, sealed, r.seal(value))
	return value, !swapped, unavailable(err)
}

func (r Record) get(ctx context.Context) ([]byte, error) {
	ctx, cancel := r.service.storeContext(ctx)
	defer cancel()
	return r.service.store.Get(ctx, r.key)
}

// seal seals the value once under each secret: while a new secret is brought
// to one node after the other, all of them must open it.
func (r Record) seal(value []byte) []byte {
	var sealed []byte
	for _, copied := range r.sealer.sealForEach(value, r.key) {
		sealed = binary.AppendUvarint(sealed, uint64(len(copied)))
		sealed = append(sealed, copied...)
	}
	return sealed
}

// open returns the value, or nil where no secret opens it. current is false
// where a secret is missing from those that it was sealed under: it should be
// sealed anew. One that is sealed under a secret more is left as it is.
func (r Record) open(sealed []byte) (value []byte, current bool) {
	opened := make(map[int]bool)
	for len(sealed) > 0 {
		length, n := binary.Uvarint(sealed)
		if n <= 0 || length > uint64(len(sealed)-n) {
			break
		}
		if plain, key, err := r.sealer.open(sealed[n:n+int(length)], r.key); err == nil {
			value, opened[key] = plain, true
		}
		sealed = sealed[n+int(length):]
	}
	return value, value != nil && len(opened) == len(r.sealer.keys)
}
