// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// A Cluster that has lost a node goes on: it is no outage of the whole, its
// settings are still looked at, and it isn't asked about its health more often
// than a server that is gone.
func TestHealthOfAClusterWithoutANode(t *testing.T) {
	servers := serveCluster(t, "--cluster-require-full-coverage", "no")
	log := new(logBuffer)
	s := openAt(t, servers.URLs(), WithTimeout(limit), WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	h := s.current.Load().health
	var probes, looks atomic.Int64
	probe, inspect := h.probe, h.inspect
	h.probe = func(ctx context.Context) error {
		probes.Add(1)
		return probe(ctx)
	}
	h.inspect = func(ctx context.Context) ([]settingsFound, error) {
		looks.Add(1)
		return inspect(ctx)
	}
	awaitsLogin(t, s, 1)
	servers.Servers[1].Kill()
	began, failed := time.Now(), 0
	asked, looked := probes.Load(), looks.Load()
	for n := int64(0); time.Since(began) < 3*time.Second; n++ {
		if _, err := s.Start(t.Context(), testChallenge(n), nil); err != nil {
			wantUnavailableOf(t, err)
			failed++
		}
		time.Sleep(time.Millisecond)
	}
	if failed == 0 {
		t.Error("nothing fails though a node is gone")
	}
	most := int64(time.Since(began)/probeInterval) + 1
	if n := probes.Load() - asked; n == 0 || n > most {
		t.Errorf("asked %d times, want %d at most", n, most)
	}
	if n := looks.Load() - looked; n > most {
		t.Errorf("looked at the settings %d times", n)
	}
	for _, server := range servers.Servers {
		server.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	}
	err := openAt(t, servers.URLs()).Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "any_eviction_policy") {
		t.Errorf("the check of the nodes that are left says %v", err)
	}
	wantLog(t, log, map[string]int{"redis is down": 0})
	for n := range int64(otp.Shards) {
		if _, err := s.Start(t.Context(), testChallenge(n), nil); err == nil {
			return
		}
	}
	t.Error("nothing works")
}

// TestHangingNode: those who ask for what a node has that hangs don't make the
// whole Cluster seem to be down, even while nobody asks the others. (Nodes that
// want full coverage all refuse, once they notice.)
func TestHangingNode(t *testing.T) {
	servers := serveCluster(t, "--cluster-require-full-coverage", "no")
	log := new(logBuffer)
	s := openAt(t, servers.URLs(), WithTimeout(limit), WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	gone := servers.Owner(servers.Slot("{" + testHandle(1).Shard() + "}"))
	for n := range int64(otp.Shards) {
		awaitsLogin(t, s, n)
	}
	gone.Stop()
	var asking sync.WaitGroup
	for began := time.Now(); time.Since(began) < 3*time.Second; time.Sleep(20 * time.Millisecond) {
		asking.Go(func() {
			_, err := s.Start(t.Context(), testChallenge(1), nil)
			wantUnavailableOf(t, err)
		})
	}
	asking.Wait()
	eventually(t, "told", func() bool { return strings.Contains(log.String(), "a node of the redis Cluster is down") })
	gone.Continue()
	awaitsLogin(t, s, 1000)
	eventually(t, "told", func() bool { return strings.Contains(log.String(), "a node of the redis Cluster is up again") })
	wantLog(t, log, map[string]int{
		"redis is down": 0, "ERROR": 1, "redis at " + gone.Addr + ": no answer in time": 1, "is up again": 1, "down_for=": 1,
	})
}

// TestReplacedNode: others take what a node had that is gone for good.
func TestReplacedNode(t *testing.T) {
	servers := serveCluster(t, "--cluster-require-full-coverage", "no")
	log := new(logBuffer)
	s := openAt(t, servers.URLs(), WithTimeout(limit), WithLogger(slog.New(slog.NewTextHandler(log, nil))))
	gone, others := servers.Servers[0], servers.Servers[1:]
	id, err := gone.Do("CLUSTER", "MYID")
	if err != nil {
		t.Fatal(err)
	}
	take := []any{"CLUSTER", "ADDSLOTS"}
	var lost int64
	for n := range int64(otp.Shards) {
		if slot := servers.Slot("{" + testHandle(n).Shard() + "}"); servers.Owner(slot) == gone {
			take, lost = append(take, slot), n
		}
	}
	awaitsLogin(t, s, lost)
	gone.Kill()
	eventually(t, "told", func() bool {
		s.Start(t.Context(), testChallenge(lost), nil)
		return strings.Contains(log.String(), "a node of the redis Cluster is down")
	})
	for _, server := range others {
		if _, err := server.Do("CLUSTER", "FORGET", id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := others[0].Do(take...); err != nil {
		t.Fatal(err)
	}
	eventually(t, "told", func() bool { return strings.Contains(log.String(), "has been replaced") })
	eventually(t, "it works", func() bool { _, err := s.Start(t.Context(), testChallenge(lost), nil); return err == nil })
	wantLog(t, log, map[string]int{"redis is down": 0, "ERROR": 1, "server=" + gone.Addr: 1, "is up again": 0, "has been replaced": 1})
}
