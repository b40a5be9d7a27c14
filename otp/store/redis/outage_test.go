// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// openLogged returns a store that takes its default time, and its log.
func openLogged(t *testing.T, url string, options ...Option) (*Store, *logBuffer) {
	t.Helper()
	log := new(logBuffer)
	options = append([]Option{WithKeyPrefix("logged:"), WithLogger(slog.New(slog.NewTextHandler(log, nil)))}, options...)
	s, err := Open(url, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, log
}

// unhurried is for tests of what no time limit has to do with: a busy machine is
// no fault of the store.
var unhurried = WithTimeout(5 * time.Second)

// eventually waits generously: the machine may be busy.
func eventually(t *testing.T, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%s: not within 20s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

func wantLog(t *testing.T, log *logBuffer, want map[string]int) {
	t.Helper()
	text := log.String()
	for line, n := range want {
		if got := strings.Count(text, line); got != n {
			t.Errorf("%q is logged %d times, want %d:\n%s", line, got, n, text)
		}
	}
}

// traffic starts challenges, some hundreds a second, until stop is called,
// which checks that none took longer than twice the store's time limit. None may
// fail otherwise than for want of the server.
func traffic(t *testing.T, s *Store) (stop func()) {
	stalled := measureStalls()
	var n, longest atomic.Int64
	done := make(chan struct{})
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(20 * time.Millisecond):
				}
				id := n.Add(1)
				began := time.Now()
				_, err := s.Start(context.Background(), testChallenge(id), testMessage(id))
				raise(&longest, time.Since(began))
				if err != nil && !errors.Is(err, otp.ErrUnavailable) {
					t.Error(err)
				}
			}
		})
	}
	return func() {
		t.Helper()
		close(done)
		running.Wait()
		wantWithin(t, 2*s.current.Load().timeout+100*time.Millisecond, time.Duration(longest.Load()), stalled())
	}
}

// TestOutages takes a server away in several ways, under traffic: everybody is
// answered in time, then at once; goroutines don't pile up; it is back soon
// after the server is; and the log has one line for each change.
func TestOutages(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	for _, test := range []struct {
		name      string
		away, now func(*redisserver.Server)
	}{
		{"hangs", (*redisserver.Server).Stop, (*redisserver.Server).Continue},
		{"is killed", (*redisserver.Server).Kill, (*redisserver.Server).Restart},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := redisserver.Start(t)
			s, log := openLogged(t, server.URL())
			stop := traffic(t, s)
			works := func() bool { _, err := s.Get(t.Context(), "key"); return err == nil }
			eventually(t, "it works", works)
			time.Sleep(200 * time.Millisecond)
			steady := runtime.NumGoroutine()

			test.away(server)
			eventually(t, "noticed", func() bool { return s.current.Load().health.admit(false) != nil })
			time.Sleep(300 * time.Millisecond) // those who had waited have gone
			// Of operations that wait each takes the time limit. A busy machine
			// may hold up a few that don't.
			const many = 100
			waited := 0
			for range many {
				began := time.Now()
				err := s.Revoke(t.Context(), otp.Revocation{Owner: "x", Lifetime: time.Hour})
				wantUnavailable(t, "revoke", err)
				if time.Since(began) > 100*time.Millisecond {
					waited++
				}
				if !errors.Is(err, otp.ErrTold) {
					t.Errorf("%v is not marked as told", err)
				}
			}
			if waited > many/10 {
				t.Errorf("%d of %d operations waited though they were known to fail", waited, many)
			}
			eventually(t, "goroutines don't pile up", func() bool { return runtime.NumGoroutine() <= 2*steady })

			test.now(server)
			recovers(t, s)
			awaitsStart(t, s, 1_000_000)
			stop()
			eventually(t, "told", func() bool { return strings.Contains(log.String(), "up again") })
			wantLog(t, log, map[string]int{"redis is down": 1, "redis is up again": 1, "level=ERROR": 1})
		})
	}
}

// TestBlackhole is of a network that swallows everything, from the beginning.
func TestBlackhole(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // nobody accepts, nobody answers
	s, log := openLogged(t, "redis://"+listener.Addr().String())
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("it stops the start: %v", err)
	}
	stop := traffic(t, s)
	eventually(t, "noticed", func() bool { return s.current.Load().health.admit(false) != nil })
	stop()
	wantLog(t, log, map[string]int{"redis is down": 1, "no answer in time": 1, "level=ERROR": 1})
}

