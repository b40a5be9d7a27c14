// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// TestDialsThatHang: what comes of connections that nobody waits for any more
// isn't left for those who come when there are some again.
func TestDialsThatHang(t *testing.T) {
	server, _ := serve(t)
	const timeout = 500 * time.Millisecond // of a dial too
	s := open(t, server, WithTimeout(timeout))
	l := s.current.Load()
	l.health.begin.Do(func() {}) // its questions stay out of it
	var swallows atomic.Bool
	swallows.Store(true)
	options := s.client().(*goredis.Client).Options()
	options.Dialer = l.lines.dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
		if swallows.Load() {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return plain(time.Second).DialContext(ctx, network, addr)
	}, false)
	l.choose(newAlone(s.client().(*goredis.Client), l.lines, maxDirect))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var asking sync.WaitGroup
	for range maxDirect {
		asking.Go(func() {
			if _, err := s.Get(ctx, "key"); err == nil {
				t.Error("there is an answer")
			}
		})
	}
	asking.Wait()
	time.Sleep(timeout) // the dials have ended
	swallows.Store(false)
	for i := range 3 {
		if _, err := s.Get(t.Context(), "key"); err != nil {
			t.Errorf("operation %d: %v", i, err)
		}
	}
}
