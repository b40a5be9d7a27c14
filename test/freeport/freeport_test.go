// SPDX-License-Identifier: Apache-2.0

package freeport

import (
	"net"
	"testing"
)

// TestTaken: a port is given once while its test runs, though nobody listens on
// it.
func TestTaken(t *testing.T) {
	taken := make(map[int]bool)
	for range 200 {
		port := Take(t)
		if taken[port] || port < first || port >= end {
			t.Errorf("%d is taken again, or out of bounds", port)
		}
		taken[port] = true
	}
}

// TestInUse: a port that something listens on, on any address, isn't free.
func TestInUse(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		listener, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		if port := listener.Addr().(*net.TCPAddr).Port; isFree(port) {
			t.Errorf("a port that is listened on at %s is free", host)
		}
		listener.Close()
	}
}