// TestNoneAtStart: what isn't there when the store is opened is used when it
// is, without anybody's doing.
func TestNoneAtStart(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	server := redisserver.Start(t)
	server.Kill()
	s, log := openLogged(t, server.URL(), unhurried)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("it stops the start: %v", err)
	}
	eventually(t, "told", func() bool { return strings.Contains(log.String(), "redis is down") })
	server.Restart()
	eventually(t, "it works", func() bool { _, err := s.Get(t.Context(), "key"); return err == nil })
	start(t, s, 1)
	wantLog(t, log, map[string]int{"redis is down": 1, "up again": 1, "keeps nothing on disk": 1})
}

// TestCheck is of servers whose settings are wrong.
func TestCheck(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	server := redisserver.Start(t)
	admin := open(t, server)
	for _, test := range []struct {
		name    string
		command []any
		undo    []any
		options []Option
		says    string
	}{
		{name: "good", command: []any{"PING"}},
		{name: "evicting", command: []any{"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"}, undo: []any{"CONFIG", "SET", "maxmemory-policy", "noeviction"}, says: "any_eviction_policy"},
		{name: "evicting, accepted", command: []any{"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"}, undo: []any{"CONFIG", "SET", "maxmemory-policy", "noeviction"}, options: []Option{WithAnyEvictionPolicy()}},
		{name: "replica", command: []any{"REPLICAOF", "127.0.0.1", "1"}, undo: []any{"REPLICAOF", "NO", "ONE"}, says: "is a replica"},
	} {
		ask(t, admin, test.command...)
		s, log := openLogged(t, server.URL(), append(test.options, unhurried)...)
		err := s.Check(t.Context())
		if (err != nil) != (test.says != "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: the check says %v", test.name, err)
		}
		wantLog(t, log, map[string]int{"level=ERROR": 0})
		s.Close()
		if test.undo != nil {
			ask(t, admin, test.undo...)
		}
	}
}

// TestLeastUser is of a user who may do what the advice says and no more, as
// on managed servers.
func TestLeastUser(t *testing.T) {
	server, admin := serve(t)
	const password = "s3cret"
	url := strings.Replace(server.URL(), "//", "//least:"+password+"@", 1)
	for _, command := range [][]any{
		{"ACL", "SETUSER", "least", "on", ">" + password, "~logged:*", "+@read", "+@write", "+@scripting", "+time", "+info"},
	} {
		ask(t, admin, command...)
	}
	s, log := openLogged(t, url, unhurried)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.current.Load().probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	start(t, s, 1)
	wantVerify(t, s, 1, "code", otp.Verified)
	if _, err := s.Claim(t.Context(), []string{"app.example.com"}, 10, time.Hour); err != nil {
		t.Error(err)
	}
	if _, err := s.Sessions(t.Context(), "owner"); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Revocations(t.Context(), 0); err != nil {
		t.Error(err)
	}
	wantLog(t, log, map[string]int{"doesn't tell whether it saves": 1, "ERROR": 0})

	for _, change := range []struct {
		code    string
		command []any
	}{
		{"NOPERM", []any{"ACL", "SETUSER", "least", "resetkeys", "~other:*"}},
		{"WRONGPASS", []any{"ACL", "SETUSER", "least", "resetpass", ">an0ther", "resetkeys", "~logged:*"}},
	} {
		ask(t, admin, change.command...)
		admin.client().Do(t.Context(), "CLIENT", "KILL", "USER", "least")
		eventually(t, change.code, func() bool {
			_, err := s.Start(t.Context(), testChallenge(2), nil)
			if err != nil {
				wantUnavailable(t, "start", err)
			}
			return err != nil && strings.Contains(log.String(), change.code)
		})
		for _, secret := range []string{password, "an0ther"} {
			wantLog(t, log, map[string]int{secret: 0})
		}
		wantLog(t, log, map[string]int{"advice=": 1, "level=ERROR": 1})
		ask(t, admin, "ACL", "SETUSER", "least", "resetpass", ">"+password, "resetkeys", "~logged:*")
		eventually(t, "back", func() bool { _, err := s.Start(t.Context(), testChallenge(2), nil); return err == nil })
		eventually(t, "told", func() bool { return strings.Contains(log.String(), "up again") })
		log.mu.Lock()
		log.Reset()
		log.mu.Unlock()
	}
}

