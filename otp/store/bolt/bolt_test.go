// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Harness{
		New: func(t *testing.T) (otp.Store, func(time.Duration)) {
			clock := newClock()
			return open(t, filepath.Join(t.TempDir(), "otp.db"), WithClock(clock.now)), clock.advance
		},
	})
}

// testClock only moves when it is told to.
type testClock struct{ at atomic.Int64 }

func newClock() *testClock {
	c := &testClock{}
	c.at.Store(time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC).UnixNano())
	return c
}

func (c *testClock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *testClock) advance(d time.Duration) { c.at.Add(int64(d)) }

// open opens a store that is closed when the test ends.
func open(t testing.TB, file string, options ...Option) *Store {
	t.Helper()
	s, err := Open(file, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
