// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// fitness are the words that say what to set, or what to write.
var fitness = []string{"maxmemory-policy", "noeviction", "any_eviction_policy"}

// TestEviction uses a Redis that forgets keys when it is full (F-11). Caddy
// doesn't start with it, and says why. Where it is there only later, logins are
// answered with 503, and the log says why, until its policy is put right. One
// whose policy is changed while it is used goes on, and the log says so within
// a minute.
func TestEviction(t *testing.T) {
	site.SkipShort(t)
	server := redisserver.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	server.Kill()
	r := newRig(t, 1, standalone(server.URL()).lines(usually()), spacious)
	n := r.nodes[0]
	server.Restart()
	operator := admin(t, server.Addr)

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(r.caddyfile(n)), 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := caddyserver.Command(t, dir, "run", "--config", "Caddyfile").CombinedOutput()
	if err == nil {
		t.Error("Caddy starts with a Redis that evicts")
	}
	for _, word := range fitness {
		if !strings.Contains(string(output), word) {
			t.Errorf("what Caddy says doesn't have %s:\n%s", word, tail(string(output)))
		}
	}

	says := func(patience time.Duration) bool {
		deadline := time.Now().Add(patience)
		for !strings.Contains(n.Log(), fitness[2]) {
			if time.Now().After(deadline) {
				return false
			}
			time.Sleep(20 * time.Millisecond)
		}
		return true
	}
	if !says(delivery) {
		t.Errorf("the log says nothing of it:\n%s", tail(n.Log()))
	}
	if a := r.start(n, newAddress()); !a.outage() {
		t.Errorf("a start: %s", a)
	}
	order(t, operator, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	begin := time.Now()
	for a := r.start(n, newAddress()); a.status != http.StatusOK; a = r.start(n, newAddress()) {
		if time.Since(begin) > delivery {
			t.Fatalf("a start afterwards: %s\n%s", a, tail(n.Log()))
		}
		time.Sleep(20 * time.Millisecond)
	}
	row(t, "F-11 a Redis that evicts: Caddy doesn't start, or answers 503 and works %.1f s after the policy is put right", time.Since(begin).Seconds())
	if !*long {
		return
	}
	mark := len(n.Log())
	order(t, operator, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	begin = time.Now()
	for !strings.Contains(n.Log()[mark:], fitness[2]) {
		if time.Since(begin) > 70*time.Second {
			t.Fatal("the log says nothing of a policy that is changed")
		}
		time.Sleep(100 * time.Millisecond)
	}
	row(t, "F-11 a policy that is changed while Caddy runs: the log tells after %.1f s", time.Since(begin).Seconds())
}
