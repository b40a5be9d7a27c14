// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// judgeInterval is within what time a session in use is judged anew. Its
	// revocation isn't waited for: the watch tells of it.
	judgeInterval = 5 * time.Second
	// judgeShares is into how many shares the work of that time is divided.
	judgeShares = 10
)

// Follow returns a context for a request that may last, such as a websocket.
// It ends with the session: at its absolute end, within a second after it was
// revoked on any node (on this one at once), and within seconds after its
// person may no longer sign in, or still (if it isn't nil) no longer holds of
// the session as it is then. A session in use doesn't rest: its idle time
// doesn't end the context. Nor does a store or a directory that can't be read:
// the session is judged when it can be. Where the watch is stopped, and nobody
// would end it any more, the context ends too.
//
// The session must have been judged by [Service.Current]. release must be
// called when the request has ended; the context ends with it.
func (s *Service) Follow(ctx context.Context, x Session, still func(Session) bool) (_ context.Context, release func()) {
	ctx, end := context.WithDeadline(ctx, x.Expires)
	u := &use{session: x, site: siteOf(s), service: s, still: still, end: end}
	live := &s.watch.live
	if !live.add(u) {
		end()
		return ctx, end
	}
	// What was told between the judgement and now is known by now.
	if s.watch.Revoked(x.ID, x.Owner, x.Created) {
		end()
	}
	return ctx, func() {
		live.remove(u)
		end()
	}
}

// use is a request of a session that goes on.
type use struct {
	site site
	// service let the request in.
	service *Service
	still   func(Session) bool
	end     context.CancelFunc

	// session is as it was last judged. What names it never changes.
	session Session
	place   *list.Element
}

// live is what goes on under the sessions of a store. The zero live is empty.
type live struct {
	mu       sync.Mutex
	closed   bool
	sessions map[SessionID]map[*use]struct{}
	owners   map[string]map[*use]struct{}
	// queue has every use, the one to be judged next in front.
	queue list.List
}

// add returns false where everything has ended already.
func (l *live) add(u *use) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.sessions == nil {
		l.sessions, l.owners = make(map[SessionID]map[*use]struct{}), make(map[string]map[*use]struct{})
	}
	insert(l.sessions, u.session.ID, u)
	insert(l.owners, u.session.Owner, u)
	u.place = l.queue.PushBack(u)
	return true
}

func (l *live) remove(u *use) {
	l.mu.Lock()
	defer l.mu.Unlock()
	drop(l.sessions, u.session.ID, u)
	drop(l.owners, u.session.Owner, u)
	l.queue.Remove(u.place)
}

func insert[K comparable](index map[K]map[*use]struct{}, key K, u *use) {
	if index[key] == nil {
		index[key] = make(map[*use]struct{}, 1)
	}
	index[key][u] = struct{}{}
}

func drop[K comparable](index map[K]map[*use]struct{}, key K, u *use) {
	delete(index[key], u)
	if len(index[key]) == 0 {
		delete(index, key)
	}
}

// heed ends what revocations end.
func (l *live) heed(told []Revocation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range told {
		if r.Session != "" {
			for u := range l.sessions[r.Session] {
				u.end()
			}
			continue
		}
		for u := range l.owners[r.Owner] {
			if !u.session.Created.After(r.At) {
				u.end()
			}
		}
	}
}

// close ends everything, now and from now on.
func (l *live) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for e := l.queue.Front(); e != nil; e = e.Next() {
		e.Value.(*use).end()
	}
}

// due takes a share of those that are to be judged, and puts them last.
func (l *live) due() []*use {
	l.mu.Lock()
	defer l.mu.Unlock()
	share := (l.queue.Len() + judgeShares - 1) / judgeShares
	uses := make([]*use, 0, share)
	for range share {
		front := l.queue.Front()
		uses = append(uses, front.Value.(*use))
		l.queue.MoveToBack(front)
	}
	return uses
}

// judge ends a use whose session no longer holds by the word of a service. A
// session that can't be judged now goes on.
func (l *live) judge(ctx context.Context, u *use, by *Service) {
	ctx, cancel := context.WithTimeout(ctx, judgeInterval)
	defer cancel()
	x, err := by.Current(ctx, u.session)
	switch {
	case err == nil && (u.still == nil || u.still(x)):
		l.mu.Lock()
		u.session = x
		l.mu.Unlock()
	case err == nil, errors.Is(err, ErrNoSession):
		u.end()
	}
}

// term is the time for which a configuration runs.
type term struct {
	logger *slog.Logger
	judges map[site]*Service
	// observer is the first service's, or noObserver.
	observer Observer
}

// site is what one service after the other may serve.
type site struct{ realm, url string }

func siteOf(s *Service) site { return site{s.realm, s.publicURL.String()} }

// Appoint makes services the judges of what goes on under the sessions of
// their sites, also of what earlier services let in, and logger the one that
// is told of faults, until dismiss is called: a request may outlive the
// configuration that it came in under, but follows the rules of the one that
// runs.
func (w *Watch) Appoint(logger *slog.Logger, services ...*Service) (dismiss func()) {
	t := &term{logger: logger, judges: make(map[site]*Service, len(services)), observer: noObserver{}}
	if len(services) > 0 {
		t.observer = services[0].observer
	}
	for _, s := range services {
		t.judges[siteOf(s)] = s
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.terms = append(w.terms, t)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.terms = slices.DeleteFunc(w.terms, func(other *term) bool { return other == t })
	}
}

// judgeOf returns the service that judges a use: the one appointed last for
// its site, or the one that let it in.
func (w *Watch) judgeOf(u *use) *Service {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, t := range slices.Backward(w.terms) {
		if judge := t.judges[u.site]; judge != nil {
			return judge
		}
	}
	return u.service
}

// log returns the logger of the configuration that runs.
func (w *Watch) log() *slog.Logger {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if len(w.terms) == 0 {
		return w.logger
	}
	return w.terms[len(w.terms)-1].logger
}

// tell tells the configuration that runs that the store is down, or no longer.
// told is false where none runs.
func (w *Watch) tell(down bool) (told bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if len(w.terms) == 0 {
		return false
	}
	w.terms[len(w.terms)-1].observer.StoreTurned(down)
	return true
}

// Logger returns the log of the newest configuration that runs.
func (w *Watch) Logger() *slog.Logger { return w.log() }

// judge judges all that goes on, over and over.
func (w *Watch) judge(ctx context.Context) {
	ticker := time.NewTicker(judgeInterval / judgeShares)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, u := range w.live.due() {
			w.live.judge(ctx, u, w.judgeOf(u))
		}
	}
}
