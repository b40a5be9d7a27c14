// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// breakerWrong is how many wrong guesses there may be in a minute.
	breakerWrong = 300
	// breakerStarts is how many starts tell how many of them are verified:
	// one of breakerShare has to be.
	breakerStarts = 1000
	breakerShare  = 20
	// breakerPause is how long nobody unknown gets through before it is judged
	// anew.
	breakerPause = time.Minute
	// breakerTrial is how many starts of unknown clients get through in each
	// minute after the pause, as long as too few starts are verified: by them
	// it is seen when that is over.
	breakerTrial = 100

	// breakerMinutes is how far back starts are looked at, breakerRipe the age
	// from which they are: then nobody can verify them any more.
	breakerMinutes = 60
	breakerRipe    = int64(MaxCodeLifetime / time.Minute)
)

// Breaker stops those who spray guesses or messages over many addresses, each
// below the limits of one address and one network. It opens where there are
// more than 300 wrong guesses in a minute, or where of the last 1 000 starts
// and more, made within an hour, under 5 % were verified. Then nobody but known
// browsers gets a code or has one judged for a minute, after which it is judged
// anew. Where too few starts are verified, a hundred a minute get through after
// that minute, and it closes when people verify again, as after a failure of
// the mail server. Links always work, and so do second factors: who has a
// session isn't unknown.
//
// Only starts that are as old as a code gets count, and whatever was verified
// since the first of them, so that people who are about to type their code
// don't open it, on whichever server they do.
//
// It is a realm's, on one server: each counts the requests that it answers
// itself, so that with n servers behind a load balancer about n times as many
// wrong guesses open all of them. A counter in the store that every start
// moves would be its hottest key, and a Cluster's bottleneck.
//
// A method takes constant time but for one in a minute, and allocates nothing.
// It is safe for concurrent use.
type Breaker struct {
	now func() time.Time

	mu    sync.Mutex
	begin time.Time
	at    time.Duration // since begin; it never goes back
	// minutes are the last ones, by their number since begin; minute is the
	// latest of them.
	minutes [breakerMinutes]breakerMinute
	minute  int64

	open   bool
	reason string
	// shut is until when no unknown client gets through.
	shut time.Duration
	// barren says that too few starts are verified, and trial what came of
	// those that were let through all the same, the older ones counting half.
	barren  bool
	trial   struct{ starts, verified int }
	allowed int // how many more get through in this minute
}

// breakerMinute is what happened in a minute.
type breakerMinute struct{ starts, verified, wrong int }

// NewBreaker returns a closed breaker. now must not be nil.
func NewBreaker(now func() time.Time) *Breaker {
	return &Breaker{now: now, begin: now()}
}

// turn is how a breaker has changed, and what it went by.
type turn struct {
	opened, closed bool
	reason         string
	counts         breakerMinute
}

// The reasons to open.
const (
	manyWrong   = "wrong guesses in a minute"
	fewVerified = "few starts are verified"
)

// refuse returns how long a client that isn't known has to wait before it can
// start or verify; 0: it doesn't.
func (b *Breaker) refuse(action string) (wait time.Duration, t turn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t = b.tick()
	switch {
	case b.at < b.shut:
		wait = b.shut - b.at
	case b.barren && action == startAction && b.allowed <= 0:
		wait = time.Duration(b.minute+1)*time.Minute - b.at
	}
	return wait, t
}

// started counts a start that was accepted.
func (b *Breaker) started(known bool) turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tick()
	b.current().starts++
	if b.barren && !known {
		b.allowed--
		b.trial.starts++
	}
	return t
}

// verified counts a code or link that was right.
func (b *Breaker) verified(known bool) turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tick()
	b.current().verified++
	if !b.barren || known || b.at < b.shut {
		return t
	}
	b.trial.verified++
	if b.trial.verified >= breakerTrial/breakerShare && b.trial.verified*breakerShare >= b.trial.starts {
		b.barren = false
		for i := range b.minutes {
			b.minutes[i].starts = 0 // those before would open it again
		}
		return b.settle("", breakerMinute{starts: b.trial.starts, verified: b.trial.verified})
	}
	return t
}

