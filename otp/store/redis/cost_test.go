// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestCosts holds what people cost the server: memory, to the byte, and the
// time of its scripts, which bounds a deployment.
func TestCosts(t *testing.T) {
	_, s := serve(t)
	const people = 1000
	timeOf := func(what string, most float64, operation func(n int64)) {
		operation(0) // the server knows the script from here on
		ask(t, s, "CONFIG", "RESETSTAT")
		for n := range int64(people) {
			operation(n + 1)
		}
		calls, micros := evalsha(t, s)
		each := typical(t, s, micros/float64(calls))
		t.Logf("a %s takes the server %.1f µs", what, each)
		if calls != people || each > most {
			t.Errorf("%d scripts of %.1f µs each for a %s; want %d of %v µs at most", calls, each, what, people, most)
		}
	}
	timeOf("start", 250, func(n int64) { start(t, s, n) })
	memoryOf := func(what, kind string, most int64) {
		var total, keys int64
		for _, key := range s.client().Keys(t.Context(), "*:"+kind+":*").Val() {
			total += s.client().MemoryUsage(t.Context(), key).Val()
			keys++
		}
		if keys == 0 {
			t.Fatalf("no keys of a %s", what)
		}
		t.Logf("a %s takes %d bytes", what, total/keys)
		if total/keys > most {
			t.Errorf("a %s takes %d bytes; at most %d", what, total/keys, most)
		}
	}
	memoryOf("challenge", "h", 400)
	timeOf("wrong guess", 250, func(n int64) { wantVerify(t, s, n, "wrong", otp.Wrong) })
	timeOf("right guess", 400, func(n int64) { wantVerify(t, s, n, "code", otp.Verified) })
	memoryOf("session", "s", 560)
	memoryOf("account", "a", 160)
	if outbox := strings.Count(ask(t, s, "KEYS", "*:m:*"), ":m:"); outbox != people+1 {
		t.Errorf("%d messages in the outbox", outbox)
	}
}

// typical is how long a script took the server since RESETSTAT, in µs: half of
// them took longer. A server before version 7 doesn't tell; then it is the
// average, which counts what else a busy machine does.
func typical(t *testing.T, s *Store, average float64) float64 {
	t.Helper()
	for line := range strings.Lines(ask(t, s, "INFO", "latencystats")) {
		if rest, ok := strings.CutPrefix(line, "latency_percentiles_usec_evalsha:p50="); ok {
			p50, _, _ := strings.Cut(rest, ",")
			micros, err := strconv.ParseFloat(p50, 64)
			if err != nil {
				t.Fatal(err)
			}
			return micros
		}
	}
	return average
}
