// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-otp/caddy-otp/otp"
)

// storeOperation is a method of [otp.Store].
type storeOperation int

const (
	startOperation storeOperation = iota
	verifyOperation
	unlockOperation
	claimOperation
	settleOperation
	renewOperation
	revokeOperation
	sessionsOperation
	revocationsOperation
	getOperation
	swapOperation
)

var storeOperations = [...]string{
	startOperation:       "start",
	verifyOperation:      "verify",
	unlockOperation:      "unlock",
	claimOperation:       "claim",
	settleOperation:      "settle",
	renewOperation:       "renew",
	revokeOperation:      "revoke",
	sessionsOperation:    "sessions",
	revocationsOperation: "revocations",
	getOperation:         "get",
	swapOperation:        "swap",
}

// measuredStore measures the operations of a store.
type measuredStore struct {
	store  otp.Store
	times  [len(storeOperations)]prometheus.Observer
	errors [len(storeOperations)]prometheus.Counter
}

// measured returns a store with its operations measured, under the name of its
// module.
func (m meterSet) measured(store otp.Store, module Store) *measuredStore {
	s, name := &measuredStore{store: store}, storeName(module)
	for i, operation := range storeOperations {
		s.times[i] = m.storeTimes.WithLabelValues(name, operation)
		s.errors[i] = m.storeErrors.WithLabelValues(name, operation)
	}
	return s
}

// storeName is the name of a store's module, such as bolt.
func storeName(module Store) string {
	if m, ok := module.(caddy.Module); ok {
		return m.CaddyModule().ID.Name()
	}
	return other
}

// done counts an operation that began at a time. What a session isn't or isn't
// any more is an answer; and who gives an operation up has not seen it fail.
func (s *measuredStore) done(ctx context.Context, o storeOperation, began time.Time, err error) {
	switch {
	case err == nil, errors.Is(err, otp.ErrNoSession), errors.Is(err, otp.ErrReused):
		s.times[o].Observe(time.Since(began).Seconds())
	case !errors.Is(ctx.Err(), context.Canceled):
		s.errors[o].Inc()
	}
}

func (s *measuredStore) Start(ctx context.Context, c otp.Challenge, m *otp.Envelope, charges ...otp.Charge) (otp.Outcome, error) {
	began := time.Now()
	outcome, err := s.store.Start(ctx, c, m, charges...)
	s.done(ctx, startOperation, began, err)
	return outcome, err
}

func (s *measuredStore) Verify(ctx context.Context, g otp.Guess, r otp.SessionRecord, charges ...otp.Charge) (otp.Outcome, error) {
	began := time.Now()
	outcome, err := s.store.Verify(ctx, g, r, charges...)
	s.done(ctx, verifyOperation, began, err)
	return outcome, err
}

func (s *measuredStore) Unlock(ctx context.Context, h otp.Handle) error {
	began := time.Now()
	err := s.store.Unlock(ctx, h)
	s.done(ctx, unlockOperation, began, err)
	return err
}

func (s *measuredStore) Claim(ctx context.Context, realms []string, limit int, lease time.Duration) ([]otp.Lease, error) {
	began := time.Now()
	leases, err := s.store.Claim(ctx, realms, limit, lease)
	s.done(ctx, claimOperation, began, err)
	return leases, err
}

func (s *measuredStore) Settle(ctx context.Context, ends ...otp.Settlement) error {
	began := time.Now()
	err := s.store.Settle(ctx, ends...)
	s.done(ctx, settleOperation, began, err)
	return err
}

func (s *measuredStore) Renew(ctx context.Context, id otp.SessionID, old []otp.Tag, next otp.Tag) (otp.SessionRecord, error) {
	began := time.Now()
	record, err := s.store.Renew(ctx, id, old, next)
	s.done(ctx, renewOperation, began, err)
	return record, err
}

func (s *measuredStore) Revoke(ctx context.Context, r otp.Revocation) error {
	began := time.Now()
	err := s.store.Revoke(ctx, r)
	s.done(ctx, revokeOperation, began, err)
	return err
}

func (s *measuredStore) Sessions(ctx context.Context, owner string) ([]otp.SessionRecord, error) {
	began := time.Now()
	records, err := s.store.Sessions(ctx, owner)
	s.done(ctx, sessionsOperation, began, err)
	return records, err
}

func (s *measuredStore) Revocations(ctx context.Context, since otp.Cursor) ([]otp.Revocation, otp.Cursor, error) {
	began := time.Now()
	revocations, next, err := s.store.Revocations(ctx, since)
	s.done(ctx, revocationsOperation, began, err)
	return revocations, next, err
}

func (s *measuredStore) Get(ctx context.Context, key string) ([]byte, error) {
	began := time.Now()
	value, err := s.store.Get(ctx, key)
	s.done(ctx, getOperation, began, err)
	return value, err
}

func (s *measuredStore) Swap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	began := time.Now()
	swapped, err := s.store.Swap(ctx, key, old, next, ttl)
	s.done(ctx, swapOperation, began, err)
	return swapped, err
}

// Interface guards
var _ otp.Store = (*measuredStore)(nil)
