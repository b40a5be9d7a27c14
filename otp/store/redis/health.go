// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
)

const (
	// probeInterval is how often a server in doubt is asked; up to a quarter
	// more, so that nodes don't ask in step.
	probeInterval = 250 * time.Millisecond
	// checkInterval is how often a server's settings are looked at, and
	// unfitInterval while they are what keeps it from being used.
	checkInterval = time.Minute
	unfitInterval = 2 * time.Second
)

// noWrites are the refusals of a server that answers, but changes nothing now.
var noWrites = []string{"READONLY", "MISCONF", "NOREPLICAS"}

// passing are the refusals that tell nothing of a server's health: another one
// serves the key, or the script must be sent.
var passing = []string{"MOVED", "ASK", "TRYAGAIN", "NOSCRIPT", "UNBLOCKED"}

// health knows whether a server can be used, from what becomes of operations
// and, in doubt, by asking it in the background, one question at a time.
type health struct {
	server  string
	timeout time.Duration
	logger  *slog.Logger
	// tells says that somebody reads the log.
	tells bool
	// probe asks whether the server takes writes.
	probe func(ctx context.Context) error
	// inspect reads the servers' settings. Its error is that of a server that
	// doesn't answer.
	inspect func(ctx context.Context) ([]settingsFound, error)
	// judge judges them.
	judge func([]settingsFound) verdict
	// renew gives up the connections that there are.
	renew func()
	// watch looks after the nodes of a Cluster that answers as a whole.
	watch func(ctx context.Context)

	// answers: it answers, and serves us. Nothing works without.
	answers condition
	// writes: it takes writes. Reads work without.
	writes condition
	// room: it has memory. What needs none works without, so that each
	// operation finds out for itself.
	room condition
	// unfit is why the server is not used though it could be.
	unfit atomic.Pointer[unfitError]

	wake chan struct{}
	// next is when another probe may begin; run's own.
	next    time.Time
	begin   sync.Once
	stop    context.CancelFunc
	stopped context.Context
	running sync.WaitGroup
	// tending says that tend is under way.
	tending atomic.Bool

	checking sync.Mutex
	// checked is when the settings were looked at, or zero where they must be.
	checked time.Time
	// knownFit says that they were right before.
	knownFit  bool
	complaint string
	warned    map[string]bool
}

// unfitError is what is wrong with a server's settings, and what to do.
type unfitError string

func (e unfitError) Error() string { return string(e) }

// newHealth makes the health of a server that nobody knows yet. Without a
// logger it tells nobody.
func newHealth(server string, timeout time.Duration, logger *slog.Logger) *health {
	h := &health{
		server:  server,
		timeout: timeout,
		logger:  cmp.Or(logger, slog.New(slog.DiscardHandler)),
		tells:   logger != nil,
		wake:    make(chan struct{}, 1),
		warned:  make(map[string]bool),
	}
	h.stopped, h.stop = context.WithCancel(context.Background())
	return h
}

// admit returns why an operation can't succeed, or nil.
func (h *health) admit(writes bool) error {
	h.begin.Do(func() {
		h.running.Go(h.run)
		h.nudge()
	})
	if unfit := h.unfit.Load(); unfit != nil {
		return unfit
	}
	if err := h.answers.err(); err != nil {
		return err
	}
	if writes {
		return h.writes.err()
	}
	return nil
}

// succeed goes on with what an earlier health of the same servers knows, and
// has told. It finds out anew whether they can be used.
func (h *health) succeed(earlier *health) {
	h.answers.succeed(&earlier.answers)
	h.writes.succeed(&earlier.writes)
	h.room.succeed(&earlier.room)
	earlier.checking.Lock()
	defer earlier.checking.Unlock()
	h.knownFit, h.complaint, h.warned = earlier.knownFit, earlier.complaint, maps.Clone(earlier.warned)
}

// close ends the questions.
func (h *health) close() {
	h.begin.Do(func() {})
	h.stop()
	h.running.Wait()
}

func (h *health) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// sign is what an outcome says of a server.
type sign int

const (
	nothing sign = iota
	up           // it answers, and serves us
	down
)