// TestFloatingAddress puts another server in the place of a primary that becomes a
// replica, as a floating address does, with connections open to the old one.
func TestFloatingAddress(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	old, next := redisserver.Start(t), redisserver.Start(t)
	address := newSwitch(t, old.Addr)
	s, log := openLogged(t, "redis://"+address.Addr(), unhurried)
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	crowd := func(n int) (failed int64) {
		var all sync.WaitGroup
		var failures atomic.Int64
		for i := range n {
			all.Go(func() {
				if _, err := s.Start(t.Context(), testChallenge(int64(i)), nil); err != nil {
					failures.Add(1)
					wantUnavailable(t, "start", err)
				}
			})
		}
		all.Wait()
		return failures.Load()
	}
	if failed := crowd(200); failed != 0 {
		t.Fatalf("%d failed", failed)
	}
	if n := s.client().PoolStats().IdleConns; n < 2 {
		t.Fatalf("%d connections: too few for this test", n)
	}
	admin := open(t, old)
	ask(t, admin, "REPLICAOF", "127.0.0.1", "1")
	address.turn(next.Addr)
	// One at a time meets the connections one at a time.
	start(t, s, 1000)
	start(t, s, 1001)
	if failed := crowd(200); failed != 0 {
		t.Errorf("%d failed though another connection leads to the primary", failed)
	}
	wantLog(t, log, map[string]int{"level=ERROR": 0})

	// With no primary to be found, it is said once, reads go on, and so do
	// writes as soon as there is one.
	newPrimary := open(t, next)
	ask(t, newPrimary, "REPLICAOF", "127.0.0.1", "1")
	eventually(t, "told", func() bool { crowd(5); return strings.Contains(log.String(), "takes no writes") })
	if _, _, err := s.Revocations(t.Context(), 0); err != nil {
		t.Errorf("revocations can't be read: %v", err)
	}
	dialled := address.accepted.Load()
	crowd(200)
	if n := address.accepted.Load() - dialled; n > 20 {
		t.Errorf("%d connections for operations that were known to fail", n)
	}
	ask(t, newPrimary, "REPLICAOF", "NO", "ONE")
	if took := eventually(t, "back", func() bool { return crowd(5) == 0 }); took > 2*recovery {
		t.Errorf("back only after %v", took)
	}
	wantLog(t, log, map[string]int{"takes no writes": 1, "level=ERROR": 1, "takes writes again": 1})
}

// TestSecondTry: what was never sent is sent once more, and no more than that.
func TestSecondTry(t *testing.T) {
	server, _ := serve(t)
	for fails, want := range map[int64]bool{0: true, 1: true, 2: false} {
		s := open(t, server)
		var dialled atomic.Int64
		options := s.client().(*goredis.Client).Options()
		dial := options.Dialer
		options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dialled.Add(1) <= fails {
				return newUnmade(dialError{&net.OpError{Op: "dial", Err: syscall.ECONNRESET}}), nil
			}
			return dial(ctx, network, addr)
		}
		// The health's own questions stay out of it.
		s.current.Load().health.begin.Do(func() {})
		_, err := s.Get(t.Context(), "key")
		if (err == nil) != want {
			t.Errorf("%d connections fail: %v", fails, err)
		}
		if n := dialled.Load(); n != min(fails, 1)+1 {
			t.Errorf("%d connections fail: %d tried", fails, n)
		}
	}
}

// switchable is an address that can lead to another server for connections
// made from then on.
type switchable struct {
	net.Listener
	accepted atomic.Int64
	target   atomic.Value
}

func newSwitch(t *testing.T, target string) *switchable {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s := &switchable{Listener: listener}
	s.turn(target)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.accepted.Add(1)
			go s.join(conn)
		}
	}()
	return s
}

func (s *switchable) Addr() string       { return s.Listener.Addr().String() }
func (s *switchable) turn(target string) { s.target.Store(target) }

