// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestHerd has thousands ask for the same address's code at once, and then
// present the right one (F-49): as many messages as the throttle allows, one
// session.
func TestHerd(t *testing.T) {
	site.SkipShort(t)
	herd := either(600, 10000)
	r := newRig(t, nodes, standalone(redisserver.Start(t).URL()).lines(patient), "\t\tthrottle client_ip 1000000 1h")
	address := newAddress()
	took := make([]time.Duration, herd)
	timed := func(i int, ask func() answer) answer {
		begin := time.Now()
		a := ask()
		took[i] = time.Since(begin)
		return a
	}
	var accepted, opened, odd atomic.Int64
	crowded(herd, func(i int) {
		switch a := timed(i, func() answer { return r.start(r.node(i), address) }); {
		case a.status == http.StatusOK:
			accepted.Add(1)
		case a.status != http.StatusTooManyRequests || a.retryAfter == "":
			odd.Add(1)
		}
	})
	starts := sorted(took)
	if accepted.Load() != 3 || odd.Load() != 0 {
		t.Errorf("of %d starts %d were accepted, want 3; %d were answered oddly", herd, accepted.Load(), odd.Load())
	}
	r.settled(t)
	// Each code but the last one that was issued is dead: which that is only
	// the store knows, so all of them are tried, the last ones by the herd.
	var code string
	for nth := 1; nth <= 3 && code == ""; nth++ {
		tried := r.sink.code(t.Context(), address, nth)
		a := r.verify(r.node(nth), address, tried)
		if a.status == http.StatusOK {
			code = tried
		}
	}
	if code == "" {
		t.Fatal("no code that was sent is right")
	}
	other := newAddress()
	code = r.issued(r.node(0), other, 1)
	crowded(herd, func(i int) {
		a := timed(i, func() answer { return r.verify(r.node(i), other, code) })
		if a.status == http.StatusOK {
			opened.Add(1)
		} else if a.status != http.StatusBadRequest {
			odd.Add(1)
		}
	})
	verifies := sorted(took)
	if opened.Load() != 1 || odd.Load() != 0 {
		t.Errorf("%d right codes opened %d sessions; %d were answered oddly", herd, opened.Load(), odd.Load())
	}
	report := r.ledger.Reconcile()
	if len(report.Doubled) > 0 || report.Messages != 4 {
		t.Errorf("the ledger: %s", report)
	}
	row(t, "F-49 %d starts of an address at once: %d accepted, p99 %s; %d right codes: %d session, p99 %s", herd, accepted.Load(),
		ms(percentile(starts, 99)), herd, opened.Load(), ms(percentile(verifies, 99)))
}

// TestShed stops Redis while thousands ask (F-15): each is answered in time,
// and what they left behind is gone soon.
func TestShed(t *testing.T) {
	site.SkipShort(t)
	crowd := either(600, 10000)
	server := redisserver.Start(t)
	r := newRig(t, 1, standalone(server.URL()).lines(), spacious)
	r.login()
	before := r.nodes[0].goroutines(t)
	server.Stop()
	took := make([]time.Duration, crowd)
	var odd atomic.Int64
	begin := time.Now()
	crowded(crowd, func(i int) {
		begin := time.Now()
		if a := r.start(r.nodes[0], newAddress()); !a.outage() {
			odd.Add(1)
		}
		took[i] = time.Since(begin)
	})
	all := time.Since(begin)
	server.Continue()
	if odd.Load() > 0 {
		t.Errorf("%d starts were answered with something else than 503", odd.Load())
	}
	settled := r.nodes[0].calms(t, func() bool { return r.nodes[0].goroutines(t) <= 2*before+connections })
	if !settled {
		t.Errorf("%d goroutines, before it were %d", r.nodes[0].goroutines(t), before)
	}
	if a := insist(func() answer { return r.start(r.nodes[0], newAddress()) }); a.status != http.StatusOK {
		t.Errorf("a start afterwards: %s", a)
	}
	times := sorted(took)
	row(t, "F-15 %d starts, %d at a time, with Redis stopped: all 503 within %.1f s, p99 %s, longest %s", crowd, connections, all.Seconds(),
		ms(percentile(times, 99)), ms(longest(times)))
}

// connections is how many of a crowd ask at the same time.
const connections = 512

// crowded runs something so many times, as many at once as there are
// connections.
func crowded(times int, run func(i int)) {
	var next atomic.Int64
	atOnce(min(times, connections), func(int) {
		for i := int(next.Add(1)) - 1; i < times; i = int(next.Add(1)) - 1 {
			run(i)
		}
	})
}

func sorted(all []time.Duration) []time.Duration {
	all = slices.Clone(all)
	slices.Sort(all)
	return all
}
