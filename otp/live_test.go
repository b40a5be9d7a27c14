// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// follow is the context of a request of a session that is opened now.
func (h *house) follow(t *testing.T, id SessionID, person string) context.Context {
	t.Helper()
	ctx, release := h.Follow(t.Context(), h.opened(t, id, person), nil)
	t.Cleanup(release)
	return ctx
}

// opened is a session that begins now.
func (h *house) opened(t *testing.T, id SessionID, person string) Session {
	t.Helper()
	a := email(t, person+"@example.com")
	subject := Subject(h.realm, a)
	now := time.Now()
	return Session{ID: id, Subject: subject, Owner: h.owner(subject), Address: a, Created: now, Expires: now.Add(time.Hour)}
}

// running starts the watch, until the test's end.
func (h *house) running(t *testing.T) *house {
	t.Helper()
	h.watch.Start()
	t.Cleanup(h.watch.Stop)
	synctest.Wait()
	return h
}

func expectOpen(t *testing.T, what string, ctx context.Context) {
	t.Helper()
	if ctx.Err() != nil {
		t.Errorf("%s has ended: %v", what, ctx.Err())
	}
}

func expectEnded(t *testing.T, what string, ctx context.Context) {
	t.Helper()
	if ctx.Err() == nil {
		t.Errorf("%s goes on", what)
	}
}

func TestFollowSignOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		one, two := newHouseOn(t, store, nil).running(t), newHouseOn(t, store, nil).running(t)
		type node struct {
			name                            string
			jane, again, elsewhere, joe, ed context.Context
		}
		var nodes []node
		for name, h := range map[string]*house{"here": one, "on the other node": two} {
			nodes = append(nodes, node{
				name: name,
				jane: h.follow(t, "s1", "jane"), again: h.follow(t, "s1", "jane"), elsewhere: h.follow(t, "s2", "jane"),
				joe: h.follow(t, "s3", "joe"), ed: h.follow(t, "s4", "ed"),
			})
		}
		time.Sleep(1234 * time.Millisecond)
		if err := one.SignOut(t.Context(), "s1", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		joe := one.opened(t, "", "joe").Subject
		if err := one.SignOutEverywhere(t.Context(), joe, time.Hour); err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes {
			if n.name != "here" {
				time.Sleep(watchInterval)
				synctest.Wait()
			}
			expectEnded(t, n.name+" the session", n.jane)
			expectEnded(t, n.name+" its second request", n.again)
			expectEnded(t, n.name+" a session of somebody signed out everywhere", n.joe)
			expectOpen(t, n.name+" another session of the person", n.elsewhere)
			expectOpen(t, n.name+" somebody else's", n.ed)
		}
		time.Sleep(time.Millisecond)
		later := two.follow(t, "s5", "joe")
		time.Sleep(10 * time.Second) // the store tells the same again and again
		expectOpen(t, "a session that began after its owner signed out everywhere", later)
	})
}

// TestFollowWhatIsRevokedMeanwhile: the judgement of the request came before
// the news, the request after it.
func TestFollowWhatIsRevokedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil).running(t)
		x := h.opened(t, "s1", "jane")
		if err := h.SignOut(t.Context(), x.ID, x.Expires); err != nil {
			t.Fatal(err)
		}
		ctx, release := h.Follow(t.Context(), x, nil)
		expectEnded(t, "a session that is revoked already", ctx)
		release()
	})
}

func TestFollowEndsWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil).running(t)
		ctx := h.follow(t, "s1", "jane")
		time.Sleep(time.Hour - time.Millisecond)
		expectOpen(t, "a session that nobody ended", ctx)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		expectEnded(t, "a session past its end", ctx)
	})
}

func TestFollowEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil).running(t)
		request, hangUp := context.WithCancel(t.Context())
		hungUp, releaseHungUp := h.Follow(request, h.opened(t, "s1", "jane"), nil)
		done, releaseDone := h.Follow(t.Context(), h.opened(t, "s1", "jane"), nil)
		hangUp()
		expectEnded(t, "a request whose client is gone", hungUp)
		expectOpen(t, "another", done)
		releaseHungUp()
		releaseDone()
		expectEnded(t, "a request that was answered", done)
		live := &h.watch.live
		if len(live.sessions) != 0 || len(live.owners) != 0 || live.queue.Len() != 0 {
			t.Errorf("%d sessions, %d owners and %d requests are remembered", len(live.sessions), len(live.owners), live.queue.Len())
		}
	})
}

// changingPeople is a directory that can change and be down.
type changingPeople struct {
	mu    sync.Mutex
	known map[Address]Person
	err   error
	asked int
}