// signOf returns what an operation that came to err says of the server, and the
// code of its refusal, if it is one. A server that can do nothing for a
// configuration like ours is as good as down.
func signOf(err error) (s sign, code string) {
	if err == nil {
		return up, ""
	}
	code, replied := replyCode(err)
	switch {
	case errors.Is(err, errShed), errors.Is(err, goredis.ErrClosed), slices.Contains(passing, code):
		return nothing, code
	case !replied, code != "" && code != "OOM" && !slices.Contains(noWrites, code), misconfigured(err) != "":
		return down, code
	}
	return up, code
}

// learn takes in what became of an operation, or a probe, that began at a time.
func (h *health) learn(began time.Time, err error, probe bool) {
	now := time.Now()
	says, code := signOf(err)
	switch says {
	case nothing:
		return
	case down:
		h.fail(&h.answers, "redis is down: nobody can sign in, and who is signed in is trusted for a minute at most", err, began, now)
		return
	}
	if away, closed := h.answers.hold(now, probe); closed {
		h.logger.Info("redis is up again", slog.String("server", h.server), slog.Duration("down_for", away))
	}
	switch {
	case slices.Contains(noWrites, code):
		h.fail(&h.writes, "redis takes no writes: nobody can sign in or out", err, began, now)
	case code == "OOM":
		h.fail(&h.room, "redis is full: nobody can sign in", err, began, now)
	case probe: // it did what no other operation does on a server that doesn't write
		if away, closed := h.writes.hold(now, true); closed {
			h.logger.Info("redis takes writes again", slog.String("server", h.server), slog.Duration("down_for", away))
		}
		if away, closed := h.room.hold(now, true); closed {
			h.logger.Info("redis has memory again", slog.String("server", h.server), slog.Duration("down_for", away))
		}
	}
}

func (h *health) fail(c *condition, message string, err error, began, now time.Time) {
	if c.fail(err, began, now) {
		logFailure(h.logger, message, h.server, err)
	}
	h.nudge()
}

// logFailure tells the log what a server failed with, and what to do.
func logFailure(logger *slog.Logger, message, server string, err error) {
	told := []any{slog.Any("error", storeError(server, err))}
	if code, _ := replyCode(err); advice[code] != "" {
		told = append(told, slog.String("advice", advice[code]))
	}
	logger.Error(message, told...)
}

// advice is what to do where the server can't help itself.
var advice = map[string]string{
	"NOAUTH":    "it wants a password: give `store redis` one",
	"WRONGPASS": "it knows no such user or password: correct those of `store redis`",
	"NOPERM":    "its user may not do what is needed: allow it +@read +@write +@scripting +time +info, and all keys with the key_prefix of `store redis`",
	"READONLY":  "it is a replica: name its primary in `store redis`",
	"MISCONF":   "it can't save its data: see its log and its disk",
	"OOM":       "raise its maxmemory",
	"BUSY":      "a script blocks it that isn't ours: see SCRIPT KILL",
	maxClients:  "raise its maxclients",
}

// run asks until the store is closed.
func (h *health) run() {
	ticker := time.NewTicker(unfitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-h.stopped.Done():
			return
		case <-h.wake:
		case <-ticker.C:
		}
		h.mend()
		if !h.answers.doubtful() {
			h.tend()
		}
	}
}

// tend looks at the settings, and after the nodes, beside the questions: it may
// take as long as an operation, and where nobody asks for that long, operations
// that fail for want of one node make the whole Cluster seem to be down.
func (h *health) tend() {
	if !h.tending.CompareAndSwap(false, true) {
		return
	}
	h.running.Go(func() {
		defer h.tending.Store(false)
		h.checkIfDue()
		if h.watch != nil {
			h.watch(h.stopped)
		}
	})
}

// mend asks until there is no doubt, however often doubts come and go: on a
// Cluster that has lost a node they do with each operation.
func (h *health) mend() {
	for h.answers.doubtful() || h.writes.doubtful() || h.room.doubtful() {
		if pause := time.Until(h.next); pause > 0 {
			select {
			case <-time.After(pause):
				continue
			case <-h.stopped.Done():
				return
			}
		}
		if h.answers.err() != nil && h.renew != nil {
			h.renew() // nobody uses them now, and they may lead nowhere for good
		}
		began := time.Now()
		h.next = began.Add(probeInterval + rand.N(probeInterval/4))
		ctx, cancel := context.WithTimeout(h.stopped, h.timeout)
		err := h.probe(ctx)
		cancel()
		if h.stopped.Err() != nil {
			return
		}
		h.learnFromProbe(began, err)
		if !h.answers.doubtful() { // it may be full for long
			h.tend()
		}
	}
}

