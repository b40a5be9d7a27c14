// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// breakerRig is a breaker with a clock that is moved by hand.
type breakerRig struct {
	testing.TB
	*Breaker
	time             time.Time
	opened, closings int
	last             turn
}

func newBreakerRig(t testing.TB) *breakerRig {
	rig := &breakerRig{TB: t, time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	rig.Breaker = NewBreaker(func() time.Time { return rig.time })
	return rig
}

func (r *breakerRig) note(t turn) {
	if t.opened {
		r.opened++
		r.last = t
	}
	if t.closed {
		r.closings++
		r.last = t
	}
}

func (r *breakerRig) pass(d time.Duration) { r.time = r.time.Add(d) }

func (r *breakerRig) start(n int) {
	for range n {
		r.note(r.started(false))
	}
}

func (r *breakerRig) verify(n int) {
	for range n {
		r.note(r.verified(false))
	}
}

func (r *breakerRig) miss(n int) {
	for range n {
		r.note(r.missed())
	}
}

func (r *breakerRig) waits(what string, start, verify time.Duration) {
	r.Helper()
	for action, want := range map[string]time.Duration{startAction: start, verifyAction: verify} {
		wait, t := r.refuse(action)
		r.note(t)
		if wait != want {
			r.Errorf("%s: a %s waits %s, want %s", what, action, wait, want)
		}
	}
}

func (r *breakerRig) turned(what string, opened, closed int) {
	r.Helper()
	if r.opened != opened || r.closings != closed {
		r.Errorf("%s: it has opened %d times and closed %d times, want %d and %d", what, r.opened, r.closings, opened, closed)
	}
}

func TestBreakerOfWrongGuesses(t *testing.T) {
	r := newBreakerRig(t)
	r.miss(300)
	r.waits("300 guesses", 0, 0)
	r.pass(10 * time.Second)
	r.miss(1)
	r.waits("301 guesses", time.Minute, time.Minute)
	r.turned("301 guesses", 1, 0)
	if r.last.reason != manyWrong || r.last.counts.wrong != 301 {
		t.Errorf("opened with %+v", r.last)
	}
	r.miss(20) // from known browsers
	r.pass(59 * time.Second)
	r.waits("a minute less a second later", time.Second, time.Second)
	r.pass(time.Second)
	r.waits("a minute later", 0, 0)
	r.turned("a minute later", 1, 1)
	if r.last.reason != manyWrong {
		t.Errorf("closed with %+v", r.last)
	}
	r.miss(301)
	r.waits("again", time.Minute, time.Minute)
	r.turned("again", 2, 1)
}

// TestBreakerSlidesOverMinutes: no more guesses get through where two minutes
// meet, and fewer than 300 a minute, spread out, go through for ever.
func TestBreakerSlidesOverMinutes(t *testing.T) {
	r := newBreakerRig(t)
	r.pass(59 * time.Second)
	r.miss(200)
	r.pass(2 * time.Second)
	r.miss(110)
	r.turned("310 guesses in 3 seconds", 1, 0)

	r = newBreakerRig(t)
	for range 20 * 290 {
		r.miss(1)
		r.pass(time.Minute / 290)
	}
	r.turned("290 guesses a minute", 0, 0)
}

func TestBreakerOfUnverifiedStarts(t *testing.T) {
	r := newBreakerRig(t)
	r.start(1000)
	r.verify(49)
	r.pass(10 * time.Minute)
	r.waits("codes that may live", 0, 0)
	r.pass(time.Minute)
	r.waits("1000 starts, 49 verified", time.Minute, time.Minute)
	r.turned("1000 starts, 49 verified", 1, 0)
	if r.last.reason != fewVerified || r.last.counts != (breakerMinute{starts: 1000, verified: 49}) {
		t.Errorf("opened with %+v", r.last)
	}

	for name, c := range map[string]struct{ starts, verified int }{
		"5 %":          {1000, 50},
		"999 starts":   {999, 0},
		"all verified": {5000, 5000},
	} {
		r := newBreakerRig(t)
		r.start(c.starts)
		r.verify(c.verified)
		for range 70 {
			r.pass(time.Minute)
			r.waits(name, 0, 0)
		}
		r.turned(name, 0, 0)
	}
}

// TestBreakerForgets: starts spread over more than an hour are too few, and the
// longest pause between requests doesn't confuse it.
func TestBreakerForgets(t *testing.T) {
	r := newBreakerRig(t)
	for range 10 {
		r.start(499)
		r.pass(45 * time.Minute)
	}
	r.start(1000)
	r.pass(1000 * time.Hour)
	r.waits("a month later", 0, 0)
	r.turned("a month later", 0, 0)
}

// TestBreakerAndOrdinaryTraffic: a site that was just opened, a rush, and a
// quarter of people who verify, a minute later.
func TestBreakerAndOrdinaryTraffic(t *testing.T) {
	r := newBreakerRig(t)
	before := 0
	for minute := range 300 {
		starts := 20 + minute%50*10
		if minute%60 == 30 {
			starts = 10_000
		}
		r.start(starts)
		r.verify(before / 4)
		before = starts
		r.pass(time.Minute)
	}
	r.turned("ordinary traffic", 0, 0)
}

// TestBreakerTries: after the pause a hundred starts a minute get through, until
// people verify again.
func TestBreakerTries(t *testing.T) {
	r := newBreakerRig(t)
	r.start(2000)
	r.pass(11 * time.Minute)
	r.waits("open", time.Minute, time.Minute)
	r.pass(time.Minute)
	for range 5 {
		r.waits("after the pause", 0, 0)
		r.start(100)
		r.waits("after a hundred starts", time.Minute, 0)
		r.pass(20 * time.Second)
		r.waits("later", 40*time.Second, 0)
		r.pass(40 * time.Second)
	}
	r.note(r.verified(true)) // it says nothing of who isn't known
	r.turned("under attack", 1, 0)
	r.start(40)
	r.verify(4)
	r.turned("four are verified", 1, 0)
	r.verify(20)
	r.waits("people verify again", 0, 0)
	r.turned("people verify again", 1, 1)
	r.start(500)
	for range 15 {
		r.pass(time.Minute)
		r.waits("later", 0, 0)
	}
	r.turned("later", 1, 1)
}

// TestBreakerClosesWithoutTraffic: an hour after an attack nothing is left.
func TestBreakerClosesWithoutTraffic(t *testing.T) {
	r := newBreakerRig(t)
	r.start(2000)
	r.pass(11 * time.Minute)
	r.waits("open", time.Minute, time.Minute)
	r.pass(time.Hour)
	r.waits("an hour later", 0, 0)
	r.turned("an hour later", 1, 1)
}

func TestBreakerWhenTheClockIsSetBack(t *testing.T) {
	r := newBreakerRig(t)
	r.pass(5 * time.Minute)
	r.miss(301)
	r.pass(-24 * time.Hour)
	r.waits("a day back", time.Minute, time.Minute)
	r.start(10)
}

func TestBreakerAllocatesNothing(t *testing.T) {
	r := newBreakerRig(t)
	h := newHouse(t, func(c *Config) { c.Breaker = r.Breaker })
	if n := testing.AllocsPerRun(1000, func() {
		r.pass(time.Second)
		_ = h.breakerRefusal(startAction, "")
		h.tell(r.started(false))
		h.tell(r.verified(false))
		h.tell(r.missed())
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestBreakerOfARealm: the sites of a realm share it; whoever isn't known is
// refused before anything is counted, the store and the directory asked.
func TestBreakerOfARealm(t *testing.T) {
	r := newBreakerRig(t)
	shared := func(c *Config) { c.Breaker = r.Breaker }
	h, beside := newHouse(t, shared), newHouse(t, shared)
	request := startRequest(t, "jane@example.com")
	h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return Outcome{Result: Wrong, Failures: 1}, nil }
	for i := range 300 {
		v := verifyRequestFor(request, fmt.Sprintf("%06d", i))
		if i%2 == 0 {
			if err := h.Try(t.Context(), v); !errors.Is(err, ErrWrong) {
				t.Fatal(err)
			}
		} else if _, err := h.Verify(t.Context(), v); !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
	}
	if _, err := beside.Start(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Verify(t.Context(), verifyRequestFor(request, "000300")); !errors.Is(err, ErrWrong) {
		t.Fatal(err)
	}

	asked := len(h.store.verifies)
	busy := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrBusy) || RetryAfter(err) != 60 {
			t.Errorf("%s: %v, again in %d s", what, err, RetryAfter(err))
		}
	}
	_, err := beside.Start(t.Context(), request)
	busy("a start", err)
	_, err = h.Verify(t.Context(), verifyRequestFor(request, "000123"))
	busy("a verification", err)
	busy("a try", h.Try(t.Context(), verifyRequestFor(request, "000123")))
	if len(h.store.verifies) != asked || len(beside.store.starts) != 1 {
		t.Error("the store was asked")
	}

	known := request
	known.KnownBrowser.ID = "id"
	if _, err := beside.Start(t.Context(), known); err != nil {
		t.Errorf("a known browser's start: %v", err)
	}
	guess := verifyRequestFor(request, "000123")
	guess.KnownBrowser.ID = "id"
	h.store.verify = nil
	if _, err := h.Verify(t.Context(), guess); err != nil {
		t.Errorf("a known browser's code: %v", err)
	}
	if _, err := h.VerifyLink(t.Context(), Link{Dialect: "portal", Address: request.Address, Purpose: Login, secret: "x"}, Presented{Lifetime: time.Hour}); err != nil {
		t.Errorf("a link: %v", err)
	}
	r.pass(time.Minute)
	if _, err := beside.Start(t.Context(), request); err != nil {
		t.Errorf("a minute later: %v", err)
	}

	logged := h.log.String() + beside.log.String()
	for _, line := range []string{"level=WARN msg=\"breaker opened", "level=INFO msg=\"breaker closed"} {
		if strings.Count(logged, line) != 1 {
			t.Errorf("not logged once: %s", line)
		}
	}
	if !strings.Contains(logged, "realm=app.example.com because_of=\"wrong guesses in a minute\"") || !strings.Contains(logged, "wrong=301") || strings.Contains(logged, "jane") {
		t.Errorf("logged:\n%s", logged)
	}
}

// TestLinksOpenNoBreaker: nobody guesses a link, so wrong ones aren't counted.
func TestLinksOpenNoBreaker(t *testing.T) {
	r := newBreakerRig(t)
	h := newHouse(t, func(c *Config) { c.Breaker = r.Breaker })
	h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return Outcome{Result: Wrong, Failures: 1}, nil }
	address := startRequest(t, "jane@example.com").Address
	for range 400 {
		if _, err := h.VerifyLink(t.Context(), Link{Dialect: "portal", Address: address, Purpose: Login, secret: "x"}, Presented{}); !errors.Is(err, ErrWrong) {
			t.Fatal(err)
		}
	}
	r.waits("400 links", 0, 0)
}

// TestWhatTheBreakerCounts: the guesses that the store has counted, whatever it
// says to them, and no others, which need no start.
func TestWhatTheBreakerCounts(t *testing.T) {
	for _, test := range []struct {
		outcome Outcome
		opens   bool
	}{
		{Outcome{Result: Wrong, Failures: 1}, true},
		{Outcome{Result: Exhausted, Failures: 5}, true}, // the guess that kills a code
		{Outcome{Result: Expired, Failures: 1}, true},
		{Outcome{Result: Wrong}, false},
		{Outcome{Result: Exhausted}, false},
		{Outcome{Result: CoolingDown, RetryAfter: time.Second}, false},
		{Outcome{Result: Throttled, RetryAfter: time.Second}, false},
	} {
		h := newHouse(t, nil)
		h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return test.outcome, nil }
		for range 301 {
			_, _ = h.Verify(t.Context(), verifyRequest(t, "jane@example.com", "123456"))
		}
		if opened := h.breakerRefusal(startAction, "") != nil; opened != test.opens {
			t.Errorf("%+v: opened is %t", test.outcome, opened)
		}
	}
}