func (p *changingPeople) Find(_ context.Context, a Address) (Person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	person, ok := p.known[a]
	if p.err == nil && !ok {
		return Person{}, ErrNobody
	}
	return person, p.err
}

func (p *changingPeople) set(known map[Address]Person, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known, p.err = known, err
}

func TestFollowAsksTheDirectoryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		jane, joe := email(t, "jane@example.com"), email(t, "joe@example.com")
		directory := &changingPeople{known: map[Address]Person{jane: {Groups: []string{"admins"}}, joe: {Groups: []string{"admins"}}}}
		h := newHouse(t, func(c *Config) { c.Directory = directory }).running(t)
		isAdmin := func(x Session) bool { return x.Person.InAny([]string{"admins"}) }
		admins, release := h.Follow(t.Context(), h.opened(t, "s1", "jane"), isAdmin)
		defer release()
		anybody := h.follow(t, "s1", "jane")
		joes := h.follow(t, "s2", "joe")

		directory.set(nil, ErrUnavailable)
		time.Sleep(time.Minute)
		expectOpen(t, "a request that the directory can't be asked of", joes)
		directory.set(map[Address]Person{jane: {}, joe: {}}, nil)
		time.Sleep(judgeInterval + judgeInterval/judgeShares)
		synctest.Wait()
		expectEnded(t, "a request of somebody who has left the group", admins)
		expectOpen(t, "one that needs no group", anybody)
		directory.set(map[Address]Person{jane: {}}, nil)
		time.Sleep(judgeInterval + judgeInterval/judgeShares)
		synctest.Wait()
		expectEnded(t, "a request of somebody who was removed", joes)
		expectOpen(t, "one of somebody who wasn't", anybody)
	})
}

// TestFollowWhileTheStoreIsDown for longer than sealed sessions are trusted.
func TestFollowWhileTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil).running(t)
		jane, joe := h.follow(t, "s1", "jane"), h.follow(t, "s2", "joe")
		h.store.setErr(ErrUnavailable)
		time.Sleep(10 * time.Minute)
		expectOpen(t, "a request that the store can't be asked of", jane)
		h.store.mu.Lock()
		h.store.err = nil
		h.store.revocations = append(h.store.revocations, Revocation{Session: "s1", At: time.Now(), Lifetime: time.Hour})
		h.store.mu.Unlock()
		time.Sleep(watchInterval)
		synctest.Wait()
		expectEnded(t, "a session that was revoked meanwhile", jane)
		expectOpen(t, "another", joe)
	})
}

// TestFollowOutlivesItsConfiguration: what came in under a configuration is
// judged by those that follow it.
func TestFollowOutlivesItsConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := newHouse(t, nil).running(t)
		following := func(deny ...string) *Service {
			return newHouseOn(t, first.store, func(c *Config) {
				c.Watch = first.watch
				for _, text := range deny {
					pattern, err := ParsePattern(text)
					if err != nil {
						t.Fatal(err)
					}
					c.Admission.Deny = append(c.Admission.Deny, pattern)
				}
			}).Service
		}
		dismissFirst := first.watch.Appoint(slog.New(slog.DiscardHandler), first.Service)
		jane, joe, ed := first.follow(t, "s1", "jane"), first.follow(t, "s2", "joe"), first.follow(t, "s3", "ed")
		settle := func() {
			time.Sleep(judgeInterval + judgeInterval/judgeShares)
			synctest.Wait()
		}

		// One that fails to start is dismissed again before it judges.
		first.watch.Appoint(slog.New(slog.DiscardHandler), following("*@example.com"))()
		settle()
		expectOpen(t, "what a configuration denies that doesn't run", jane)

		log := new(lockedBuffer)
		dismissSecond := first.watch.Appoint(slog.New(slog.NewTextHandler(log, nil)), following("jane@example.com"))
		dismissFirst()
		settle()
		expectEnded(t, "somebody whom the new configuration denies", jane)
		expectOpen(t, "another", joe)

		// A site that is gone leaves its requests to the rules that they came
		// in under.
		dismissThird := first.watch.Appoint(slog.New(slog.DiscardHandler))
		defer dismissThird()
		dismissSecond()
		settle()
		expectOpen(t, "a request of a site that is gone", joe)
		if err := first.SignOut(t.Context(), "s2", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		expectEnded(t, "its session, signed out", joe)
		expectOpen(t, "the last", ed)
	})
}

