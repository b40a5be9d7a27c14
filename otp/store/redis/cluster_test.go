// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

func serveCluster(t *testing.T, args ...string) *redisserver.Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("needs redis-servers")
	}
	return redisserver.StartCluster(t, args...)
}

// wantNoError checks that no node ever answered with an error of these codes.
func wantNoError(t *testing.T, servers *redisserver.Cluster, codes ...string) {
	t.Helper()
	for _, node := range servers.Servers {
		stats, err := node.Do("INFO", "errorstats")
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range codes {
			if strings.Contains(fmt.Sprint(stats), "errorstat_"+code) {
				t.Errorf("a node answered %s: %v", code, stats)
			}
		}
	}
}

// logIn asks for a code and redeems it.
func logIn(ctx context.Context, s *Store, n int64) error {
	o, err := s.Start(ctx, testChallenge(n), testMessage(n), testCharges(n)...)
	if err != nil {
		return err
	}
	if o.Result != otp.Accepted {
		return fmt.Errorf("start of %d: result %d", n, o.Result)
	}
	o, err = s.Verify(ctx, testGuess(n, "code"), testSession(n), testCharges(n)[0])
	if err == nil && o.Result != otp.Verified {
		err = fmt.Errorf("verify of %d: result %d", n, o.Result)
	}
	return err
}

func TestClusterNamesOneSlotOnly(t *testing.T) {
	servers := serveCluster(t)
	s := openAt(t, servers.URLs()[:1])
	for n := range int64(2 * otp.Shards) {
		if err := logIn(t.Context(), s, n); err != nil {
			t.Fatal(err)
		}
	}
	for _, operation := range []func() error{
		func() error { _, err := s.Sessions(t.Context(), "owner"); return err },
		func() error { _, _, err := s.Revocations(t.Context(), 0); return err },
		func() error { _, err := s.Claim(t.Context(), []string{"app.example.com"}, 10, time.Minute); return err },
	} {
		if err := operation(); err != nil {
			t.Error(err)
		}
	}
	wantNoError(t, servers, "CROSSSLOT", "MOVED", "TRYAGAIN", "ERR")
}