func (s *switchable) join(conn net.Conn) {
	defer conn.Close()
	server, err := net.Dial("tcp", s.target.Load().(string))
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer server.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buffer)
			if n > 0 {
				server.Write(buffer[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if n > 0 {
			conn.Write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// TestLinesThatLeadNowhere: a server that comes back elsewhere, while the
// connections to where it was stay open and silent, is asked by another at once.
func TestLinesThatLeadNowhere(t *testing.T) {
	if testing.Short() {
		t.Skip("needs redis-servers")
	}
	old, next := redisserver.Start(t), redisserver.Start(t)
	address := newSwitch(t, old.Addr)
	const poolSize = 40
	s, log := openLogged(t, "redis://"+address.Addr(), WithPoolSize(poolSize), WithTimeout(limit))
	l := s.current.Load()
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := s.client().(*goredis.Client)
	var held []*goredis.Conn
	for range poolSize {
		conn := client.Conn()
		if err := conn.Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	for _, conn := range held {
		conn.Close() // back into the pool
	}
	if n := client.PoolStats().IdleConns; n != poolSize {
		t.Fatalf("%d connections", n)
	}
	old.Stop()
	eventually(t, "noticed", func() bool { s.Get(t.Context(), "key"); return l.health.admit(false) != nil })
	address.turn(next.Addr)
	if took := eventually(t, "back", func() bool { _, err := s.Get(t.Context(), "key"); return err == nil }); took > 2*recovery {
		t.Errorf("back only after %v", took)
	}
	eventually(t, "told", func() bool { return strings.Contains(log.String(), "up again") })
	wantLog(t, log, map[string]int{"redis is down": 1, "redis is up again": 1})
}

// TestForgottenByTheServer is of a server that loses everything, keeps things
// for ever, or brings back what was over.
func TestForgottenByTheServer(t *testing.T) {
	_, s := serve(t)
	start(t, s, 1)
	ask(t, s, "FLUSHALL")
	wantVerify(t, s, 1, "code", otp.Wrong)
	start(t, s, 1)
	wantVerify(t, s, 1, "code", otp.Verified)

	// Nothing that expires hangs on its TTL.
	start(t, s, 2)
	start(t, s, 3)
	wantVerify(t, s, 3, "code", otp.Verified)
	if _, err := s.Swap(t.Context(), "brief", nil, []byte("value"), time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, key := range s.client().Keys(t.Context(), "*").Val() {
		ask(t, s, "PERSIST", key)
	}
	advance := advancing(s)
	advance(11 * time.Minute)
	wantVerify(t, s, 2, "code", otp.Expired)
	if value, err := s.Get(t.Context(), "brief"); err != nil || value != nil {
		t.Errorf("the record is %q, %v", value, err)
	}
	advance(2 * time.Hour)
	wantVerify(t, s, 2, "code", otp.Wrong)
	if leases, err := s.Claim(t.Context(), []string{"app.example.com"}, 100, time.Hour); err != nil || len(leases) != 0 {
		t.Errorf("messages are %v, %v", leases, err)
	}
	advance(30 * time.Hour)
	x := testSession(3)
	if _, err := s.Renew(t.Context(), x.ID, []otp.Tag{x.Refresh}, testTag(3, "next")); !errors.Is(err, otp.ErrNoSession) {
		t.Errorf("the session: %v", err)
	}
}

// TestOldBackup brings back, as a restored file does, what an hour ago was
// live.
func TestOldBackup(t *testing.T) {
	_, s := serve(t)
	start(t, s, 1)
	start(t, s, 2)
	wantVerify(t, s, 2, "code", otp.Verified)
	backup := make(map[string]string)
	for _, key := range s.client().Keys(t.Context(), "*").Val() {
		backup[key] = s.client().Dump(t.Context(), key).Val()
	}
	x := testSession(2)
	if err := s.Revoke(t.Context(), otp.Revocation{Session: x.ID, Lifetime: x.Lifetime}); err != nil {
		t.Fatal(err)
	}
	ask(t, s, "FLUSHALL")
	for key, value := range backup {
		if err := s.client().RestoreReplace(t.Context(), key, 0, value).Err(); err != nil && value != "" {
			t.Fatalf("%s: %v", key, err)
		}
	}
	advancing(s)(time.Hour)
	wantVerify(t, s, 1, "code", otp.Expired)
	wantVerify(t, s, 2, "code", otp.Wrong) // used is used
}

// TestBusy is of somebody else's script that doesn't end.
func TestBusy(t *testing.T) {
	server, s := serve(t, "--lua-time-limit", "50")
	quick, log := openLogged(t, server.URL())
	awaitsStart(t, quick, 1)
	go s.client().Eval(context.Background(), "while true do end", nil)
	stalled := measureStalls()
	var longest atomic.Int64
	eventually(t, "noticed", func() bool {
		began := time.Now()
		_, err := quick.Start(t.Context(), testChallenge(2), nil)
		raise(&longest, time.Since(began))
		return err != nil && strings.Contains(log.String(), "redis is down")
	})
	wantWithin(t, limit, time.Duration(longest.Load()), stalled())
	eventually(t, "killed", func() bool { return s.client().ScriptKill(t.Context()).Err() == nil })
	eventually(t, "back", func() bool { _, err := quick.Start(t.Context(), testChallenge(3), nil); return err == nil })
}

// TestFull: it is told once, and what needs no memory goes on.
func TestFull(t *testing.T) {
	server, admin := serve(t, "--maxmemory", "10mb")
	s, log := openLogged(t, server.URL(), unhurried)
	start(t, s, 1)
	ask(t, admin, "CONFIG", "SET", "maxmemory", "1mb")
	for n := int64(2); !strings.Contains(log.String(), "redis is full"); n++ {
		_, err := s.Start(t.Context(), testChallenge(n), nil)
		wantUnavailable(t, "start", err)
		_, err = s.Verify(t.Context(), testGuess(1, "code"), testSession(1))
		wantUnavailable(t, "verify", err)
		if err := s.Revoke(t.Context(), otp.Revocation{Owner: "x", Lifetime: time.Hour}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	ask(t, admin, "CONFIG", "SET", "maxmemory", "0")
	wantVerify(t, s, 1, "code", otp.Verified)
	eventually(t, "told", func() bool { return strings.Contains(log.String(), "has memory again") })
	wantLog(t, log, map[string]int{"redis is full": 1, "has memory again": 1, "ERROR": 1})
}

// TestLoading: a server that reads its data isn't taken for one that has none,
// where no throttle and no failure would be remembered.
func TestLoading(t *testing.T) {
	server, admin := serve(t, "--key-load-delay", "20000")
	s, log := openLogged(t, server.URL(), unhurried)
	const spent = 3
	charge := otp.Charge{Scope: otp.ScopeAddress, Throttle: otp.Throttle{Events: spent, Window: time.Hour}}
	for range spent {
		if o, err := s.Start(t.Context(), testChallenge(1), nil, charge); err != nil || o.Result != otp.Accepted {
			t.Fatalf("start: %d, %v", o.Result, err)
		}
	}
	for n := range int64(100) {
		start(t, s, 10+n)
	}
	ask(t, admin, "SAVE")
	done := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			o, err := s.Start(context.Background(), testChallenge(1), nil, charge)
			if err == nil && o.Result != otp.Throttled {
				t.Errorf("start: result %d: the throttle is forgotten", o.Result)
			}
			if err != nil {
				wantUnavailable(t, "start", err)
			}
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	server.Restart()
	recovers(t, s)
	close(done)
	asking.Wait()
	wantLog(t, log, map[string]int{"redis is down": 1, "redis is up again": 1})
}

// TestTooManyClients is of a server that takes no more connections.
func TestTooManyClients(t *testing.T) {
	server, admin := serve(t)
	ask(t, admin, "PING")
	ask(t, admin, "CONFIG", "SET", "maxclients", "1")
	s, log := openLogged(t, server.URL())
	eventually(t, "noticed", func() bool {
		_, err := s.Start(t.Context(), testChallenge(2), nil)
		wantUnavailable(t, "start", err)
		return strings.Contains(log.String(), "redis is down")
	})
	ask(t, admin, "CONFIG", "SET", "maxclients", "100")
	eventually(t, "back", func() bool { _, err := s.Start(t.Context(), testChallenge(3), nil); return err == nil })
}

// TestEveryKeyEnds looks at what all kinds of operations leave behind, refused
// and failed ones too.
func TestEveryKeyEnds(t *testing.T) {
	_, s := serve(t)
	for n := range int64(20) {
		start(t, s, n)
		for i := range 6 {
			s.Verify(t.Context(), testGuess(n, fmt.Sprint("wrong", i)), testSession(n), testCharges(n)...)
		}
		start(t, s, 100+n)
		wantVerify(t, s, 100+n, "code", otp.Verified)
		if err := s.current.Load().probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		x := testSession(100 + n)
		if err := s.Revoke(t.Context(), otp.Revocation{Session: x.ID, Lifetime: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range s.client().Keys(t.Context(), "*").Val() {
		_, kind := shardAndKind(t, s, key)
		if ttl := s.client().PTTL(t.Context(), key).Val(); ttl < 0 && ttl != gone && kind != "a" {
			t.Errorf("%q has no TTL", key)
		}
	}
}
