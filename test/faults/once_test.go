// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// nodes is how many Caddys share a store.
const nodes = 3

// delivery bounds how long a message may take, a lease that ran out and a busy
// machine included.
const delivery = 40 * time.Second

// issued starts, again where that fails, and returns the address's last code
// after count others.
func (r *rig) issued(n *node, address string, nth int) string {
	r.t.Helper()
	if a := insist(func() answer { return r.start(n, address) }); a.status != http.StatusOK {
		r.t.Fatalf("start: %s\n%s", a, tail(r.logs()))
	}
	ctx, cancel := context.WithTimeout(context.Background(), delivery)
	defer cancel()
	code := r.sink.code(ctx, address, nth)
	if code == "" {
		r.t.Fatalf("the message does not arrive:\n%s", tail(r.logs()))
	}
	return code
}

// atOnce runs something so many times at the same moment.
func atOnce(times int, run func(i int)) {
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	ready.Add(times)
	for i := range times {
		done.Go(func() {
			ready.Done()
			<-begin
			run(i)
		})
	}
	ready.Wait()
	close(begin)
	done.Wait()
}

// TestOnce presents codes many times, at once and over and over, to all nodes.
func TestOnce(t *testing.T) {
	onEachShape(t, func(t *testing.T, s shape) {
		r := newRig(t, nodes, s.lines(patient), spacious)
		t.Run("right codes", func(t *testing.T) { r.rightCodes(t, s) })
		t.Run("wrong codes", func(t *testing.T) { r.wrongCodes(t, s) })
		t.Run("resend and guess", func(t *testing.T) { r.resendAndGuess(t, s) })
	})
}

// rightCodes presents one right code many times at once, to all
// nodes: it opens one session.
func (r *rig) rightCodes(t *testing.T, s shape) {
	const parallel = 200
	for range either(1, 10) {
		address := newAddress()
		code := r.issued(r.node(0), address, 1)
		var opened, refused atomic.Int64
		atOnce(parallel, func(i int) {
			switch a := r.verify(r.node(i), address, code); {
			case a.status == http.StatusOK:
				opened.Add(1)
			case a.fields.Code == codeWrong:
				refused.Add(1)
			default:
				t.Errorf("verify: %s", a)
			}
		})
		if opened.Load() != 1 || refused.Load() != parallel-1 {
			t.Errorf("%d right codes at once opened %d sessions; %d were refused", parallel, opened.Load(), refused.Load())
		}
	}
	row(t, "%d right codes at once to %d nodes, %s: one session each; %s", parallel, nodes, s.name, r.reconciled())
}

// wrongCodes presents many wrong codes at once, to all nodes: no
// more are judged than one code dies of, and the next code's guesses show that
// no more were counted for the address either.
func (r *rig) wrongCodes(t *testing.T, s shape) {
	parallel := either(500, 2000)
	address := newAddress()
	code := r.issued(r.node(0), address, 1)
	var wrong, exhausted atomic.Int64
	atOnce(parallel, func(i int) {
		a := post(keepAlive, r.node(i), "/auth/login/email-code", site.Object{"email": address, "code": site.OtherCode(code)})
		switch {
		case a.status == http.StatusBadRequest && a.fields.Code == codeWrong:
			wrong.Add(1)
		case a.status == http.StatusBadRequest && a.fields.Code == codeExhausted:
			exhausted.Add(1)
		default:
			t.Errorf("guess: %s", a)
		}
	})
	if wrong.Load() != attempts-1 {
		t.Errorf("%d guesses were judged before the one that kills the code, want %d", wrong.Load(), attempts-1)
	}
	if a := r.verify(r.node(1), address, code); a.fields.Code != codeExhausted {
		t.Errorf("the right code afterwards: %s", a)
	}
	// The address is at 5 failures now, so at 10 the cool-down begins.
	code = r.issued(r.node(1), address, 2)
	for i := range attempts {
		want := codeWrong
		if i == attempts-1 {
			want = codeExhausted
		}
		if a := post(keepAlive, r.node(i), "/auth/login/email-code", site.Object{"email": address, "code": site.OtherCode(code)}); a.status != http.StatusBadRequest || a.fields.Code != want {
			t.Errorf("guess %d at the next code: %s", i+1, a)
		}
	}
	if a := r.start(r.node(2), address); a.status != http.StatusTooManyRequests {
		t.Errorf("a start after %d guesses: %s, want the cool-down", 2*attempts, a)
	}
	row(t, "%d wrong codes at once to %d nodes, %s: %d judged, %d refused afterwards", parallel, nodes, s.name, wrong.Load()+1, exhausted.Load()-1)
}

// resendAndGuess asks for a new code after every five guesses: that
// refills no budget.
func (r *rig) resendAndGuess(t *testing.T, s shape) {
	const rounds = 40
	address := newAddress()
	begin := time.Now()
	judged, refused, codes := 0, 0, 0
	wrong := "000000"
	for round := range rounds {
		if a := r.start(r.node(round), address); a.status == http.StatusOK {
			codes++
			ctx, cancel := context.WithTimeout(context.Background(), delivery)
			wrong = site.OtherCode(r.sink.code(ctx, address, codes))
			cancel()
		} else if a.status != http.StatusTooManyRequests {
			t.Fatalf("start: %s", a)
		}
		for i := range attempts {
			a := post(keepAlive, r.node(round+i), "/auth/login/email-code", site.Object{"email": address, "code": wrong})
			switch {
			case a.status == http.StatusTooManyRequests:
				refused++
			case a.status == http.StatusBadRequest:
				judged++
			default:
				t.Fatalf("guess: %s", a)
			}
		}
	}
	// The first cool-down comes with the tenth guess and lasts 30 s; each
	// that runs out lets one more be judged.
	budget := 10 + int(time.Since(begin)/(30*time.Second))
	if judged > budget {
		t.Errorf("%d guesses were judged in %v, more than %d", judged, time.Since(begin), budget)
	}
	row(t, "%d rounds of resend and %d wrong, %s: %d judged, %d refused, in %.1f s", rounds, attempts, s.name, judged, refused, time.Since(begin).Seconds())
}
