// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/faults/ledger"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// attempts is the wrong guess that kills a code, by default.
const attempts = 5

// secret is what the nodes share.
const secret = "a-secret-of-more-than-thirty-two-bytes"

// spacious are throttles that nobody here runs into.
const spacious = `
		throttle client_ip 1000000 1h
		throttle address 100000 1h`

// rig is a site on one or more Caddys that share a store, with an app behind
// them and a sink of their messages.
type rig struct {
	t      testing.TB
	nodes  []*node
	sink   *sink
	ledger *ledger.Ledger
	// app counts what reaches the app.
	app *httptest.Server
	// store are the lines of the global otp block, and options those of the
	// site.
	store, options string
	// publicURL is the same on all nodes, as behind a load balancer.
	publicURL string
	// losses are when a primary failed that had told nobody of its last writes.
	losses []span
}

// node is one Caddy.
type node struct {
	*caddyserver.Server
	url string
}

// redisStore is the line of a store on a Redis at some addresses, with further
// lines in its block.
func redisStore(url string, block ...string) string {
	return "store redis " + url + " {\n\t\t\t" + strings.Join(block, "\n\t\t\t") + "\n\t\t}\n\t\tsecret " + secret
}

// patient is an operation's time limit where none is to run out: a busy
// machine is no fault.
const patient = "timeout 10s"

// usually is the time limit where answers must be quick: in the short form it
// is long enough for a busy machine.
func usually() string { return either("timeout 2s", "timeout 250ms") }

// newRig runs a site on so many nodes.
func newRig(t testing.TB, count int, store, options string) *rig {
	t.Helper()
	l := ledger.New(attempts)
	r := &rig{t: t, ledger: l, sink: newSink(t, l), store: store, options: options}
	r.app = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		io.Copy(io.Discard, q.Body)
		io.WriteString(w, "app "+q.Header.Get("Remote-User"))
	}))
	t.Cleanup(r.app.Close)
	for range count {
		port := freeport.Take(t)
		n := &node{url: fmt.Sprintf("http://localhost:%d", port)}
		if r.publicURL == "" {
			r.publicURL = n.url
		}
		n.Server = caddyserver.Start(t, r.global(), r.site(n))
		r.nodes = append(r.nodes, n)
	}
	return r
}

func (r *rig) global() string { return site.GlobalBlock(r.store) }

// site is a node's site.
func (r *rig) site(n *node) string {
	return fmt.Sprintf(`http://:%s {
	otp {
		public_url %s
		api nestauth
		api autional
		email http %s
%s
	}
	reverse_proxy %s
}
`, n.url[strings.LastIndexByte(n.url, ':')+1:], r.publicURL, r.sink.url, r.options, strings.TrimPrefix(r.app.URL, "http://"))
}

// node returns the ith node, round and round.
func (r *rig) node(i int) *node { return r.nodes[i%len(r.nodes)] }

// logs are what all nodes printed.
func (r *rig) logs() string {
	var all strings.Builder
	for _, n := range r.nodes {
		all.WriteString(n.Log())
	}
	return all.String()
}

// given up are what the logs say where a message ends without arriving.
var givenUp = []string{
	"message can't be delivered", "message expires before another try", "message expired before it could be delivered",
}

// terminal is how many messages ended without arriving, as the logs say.
func (r *rig) terminal() int {
	logs, count := r.logs(), 0
	for _, line := range givenUp {
		count += strings.Count(logs, line)
	}
	return count
}

// reconciled sums up the ledger; the test fails where anything is lost or
// doubled, unless the logs say that a message ended.
func (r *rig) reconciled() ledger.Report {
	r.t.Helper()
	report := r.ledger.Reconcile()
	if r.unexplained(report.Lost) > r.terminal() || r.unexplained(report.Doubled) > 0 {
		r.t.Errorf("the ledger: %s\n%s", report, tail(r.logs()))
	}
	return report
}

// unexplained is how much of what was found isn't what a replica may never have
// got from a primary that failed: what was promised just before.
func (r *rig) unexplained(all []ledger.Finding) (count int) {
	for _, f := range all {
		if !slices.ContainsFunc(r.losses, func(s span) bool { return s.has(f.At) }) {
			count++
		}
	}
	return count
}

// tail is the end of a log.
func tail(log string) string {
	const most = 4000
	return log[max(0, len(log)-most):]
}
