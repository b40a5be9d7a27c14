// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/bolt"
)

// running is a Caddy inside the test process, without an admin endpoint and
// without a listener.
type running struct{ t *testing.T }

// run makes a Caddy that a test can load configurations into. Caddy has one
// per process: such tests can't be parallel.
func run(t *testing.T) running {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		stores.Range(func(key, _ any) bool {
			t.Errorf("%v is left in the pool", key)
			return true
		})
	})
	return running{t}
}

// load is a reload, or the start, with lines for the global block.
func (c running) load(lines string, sites ...string) error {
	c.t.Helper()
	return caddy.Load(c.withoutListeners(caddyfileOf(lines, sites...)), true)
}

// withoutListeners makes the sites listen on sockets of this test alone.
func (c running) withoutListeners(caddyfile string) []byte {
	c.t.Helper()
	socket := filepath.Join(c.t.TempDir(), "s")
	config := jsonOf(c.t, caddyfile)
	return bytes.ReplaceAll(config, []byte(`":8080"`), []byte(`"unix/`+socket+`"`))
}

func (c running) mustLoad(lines string, sites ...string) *pooledStore {
	c.t.Helper()
	if err := c.load(lines, sites...); err != nil {
		c.t.Fatal(err)
	}
	return c.store()
}

// store is the store of the configuration that runs.
func (c running) store() *pooledStore {
	c.t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured("otp")
	if err != nil {
		c.t.Fatal(err)
	}
	return app.(*App).store
}

// works fails the test unless the store takes and gives back a record.
func (c running) works(store otp.Store) {
	c.t.Helper()
	key := c.t.Name()
	if _, err := store.Swap(c.t.Context(), key, nil, []byte("value"), 0); err != nil {
		c.t.Errorf("the store doesn't work: %v", err)
	}
	if value, err := store.Get(c.t.Context(), key); err != nil || string(value) != "value" {
		c.t.Errorf("the store has %q, %v", value, err)
	}
}

// references is how many configurations use the store of a file.
func references(file string) int {
	n, _ := stores.References((&BoltStore{path: file}).Identity())
	return n
}

const (
	loopback = "public_url http://localhost:8080"
	second   = "public_url http://second.localhost:8080"
)

func TestReloadGoesOnWithTheStore(t *testing.T) {
	c := run(t)
	file := filepath.Join(t.TempDir(), "otp.db")
	first := c.mustLoad("store bolt "+file, loopback)
	opened := *first.opened.Load()
	if got := c.mustLoad("store bolt "+file+"\nsecret \""+testSecret+`"`, loopback, second); got != first || *got.opened.Load() != opened {
		t.Error("the reload has another store")
	}
	c.works(first)
	if n := references(file); n != 1 {
		t.Errorf("%d configurations use the store", n)
	}
}

// TestReloadKeepsBreakers: they are a realm's, and a reload doesn't close them.
func TestReloadKeepsBreakers(t *testing.T) {
	c := run(t)
	file := filepath.Join(t.TempDir(), "otp.db")
	breaker := c.mustLoad("store bolt "+file, loopback).breaker("localhost:8080")
	after := c.mustLoad("store bolt "+file+"\ncode {\n\tlength 8\n}", loopback, second)
	if after.breaker("localhost:8080") != breaker {
		t.Error("the reload has another breaker")
	}
	if after.breaker("second.localhost:8080") == breaker {
		t.Error("two realms have one breaker")
	}
	realms := 0
	after.breakers.Range(func(any, any) bool { realms++; return true })
	if realms != 2 {
		t.Errorf("%d realms have breakers", realms)
	}
}

