// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
)

// patient is a health whose server answers as a test says.
type patient struct {
	*health
	t   *testing.T
	log *logBuffer

	mu     sync.Mutex
	answer error // of a probe; nothing answers while it is errSilent
	found  verdict
	probes int
	atOnce int
	mostly int
	slow   time.Duration // what a look at its settings takes
}

var errSilent = errors.New("nothing")

// errUnknownMaster is what the driver says where no Sentinel told a primary.
var errUnknownMaster = fmt.Errorf("%s: %w", unknownMaster, errors.Join(goredis.Nil, goredis.Nil))

type logBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func newPatient(t *testing.T) *patient {
	p := &patient{t: t, log: new(logBuffer)}
	p.health = newHealth("redis.example.com:6379", otp.DefaultTimeout, slog.New(slog.NewTextHandler(p.log, nil)))
	p.health.probe = func(ctx context.Context) error {
		p.mu.Lock()
		answer := p.answer
		p.probes++
		p.atOnce++
		p.mostly = max(p.mostly, p.atOnce)
		p.mu.Unlock()
		if answer == errSilent {
			<-ctx.Done()
			answer = ctx.Err()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.atOnce--
		return answer
	}
	p.health.inspect = func(context.Context) ([]settingsFound, error) {
		time.Sleep(p.slow)
		p.mu.Lock()
		defer p.mu.Unlock()
		if says, _ := signOf(p.answer); says == down {
			return nil, p.answer
		}
		return nil, nil
	}
	p.health.judge = func([]settingsFound) verdict {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.found
	}
	t.Cleanup(p.close)
	return p
}

func (p *patient) set(answer error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// operate is an operation that takes a time and comes to an error.
func (p *patient) operate(takes time.Duration, err error) error {
	if refused := p.admit(true); refused != nil {
		return refused
	}
	began := time.Now()
	time.Sleep(takes)
	p.learn(began, err, false)
	return err
}

// logged checks how often the log has lines, and that none of them says more
// than it may.
func (p *patient) logged(want map[string]int) {
	p.t.Helper()
	log := p.log.String()
	for line, n := range want {
		if got := strings.Count(log, line); got != n {
			p.t.Errorf("%q is logged %d times, want %d:\n%s", line, got, n, log)
		}
	}
}

func TestOutageIsNoticed(t *testing.T) {
	for _, test := range []struct {
		name        string
		operation   time.Duration // how long one takes to fail
		every       time.Duration
		err, answer error
		says        string
	}{
		{"hangs, busy", otp.DefaultTimeout, 10 * time.Millisecond, context.DeadlineExceeded, errSilent, "no answer in time"},
		{"hangs, and hardly anybody asks", otp.DefaultTimeout, time.Hour, context.DeadlineExceeded, errSilent, "no answer in time"},
		{"is gone", 0, 10 * time.Millisecond, io.EOF, io.EOF, "connection closed"},
		{"loads its data", 0, 10 * time.Millisecond, serverError("LOADING x"), serverError("LOADING x"), "LOADING"},
		{"changed its password", 0, 10 * time.Millisecond, serverError("WRONGPASS x"), serverError("WRONGPASS x"), "correct those of `store redis`"},
		{"knows no such master", 0, 10 * time.Millisecond, errUnknownMaster, errUnknownMaster, "don't know this master"},
		{"has fewer databases", 0, 10 * time.Millisecond, serverError("ERR DB index is out of range"), serverError("ERR DB index is out of range"), "write a lower number"},
		{"is no Redis", 0, 10 * time.Millisecond, errors.New("redis: invalid reply: secret"), errors.New("redis: invalid reply: secret"), "aren't those of a Redis"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPatient(t)
				if err := p.operate(0, nil); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
				p.set(test.answer)
				began := time.Now()
				ended := make(chan struct{})
				var asking sync.WaitGroup
				asking.Go(func() {
					for next := began; ; next = next.Add(test.every) {
						select {
						case <-ended:
							return
						case <-time.After(time.Until(next)):
							asking.Go(func() { p.operate(test.operation, test.err) })
						}
					}
				})
				time.Sleep(time.Second)
				if p.admit(true) == nil || p.admit(false) == nil {
					t.Error("not noticed within a second")
				}
				p.mu.Lock()
				probes := p.probes
				p.mu.Unlock()
				time.Sleep(time.Minute)
				p.mu.Lock()
				if n := p.probes - probes; n < 100 || n > 240 {
					t.Errorf("asked %d times in a minute", n)
				}
				if p.mostly != 1 {
					t.Errorf("%d questions at a time", p.mostly)
				}
				p.mu.Unlock()
				p.logged(map[string]int{"redis is down": 1, test.says: 1, "ERROR": 1, "secret": 0})
				p.set(nil)
				close(ended)
				time.Sleep(time.Second)
				if err := p.operate(0, nil); err != nil {
					t.Errorf("not noticed that it is back: %v", err)
				}
				p.logged(map[string]int{"redis is up again": 1, "down_for=1m1": 1, "ERROR": 1})
				asking.Wait()
			})
		})
	}
}

