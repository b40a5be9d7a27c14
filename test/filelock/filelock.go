// SPDX-License-Identifier: Apache-2.0

// Package filelock keeps the tests of several packages, which run side by side,
// each in a process of its own, out of each other's way.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// ErrHeld says that somebody else has a lock, in this process or another.
var ErrHeld = errors.New("held by somebody else")

// pause is how long to wait before trying again.
const pause = 50 * time.Millisecond

// Try takes the lock of a file, which is made where it isn't there, or returns
// an ErrHeld. The kernel releases it where the process dies, and so does the
// garbage collector where nobody keeps release any more. The file stays: were it
// removed, two could each lock one of its name.
func Try(path string) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrHeld
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}

// Wait is Try that waits until nobody else has the lock, or ctx ends.
func Wait(ctx context.Context, path string) (release func(), err error) {
	for {
		release, err := Try(path)
		if !errors.Is(err, ErrHeld) {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		case <-time.After(pause):
		}
	}
}
