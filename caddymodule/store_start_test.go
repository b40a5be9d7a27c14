// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// mustLoadLogged loads a configuration whose log is a file.
func (c running) mustLoadLogged(file, lines string, sites ...string) *pooledStore {
	c.t.Helper()
	var config map[string]any
	if err := json.Unmarshal(c.withoutListeners(caddyfileOf(lines, sites...)), &config); err != nil {
		c.t.Fatal(err)
	}
	config["logging"] = map[string]any{"logs": map[string]any{"default": map[string]any{
		"writer":  map[string]any{"output": "file", "filename": file},
		"encoder": map[string]any{"format": "json"},
	}}}
	text, err := json.Marshal(config)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := caddy.Load(text, true); err != nil {
		c.t.Fatal(err)
	}
	return c.store()
}

// admin is a client beside the store.
func admin(t *testing.T, server *redisserver.Server) *goredis.Client {
	t.Helper()
	options, err := goredis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

// TestUnfitRedis is refused at the start, and by a reload, which leaves what
// runs alone.
func TestUnfitRedis(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	server := redisserver.Start(t, "--maxmemory-policy", "allkeys-lru")
	c := run(t)
	// A server that doesn't answer in time isn't refused: it may come.
	lines := "store redis " + server.URL() + " {\n\ttimeout 10s\n}\nsecret \"" + testSecret + `"`
	began := time.Now()
	err := c.load(lines, loopback)
	if err == nil || !strings.Contains(err.Error(), "maxmemory-policy allkeys-lru") || !strings.Contains(err.Error(), "any_eviction_policy") {
		t.Errorf("the start says %v", err)
	}
	for clients := admin(t, server); ; time.Sleep(10 * time.Millisecond) {
		list := clients.ClientList(t.Context()).Val()
		if strings.Count(list, "\n") == 1 { // the one that asks
			break
		}
		if time.Since(began) > 40*time.Second {
			t.Fatalf("connections of the refused configuration are left:\n%s", list)
		}
	}

	set := func(policy string) {
		t.Helper()
		if err := admin(t, server).ConfigSet(t.Context(), "maxmemory-policy", policy).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("noeviction")
	first := c.mustLoad(lines, loopback)
	c.works(first)
	set("volatile-lru")
	if err := c.load(lines, loopback, second); err == nil || !strings.Contains(err.Error(), "volatile-lru") {
		t.Errorf("the reload says %v", err)
	}
	if c.store() != first {
		t.Error("another configuration runs")
	}
	c.works(first)
}

// TestRedisThatIsNotThere: Caddy starts, says so once, and goes on with it
// when it comes. Nothing else is used in its place.
func TestRedisThatIsNotThere(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	server := redisserver.Start(t)
	server.Kill()
	c := run(t)
	log := filepath.Join(t.TempDir(), "log")
	lines := "store redis " + server.URL() + "\nsecret \"" + testSecret + `"`
	store := c.mustLoadLogged(log, lines, loopback)
	began := time.Now()
	deadline := began.Add(20 * time.Second)
	for {
		_, err := store.Get(t.Context(), "key")
		if !errors.Is(err, otp.ErrUnavailable) {
			t.Fatalf("with nothing there: %v", err)
		}
		if errors.Is(err, otp.ErrTold) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it isn't told:\n%s", readFile(t, log))
		}
		time.Sleep(10 * time.Millisecond)
	}
	// Longer than whoever asks regularly takes to tell of a failure of its own.
	time.Sleep(4 * time.Second)
	if text := readFile(t, log); strings.Count(text, `"level":"error"`) != 1 || strings.Count(text, "redis is down") != 1 {
		t.Errorf("not told once:\n%s", text)
	}
	server.Restart()
	for {
		if _, err := store.Get(t.Context(), "key"); err == nil {
			break
		}
		if time.Now().After(deadline.Add(20 * time.Second)) {
			t.Fatal("it isn't used though it is there")
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.works(store)
	until(t, "it is told that it is there", func() bool { return strings.Contains(readFile(t, log), "redis is up again") })
	if text := readFile(t, log); strings.Count(text, "redis is up again") != 1 || strings.Count(text, `"level":"error"`) != 1 {
		t.Errorf("not told once that it is there:\n%s", text)
	}
}

// TestValidateDoesNotConnect even to a server that would be refused.
func TestValidateDoesNotConnect(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connected := make(chan struct{}, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
			connected <- struct{}{}
		}
	}()
	lines := "store redis redis://" + listener.Addr().String() + "\nsecret \"" + testSecret + `"`
	if _, err := provision(t, jsonOf(t, caddyfileOf(lines, loopback))); err != nil {
		t.Fatal(err)
	}
	// Whoever had connected would be accepted before this.
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	<-connected
	listener.Close()
	if len(connected) > 0 {
		t.Error("it connected")
	}
}

// TestLastingLog goes on with the newest configuration's log.
func TestLastingLog(t *testing.T) {
	c := run(t)
	lines := "store bolt " + filepath.Join(t.TempDir(), "otp.db")
	dir := t.TempDir()
	first, next := filepath.Join(dir, "first"), filepath.Join(dir, "next")
	store := c.mustLoadLogged(first, lines, loopback)
	logger := store.lasting()
	logger.Error("one")
	c.mustLoadLogged(next, lines, loopback, second)
	logger.ErrorContext(context.Background(), "two")
	logger.With("a", "b").Error("three")
	if text := readFile(t, first); !strings.Contains(text, `"one"`) || strings.Contains(text, `"two"`) {
		t.Errorf("the first log has\n%s", text)
	}
	if text := readFile(t, next); strings.Contains(text, `"one"`) || !strings.Contains(text, `"two"`) || !strings.Contains(text, `"three"`) {
		t.Errorf("the next log has\n%s", text)
	}
}
