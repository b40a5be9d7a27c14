// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"time"
)

// SignOut ends a session. On this node it holds at once, on others as soon as
// they have heard.
func (s *Service) SignOut(ctx context.Context, id SessionID, expires time.Time) error {
	return s.revoke(ctx, Revocation{Session: id, Lifetime: time.Until(expires)})
}

// Sessions returns the sessions of a person that hold, the newest first, at
// most [MaxSessions]. It returns [ErrUnavailable] in a [RetryError].
func (s *Service) Sessions(ctx context.Context, subject string) ([]Session, error) {
	if !s.watch.Fresh(ctx) { // the store keeps those that were ended all at once
		return nil, &RetryError{Err: ErrUnavailable, After: defaultRetryWait}
	}
	owner := s.owner(subject)
	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	records, err := s.store.Sessions(ctx, owner)
	if err != nil {
		return nil, unavailable(err)
	}
	var found []Session
	for _, r := range records {
		x, err := s.unsealSession(r)
		if err != nil || x.Owner != owner || s.watch.Revoked(x.ID, owner, x.Created) {
			continue // sealed by a secret that is gone, or ended
		}
		found = append(found, x)
	}
	return found, nil
}

// SignOutEverywhere ends all sessions of a subject that began before now;
// longest is how long a session can last. No device is trusted any more.
func (s *Service) SignOutEverywhere(ctx context.Context, subject string, longest time.Duration) error {
	owner := s.owner(subject)
	if err := s.revoke(ctx, Revocation{Owner: owner, Lifetime: longest}); err != nil {
		return err
	}
	return s.forgetDevices(ctx, owner)
}

func (s *Service) revoke(ctx context.Context, r Revocation) error {
	if r.Lifetime <= 0 {
		return nil // it has ended by itself
	}
	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	if err := s.store.Revoke(ctx, r); err != nil {
		return unavailable(err)
	}
	s.heed(ctx)
	return nil
}

// heed makes this node know of a revocation that was just stored. Where it
// can't be read back, the node learns of it with its next poll.
func (s *Service) heed(ctx context.Context) { _ = s.watch.catchUp(ctx) }