// missed counts a wrong guess that the store has counted: at a live code. Others
// say nothing of any code, and would let anybody open it without a start.
func (b *Breaker) missed() turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tick()
	b.current().wrong++
	wrong := b.wrong()
	if wrong <= breakerWrong {
		return t
	}
	b.shut = b.at + breakerPause
	for i := range b.minutes {
		b.minutes[i].wrong = 0 // what comes after it is judged
	}
	return b.settle(manyWrong, breakerMinute{wrong: wrong})
}

func (b *Breaker) current() *breakerMinute { return &b.minutes[b.minute%breakerMinutes] }

// wrong is how many wrong guesses there were in the last minute: all of this
// one, and of the one before as much as belongs to it.
func (b *Breaker) wrong() int {
	wrong := b.current().wrong
	if b.minute > 0 {
		rest := time.Duration(b.minute+1)*time.Minute - b.at
		wrong += int(time.Duration(b.minutes[(b.minute-1)%breakerMinutes].wrong) * rest / time.Minute)
	}
	return wrong
}

// tick moves the time on. With each new minute the starts are judged anew.
func (b *Breaker) tick() turn {
	b.at = max(b.at, b.now().Sub(b.begin))
	minute := int64(b.at / time.Minute)
	if minute == b.minute {
		return b.settle("", breakerMinute{})
	}
	for m := max(b.minute+1, minute-breakerMinutes+1); m <= minute; m++ {
		b.minutes[m%breakerMinutes] = breakerMinute{}
	}
	b.minute = minute
	b.trial.starts /= 2
	b.trial.verified /= 2
	b.allowed = breakerTrial

	barren, counts := b.judge()
	if barren && !b.barren {
		b.shut = max(b.shut, b.at+breakerPause)
		b.trial.starts, b.trial.verified = 0, 0
	}
	b.barren = barren
	return b.settle(fewVerified, counts)
}

// judge reports whether too few of the starts that can't be verified any more
// were. It looks at the last of them that are enough, but at no less than
// [MaxCodeLifetime]: verifications of younger starts, which can't be told from
// theirs, shouldn't outweigh them.
func (b *Breaker) judge() (barren bool, counts breakerMinute) {
	newest := b.minute - breakerRipe - 1
	for m := b.minute; m >= max(0, b.minute-breakerMinutes+1); m-- {
		counts.verified += b.minutes[m%breakerMinutes].verified
		if m <= newest {
			counts.starts += b.minutes[m%breakerMinutes].starts
		}
		if counts.starts >= breakerStarts && m <= newest-breakerRipe+1 {
			break
		}
	}
	return counts.starts >= breakerStarts && counts.verified*breakerShare < counts.starts, counts
}

// settle returns whether the breaker has opened, for the reason given, or
// closed.
func (b *Breaker) settle(reason string, counts breakerMinute) turn {
	was := b.open
	b.open = b.barren || b.at < b.shut
	switch {
	case b.open == was:
		return turn{}
	case b.open:
		b.reason = reason
	}
	return turn{opened: b.open, closed: was, reason: b.reason, counts: counts}
}

// Open reports whether the breaker is open now. What has gone by since the last
// request isn't judged.
func (b *Breaker) Open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.barren || max(b.at, b.now().Sub(b.begin)) < b.shut
}

// breakerRefusal returns [ErrBusy] in a [RetryError] where the realm's breaker
// is open for a client. known is the id of a known browser, or empty.
func (s *Service) breakerRefusal(action, known string) error {
	if known != "" {
		return nil
	}
	wait, t := s.breaker.refuse(action)
	s.tell(t)
	if wait > 0 {
		return &RetryError{Err: ErrBusy, After: wait}
	}
	return nil
}

// tell logs what an admin must know of: people are refused. The observer is told
// as well.
func (s *Service) tell(t turn) {
	level, message := slog.LevelInfo, "breaker closed: everybody is served again"
	switch {
	case t.opened:
		level, message = slog.LevelWarn, "breaker opened: browsers and clients that aren't known are refused for a while"
	case !t.closed:
		return
	}
	s.observer.BreakerTurned(BreakerTurn{Open: t.opened, Reason: t.reason})
	s.logger.LogAttrs(context.Background(), level, message,
		slog.String("realm", s.realm), slog.String("because_of", t.reason),
		slog.Int("starts", t.counts.starts), slog.Int("verified", t.counts.verified), slog.Int("wrong", t.counts.wrong))
}
