// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// watchInterval is how often a node asks for revocations.
	watchInterval = 500 * time.Millisecond
	// staleAfter is how long sealed sessions are trusted without an answer.
	staleAfter = time.Minute
)

// Watch knows the revoked sessions of a store, so that a request needs no
// round trip to learn that its session still holds.
type Watch struct {
	store   Store
	logger  *slog.Logger
	timeout time.Duration
	stop    context.CancelFunc
	done    chan struct{}

	polling sync.Mutex

	mu       sync.RWMutex
	cursor   Cursor
	news     time.Time
	sessions map[SessionID]revoked
	subjects map[string]revoked
}

type revoked struct{ at, forget time.Time }

// NewWatch returns a watch of the store's revocations. It polls between Start
// and Stop.
func NewWatch(store Store, timeout time.Duration, logger *slog.Logger) *Watch {
	return &Watch{
		store:    store,
		logger:   logger,
		timeout:  timeout,
		sessions: make(map[SessionID]revoked),
		subjects: make(map[string]revoked),
	}
}

// Start begins to poll, in the background.
func (w *Watch) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.done = cancel, make(chan struct{})
	go w.poll(ctx)
}

// Stop ends the polling that Start began.
func (w *Watch) Stop() {
	if w.stop != nil {
		w.stop()
		<-w.done
	}
}

func (w *Watch) poll(ctx context.Context) {
	defer close(w.done)
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	healthy := true
	for {
		attempt, cancel := context.WithTimeout(ctx, w.timeout)
		err := w.catchUp(attempt)
		cancel()
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil && healthy:
			w.logger.Error("revocations can't be read; sessions are trusted for another minute", slog.Any("error", err))
		case err == nil && !healthy:
			w.logger.Info("revocations can be read again")
		}
		healthy = err == nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// catchUp asks for what is new. Several callers share one question at a time.
func (w *Watch) catchUp(ctx context.Context) error {
	w.polling.Lock()
	defer w.polling.Unlock()
	w.mu.RLock()
	cursor := w.cursor
	w.mu.RUnlock()
	asked := time.Now()
	revocations, next, err := w.store.Revocations(ctx, cursor)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range revocations {
		entry := revoked{at: r.At, forget: r.At.Add(r.Lifetime)}
		if r.Session != "" {
			w.sessions[r.Session] = entry
		} else {
			w.subjects[r.Subject] = entry
		}
	}
	if asked.Sub(w.news) > staleAfter/2 || len(revocations) > 0 {
		forgetPast(w.sessions, asked)
		forgetPast(w.subjects, asked)
	}
	w.cursor, w.news = next, asked
	return nil
}

func forgetPast[K comparable](entries map[K]revoked, now time.Time) {
	for key, entry := range entries {
		if now.After(entry.forget) {
			delete(entries, key)
		}
	}
}

// Fresh reports whether the watch has heard from the store within the last
// minute. Where it never has, it asks now, bounded by ctx and its timeout.
func (w *Watch) Fresh(ctx context.Context) bool {
	w.mu.RLock()
	news := w.news
	w.mu.RUnlock()
	if news.IsZero() {
		ctx, cancel := context.WithTimeout(ctx, w.timeout)
		defer cancel()
		return w.firstCatchUp(ctx)
	}
	return time.Since(news) < staleAfter
}

func (w *Watch) firstCatchUp(ctx context.Context) bool {
	w.mu.RLock()
	asked := !w.news.IsZero()
	w.mu.RUnlock()
	return asked || w.catchUp(ctx) == nil
}

// Revoked reports whether a session, or every session of its subject that is
// as old, was ended before its time.
func (w *Watch) Revoked(id SessionID, subject string, created time.Time) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if _, ok := w.sessions[id]; ok {
		return true
	}
	entry, ok := w.subjects[subject]
	return ok && !created.After(entry.at)
}
