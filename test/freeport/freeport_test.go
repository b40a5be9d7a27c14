// SPDX-License-Identifier: Apache-2.0

package freeport

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTaken: a port is given once while its test runs, though nobody listens on
// it, and may be given again afterwards.
func TestTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "20000")
	release, err := reserve(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reserve(path); err == nil {
		t.Error("it is reserved twice")
	}
	release()
	if release, err = reserve(path); err != nil {
		t.Errorf("after its release: %v", err)
	} else {
		release()
	}

	taken := make(map[int]bool)
	for range 200 {
		port := Take(t)
		if taken[port] || port < first || port >= end {
			t.Errorf("%d is taken again, or out of bounds", port)
		}
		taken[port] = true
	}
}

// TestOtherProcess: a port of one process is none of another's, until that
// process is dead, whatever it died of.
func TestOtherProcess(t *testing.T) {
	const variable = "FREEPORT_TEST_RESERVES"
	if path := os.Getenv(variable); path != "" {
		if _, err := reserve(path); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("reserved\n")
		select {}
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "20000")
	other := exec.Command(program, "-test.run=^TestOtherProcess$")
	other.Env = append(os.Environ(), variable+"="+path)
	output, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 64)
	n, _ := output.Read(said)
	if !strings.HasPrefix(string(said[:n]), "reserved") {
		t.Errorf("the other process says %q", said[:n])
	}
	if _, err := reserve(path); err == nil {
		t.Error("a port of another process is reserved here as well")
	}
	other.Process.Kill()
	other.Wait()
	release, err := reserve(path)
	if err != nil {
		t.Fatalf("of a process that was killed: %v", err)
	}
	release()
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
