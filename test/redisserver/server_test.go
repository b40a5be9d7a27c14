// SPDX-License-Identifier: Apache-2.0

package redisserver

import (
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestServer(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	s := Start(t, "--maxmemory", "50mb")
	if got := command(t, s.Addr, "CONFIG GET maxmemory"); !strings.Contains(got, "52428800") {
		t.Errorf("arguments don't reach the server: %q", got)
	}
	if got := command(t, s.Addr, "SET k v"); got != "+OK\r\n" {
		t.Fatalf("SET = %q", got)
	}

	s.Stop()
	if answersWithin(s.Addr, 50*time.Millisecond) {
		t.Error("a stopped server answers")
	}
	s.Continue()
	if !answers(s.Addr) {
		t.Error("a continued server doesn't answer")
	}

	addr := s.Addr
	s.Restart()
	if s.Addr != addr || command(t, s.Addr, "EXISTS k") != ":0\r\n" {
		t.Error("a restart gives an empty server at the same address")
	}
	s.Kill()
	if answers(s.Addr) {
		t.Error("a killed server answers")
	}
}

func command(t *testing.T, addr, line string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(line + "\r\n")); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, 256)
	n, err := conn.Read(reply)
	if err != nil {
		t.Fatal(err)
	}
	return string(reply[:n])
}

func answersWithin(addr string, d time.Duration) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(d))
	conn.Write([]byte("PING\r\n"))
	_, err = conn.Read(make([]byte, 8))
	return err == nil
}

// Two processes that fetch at the same time must both end with a server.
func TestFetch(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the distribution's packages")
	}
	dir := filepath.Join(t.TempDir(), "cache", "server")
	var binaries [2]binary
	var failures [2]error
	var wait sync.WaitGroup
	for i := range binaries {
		wait.Go(func() { binaries[i], failures[i] = fetched(t.Context(), dir) })
	}
	wait.Wait()
	for i, err := range failures {
		if err != nil {
			checkMissing(t, err) // no apt-get, or no network
			continue
		}
		if !strings.HasPrefix(binaries[i].path, dir) {
			t.Errorf("%s isn't in the cache", binaries[i].path)
		}
		version := exec.Command(binaries[i].path, "--version")
		version.Env = binaries[i].environment()
		if output, err := version.CombinedOutput(); err != nil || !strings.Contains(string(output), "server") {
			t.Errorf("redis-server --version = %s, %v", output, err)
		}
	}
	if leftovers, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "fetch-*")); len(leftovers) > 0 {
		t.Errorf("left behind: %v", leftovers)
	}
}

func TestFetchWithoutPackages(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	_, err := locate(t.Context())
	if err == nil {
		t.Fatal("found a server on an empty PATH with an empty cache")
	}
	checkMissing(t, err)
}

func checkMissing(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "apt-get install redis-server") {
		t.Errorf("%q isn't one line that says what to install", text)
	}
}

func TestLibraryPackages(t *testing.T) {
	const depends = `redis-tools
  Depends: adduser
  Depends: libc6
  Depends: libjemalloc2
 |Depends: libsystemd0
  Depends: libelogind0
  Depends: lua-cjson
  Breaks: redis-server
  Suggests: ruby-redis
`
	want := []string{"libjemalloc2", "libsystemd0", "lua-cjson"}
	if got := libraryPackages([]byte(depends)); !slices.Equal(got, want) {
		t.Errorf("libraryPackages = %v, want %v", got, want)
	}
}