// TestReshard moves every shard's slot while many log in: none fails, and every
// message, session and charge is there once.
func TestReshard(t *testing.T) {
	servers := serveCluster(t)
	s := openAt(t, servers.URLs())
	ctx, stop := context.WithCancel(t.Context())
	var (
		running sync.WaitGroup
		n, done atomic.Int64
	)
	for range 16 {
		running.Go(func() {
			for ctx.Err() == nil {
				if err := logIn(t.Context(), s, n.Add(1)); err != nil {
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	for i := range otp.Shards {
		slot := servers.Slot(fmt.Sprintf("{%02d}", i))
		to := servers.Servers[i%3]
		if to == servers.Owner(slot) {
			to = servers.Servers[(i+1)%3]
		}
		move := servers.BeginMove(to, slot)
		move.Keys(1) // so that keys are at both
		move.Finish()
	}
	stop()
	running.Wait()
	if t.Failed() {
		return
	}
	t.Logf("%d logins", done.Load())
	wantNoError(t, servers, "CROSSSLOT")
	kinds := map[string]int64{}
	for _, node := range servers.Servers {
		keys, err := node.Do("KEYS", "*")
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys.([]any) {
			_, kind := shardAndKind(t, s, key.(string))
			kinds[kind]++
		}
	}
	// A bucket that was charged twice, or not given back, would still be there.
	if kinds["s"] != done.Load() || kinds["m"] != done.Load() || kinds["b"] != 0 {
		t.Errorf("after %d logins there are %v", done.Load(), kinds)
	}
}

// A slot that is on its way for longer than the timeout refuses, and what is
// refused is given back.
func TestSlotOnItsWay(t *testing.T) {
	servers := serveCluster(t)
	// Long enough for a busy machine to be told, and to give back, in time.
	s := openAt(t, servers.URLs(), WithTimeout(500*time.Millisecond))
	unhurried := openAt(t, servers.URLs(), WithKeyPrefix(s.prefix))
	const n = 7
	start(t, unhurried, n)
	slot := servers.Slot("{07}")
	to := servers.Servers[0]
	if servers.Owner(slot) == to {
		to = servers.Servers[1]
	}
	move := servers.BeginMove(to, slot)
	move.Keys(1)
	charge := testCharges(n)[0]
	for range 10 {
		_, err := s.Start(t.Context(), testChallenge(n), testMessage(n+otp.Shards), charge)
		if !errors.Is(err, otp.ErrUnavailable) {
			t.Fatalf("start: %v, want ErrUnavailable", err)
		}
	}
	move.Finish()
	time.Sleep(2 * s.current.Load().timeout) // what is given back after the answer is by then
	// Where the timeout cut off a try, nobody knows whether it ran: that stays
	// charged. It is rare; of eleven starts, all would be eleven.
	o, err := unhurried.Start(t.Context(), testChallenge(n), nil, charge)
	if err != nil || o.Result != otp.Accepted || o.Levels[0] > 6*charge.Interval() {
		t.Fatalf("start: result %d, levels %v, %v; the refused ones are still charged", o.Result, o.Levels, err)
	}
	wantVerify(t, unhurried, n, "code", otp.Verified)
}

// What ran or may have run stays charged.
func TestSpreadChargesNeverCountTooLittle(t *testing.T) {
	servers := serveCluster(t)
	s := openAt(t, servers.URLs(), WithTimeout(limit))
	// A bucket at another node than the handle.
	handleNode := servers.Owner(servers.Slot("{" + testHandle(1).Shard() + "}"))
	var charge otp.Charge
	for i := range 100 {
		charge = otp.Charge{Scope: otp.ScopeClientIP, Bucket: fmt.Sprint(i), Throttle: otp.Throttle{Events: 2, Window: time.Hour}}
		if servers.Owner(servers.Slot("{"+otp.ShardOf(charge.Bucket)+"}")) != handleNode {
			break
		}
	}
	awaitsStart(t, s, 1)
	guess := testGuess(1, "wrong")
	guess.Expect = nil
	handleNode.Stop()
	for range 2 {
		_, err := s.Verify(t.Context(), guess, testSession(1), charge)
		wantUnavailableOf(t, err)
	}
	handleNode.Continue()
	deadline := time.Now().Add(20 * time.Second)
	for {
		o, err := s.Verify(t.Context(), guess, testSession(1), charge)
		if err == nil {
			if o.Result != otp.Throttled {
				t.Errorf("result is %d, want Throttled: two guesses may have been judged", o.Result)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// Where the record that a guess expects can't be read, nothing is judged and
// nothing stays charged.
func TestClusterRecordOutOfReach(t *testing.T) {
	servers := serveCluster(t, "--cluster-require-full-coverage", "no")
	s := openAt(t, servers.URLs(), WithTimeout(limit))
	nodeOf := func(key string) *redisserver.Server { return servers.Owner(servers.Slot("{" + otp.ShardOf(key) + "}")) }
	handleNode := servers.Owner(servers.Slot("{" + testHandle(1).Shard() + "}"))
	// The record is at another node than the handle, the bucket at the handle's.
	find := func(beside bool) (key string) {
		for i := range 100 {
			if key = fmt.Sprint(i); (nodeOf(key) == handleNode) == beside {
				break
			}
		}
		return key
	}
	charge := otp.Charge{Scope: otp.ScopeClientIP, Bucket: find(true), Throttle: otp.Throttle{Events: 1, Window: time.Hour}}
	guess := testGuess(1, "code")
	guess.Expect = &otp.ExpectedRecord{Key: find(false)}
	recordNode := nodeOf(guess.Expect.Key)
	awaitsStart(t, s, 1)
	recordNode.Stop()
	for range 2 {
		_, err := s.Verify(t.Context(), guess, testSession(1), charge)
		wantUnavailableOf(t, err)
	}
	recordNode.Continue()
	eventually(t, "given back, and verified", func() bool {
		o, err := s.Verify(t.Context(), guess, testSession(1), charge)
		// What is given back after the answer may not be yet.
		if err != nil || o.Result == otp.Throttled {
			return false
		}
		if o.Result != otp.Verified {
			t.Fatalf("result is %d, want Verified", o.Result)
		}
		return true
	})
}

func wantUnavailableOf(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, otp.ErrUnavailable) {
		t.Errorf("error is %v, want ErrUnavailable", err)
	}
}

// One node that is gone takes its shards with it and no others; it is back when
// it is.
func TestClusterNodeIsKilled(t *testing.T) {
	servers := serveCluster(t, "--cluster-require-full-coverage", "no")
	s := openAt(t, servers.URLs(), WithTimeout(limit))
	awaitsLogin(t, s, 1)
	gone := servers.Servers[1]
	gone.Kill()
	works, fails := 0, 0
	for n := range int64(otp.Shards) {
		c := testChallenge(n)
		if _, err := s.Start(t.Context(), c, nil); err == nil {
			works++
		} else {
			wantUnavailableOf(t, err)
			fails++
		}
	}
	if works < otp.Shards/3 || fails == 0 {
		t.Errorf("with one of three nodes gone %d shards work and %d fail", works, fails)
	}
	gone.Restart()
	deadline := time.Now().Add(20 * time.Second)
	for n := int64(0); n < otp.Shards; {
		if _, err := s.Start(t.Context(), testChallenge(1000+n), nil); err == nil {
			n++
		} else if time.Now().After(deadline) {
			t.Fatalf("still fails: %v", err)
		}
	}
}

func TestScriptFlushOfACluster(t *testing.T) {
	servers := serveCluster(t)
	s := openAt(t, servers.URLs())
	for round := range int64(3) {
		for _, node := range servers.Servers {
			if _, err := node.Do("SCRIPT", "FLUSH"); err != nil {
				t.Fatal(err)
			}
		}
		var all sync.WaitGroup
		for n := range int64(200) {
			all.Go(func() {
				if err := logIn(t.Context(), s, 1000*round+n); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	wantNoError(t, servers, "CROSSSLOT")
}

// Claims on a Cluster share their limit over the shards.
func TestClaimOfACluster(t *testing.T) {
	servers := serveCluster(t)
	s := openAt(t, servers.URLs())
	advance := advancing(s)
	for n := range int64(100) {
		start(t, s, n)
	}
	advance(time.Minute)
	seen := make(map[string]bool)
	for _, want := range []int{30, 30, 30, 10, 0} {
		leases, err := s.Claim(t.Context(), []string{"other", "app.example.com"}, 30, time.Hour)
		if err != nil || len(leases) != want {
			t.Fatalf("%d leases, %v; want %d", len(leases), err, want)
		}
		for _, l := range leases {
			if seen[l.ID] || l.Realm != "app.example.com" {
				t.Errorf("%s of %s is leased twice, or of another realm", l.ID, l.Realm)
			}
			seen[l.ID] = true
		}
	}
}