// learnFromProbe takes in the answer to a probe. A server that is back is
// looked at before it is used.
func (h *health) learnFromProbe(began time.Time, err error) {
	if says, _ := signOf(err); says == up && h.answers.err() != nil {
		h.forgetCheck() // it may have come back as another
		h.checkIfDue()
	}
	h.learn(began, err, true)
}

// forgetCheck makes the settings be looked at again.
func (h *health) forgetCheck() {
	h.checking.Lock()
	defer h.checking.Unlock()
	h.checked = time.Time{}
}

// checkIfDue looks at the settings, and tells the log what is new.
func (h *health) checkIfDue() {
	h.checking.Lock()
	defer h.checking.Unlock()
	if time.Since(h.checked) < checkInterval && h.unfit.Load() == nil {
		return
	}
	found, err := h.look(h.stopped)
	if err != nil {
		return
	}
	h.heed(found)
}

// heed follows a verdict; checking is held. A server that was never fit isn't
// used while it isn't. One that was goes on: an outage would be worse than what
// its settings may bring.
func (h *health) heed(found verdict) {
	h.checked = time.Now()
	h.warn(found)
	switch {
	case found.unfit == h.complaint:
	case found.unfit != "":
		h.logger.Error("redis isn't fit to be used", slog.String("error", found.unfit), slog.Bool("used", h.knownFit))
	default:
		h.logger.Info("redis is fit to be used again", slog.String("server", h.server))
	}
	h.complaint = found.unfit
	if found.unfit == "" {
		h.knownFit = true
	}
	if found.unfit != "" && !h.knownFit {
		unfit := unfitError(found.unfit)
		h.unfit.Store(&unfit)
	} else {
		h.unfit.Store(nil)
	}
}

// warn tells the log each warning once.
func (h *health) warn(found verdict) {
	for _, warning := range found.warnings {
		if !h.warned[warning] {
			h.warned[warning] = true
			h.logger.Warn(warning)
		}
	}
}

// look reads and judges the settings.
func (h *health) look(ctx context.Context) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	began := time.Now()
	found, err := h.inspect(ctx)
	if err != nil {
		if h.stopped.Err() == nil {
			h.learn(began, err, false)
		}
		return verdict{}, err
	}
	return h.judge(found), nil
}

// check is what a start asks for: it returns what is wrong with the server for
// good. What may pass is told to the log alone.
func (h *health) check(ctx context.Context) error {
	h.checking.Lock()
	defer h.checking.Unlock()
	h.begin.Do(func() { h.running.Go(h.run) })
	found, err := h.look(ctx)
	switch {
	case errors.Is(err, errIsSentinel), errors.Is(err, errClusterDatabase):
		return err
	case err != nil:
		return nil
	case found.unfit != "":
		unfit := unfitError(found.unfit)
		if !h.knownFit {
			h.unfit.Store(&unfit)
		}
		return unfit
	case found.misplaced != "":
		return unfitError(found.misplaced)
	}
	h.heed(found)
	return nil
}

// domainError makes of what an operation came to, or of what admit returned, an
// error for the domain.
func (h *health) domainError(err error) error {
	unfit, isUnfit := errors.AsType[*unfitError](err)
	switch {
	case isUnfit:
		err = fmt.Errorf("%w: %s", otp.ErrUnavailable, *unfit)
	case err != nil:
		err = storeError(h.server, err)
	}
	if h.tells && errors.Is(err, otp.ErrUnavailable) && (isUnfit || h.answers.err() != nil || h.writes.err() != nil || h.room.err() != nil) {
		return toldError{err}
	}
	return err
}

// toldError is an error of which the store tells the log itself.
type toldError struct{ error }

func (e toldError) Unwrap() []error { return []error{e.error, otp.ErrTold} }
