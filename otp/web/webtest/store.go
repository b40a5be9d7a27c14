// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// FailStore makes the store fail with an error whatever a request asks of it; nil
// lets it work again.
func (s *Site) FailStore(err error) { s.store.failure.Store(&err) }

// Starts returns how many starts have reached the store.
func (s *Site) Starts() int64 { return s.store.starts.Load() }

// DeleteRecords has the store forget the records without an end that were
// written so far, as if an admin had deleted them by hand, and returns how many
// they are. The realm's signing key, which is in memory, goes on.
func (s *Site) DeleteRecords() (n int) {
	s.store.records.Range(func(key, _ any) bool {
		s.store.lost.Store(key, nil)
		n++
		return true
	})
	return n
}

// store counts what reaches it, and fails when told to.
type store struct {
	otp.Store
	failure  atomic.Pointer[error]
	starts   atomic.Int64
	messages atomic.Int64 // that were accepted

	// lost are the keys of records that [Site.DeleteRecords] takes for gone.
	records sync.Map
	lost    sync.Map
}

func (s *store) err() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *store) Start(ctx context.Context, c otp.Challenge, m *otp.Envelope, charges ...otp.Charge) (otp.Outcome, error) {
	s.starts.Add(1)
	if err := s.err(); err != nil {
		return otp.Outcome{}, err
	}
	outcome, err := s.Store.Start(ctx, c, m, charges...)
	if m != nil && outcome.Result == otp.Accepted {
		s.messages.Add(1)
	}
	return outcome, err
}

func (s *store) Verify(ctx context.Context, g otp.Guess, x otp.SessionRecord, charges ...otp.Charge) (otp.Outcome, error) {
	if err := s.err(); err != nil {
		return otp.Outcome{}, err
	}
	if e := g.Expect; e != nil && len(e.Value) == 0 {
		if _, lost := s.lost.Load(e.Key); lost {
			value, err := s.Store.Get(ctx, e.Key)
			if err != nil {
				return otp.Outcome{}, err
			}
			g.Expect = &otp.ExpectedRecord{Key: e.Key, Value: value}
		}
	}
	return s.Store.Verify(ctx, g, x, charges...)
}

func (s *store) Renew(ctx context.Context, id otp.SessionID, old []otp.Tag, next otp.Tag) (otp.SessionRecord, error) {
	if err := s.err(); err != nil {
		return otp.SessionRecord{}, err
	}
	return s.Store.Renew(ctx, id, old, next)
}

func (s *store) Revoke(ctx context.Context, r otp.Revocation) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Store.Revoke(ctx, r)
}

func (s *store) Swap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	if err := s.err(); err != nil {
		return false, err
	}
	if ttl == 0 {
		s.records.Store(key, nil)
	}
	if _, lost := s.lost.Load(key); lost && old == nil {
		var err error
		if old, err = s.Store.Get(ctx, key); err != nil {
			return false, err
		}
		s.lost.Delete(key)
	}
	return s.Store.Swap(ctx, key, old, next, ttl)
}

func (s *store) Sessions(ctx context.Context, owner string) ([]otp.SessionRecord, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	return s.Store.Sessions(ctx, owner)
}

func (s *store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	if _, lost := s.lost.Load(key); lost {
		return nil, nil
	}
	return s.Store.Get(ctx, key)
}
