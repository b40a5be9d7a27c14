// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// backup is all that a Redis holds.
type backup map[string]keptKey

type keptKey struct {
	dump string
	ttl  time.Duration // 0: none
}

// keys returns the names of all keys.
func keys(t *testing.T, operator *redis.Client) []string {
	t.Helper()
	names, err := operator.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func takeBackup(t *testing.T, operator *redis.Client) backup {
	t.Helper()
	all := make(backup)
	for _, key := range keys(t, operator) {
		dump, err := operator.Dump(t.Context(), key).Result()
		if err == redis.Nil {
			continue // it ended meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		ttl, err := operator.PTTL(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		all[key] = keptKey{dump, max(0, ttl)}
	}
	return all
}

// restore replaces all that a Redis holds by a backup. Without lifetimes it
// is as if they had been lost.
func (b backup) restore(t *testing.T, operator *redis.Client, lifetimes bool) {
	t.Helper()
	order(t, operator, "FLUSHALL")
	for key, kept := range b {
		ttl := kept.ttl
		if !lifetimes {
			ttl = 0
		}
		if err := operator.Restore(t.Context(), key, ttl, kept.dump).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRestored empties Redis and gives it back what it held before (F-12):
// what is over by the server's clock stays over, also where its lifetime was
// lost, and nothing crashes.
func TestRestored(t *testing.T) {
	site.SkipShort(t)
	// Long enough for a busy machine to log somebody in.
	const lifetime = 10 * time.Second
	server := redisserver.Start(t)
	r := newRig(t, 1, standalone(server.URL()).lines(patient), spacious+"\n\t\tcode {\n\t\t\tlifetime 10s\n\t\t}")
	n, operator := r.nodes[0], admin(t, server.Addr)

	known, gone := r.login(), r.login()
	late := newAddress()
	code := r.issued(n, late, 1)
	issued := time.Now()
	old := takeBackup(t, operator)
	r.signOut(t, gone)
	time.Sleep(time.Until(issued.Add(lifetime + 100*time.Millisecond)))

	restarted := false
	check := func(when string) {
		t.Helper()
		if a := r.verify(n, late, code); a.status != http.StatusBadRequest {
			t.Errorf("%s, an old code: %s", when, a)
		}
		// A node that has heard of the logout knows it still, though the store
		// forgot it; a new one can't.
		if status, body, err := app(n, gone.access); !restarted && (err != nil || body == "app "+gone.address) {
			t.Errorf("%s, a session that was signed out: %d %q, %v", when, status, body, err)
		}
		if status, body, err := app(n, known.access); err != nil || body != "app "+known.address {
			t.Errorf("%s, a session: %d %q, %v", when, status, body, err)
		}
		r.login()
	}
	check("before it")
	order(t, operator, "FLUSHALL")
	check("emptied")
	old.restore(t, operator, true)
	check("restored")
	old.restore(t, operator, false)
	check("restored without lifetimes")
	if a := renew(n, gone.refresh); a.status != http.StatusUnauthorized {
		t.Errorf("the renewal of a session that was signed out: %s", a)
	}
	n.Kill()
	n.Run()
	restarted = true
	check("restored, by a new process")

	order(t, operator, "FLUSHALL")
	r.login()
	var orphans []string
	for _, key := range keys(t, operator) {
		if ttl, err := operator.TTL(t.Context(), key).Result(); err != nil || ttl == -1 && !isLasting(key) {
			orphans = append(orphans, key)
		}
	}
	if len(orphans) > 0 {
		t.Errorf("keys without a lifetime: %v", orphans)
	}
	row(t, "F-12 emptied, restored, lifetimes lost: old codes refused, a session that was signed out stays so while a process that knows it lives, keys without a lifetime %d", len(orphans))
}

// isLasting reports whether a key has no lifetime by design: since when an
// account is known, and records that are kept for ever.
func isLasting(key string) bool {
	_, kind, ok := strings.Cut(key, "}:")
	return ok && (strings.HasPrefix(kind, "a:") || strings.HasPrefix(kind, "r:"))
}

// TestScriptsForgotten lets Redis forget the scripts over and over (F-09):
// nobody notices.
func TestScriptsForgotten(t *testing.T) {
	site.SkipShort(t)
	server := redisserver.Start(t)
	r := newRig(t, 1, standalone(server.URL()).lines(patient), spacious)
	operator := admin(t, server.Addr)
	l := r.begin(usual())
	flushed := 0
	for end := time.Now().Add(either(500*time.Millisecond, 10*time.Second)); time.Now().Before(end); flushed++ {
		order(t, operator, "SCRIPT", "FLUSH")
		time.Sleep(5 * time.Millisecond)
	}
	l.end()
	r.settled(t)
	l.audit()
	l.judge(t)
	refused, all := l.outages(span{to: time.Now()})
	if refused > 0 {
		t.Errorf("%d of %d starts and verifications were answered with 503", refused, all)
	}
	row(t, "F-09 SCRIPT FLUSH %d times: %d of %d answered 503; %s", flushed, refused, all, r.reconciled())
}