// TestWatchLogsToTheConfigurationThatRuns once each.
func TestWatchLogsToTheConfigurationThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil).running(t)
		log := new(lockedBuffer)
		dismiss := h.watch.Appoint(slog.New(slog.NewTextHandler(log, nil)), h.Service)
		h.store.setErr(ErrUnavailable)
		time.Sleep(time.Minute)
		dismiss()
		h.store.setErr(nil)
		time.Sleep(time.Minute)
		if n := strings.Count(log.String(), "revocations can't be read"); n != 1 || strings.Contains(h.log.String(), "can't be read") {
			t.Errorf("told %d times:\n%s", n, log)
		}
		if n := strings.Count(h.log.String(), "can be read again"); n != 1 || strings.Contains(log.String(), "read again") {
			t.Errorf("told %d times:\n%s", n, h.log)
		}
	})
}

// TestFollowAfterTheWatch: nobody would end it any more.
func TestFollowAfterTheWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil).running(t)
		before := h.follow(t, "s1", "jane")
		h.watch.Stop()
		expectEnded(t, "what goes on at the watch's end", before)
		expectEnded(t, "what begins after it", h.follow(t, "s2", "joe"))
	})
}

// TestFollowMany has each of many requests judged once in the interval, spread
// over it.
func TestFollowMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const requests = 10_000
		directory := &changingPeople{known: make(map[Address]Person)}
		for i := range 100 {
			directory.known[email(t, fmt.Sprintf("p%d@example.com", i))] = Person{}
		}
		h := newHouse(t, func(c *Config) { c.Directory = directory }).running(t)
		for i := range requests {
			h.follow(t, SessionID(fmt.Sprint("s", i)), fmt.Sprint("p", i%100))
		}
		synctest.Wait()
		for range 2 * judgeShares {
			before := directory.count()
			time.Sleep(judgeInterval / judgeShares)
			synctest.Wait()
			if n := directory.count() - before; n != requests/judgeShares {
				t.Fatalf("%d are judged at once", n)
			}
		}
		before := directory.count()
		time.Sleep(judgeInterval)
		synctest.Wait()
		if n := directory.count() - before; n != requests {
			t.Fatalf("%d are judged in the interval", n)
		}
	})
}

func (p *changingPeople) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// TestFollowAllAtOnce comes and goes from everywhere, for the race detector.
func TestFollowAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil).running(t)
		var running sync.WaitGroup
		for i := range 50 {
			running.Go(func() {
				id := SessionID(fmt.Sprint("s", i%7))
				for range 20 {
					x := h.opened(t, id, fmt.Sprint("p", i%5))
					ctx, release := h.Follow(t.Context(), x, func(x Session) bool { return x.ID == id })
					time.Sleep(time.Duration(i) * 10 * time.Millisecond)
					if i%10 == 0 {
						if err := h.SignOut(t.Context(), id, time.Now().Add(time.Hour)); err != nil {
							t.Error(err)
						}
						expectEnded(t, "a session that is signed out", ctx)
					}
					release()
				}
			})
		}
		running.Wait()
		if n := h.watch.live.queue.Len(); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

func BenchmarkFollow(b *testing.B) {
	h := newHouse(b, nil)
	now := time.Now()
	x := Session{ID: "s1", Owner: "o", Created: now, Expires: now.Add(time.Hour)}
	b.ReportAllocs()
	for b.Loop() {
		_, release := h.Follow(b.Context(), x, nil)
		release()
	}
}

// BenchmarkJudge10000 is one share of the work that 10 000 requests make.
func BenchmarkJudge10000(b *testing.B) {
	h := newHouse(b, nil)
	if err := h.watch.catchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	for i := range 10_000 {
		x := Session{ID: SessionID(fmt.Sprint("s", i)), Owner: fmt.Sprint("o", i%4000), Created: now, Expires: now.Add(time.Hour)}
		_, release := h.Follow(b.Context(), x, nil)
		b.Cleanup(release)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, u := range h.watch.live.due() {
			h.watch.live.judge(b.Context(), u, h.watch.judgeOf(u))
		}
	}
}

// BenchmarkHeed10000 ends one session among 10 000 requests.
func BenchmarkHeed10000(b *testing.B) {
	h := newHouse(b, nil)
	now := time.Now()
	for i := range 10_000 {
		x := Session{ID: SessionID(fmt.Sprint("s", i)), Owner: fmt.Sprint("o", i%4000), Created: now, Expires: now.Add(time.Hour)}
		_, release := h.Follow(b.Context(), x, nil)
		b.Cleanup(release)
	}
	told := []Revocation{{Session: "s77", At: now}, {Owner: "o99", At: now}}
	for b.Loop() {
		h.watch.live.heed(told)
	}
}
