// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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
	young, old map[Handle]mirrored
	begun      time.Time
}

// mirrored is what a node was told of a handle, and when by its own clock.
type mirrored struct {
	Failures
	noted time.Time
}

// get returns what is remembered of a handle. What is older than a store
// remembers a success or an unlocking for is forgotten: nobody could tell any
// more that it was taken back.
func (m *mirror) get(h Handle, now time.Time) Failures {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.young[h]
	if !ok {
		known = m.old[h]
	}
	if now.Sub(known.noted) >= FailuresRemembered {
		return Failures{}
	}
	return known.Failures
}

// drop forgets a handle.
func (m *mirror) drop(h Handle) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.young, h)
	delete(m.old, h)
}

// note remembers what came of a guess.
func (m *mirror) note(h Handle, o Outcome, now time.Time) {
	if o.Result == Verified {
		m.drop(h)
		return
	}
	if o.Failures == 0 {
		return // it wasn't counted
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young == nil || len(m.young) >= maxMirrored/2 || now.Sub(m.begun) >= FailuresRemembered/2 {
		m.young, m.old, m.begun = make(map[Handle]mirrored), m.young, now
	}
	m.young[h] = mirrored{Failures{Count: o.Failures, At: o.Now}, now}
}

// storeVerify has the store judge a guess, with the failures that this node
// knows of, and tells the breaker of one that was counted as a failure.
func (s *Service) storeVerify(ctx context.Context, g Guess, r SessionRecord, charges ...Charge) (Outcome, error) {
	g.Failures = s.mirror.get(g.Handle, s.now())
	outcome, err := s.store.Verify(ctx, g, r, charges...)
	// What is only tried clears nothing.
	if tried := r.ID == ""; err == nil && !(tried && outcome.Result == Verified) {
		s.mirror.note(g.Handle, outcome, s.now())
	}
	if err == nil && outcome.Failures > 0 && !g.Link {
		s.tell(s.breaker.missed())
	}
	return outcome, err
}

// Unlock takes back all wrong guesses at an address, and with them its cool-down
// or that it is disabled, as somebody who signs in does; and those at the
// second factors of whom the address belongs to. Known browsers have their own
// at logins, which it leaves alone. It returns [ErrUnavailable] in
// a [RetryError]; any other error is a defect.
func (s *Service) Unlock(ctx context.Context, a Address) error {
	person, directoryErr := s.personOf(ctx, a)
	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	for _, h := range s.lockable(person, a) {
		if err := s.store.Unlock(ctx, h); err != nil {
			return unavailable(err)
		}
		s.mirror.drop(h)
	}
	if directoryErr != nil {
		return directoryErr
	}
	s.logger.Info("an address was unlocked", slog.String("realm", s.realm))
	return nil
}

// personOf returns the person that an address belongs to: nobody in particular
// where there is no directory, or none of it.
func (s *Service) personOf(ctx context.Context, a Address) (Person, error) {
	if s.directory == nil {
		return Person{}, nil
	}
	p, err := s.directory.Find(ctx, a)
	switch {
	case errors.Is(err, ErrNobody):
		return Person{}, nil
	case err != nil:
		return Person{}, directoryUnavailable(err)
	}
	return p, nil
}

// lockable are the handles that wrong guesses at an address, and at the second
// factors of its person, count on. Whom the directory gives no subject is
// somebody else by each address.
func (s *Service) lockable(p Person, a Address) []Handle {
	handles := []Handle{s.handle(a)}
	for _, signsIn := range append([]Address{a}, p.Addresses...) {
		owner := s.owner(s.subject(p, signsIn))
		if h := s.recordHandle(owner); !slices.Contains(handles, h) {
			handles = append(handles, h, s.handleFor(a, s.factorBudget(owner, true)))
		}
	}
	return handles
}
