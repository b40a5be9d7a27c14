// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// watchInterval is how often a node asks for revocations.
	watchInterval = 500 * time.Millisecond
	// staleAfter is how long sealed sessions are trusted without an answer.
	staleAfter = time.Minute
)

// Watch knows the revoked sessions of a store, so that a request needs no
// round trip to learn that its session still holds, and ends what goes on
// under those that are revoked. It belongs to the store, not to a
// configuration: see [Watch.Appoint].
type Watch struct {
	store   Store
	logger  *slog.Logger
	made    time.Time
	timeout atomic.Int64 // in ns
	stop    context.CancelFunc
	running sync.WaitGroup
	live    live

	// polling has an element while somebody asks.
	polling chan struct{}

	mu       sync.RWMutex
	cursor   Cursor
	news     time.Time
	sessions map[SessionID]revoked
	owners   map[string]revoked
	// terms are the configurations that run, the newest last.
	terms []*term
}

type revoked struct{ at, forget time.Time }

// NewWatch returns a watch of the store's revocations. It polls between Start
// and Stop.
func NewWatch(store Store, timeout time.Duration, logger *slog.Logger) *Watch {
	w := &Watch{
		store:    store,
		logger:   logger,
		made:     time.Now(),
		polling:  make(chan struct{}, 1),
		sessions: make(map[SessionID]revoked),
		owners:   make(map[string]revoked),
	}
	w.Allow(timeout)
	return w
}

// Allow replaces how long the store may take to answer, from the next question
// on.
func (w *Watch) Allow(timeout time.Duration) { w.timeout.Store(int64(timeout)) }

// Start begins to poll, in the background.
func (w *Watch) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	w.running.Go(func() { w.poll(ctx) })
	w.running.Go(func() { w.judge(ctx) })
}

// Stop ends the polling that Start began, and what goes on under sessions,
// since nobody would end it any more.
func (w *Watch) Stop() {
	if w.stop != nil {
		w.stop()
		w.running.Wait()
		w.live.close()
	}
}

func (w *Watch) poll(ctx context.Context) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	var outage outage
	down := false // as was told
	for {
		attempt, cancel := context.WithTimeout(ctx, time.Duration(w.timeout.Load()))
		err := w.catchUp(attempt)
		cancel()
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil && outage.fails(err, time.Now()):
			w.log().Error("revocations can't be read; sessions are trusted for another minute", slog.Any("error", err))
		case err == nil && outage.ends():
			w.log().Info("revocations can be read again")
		}
		if down != outage.lasts(time.Now()) && w.tell(!down) {
			down = !down
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// catchUp asks for what is new.
func (w *Watch) catchUp(ctx context.Context) error {
	if err := w.lock(ctx); err != nil {
		return err
	}
	defer w.unlock()
	return w.ask(ctx)
}

// lock lets one caller ask at a time.
func (w *Watch) lock(ctx context.Context) error {
	select {
	case w.polling <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

func (w *Watch) unlock() { <-w.polling }

func (w *Watch) ask(ctx context.Context) error {
	w.mu.RLock()
	cursor := w.cursor
	w.mu.RUnlock()
	asked := time.Now()
	revocations, next, err := w.store.Revocations(ctx, cursor)
	if err != nil {
		return err
	}
	w.live.heed(w.learn(revocations, next, asked))
	return nil
}

// learn takes in what the store answered to a question, and returns what it
// didn't know before.
func (w *Watch) learn(revocations []Revocation, next Cursor, asked time.Time) (told []Revocation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range revocations {
		if r.Session != "" && remember(w.sessions, r.Session, r) || r.Session == "" && remember(w.owners, r.Owner, r) {
			told = append(told, r)
		}
	}
	if asked.Sub(w.news) > staleAfter/2 || len(revocations) > 0 {
		forgetPast(w.sessions, asked)
		forgetPast(w.owners, asked)
	}
	w.cursor, w.news = next, asked
	return told
}

// remember keeps the later of what is told in any order, and more than once.
// It reports whether the revocation is new.
func remember[K comparable](entries map[K]revoked, key K, r Revocation) bool {
	entry, known := entries[key]
	later := r.At.After(entry.at)
	if later {
		entry.at = r.At
	}
	if forget := r.At.Add(r.Lifetime); forget.After(entry.forget) {
		entry.forget = forget
	}
	entries[key] = entry
	return later || !known
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
func (w *Watch) Fresh(ctx context.Context) bool { return w.freshAt(ctx, time.Now()) }

func (w *Watch) freshAt(ctx context.Context, now time.Time) bool {
	news := w.lastNews()
	if news.IsZero() {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(w.timeout.Load()))
		defer cancel()
		return w.firstCatchUp(ctx)
	}
	return now.Sub(news) < staleAfter
}

// firstCatchUp asks unless another caller has just done so: the many requests
// of a node's first moment share one question.
func (w *Watch) firstCatchUp(ctx context.Context) bool {
	if w.lock(ctx) != nil {
		return !w.lastNews().IsZero()
	}
	defer w.unlock()
	return !w.lastNews().IsZero() || w.ask(ctx) == nil
}

// Age is how long ago the watch has last heard from the store, or was made where
// it never has.
func (w *Watch) Age() time.Duration {
	news := w.lastNews()
	if news.IsZero() {
		news = w.made
	}
	return time.Since(news)
}

func (w *Watch) lastNews() time.Time {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.news
}

// Revoked reports whether a session, or every session of its owner that is as
// old, was ended before its time.
func (w *Watch) Revoked(id SessionID, owner string, created time.Time) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if _, ok := w.sessions[id]; ok {
		return true
	}
	entry, ok := w.owners[owner]
	return ok && !created.After(entry.at)
}