func TestReloadToAnotherStore(t *testing.T) {
	c := run(t)
	dir := t.TempDir()
	first := c.mustLoad("store bolt "+filepath.Join(dir, "a.db"), loopback)
	next := c.mustLoad("store bolt "+filepath.Join(dir, "b.db"), loopback)
	c.works(next)
	if _, err := first.Get(t.Context(), "key"); !errors.Is(err, otp.ErrUnavailable) {
		t.Errorf("the old store is still open: %v", err)
	}
	// Nobody holds the old file's lock any more.
	again, err := bolt.Open(filepath.Join(dir, "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestRefusedReloadKeepsTheStore: Caddy cleans up what it has provisioned of
// a configuration that it refuses; the one that runs must not notice.
func TestRefusedReloadKeepsTheStore(t *testing.T) {
	c := run(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "otp.db")
	store := "store bolt " + file
	blocked := filepath.Join(dir, "no-folder")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	first := c.mustLoad(store, loopback)
	for name, load := range map[string]func() error{
		"a site without public_url": func() error { return c.load(store, "protect") },
		"one good site, one bad":    func() error { return c.load(store, loopback, "public_url https://app.example.com") },
		"a secret without a value":  func() error { return c.load(store+"\nsecret {env.OTP_TEST_UNSET}", loopback) },
		"a secret too short":        func() error { return c.load(store+"\nsecret {env.OTP_TEST_SHORT}", loopback) },
		"two sites with one public_url": func() error {
			return c.load(store, loopback, loopback)
		},
		"redis without a secret": func() error { return c.load("store redis redis://127.0.0.1:1", loopback) },
		"a store that can't be opened": func() error {
			return c.load("store bolt "+filepath.Join(blocked, "otp.db"), loopback)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTP_TEST_SHORT", "short")
			if err := load(); err == nil {
				t.Fatal("is taken")
			}
			if c.store() != first {
				t.Error("another configuration runs")
			}
			running{t}.works(first)
			if n := references(file); n != 1 {
				t.Errorf("%d configurations use the store", n)
			}
			stores.Range(func(key, value any) bool {
				if value != first {
					t.Errorf("%v is left in the pool", key)
				}
				return true
			})
		})
	}
}

func TestValidateBesideARunningConfig(t *testing.T) {
	c := run(t)
	file := filepath.Join(t.TempDir(), "otp.db")
	first := c.mustLoad("store bolt "+file, loopback)
	if _, err := provision(t, jsonOf(t, caddyfileOf("store bolt "+file, loopback))); err != nil {
		t.Fatal(err)
	}
	c.works(first)
}

func TestTwoNamesOfAFileAreOneStore(t *testing.T) {
	c := run(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("data", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	first := c.mustLoad("store bolt "+filepath.Join(dir, "data", "otp.db"), loopback)
	if got := c.mustLoad("store bolt "+filepath.Join(dir, "link", "..", "data", "otp.db"), loopback); got != first {
		t.Error("a path with .. is another store")
	}
	if got := c.mustLoad("store bolt "+filepath.Join(dir, "link", "otp.db"), loopback); got != first {
		t.Error("a link to the folder is another store")
	}
}

func TestSecretBesideTheDatabase(t *testing.T) {
	c := run(t)
	folder := filepath.Join(t.TempDir(), "otp")
	file := filepath.Join(folder, "otp.db")
	c.mustLoad("store bolt "+file, loopback)
	secret := readFile(t, file+".secret")
	if len(secret) < otp.MinSecretLength {
		t.Errorf("the secret has %d bytes", len(secret))
	}
	for path, mode := range map[string]os.FileMode{file + ".secret": 0o600, file: 0o600, folder: os.ModeDir | 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("%s has mode %s, not %s", filepath.Base(path), info.Mode(), mode)
		}
	}
	c.mustLoad("store bolt "+file, loopback, second)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	c.mustLoad("store bolt "+file, loopback)
	if readFile(t, file+".secret") != secret {
		t.Error("the secret was made anew")
	}
}

func TestSecretOfTheConfig(t *testing.T) {
	c := run(t)
	file := filepath.Join(t.TempDir(), "otp.db")
	c.mustLoad("store bolt "+file+"\nsecret \""+testSecret+`"`, loopback)
	if _, err := os.Stat(file + ".secret"); !os.IsNotExist(err) {
		t.Errorf("a secret was made though one is configured: %v", err)
	}
	// Without it one is needed at once, for the store is open.
	c.mustLoad("store bolt "+file, loopback)
	if len(readFile(t, file+".secret")) < otp.MinSecretLength {
		t.Error("no secret was kept")
	}
}

func TestSecretFilesThatAreRefused(t *testing.T) {
	c := run(t)
	for name, content := range map[string]string{"empty": "", "truncated": "hunter2"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "otp.db")
			if err := os.WriteFile(file+".secret", []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			err := c.load("store bolt "+file, loopback)
			switch {
			case err == nil:
				t.Error("is taken")
			case !strings.Contains(err.Error(), file+".secret is damaged: a secret has at least 32 bytes; restore it, or remove it together with the database"):
				t.Errorf("doesn't say what to do: %v", err)
			case strings.Contains(err.Error(), "hunter2"):
				t.Errorf("holds the secret: %v", err)
			}
			if readFile(t, file+".secret") != content {
				t.Error("the file was changed")
			}
		})
	}
}

// TestSecretMadeByTwo: two processes on one file start at once; the slower
// one must not go on with a secret of its own.
func TestSecretMadeByTwo(t *testing.T) {
	store := &BoltStore{path: filepath.Join(t.TempDir(), "otp.db")}
	secret, err := store.Secret()
	if err != nil {
		t.Fatal(err)
	}
	other, err := store.Secret()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(secret, other) {
		t.Error("two secrets are equal")
	}
	if err := store.Keep(other); err != nil {
		t.Fatal(err)
	}
	if err := store.Keep(other); err != nil {
		t.Errorf("keeping it again: %v", err)
	}
	if err := store.Keep(secret); err == nil {
		t.Error("the secret of the other process was overwritten or ignored")
	}
	if kept, err := store.Secret(); err != nil || !bytes.Equal(kept, other) {
		t.Errorf("another secret is kept: %v", err)
	}
}

// TestClosedStore: a request that outlives its configuration.
func TestClosedStore(t *testing.T) {
	module := &BoltStore{path: filepath.Join(t.TempDir(), "otp.db")}
	store, err := loadStore(module, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stores.Delete(module.Identity()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get(t.Context(), "key"); !errors.Is(err, otp.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(module.path); !os.IsNotExist(err) {
		t.Error("the file was made")
	}
}
