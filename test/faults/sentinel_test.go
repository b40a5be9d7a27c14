// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// lag bounds how far behind a replica is here when its primary fails.
const lag = time.Second

// TestFailover kills the primary while people log in (F-05), and the Sentinels
// put a replica in its place: only what was promised just before is lost or
// doubled, since that replica never got it, and each is counted. Then it does
// so with a primary that is well.
func TestFailover(t *testing.T) {
	site.SkipShort(t)
	sentinel := redisserver.StartSentinel(t, durable...)
	r := newRig(t, nodes, watched(sentinel).lines(), spacious)
	var old *redisserver.Server
	var begin time.Time
	killed := false
	mend := func() {
		if killed {
			old.Restart()
			killed = false
		}
		// Until the old primary is told, it takes writes that the new one
		// never gets.
		sentinel.AwaitReplicas()
		r.losses = append(r.losses, span{begin.Add(-lag), time.Now()})
	}
	r.under(t, usual(), fault{name: "F-05 the primary killed, failed over", figures: promised(), hurt: func() {
		old, begin = sentinel.Primary(), time.Now()
		old.Kill()
		killed = true
		sentinel.AwaitFailover(old)
	}, mend: mend}, fault{name: "F-05 failed over in order", figures: promised(), hurt: func() {
		old, begin = sentinel.Primary(), time.Now()
		sentinel.Failover()
	}, mend: mend})
	found := r.ledger.Reconcile()
	row(t, "F-05 %d lost and %d doubled, all of them promised from a second before a failover until its end", len(found.Lost), len(found.Doubled))
}

// TestGuessesInFailover guesses at an address while its primary has no replica
// that hears of it, and goes on when such a replica is the primary (F-05): in
// all no more guesses are judged than the budget allows, and one on each node
// that was under way. The node that counted last reminds the new primary; one
// that knows of fewer failures can't.
func TestGuessesInFailover(t *testing.T) {
	site.SkipShort(t)
	sentinel := redisserver.StartSentinel(t)
	r := newRig(t, nodes, watched(sentinel).lines(), spacious)
	address := newAddress()
	codes, judged := 0, 0
	// guess asks for a code and guesses at it, and reports whether it could.
	guess := func(n *node, times int) bool {
		if a := r.start(n, address); a.status == http.StatusOK {
			codes++
		} else if !a.outage() {
			return false
		}
		ctx, cancel := context.WithTimeout(context.Background(), delivery)
		defer cancel()
		wrong := site.OtherCode(r.sink.code(ctx, address, codes))
		for range times {
			switch a := post(keepAlive, n, "/auth/login/email-code", site.Object{"email": address, "code": wrong}); {
			case a.status == http.StatusBadRequest:
				judged++
			case a.status == http.StatusTooManyRequests:
				return false
			}
		}
		return true
	}
	guess(r.node(0), 1)
	sentinel.AwaitReplicas()
	old := sentinel.Primary()
	operator := admin(t, old.Addr)
	order(t, operator, "ACL", "SETUSER", "default", "-psync", "-sync", "-replconf")
	order(t, operator, "CLIENT", "KILL", "TYPE", "replica")
	guess(r.node(1), 4)
	guess(r.node(2), 4)
	before := judged
	old.Kill()
	sentinel.AwaitFailover(old)
	deadline := time.Now().Add(delivery)
	// The node that counted last gets through first. The others know of fewer
	// failures, and on a busy machine one of them may find the new primary before.
	for judged == before && guess(r.node(2), attempts) && time.Now().Before(deadline) {
	}
	if judged == before {
		t.Fatal("nothing was judged after the failover")
	}
	for round := 0; round < 40 && guess(r.node(round), attempts) && time.Now().Before(deadline); round++ {
	}
	const budget = 10
	if judged > budget+nodes {
		t.Errorf("%d guesses were judged, more than %d", judged, budget+nodes)
	}
	row(t, "F-05 guesses during a failover to a replica that never heard of %d of them: %d judged in all", before-1, judged)
}
