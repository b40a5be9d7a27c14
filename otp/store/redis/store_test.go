// SPDX-License-Identifier: Apache-2.0

package redis

import (
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

// serve starts a server of the test's own and returns a store on it.
func serve(t *testing.T, args ...string) (*redisserver.Server, *Store) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	server := redisserver.Start(t, args...)
	return server, open(t, server)
}

func start(t *testing.T, s *Store, n int64) {
	t.Helper()
	o, err := s.Start(t.Context(), testChallenge(n), testMessage(n), testCharges(n)...)
	if err != nil || o.Result != otp.Accepted {
		t.Fatalf("start: result %d, %v", o.Result, err)
	}
}

// awaitsStart starts a challenge on a store whose time is short, for as long as
// a busy machine comes too late. It charges nothing, since nobody knows whether
// what came too late was charged.
func awaitsStart(t *testing.T, s *Store, n int64) {
	t.Helper()
	eventually(t, "a start", func() bool {
		o, err := s.Start(t.Context(), testChallenge(n), nil)
		if err != nil {
			wantUnavailableOf(t, err)
			return false
		}
		if o.Result != otp.Accepted {
			t.Fatalf("start: result %d", o.Result)
		}
		return true
	})
}

func wantVerify(t *testing.T, s *Store, n int64, secret string, want otp.Result) {
	t.Helper()
	o, err := s.Verify(t.Context(), testGuess(n, secret), testSession(n), testCharges(n)[0])
	if err != nil || o.Result != want {
		t.Fatalf("verify: result %d, want %d; %v", o.Result, want, err)
	}
}

// The wire carries one command for each start and each verification, whatever
// comes of it.
func TestOneCommandEach(t *testing.T) {
	_, s := serve(t)
	if err := s.Check(t.Context()); err != nil { // or it goes on beside the rest
		t.Fatal(err)
	}
	start(t, s, 1)
	wantVerify(t, s, 1, "code", otp.Verified) // the server knows the scripts from here on
	operations := []func(){
		func() { start(t, s, 2) },
		func() {
			if _, err := s.Start(t.Context(), testChallenge(3), nil, testCharges(3)...); err != nil {
				t.Fatal(err)
			}
		},
		func() { wantVerify(t, s, 2, "wrong", otp.Wrong) },
		func() { wantVerify(t, s, 2, "code", otp.Verified) },
		func() { wantVerify(t, s, 2, "code", otp.Repeated) },
		func() { wantVerify(t, s, 4, "code", otp.Wrong) },
		func() { wantVerify(t, s, 5, "wrong", otp.Wrong) },
		func() { wantVerify(t, s, 5, "code", otp.Changed) },
	}
	start(t, s, 5)
	if _, err := s.Swap(t.Context(), testRecord(5), nil, []byte("value"), 0); err != nil {
		t.Fatal(err)
	}
	for i, operation := range operations {
		ask(t, s, "CONFIG", "RESETSTAT")
		before := s.client().PoolStats().TotalConns
		operation()
		commands := 0
		// What a script calls is counted too, and so is what asks here.
		for line := range strings.Lines(ask(t, s, "INFO", "commandstats")) {
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
			switch name {
			case "eval", "fcall", "script|load", "multi", "hello", "auth", "select":
				t.Errorf("operation %d sent %s", i, name)
			case "evalsha":
				calls, _ := evalsha(t, s)
				commands += calls
			}
		}
		if commands != 1 || s.client().PoolStats().TotalConns != before {
			t.Errorf("operation %d sent %d EVALSHA, want 1", i, commands)
		}
	}
}

