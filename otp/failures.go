// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// maxMirrored is how many handles a node remembers failures of.
const maxMirrored = 10_000

// mirror remembers the failures of handles that this node was told of lately.
// A store that fails over may have lost some: what was written last hasn't
// reached every replica. Told of them with the next guess, it goes on from there.
// It is safe for concurrent use.
type mirror struct {
	mu sync.Mutex
	// One generation is forgotten when the other is full or has its time.
	young, old map[Handle]Failures
	begun      time.Time
}

// get returns what is remembered of a handle.
func (m *mirror) get(h Handle) Failures {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.young[h]; ok {
		return f
	}
	return m.old[h]
}

// note remembers what came of a guess.
func (m *mirror) note(h Handle, o Outcome, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.Result == Verified {
		delete(m.young, h)
		delete(m.old, h)
		return
	}
	if o.Failures == 0 {
		return // it wasn't counted
	}
	if m.young == nil || len(m.young) >= maxMirrored/2 || now.Sub(m.begun) >= FailuresRemembered/2 {
		m.young, m.old, m.begun = make(map[Handle]Failures), m.young, now
	}
	m.young[h] = Failures{Count: o.Failures, At: o.Now}
}

// storeVerify has the store judge a guess, with the failures that this node
// knows of.
func (s *Service) storeVerify(ctx context.Context, g Guess, r SessionRecord, charges ...Charge) (Outcome, error) {
	g.Failures = s.mirror.get(g.Handle)
	outcome, err := s.store.Verify(ctx, g, r, charges...)
	// What is only tried clears nothing.
	if tried := r.ID == ""; err == nil && !(tried && outcome.Result == Verified) {
		s.mirror.note(g.Handle, outcome, time.Now())
	}
	return outcome, err
}

// Unlock takes back all wrong guesses at an address, and with them its cool-down
// or that it is disabled, as somebody who signs in does. Known browsers have
// their own, which it leaves alone. It returns [ErrUnavailable] in a
// [RetryError]; any other error is a defect.
func (s *Service) Unlock(ctx context.Context, a Address) error {
	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	if err := s.store.Unlock(ctx, s.handle(a)); err != nil {
		return unavailable(err)
	}
	s.logger.Info("an address was unlocked", slog.String("realm", s.realm))
	return nil
}
