// SPDX-License-Identifier: Apache-2.0

package filelock

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// TestOneAtATime: of many who wait each gets the lock, and has it alone.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var waiting sync.WaitGroup
	var inside, turns atomic.Int64 // no other lock helps this one
	for range 8 {
		waiting.Go(func() {
			release, err := Wait(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			if n := inside.Add(1); n != 1 {
				t.Errorf("%d have it", n)
			}
			turns.Add(1)
			if _, err := Try(path); !errors.Is(err, ErrHeld) {
				t.Errorf("while it is held: %v", err)
			}
			inside.Add(-1)
		})
	}
	waiting.Wait()
	if n := turns.Load(); n != 8 {
		t.Errorf("%d of 8 got it", n)
	}
}

// TestGivesUp: who waits no longer doesn't get it.
func TestGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Wait(ctx, path); !errors.Is(err, ErrHeld) || !errors.Is(err, context.Canceled) {
		t.Errorf("it says %v", err)
	}
}

// TestOtherProcess: what another process holds is free when that is dead,
// whatever it died of.
func TestOtherProcess(t *testing.T) {
	const variable = "FILELOCK_TEST_HOLDS"
	if path := os.Getenv(variable); path != "" {
		release, err := Try(path)
		if err == nil {
			defer release() // what nobody refers to any more, the collector closes
		}
		fmt.Println("got it:", err)
		runtime.GC()
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "lock")
	other := exec.CommandContext(t.Context(), program, "-test.run=^TestOtherProcess$")
	other.Env = append(os.Environ(), variable+"="+path)
	if _, err := other.StdinPipe(); err != nil { // which stays open
		t.Fatal(err)
	}
	output, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer other.Process.Kill()
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "got it: <nil>\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	if _, err := Try(path); !errors.Is(err, ErrHeld) {
		t.Errorf("while another process has it: %v", err)
	}
	other.Process.Kill()
	release, err := Wait(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	release()
}