// TestNoOutage is of what mustn't open the breaker.
func TestNoOutage(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		answer error // of a probe
	}{
		{"a defect", serverError("WRONGTYPE x"), nil},
		{"a key that another node serves", serverError("MOVED 1 x"), serverError("MOVED 1 x")},
		{"too many wait here", errShed, nil},
		{"the store is closed", io.ErrClosedPipe, nil},
		{"lost connections of a server that answers", io.EOF, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPatient(t)
				p.set(test.answer)
				for range 1000 {
					p.operate(0, test.err)
					time.Sleep(10 * time.Millisecond)
				}
				if err := p.admit(true); err != nil {
					t.Errorf("refuses for %v", err)
				}
				p.logged(map[string]int{"ERROR": 0, "INFO": 0})
			})
		})
	}
}

// TestStandstill is of ourselves: a machine that is suspended, or has no time
// for us, finds all that was under way too late. What comes after that counts.
func TestStandstill(t *testing.T) {
	var c condition
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	for range 20 {
		if c.fail(context.DeadlineExceeded, at(0), at(5000)) {
			t.Fatal("it opens")
		}
	}
	if !c.doubtful() {
		t.Error("there is no doubt")
	}
	if c.fail(context.DeadlineExceeded, at(5000), at(5250)) || !c.fail(context.DeadlineExceeded, at(5250), at(5500)) {
		t.Errorf("it is open: %v", c.err())
	}
	if away, closed := c.hold(at(6000), true); !closed || away != 6*time.Second {
		t.Errorf("closed: %t, after %v", closed, away)
	}
}

// TestSlowServer stays usable: of its answers two thirds come too late.
func TestSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		for i := range 1000 {
			if i%3 == 0 {
				p.operate(otp.DefaultTimeout-time.Millisecond, nil)
			} else {
				p.operate(otp.DefaultTimeout, context.DeadlineExceeded)
			}
			if err := p.admit(true); err != nil {
				t.Fatalf("operation %d is refused: %v", i, err)
			}
		}
	})
}

// A server that takes no writes is still read, and a full one is asked each
// time: what needs no memory works.
func TestServerThatKeepsNothing(t *testing.T) {
	for _, test := range []struct {
		text           string
		refuses        bool
		down, up, says string
	}{
		{"READONLY You can't write", true, "redis takes no writes", "redis takes writes again", "name its primary"},
		{"MISCONF Errors writing to disk", true, "redis takes no writes", "redis takes writes again", "see its log"},
		{"NOREPLICAS Not enough good replicas to write.", true, "redis takes no writes", "redis takes writes again", "NOREPLICAS"},
		{"OOM command not allowed", false, "redis is full", "redis has memory again", "raise its maxmemory"},
	} {
		t.Run(test.text[:3], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPatient(t)
				p.set(serverError(test.text))
				for range 100 {
					p.operate(0, serverError(test.text))
					began := time.Now()
					p.learn(began, nil, false) // of something that was read
					time.Sleep(10 * time.Millisecond)
				}
				if got := p.admit(true) != nil; got != test.refuses {
					t.Errorf("refuses writes: %t", got)
				}
				if err := p.admit(false); err != nil {
					t.Errorf("refuses to read: %v", err)
				}
				p.mu.Lock()
				p.found.warnings = []string{"keeps nothing"}
				p.mu.Unlock()
				time.Sleep(time.Minute + unfitInterval)
				p.logged(map[string]int{test.down: 1, test.says: 1, "ERROR": 1, "keeps nothing": 1})
				err := p.domainError(serverError(test.text))
				if !errors.Is(err, otp.ErrTold) || !errors.Is(err, otp.ErrUnavailable) {
					t.Errorf("%v is not marked as told", err)
				}
				p.set(nil)
				time.Sleep(time.Second)
				if err := p.admit(true); err != nil {
					t.Errorf("still refuses: %v", err)
				}
				p.logged(map[string]int{test.up: 1, "INFO": 1, "ERROR": 1})
			})
		})
	}
}