func TestKeys(t *testing.T) {
	_, s := serve(t)
	ctx := t.Context()
	for n := range int64(80) {
		start(t, s, n)
		wantVerify(t, s, n, "wrong", otp.Wrong)
		if n%2 == 0 {
			wantVerify(t, s, n, "code", otp.Verified)
		}
	}
	if _, err := s.Start(ctx, testChallenge(100), nil); err != nil {
		t.Fatal(err)
	}
	m := testMessage(101)
	m.Realm = "bücher {1}\n%"
	if _, err := s.Start(ctx, testChallenge(101), m); err != nil {
		t.Fatal(err)
	}
	for _, r := range []otp.Revocation{
		{Session: testSession(0).ID, Lifetime: time.Hour},
		{Owner: "subject", Lifetime: time.Hour},
	} {
		if err := s.Revoke(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	for key, ttl := range map[string]time.Duration{"for ever": 0, "a while": time.Hour} {
		if _, err := s.Swap(ctx, key, nil, []byte("value"), ttl); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Claim(ctx, []string{m.Realm}, 10, time.Hour); err != nil {
		t.Fatal(err)
	}

	kinds := map[string]int{}
	for _, key := range s.client().Keys(ctx, "*").Val() {
		shard, kind := shardAndKind(t, s, key)
		if shard < "00" || shard > "63" {
			t.Errorf("%q is in shard %s", key, shard)
		}
		ttl, err := s.client().PTTL(ctx, key).Result()
		if err != nil {
			t.Fatal(err)
		}
		if ttl == gone {
			continue // what a start writes that queues nothing
		}
		kinds[kind]++
		forEver := kind == "a" || strings.HasSuffix(key, ":r:for%20ever")
		if (ttl < 0) != forEver {
			t.Errorf("%q has the TTL %v", key, ttl)
		}
	}
	for _, kind := range []string{"h", "b", "m", "q", "s", "v", "a", "r"} {
		if kinds[kind] == 0 {
			t.Errorf("no key of the kind %s: the test misses it", kind)
		}
	}
	if kinds["h"] != 82 || kinds["a"] != 40 || kinds["r"] != 2 {
		t.Errorf("keys of each kind: %v", kinds)
	}
}

// gone is the TTL of a key that isn't there any more.
const gone = -2

// shardAndKind takes a key apart and checks that it is printable ASCII.
func shardAndKind(t *testing.T, s *Store, key string) (shard, kind string) {
	t.Helper()
	for _, c := range []byte(key) {
		if c <= ' ' || c >= 0x7f {
			t.Errorf("%q isn't printable ASCII without blanks", key)
		}
	}
	rest, ok := strings.CutPrefix(key, s.prefix+"{")
	if !ok || len(rest) < 5 || rest[2:4] != "}:" {
		t.Fatalf("%q isn't named as ours", key)
	}
	return rest[:2], rest[4:5]
}

// An address that was never started costs no space but its client's bucket.
func TestGuessAtNothingKeepsNothing(t *testing.T) {
	_, s := serve(t)
	wantVerify(t, s, 1, "code", otp.Wrong)
	keys := s.client().Keys(t.Context(), "*").Val()
	if len(keys) != 1 || !strings.Contains(keys[0], "}:b:") {
		t.Errorf("keys are %v, want one bucket", keys)
	}
}

// The scripts come back by themselves, for those who are alone and for those
// who travel together.
func TestScriptFlush(t *testing.T) {
	_, s := serve(t)
	for range 3 {
		ask(t, s, "SCRIPT", "FLUSH")
		start(t, s, time.Now().UnixNano())
		ask(t, s, "SCRIPT", "FLUSH")
		var all sync.WaitGroup
		for n := range int64(200) {
			all.Go(func() {
				if _, err := s.Start(t.Context(), testChallenge(n), nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, otp.ErrUnavailable) {
		t.Errorf("%s: error is %v, want ErrUnavailable", what, err)
	}
	if err != nil && !strings.Contains(err.Error(), "redis at 127.0.0.1:") {
		t.Errorf("%s: %q doesn't name the server", what, err)
	}
}

// A store whose server is gone must say so soon after its timeout. The limit is
// wide, since the machine that tests it may be busy: without the timeout it
// would be five seconds.
const (
	soon  = 100 * time.Millisecond
	limit = time.Second
)

// wantQuickFailure checks that nobody waits for a server that is gone: alone
// and in a crowd.
func wantQuickFailure(t *testing.T, s *Store) {
	t.Helper()
	stalled := measureStalls()
	var all sync.WaitGroup
	var longest atomic.Int64
	for n := range int64(50) {
		all.Go(func() {
			began := time.Now()
			_, err := s.Start(t.Context(), testChallenge(n), nil)
			raise(&longest, time.Since(began))
			wantUnavailable(t, "start", err)
		})
	}
	all.Wait()
	began := time.Now()
	_, _, err := s.Revocations(t.Context(), 0)
	raise(&longest, time.Since(began))
	wantUnavailable(t, "revocations", err)
	wantWithin(t, limit, time.Duration(longest.Load()), stalled())
}

// recovers waits until a store works again, which takes two seconds at most on
// a machine that isn't busy.
func recovers(t *testing.T, s *Store) {
	t.Helper()
	took := eventually(t, "back", func() bool { _, err := s.Get(t.Context(), "key"); return err == nil })
	t.Logf("back after %v", took)
	if took > 2*recovery {
		t.Errorf("back only after %v", took)
	}
}

// recovery is within what time a store is used again.
const recovery = 2 * time.Second

func TestServerIsKilled(t *testing.T) {
	server, _ := serve(t)
	used, fresh := open(t, server, WithTimeout(soon)), open(t, server, WithTimeout(soon))
	awaitsStart(t, used, 1)
	server.Kill()
	for _, s := range []*Store{used, fresh} {
		wantQuickFailure(t, s)
	}
	server.Restart()
	recovers(t, used)
	awaitsStart(t, used, 2)
}

func TestServerHangs(t *testing.T) {
	server, _ := serve(t)
	used, fresh := open(t, server, WithTimeout(soon)), open(t, server, WithTimeout(soon))
	awaitsStart(t, used, 1)
	server.Stop()
	for _, s := range []*Store{used, fresh} {
		wantQuickFailure(t, s)
	}
	server.Continue()
	recovers(t, used)
	recovers(t, fresh)
}

// A full server judges no guess: the right code isn't told from a wrong one,
// and neither is counted. Signing out still works.
func TestServerIsFull(t *testing.T) {
	_, s := serve(t)
	start(t, s, 1)
	wantVerify(t, s, 1, "wrong", otp.Wrong)
	ask(t, s, "CONFIG", "SET", "maxmemory", "1mb")
	for range 10 {
		for _, secret := range []string{"code", "wrong"} {
			_, err := s.Verify(t.Context(), testGuess(1, secret), testSession(1))
			wantUnavailable(t, "verify "+secret, err)
			_, err = s.Verify(t.Context(), testGuess(1, secret), testSession(1), testCharges(1)...)
			wantUnavailable(t, "charged verify "+secret, err)
		}
	}
	_, err := s.Start(t.Context(), testChallenge(2), nil)
	wantUnavailable(t, "start", err)
	for _, r := range []otp.Revocation{
		{Session: testSession(1).ID, Lifetime: time.Hour},
		{Owner: "subject", Lifetime: time.Hour},
	} {
		if err := s.Revoke(t.Context(), r); err != nil {
			t.Errorf("revoke: %v", err)
		}
	}
	ask(t, s, "CONFIG", "SET", "maxmemory", "0")
	wantVerify(t, s, 1, "code", otp.Verified)
}

func TestServerRefuses(t *testing.T) {
	for _, test := range []struct {
		name, code string
		commands   [][]any
	}{
		{"a replica", "READONLY", [][]any{{"REPLICAOF", "127.0.0.1", "1"}}},
		{"a replica that knows nothing", "MASTERDOWN", [][]any{
			{"CONFIG", "SET", "replica-serve-stale-data", "no"}, {"REPLICAOF", "127.0.0.1", "1"},
		}},
		{"too few replicas", "NOREPLICAS", [][]any{{"CONFIG", "SET", "min-replicas-to-write", "1"}}},
		{"no password", "NOAUTH", [][]any{{"CONFIG", "SET", "requirepass", "secret"}, {"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server, s := serve(t)
			start(t, s, 1)
			admin := open(t, server)
			for _, command := range test.commands {
				admin.client().Do(t.Context(), command...) // the last may end its own connection
			}
			_, err := s.Verify(t.Context(), testGuess(1, "code"), testSession(1))
			wantUnavailable(t, "verify", err)
			if err != nil && !strings.Contains(err.Error(), test.code) {
				t.Errorf("%q doesn't say %s", err, test.code)
			}
		})
	}
}

func TestWrongPassword(t *testing.T) {
	server, _ := serve(t, "--requirepass", "the right one")
	const password = "wr0ng-secret"
	s, err := Open(strings.Replace(server.URL(), "//", "//us3r:"+password+"@", 1) + "/7")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Get(t.Context(), "key")
	wantUnavailable(t, "get", err)
	for _, secret := range []string{password, "us3r", "/7"} {
		if strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("%q holds %s", err, secret)
		}
	}
}

// What somebody else wrote under our names is a defect and no outage.
func TestForeignData(t *testing.T) {
	_, s := serve(t)
	h := testHandle(1)
	key := s.key(h.Shard(), "h", string(h))
	for _, write := range [][]any{{"LPUSH", key, "x"}, {"SET", key, "nonsense"}} {
		ask(t, s, "DEL", key)
		ask(t, s, write...)
		_, err := s.Start(t.Context(), testChallenge(1), nil)
		if err == nil || errors.Is(err, otp.ErrUnavailable) {
			t.Errorf("start over %v: error is %v, want a defect", write[0], err)
		}
	}
}

func TestClosedStore(t *testing.T) {
	_, s := serve(t)
	start(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Start(t.Context(), testChallenge(2), nil)
	wantUnavailable(t, "start", err)
}
