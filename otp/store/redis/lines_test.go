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

// TestClosedLines: connections that a server closed while nobody used them,
// with TLS or without, are no failures of the next operations.
func TestClosedLines(t *testing.T) {
	server, a, pair, url := serveTLS(t)
	for name, s := range map[string]*Store{
		"plain": open(t, server),
		"TLS":   openAt(t, []string{url}, WithTLS(a.pool(), &pair)),
	} {
		t.Run(name, func(t *testing.T) {
			s.current.Load().health.begin.Do(func() {}) // its questions stay out of it
			var asking sync.WaitGroup
			for range 50 {
				asking.Go(func() { s.Get(t.Context(), "key") })
			}
			asking.Wait()
			before := s.client().PoolStats().IdleConns
			if before < 2 {
				t.Fatalf("%d connections: too few for this test", before)
			}
			for range 5 { // nor is one in use given up
				if _, err := s.Get(t.Context(), "key"); err != nil {
					t.Error(err)
				}
			}
			if n := s.client().PoolStats().IdleConns; n != before {
				t.Errorf("%d connections, %d before", n, before)
			}
			if _, err := server.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"); err != nil {
				t.Fatal(err)
			}
			for i := range before {
				if _, err := s.Get(t.Context(), "key"); err != nil {
					t.Errorf("operation %d: %v", i, err)
				}
			}
		})
	}
}
