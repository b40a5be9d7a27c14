// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"crypto/hmac"
	"errors"
)

// A refresh secret is 192 random bits and a proof that this realm made them
// for this dialect's session: without it, whoever knows a session's id could
// have the session revoked by presenting any secret at all.
const (
	refreshRandomBytes  = 24
	refreshRandomLength = refreshRandomBytes * 8 / 6
	refreshProofLength  = 11
)

func (s *Service) newRefresh(dialect string, id SessionID) (secret string, tag Tag) {
	random := randomText(refreshRandomBytes)
	proof := s.keys.tag(refreshProofTag, s.realm, dialect, string(id), random)
	secret = random + string(proof[:refreshProofLength])
	return secret, s.keys.tag(refreshTag, s.realm, string(id), secret)
}

func (s *Service) isOwnRefresh(dialect string, id SessionID, secret string) bool {
	if len(secret) != refreshRandomLength+refreshProofLength {
		return false
	}
	random, proof := secret[:refreshRandomLength], secret[refreshRandomLength:]
	for _, candidate := range s.keys.candidates(refreshProofTag, s.realm, dialect, string(id), random) {
		if hmac.Equal([]byte(candidate[:refreshProofLength]), []byte(proof)) {
			return true
		}
	}
	return false
}

// Refresh renews a session that a dialect opened as renewable and returns it
// with the next secret; the one presented is used up. It returns
// [ErrNoSession] for what was never given out or has ended, [ErrReused] for a
// secret that was used before, with the session, which is revoked now, or
// [ErrUnavailable] in a [RetryError]. A pending session stays pending.
func (s *Service) Refresh(ctx context.Context, dialect string, id SessionID, secret string) (Verification, error) {
	if !id.Valid() || !s.isOwnRefresh(dialect, id, secret) {
		return Verification{}, ErrNoSession
	}
	if !s.watch.Fresh(ctx) { // asked first: a renewal can't be taken back
		return Verification{}, &RetryError{Err: ErrUnavailable, After: defaultRetryWait}
	}
	next, kept := s.newRefresh(dialect, id)
	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	record, err := s.store.Renew(ctx, id, s.keys.candidates(refreshTag, s.realm, string(id), secret), kept)
	reused := errors.Is(err, ErrReused)
	if reused {
		s.heed(ctx)
	} else if err != nil {
		return Verification{}, unavailable(err)
	}
	session, err := s.unsealSession(record)
	if err != nil {
		return Verification{}, err
	}
	if reused {
		return Verification{Session: session}, ErrReused
	}
	// A store doesn't know of the end of all of a subject's sessions.
	session, err = s.CurrentOrPending(ctx, session)
	if err != nil {
		return Verification{}, err
	}
	return Verification{Session: session, Refresh: next}, nil
}
