// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/faults/ledger"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// traffic is how much comes in, in a second. Whoever starts verifies, so
// there are as many verifications.
type traffic struct {
	starts, app int
}

// usual is about 500 requests in a second in the long form, which two cores
// bear beside the generator, the servers and the app.
func usual() traffic { return either(traffic{starts: 40, app: 120}, traffic{starts: 80, app: 340}) }

const (
	// guessEvery is the how manieth person guesses wrong, twice, before being
	// right, or, every other time, gives up. They must stay below the 300 in
	// a minute from which on nobody may guess.
	guessEvery = 40
	// crowd bounds how many requests of the app are under way.
	crowd = 1000
	// retryAfter is what an answer of an outage asks to wait, or less.
	retryAfter = time.Second
	// persistence is how long somebody tries to verify while there are outages.
	persistence = 60 * time.Second
)

// kind is what a request was for.
type kind int

const (
	startKind kind = iota
	verifyKind
	appKind
)

// sample is a request and how it ended.
type sample struct {
	kind   kind
	begin  time.Time
	took   time.Duration
	outage bool // the documented 503
}

func (s sample) end() time.Time { return s.begin.Add(s.took) }

// load is people who log in and use the app, at a steady rate whatever the
// answers are.
type load struct {
	r       *rig
	stop    chan struct{}
	running sync.WaitGroup
	people  atomic.Int64
	crowd   atomic.Int64
	skipped atomic.Int64 // requests of the app that the crowd was too big for

	mu      sync.Mutex
	samples []sample
	signed  []*visitor
	guessed []*visitor
	strange map[string]int // answers that nothing documents
}

// visitor is somebody with a code or a session.
type visitor struct {
	address, code string
	// access and refresh are tokens of the session.
	access, refresh, session string
}

// begin lets people come until end.
func (r *rig) begin(t traffic) *load {
	l := &load{r: r, stop: make(chan struct{}), strange: make(map[string]int)}
	l.running.Go(func() { l.every(t.starts, l.person) })
	l.running.Go(func() { l.every(t.app, l.use) })
	return l
}

// end lets nobody come any more and waits for those who are there.
func (l *load) end() {
	close(l.stop)
	l.running.Wait()
}

// every runs something so many times in a second, each time by itself.
func (l *load) every(rate int, run func(i int)) {
	begin, done := time.Now(), 0
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
		}
		for due := int(time.Since(begin).Seconds() * float64(rate)); done < due; done++ {
			i := done
			l.running.Go(func() { run(i) })
		}
	}
}

// note keeps a request's time and judges its answer.
func (l *load) note(k kind, begin time.Time, a answer) {
	s := sample{kind: k, begin: begin, took: time.Since(begin), outage: a.outage()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
	if a.status == http.StatusOK || s.outage || k == verifyKind && a.status == http.StatusBadRequest {
		return
	}
	l.strange[a.String()]++
}

// person starts, waits for the message, guesses wrong now and then, verifies,
// and goes on to the app.
func (l *load) person(i int) {
	v := &visitor{address: newAddress()}
	n := int(l.people.Add(1))
	begin := time.Now()
	a := l.r.start(l.r.node(n), v.address)
	l.note(startKind, begin, a)
	if a.status != http.StatusOK {
		return // whoever is told to come back is somebody else here
	}
	ctx, cancel := context.WithTimeout(context.Background(), delivery)
	defer cancel()
	if v.code = l.r.sink.code(ctx, v.address, 1); v.code == "" {
		return // which the ledger sees
	}
	if n%guessEvery == 0 {
		for try := range 2 {
			begin := time.Now()
			l.note(verifyKind, begin, l.r.guess(l.r.node(n+try), v.address, site.OtherCode(v.code)))
		}
		if n%(2*guessEvery) == 0 {
			l.mu.Lock()
			l.guessed = append(l.guessed, v)
			l.mu.Unlock()
			return
		}
	}
	for try := 1; ; try++ {
		begin := time.Now()
		a := l.r.verify(l.r.node(n+try), v.address, v.code)
		l.note(verifyKind, begin, a)
		if a.status == http.StatusOK {
			v.access, v.session = a.fields.AccessToken, a.session()
			l.mu.Lock()
			l.signed = append(l.signed, v)
			l.mu.Unlock()
			return
		}
		if a.status == http.StatusBadRequest || ctx.Err() != nil || time.Since(begin) > persistence {
			return
		}
		time.Sleep(retryAfter + rand.N(retryAfter)) // as the answer says
	}
}

// use asks for something of the app, every other time as somebody who is
// signed in.
func (l *load) use(i int) {
	if l.crowd.Add(1) > crowd {
		l.crowd.Add(-1)
		l.skipped.Add(1)
		return
	}
	defer l.crowd.Add(-1)
	var v visitor
	l.mu.Lock()
	if i%2 == 0 && len(l.signed) > 0 {
		v = *l.signed[i%len(l.signed)]
	}
	l.mu.Unlock()
	begin := time.Now()
	status, body, err := app(l.r.node(i), v.access)
	if status == http.StatusOK && body != "app "+v.address {
		// Longer than a minute without news of revocations nobody is signed in.
		l.strangely("the app sees " + body[len("app"):] + " for " + v.address)
	}
	l.note(appKind, begin, answer{status: status, err: err})
}

func (l *load) strangely(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strange[what]++
}

// audit asks for what was promised: that everybody who signed in has one
// session, which is the one that they got, and that every code that was guessed
// at dies of as many guesses as it should.
func (l *load) audit() {
	var asking sync.WaitGroup
	places := make(chan struct{}, 16)
	each := func(all []*visitor, ask func(v *visitor)) {
		for _, v := range all {
			places <- struct{}{}
			asking.Go(func() {
				ask(v)
				<-places
			})
		}
	}
	each(l.signed, func(v *visitor) {
		all, a := sessions(l.r.node(0), v.access)
		if a.status != http.StatusOK || a.err != nil {
			l.strangely("the list of sessions: " + a.String())
			return
		}
		for _, other := range all {
			l.r.ledger.Verified(v.address, v.code, other, ledger.Done)
		}
		if !slices.Contains(all, v.session) {
			l.r.ledger.Gone(v.address, v.code)
		}
	})
	each(l.guessed, func(v *visitor) {
		for range 2 * attempts {
			a := l.r.guess(l.r.node(1), v.address, site.OtherCode(v.code))
			if a.fields.Code != codeWrong && !a.outage() {
				return
			}
		}
	})
	asking.Wait()
}

// judge fails the test for answers that nothing documents, and returns what
// the ledger says after an audit.
func (l *load) judge(t *testing.T) {
	t.Helper()
	for what, times := range l.strange {
		t.Errorf("%d times: %s\n%s", times, what, tail(l.r.logs()))
	}
	if n := l.skipped.Load(); n > 0 {
		t.Errorf("%d requests of the app were not made: too many were under way", n)
	}
}
