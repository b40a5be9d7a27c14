// SPDX-License-Identifier: Apache-2.0

// Package freeport chooses ports for the servers that tests start as processes
// of their own. Between the choice and the server's listening, and while a test
// has killed its server, nobody else gets the port: the tests of several
// packages run side by side, each in a process of its own.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/filelock"
)

// The ports to choose from, the last one excluded. They are below those that
// Linux and the BSDs give to whoever asks for any port, or opens a connection.
const first, end = 20000, 32768

// Take returns a port of 127.0.0.1 that nobody listens on, and that is no other
// test's until this one ends, or dies.
func Take(t testing.TB) int {
	t.Helper()
	folder := filepath.Join(os.TempDir(), fmt.Sprintf("caddy-otp-ports-%d", os.Getuid()))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	offset := rand.IntN(end - first)
	for i := range end - first {
		port := first + (offset+i)%(end-first)
		release, err := filelock.Try(filepath.Join(folder, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if !isFree(port) {
			release()
			continue
		}
		t.Cleanup(release)
		return port
	}
	t.Fatalf("no port from %d to %d is free", first, end-1)
	return 0
}

// Addr is Take, as a host and port.
func Addr(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Take(t)))
}

// isFree reports whether a server can listen on a port, on this host alone and
// on all addresses.
func isFree(port int) bool {
	for _, host := range []string{"127.0.0.1", ""} {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		listener.Close()
	}
	return true
}
