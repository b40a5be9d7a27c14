// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

func serveSentinel(t *testing.T) *redisserver.Sentinel {
	t.Helper()
	if testing.Short() {
		t.Skip("needs redis-servers")
	}
	return redisserver.StartSentinel(t)
}

// awaitsLogin waits until a login works.
func awaitsLogin(t *testing.T, s *Store, n int64) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for ; ; n++ {
		err := logIn(t.Context(), s, n)
		if err == nil {
			return
		}
		wantUnavailableOf(t, err)
		if time.Now().After(deadline) {
			t.Fatalf("still fails: %v", err)
		}
	}
}

func TestFailover(t *testing.T) {
	servers := serveSentinel(t)
	s := openAt(t, servers.URLs(), WithSentinel(redisserver.MasterName), WithTimeout(limit))
	awaitsStart(t, s, 1)
	servers.AwaitReplicas()
	old := servers.Primary()
	old.Kill()
	servers.AwaitFailover(old)
	awaitsLogin(t, s, 1000)
	wantVerify(t, s, 1, "code", otp.Verified) // it was replicated

	awaitsStart(t, s, 2)
	old.Restart()
	servers.AwaitReplicas()
	servers.Failover()
	awaitsLogin(t, s, 2000)
	wantVerify(t, s, 2, "code", otp.Verified)
}

// A Sentinel that is silent, as on a machine that lost its power together with
// the primary, doesn't keep the others from being asked.
func TestSilentSentinel(t *testing.T) {
	servers := serveSentinel(t)
	s := openAt(t, servers.URLs(), WithSentinel(redisserver.MasterName), WithTimeout(limit))
	awaitsStart(t, s, 1)
	old := servers.Primary()
	subscribed(t, servers).Stop()
	old.Stop()
	servers.AwaitFailover(old)
	awaitsLogin(t, s, 1000)
}

// subscribed returns the Sentinel that the store listens to.
func subscribed(t *testing.T, servers *redisserver.Sentinel) *redisserver.Server {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		for _, sentinel := range servers.Sentinels {
			if answer, err := sentinel.Do("CLIENT", "LIST", "TYPE", "pubsub"); err == nil && containsAll(answer, "addr=") {
				return sentinel
			}
		}
	}
	t.Fatal("the store listens to no Sentinel")
	return nil
}

func TestSentinelCredentials(t *testing.T) {
	servers := serveSentinel(t)
	for _, sentinel := range servers.Sentinels {
		if _, err := sentinel.Do("ACL", "SETUSER", "watcher", "on", ">seen", "allchannels", "+@all"); err != nil {
			t.Fatal(err)
		}
	}
	for _, server := range servers.Servers {
		if _, err := server.Do("ACL", "SETUSER", "otp", "on", ">s p@ce", "~*", "+@all"); err != nil {
			t.Fatal(err)
		}
	}
	urls := servers.URLs()
	for i := range urls {
		urls[i] = "redis://watcher:seen@" + urls[i][len("redis://"):] + "/3"
	}
	master := WithSentinel(redisserver.MasterName)
	s := openAt(t, urls, master, WithCredentials("otp", "s p@ce"))
	start(t, s, 1)
	if db := s.client().Do(t.Context(), "CLIENT", "INFO").Val(); !containsAll(db, "user=otp", "db=3") {
		t.Errorf("the connection is %v", db)
	}
	for name, options := range map[string][]Option{
		"WRONGPASS":        {master, WithCredentials("otp", "guess")},
		"sentinel monitor": {WithSentinel("another"), WithCredentials("otp", "s p@ce")},
	} {
		_, err := openAt(t, urls, options...).Get(t.Context(), "key")
		wantSays(t, err, name, "guess", "seen")
	}
	_, err := openAt(t, servers.URLs()[:1]).Get(t.Context(), "key")
	wantSays(t, err, "write `sentinel <name of its master>`")
	_, err = openAt(t, []string{servers.Servers[0].URL()}, master).Get(t.Context(), "key")
	wantSays(t, err, "write the URLs of the Sentinels")
}
