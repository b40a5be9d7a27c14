// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// durable keeps on disk what Redis has answered.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// figures are what is promised of an outage.
type figures struct {
	// answer is the longest that a start or a verification takes during it.
	answer time.Duration
	// back is how long after its end logins work again.
	back time.Duration
	// refused is the share of starts and verifications that may be answered
	// with 503; 1: any.
	refused float64
}

// promised are the figures of DESIGN: 300 ms, and 2 s. The network, and a
// generator that shares the cores with all that it measures, get 50 ms.
func promised() figures {
	return either(figures{5 * time.Second, 20 * time.Second, 1}, figures{350 * time.Millisecond, 2 * time.Second, 1})
}

// during has people log in before, during and after a fault, and judges all
// that they saw. hurt begins the fault, waits, and ends it.
func (r *rig) during(t *testing.T, name string, f figures, hurt func()) {
	t.Helper()
	warm := r.begin(usual()) // keys are made, connections opened
	time.Sleep(either(500*time.Millisecond, 3*time.Second))
	warm.end()
	l := r.begin(usual())
	before := span{from: time.Now()}
	time.Sleep(either(2*time.Second, 15*time.Second))
	before.to = time.Now()
	hurt()
	fault := span{before.to, time.Now()}
	time.Sleep(either(2*time.Second, 10*time.Second))
	l.end()
	if r.ledger.Reconcile().Lost() > 0 {
		time.Sleep(delivery / 2) // a lease may have to run out
	}
	l.audit()

	auth, quick := l.times(fault, startKind, verifyKind), l.times(before, startKind, verifyKind)
	app, appBefore := l.times(fault, appKind), l.times(before, appKind)
	refused, all := l.outages(span{fault.from, fault.to.Add(f.back)})
	back := l.recovery(fault.to)
	row(t, "%s (%.1f s): auth p99 %s, longest %s (before: %s, %s); %d of %d answered 503; app p99 %s (before: %s), longest %s; back after %s; %s",
		name, fault.to.Sub(fault.from).Seconds(), ms(percentile(auth, 99)), ms(longest(auth)), ms(percentile(quick, 99)), ms(longest(quick)),
		refused, all, ms(percentile(app, 99)), ms(percentile(appBefore, 99)), ms(longest(app)), ms(back), r.reconciled())
	l.judge(t)
	if got := longest(auth); got > f.answer {
		t.Errorf("a start or a verification took %v, more than %v", got, f.answer)
	}
	if back > f.back {
		t.Errorf("logins work again only after %v, not %v", back, f.back)
	}
	if share := float64(refused) / float64(max(1, all)); share > f.refused {
		t.Errorf("%d of %d starts and verifications were answered with 503", refused, all)
	}
	// A fifth more, and what a scheduler with two cores needs.
	if got, limit := percentile(app, 99), percentile(appBefore, 99)*6/5+time.Millisecond; *long && got > limit {
		t.Errorf("the app's p99 is %v during the fault, over %v", got, limit)
	}
	if len(auth) == 0 || len(app) == 0 {
		t.Error("nobody came")
	}
}

// TestRedisKilled kills a Redis that keeps everything on disk.
func TestRedisKilled(t *testing.T) {
	site.SkipShort(t)
	server := redisserver.Start(t, durable...)
	r := newRig(t, nodes, standalone(server.URL()).lines(), spacious)
	r.during(t, "Redis killed and restarted", promised(), func() {
		server.Kill()
		time.Sleep(either(time.Second, 10*time.Second))
		server.Restart()
	})
}

// TestRedisStopped freezes Redis: connections stay open, and nothing answers.
func TestRedisStopped(t *testing.T) {
	site.SkipShort(t)
	server := redisserver.Start(t, durable...)
	r := newRig(t, nodes, standalone(server.URL()).lines(), spacious)
	r.during(t, "Redis stopped and continued", promised(), func() {
		server.Stop()
		time.Sleep(either(time.Second, 10*time.Second))
		server.Continue()
	})
}
