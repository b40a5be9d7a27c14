// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
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

// fault is something that breaks under load.
type fault struct {
	name string
	figures
	// hurt begins the fault, waits, and ends it; mend, where it isn't nil, puts
	// afterwards in order what nobody waits for.
	hurt, mend func()
}

// lasting is how long a fault lasts.
func lasting() time.Duration { return either(400*time.Millisecond, 10*time.Second) }

// after is how long people are watched after a fault.
func after() time.Duration { return either(500*time.Millisecond, 5*time.Second) }

// under has people log in before, during and after each fault, and judges all
// that they saw.
func (r *rig) under(t *testing.T, u traffic, faults ...fault) {
	t.Helper()
	warm := r.begin(u) // keys are made, connections opened
	time.Sleep(either(300*time.Millisecond, 3*time.Second))
	warm.end()
	l := r.begin(u)
	var quiet, broken []span
	for _, f := range faults {
		begin := time.Now()
		time.Sleep(either(400*time.Millisecond, 15*time.Second))
		from := time.Now()
		f.hurt()
		quiet = append(quiet, span{begin, from.Add(-otp.DefaultTimeout / 2)})
		broken = append(broken, span{from, time.Now()})
		if f.mend != nil {
			f.mend()
		}
		time.Sleep(after())
	}
	l.end()
	r.settled(t)
	l.audit()
	for i, f := range faults {
		l.held(t, f, quiet[i], broken[i])
	}
	row(t, "the ledger: %s", r.reconciled())
	l.judge(t)
}

// held prints what a fault did to those who came, and compares it with its
// figures.
func (l *load) held(t *testing.T, f fault, quiet, broken span) {
	t.Helper()
	auth, authBefore := l.times(broken, startKind, verifyKind), l.times(quiet, startKind, verifyKind)
	app, appBefore := l.times(broken, appKind), l.times(quiet, appKind)
	refused, all := l.outages(broken)
	back, stray := l.recovery(broken.to, broken.to.Add(after()))
	row(t, "%s for %.1f s: auth p99 %s, longest %s (before: %s, %s); %d of %d answered 503; app p99 %s, longest %s (before: %s, %s); back after %s, %d answered 503 later",
		f.name, broken.to.Sub(broken.from).Seconds(),
		ms(percentile(auth, 99)), ms(longest(auth)), ms(percentile(authBefore, 99)), ms(longest(authBefore)),
		refused, all,
		ms(percentile(app, 99)), ms(longest(app)), ms(percentile(appBefore, 99)), ms(longest(appBefore)),
		ms(back), stray)
	if busy := percentile(authBefore, 99); *long && busy > 100*time.Millisecond {
		t.Errorf("%s: the machine is busy: before it the p99 was %v already, so the figures say nothing", f.name, busy)
		return
	}
	if got := longest(auth); got > f.answer {
		t.Errorf("%s: a start or a verification took %v, more than %v", f.name, got, f.answer)
	}
	if back > f.back {
		t.Errorf("%s: logins work again only after %v, not %v", f.name, back, f.back)
	}
	if share := float64(refused) / float64(max(1, all)); share > f.refused {
		t.Errorf("%s: %d of %d starts and verifications were answered with 503", f.name, refused, all)
	}
	// A fifth more, and what a scheduler with two cores needs.
	if got, limit := percentile(app, 99), percentile(appBefore, 99)*6/5+time.Millisecond; *long && got > limit {
		t.Errorf("%s: the app's p99 is %v, over %v", f.name, got, limit)
	}
	if len(auth) == 0 || len(app) == 0 {
		t.Errorf("%s: nobody came", f.name)
	}
}

// TestRedisFails kills a Redis that keeps everything on disk, and freezes it:
// then connections stay open, and nothing answers (F-02, F-03).
func TestRedisFails(t *testing.T) {
	site.SkipShort(t)
	server := redisserver.Start(t, durable...)
	r := newRig(t, nodes, standalone(server.URL()).lines(), spacious)
	r.under(t, usual(), fault{name: "F-02 Redis killed and restarted", figures: promised(), hurt: func() {
		server.Kill()
		time.Sleep(lasting())
		server.Restart()
	}}, fault{name: "F-03 Redis stopped and continued", figures: promised(), hurt: func() {
		server.Stop()
		// Signed in people are known for a minute without news of revocations.
		time.Sleep(either(lasting(), 50*time.Second))
		server.Continue()
	}})
}
