// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/storetest"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

func TestSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	server := redisserver.Start(t)
	storetest.Run(t, storetest.Harness{New: func(t *testing.T) (otp.Store, func(time.Duration)) {
		store := open(t, server)
		return store, advancing(store)
	}})
}

func TestSuiteOnSentinel(t *testing.T) {
	if testing.Short() {
		t.Skip("needs redis-servers")
	}
	servers := redisserver.StartSentinel(t)
	storetest.Run(t, storetest.Harness{New: func(t *testing.T) (otp.Store, func(time.Duration)) {
		store := openAt(t, servers.URLs(), WithSentinel(redisserver.MasterName))
		return store, advancing(store)
	}})
}

func TestSuiteOnCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("needs redis-servers")
	}
	servers := redisserver.StartCluster(t)
	for name, urls := range map[string][]string{"all nodes": servers.URLs(), "one node": servers.URLs()[:1]} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, storetest.Harness{
				New: func(t *testing.T) (otp.Store, func(time.Duration)) {
					store := openAt(t, urls)
					return store, advancing(store)
				},
				Spread: true,
			})
		})
	}
	wantNoError(t, servers, "CROSSSLOT")
}

// client is for what isn't a script. It may be of a node of a Cluster.
func (s *Store) client() goredis.UniversalClient { return s.current.Load().client }

var opened atomic.Int64

// open returns a store with names of its own on the server. Its timeout is
// long, since a loaded machine is no fault of the store.
func open(t testing.TB, server *redisserver.Server, options ...Option) *Store {
	t.Helper()
	return openAt(t, []string{server.URL()}, options...)
}

func openAt(t testing.TB, urls []string, options ...Option) *Store {
	t.Helper()
	prefix := WithKeyPrefix(fmt.Sprintf("t%d:", opened.Add(1)))
	store, err := OpenServers(urls, append([]Option{prefix, WithTimeout(10 * time.Second)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// advancing returns what moves the clock of a store's scripts.
func advancing(store *Store) func(time.Duration) {
	var offset time.Duration
	return func(d time.Duration) {
		offset += d
		store.scripts = newScripts(offset)
	}
}