// TestSlowLook: while some of a Cluster's nodes hang, it takes as long as an
// operation may to look at its settings and at those nodes. Meanwhile it is asked
// all the same whether the rest answers, or whoever fails would make it seem down.
func TestSlowLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.slow = 4 * patience
		var watched, atOnce atomic.Int64
		p.health.watch = func(context.Context) {
			watched.Add(1)
			if atOnce.Add(1) > 1 {
				t.Error("the nodes are looked after twice at a time")
			}
			time.Sleep(p.slow)
			atOnce.Add(-1)
		}
		for began := time.Now(); time.Since(began) < 2*checkInterval; {
			p.operate(20*time.Millisecond, context.DeadlineExceeded)
			if err := p.admit(true); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
		}
		if watched.Load() == 0 {
			t.Error("nobody looked after the nodes")
		}
		p.logged(map[string]int{"ERROR": 0})
	})
}

// TestLateFailure is of operations that began before the server was back.
func TestLateFailure(t *testing.T) {
	var c condition
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	for i := range 10 {
		c.fail(io.EOF, at(i*100), at(i*100))
	}
	if c.err() == nil {
		t.Fatal("it holds")
	}
	if _, closed := c.hold(at(1000), false); closed || c.err() == nil {
		t.Error("an operation closes it")
	}
	if away, closed := c.hold(at(1000), true); !closed || away != time.Second {
		t.Errorf("a probe closes it: %t, after %v", closed, away)
	}
	for i := range 10 {
		c.fail(io.EOF, at(i*100), at(1000+i*100))
	}
	if c.err() != nil || c.doubtful() {
		t.Error("what began before opens it")
	}
}

// TestUnfit is of settings that are wrong when the server is first met, and
// that become so later.
func TestUnfit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		fit, unfit := verdict{warnings: []string{"keeps nothing"}}, verdict{unfit: "it forgets", warnings: []string{"keeps nothing"}}
		set := func(v verdict) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.found = v
		}
		set(unfit)
		if err := p.check(t.Context()); err == nil || err.Error() != "it forgets" {
			t.Errorf("the check says %v", err)
		}
		p.logged(map[string]int{"ERROR": 0})
		p.admit(true)
		synctest.Wait()
		err := p.domainError(p.admit(false))
		if !errors.Is(err, otp.ErrUnavailable) || !errors.Is(err, otp.ErrTold) || !strings.Contains(err.Error(), "it forgets") {
			t.Errorf("an operation comes to %v", err)
		}
		time.Sleep(5 * time.Minute)
		p.logged(map[string]int{"it forgets": 1, "ERROR": 1, "WARN": 1, "used=false": 1})
		set(fit)
		time.Sleep(2*unfitInterval + time.Second)
		if err := p.admit(true); err != nil {
			t.Errorf("still refuses: %v", err)
		}
		p.logged(map[string]int{"fit to be used again": 1})
		set(unfit)
		time.Sleep(checkInterval + unfitInterval + time.Second)
		if err := p.admit(true); err != nil {
			t.Errorf("a server in use is given up: %v", err)
		}
		p.logged(map[string]int{"it forgets": 2, "ERROR": 2, "WARN": 1, "used=true": 1})
		set(fit)
		time.Sleep(checkInterval + unfitInterval + time.Second)
		p.logged(map[string]int{"fit to be used again": 2, "ERROR": 2})
	})
}

// TestUnfitAfterAnOutage: what comes back is looked at before it is used.
func TestUnfitAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPatient(t)
		p.slow = 100 * time.Millisecond
		p.set(io.EOF)
		if err := p.check(t.Context()); err != nil {
			t.Errorf("a server that isn't there stops the start: %v", err)
		}
		time.Sleep(time.Minute)
		p.logged(map[string]int{"redis is down": 1, "ERROR": 1})
		p.mu.Lock()
		p.answer, p.found = nil, verdict{unfit: "it forgets"}
		p.mu.Unlock()
		for range 1000 {
			if p.admit(false) == nil {
				t.Fatal("it is used")
			}
			time.Sleep(10 * time.Millisecond)
		}
		p.logged(map[string]int{"it forgets": 1})
	})
}

// TestNoLogger: errors are told by who gets them.
func TestNoLogger(t *testing.T) {
	h := newHealth("redis.example.com:6379", time.Second, nil)
	defer h.close()
	h.answers.open = io.EOF
	if err := h.domainError(io.EOF); errors.Is(err, otp.ErrTold) || !errors.Is(err, otp.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
