// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestAbsentAtStart starts Caddy while there is no Redis (F-01): it serves the
// app and answers logins with 503, in time, until Redis is there; then it needs
// no reload. It never falls back to a store of its own.
func TestAbsentAtStart(t *testing.T) {
	site.SkipShort(t)
	server := redisserver.Start(t)
	server.Kill()
	r := newRig(t, 1, standalone(server.URL()).lines(usually()), spacious)
	n := r.nodes[0]
	var slowest time.Duration
	for range either(5, 50) {
		begin := time.Now()
		if a := r.start(n, newAddress()); !a.outage() {
			t.Errorf("a start without a Redis: %s", a)
		}
		slowest = max(slowest, time.Since(begin))
		if status, body, err := app(n, ""); err != nil || status != http.StatusOK || body != "app " {
			t.Errorf("the app: %d %q, %v", status, body, err)
		}
	}
	if f := promised(); slowest > f.answer {
		t.Errorf("an answer took %v", slowest)
	}
	server.Restart()
	begin := time.Now()
	for a := r.start(n, newAddress()); a.status != http.StatusOK; a = r.start(n, newAddress()) {
		if time.Since(begin) > promised().back {
			t.Fatalf("a start with a Redis: %s\n%s", a, tail(r.logs()))
		}
		time.Sleep(10 * time.Millisecond)
	}
	back := time.Since(begin)
	r.login()
	r.settled(t)
	err := filepath.WalkDir(n.Dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".db") {
			t.Errorf("%s is an embedded store", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	row(t, "F-01 no Redis at start: longest answer %s, works %s after it is there; %s", ms(slowest), ms(back), r.reconciled())
}
