// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/test/faults/ledger"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// refusal is a way in which a Redis that is there doesn't serve.
type refusal struct {
	name string
	args []string
	// url changes the server's, where it must say more.
	url func(url string) string
	// hurt lets the server refuse and returns what ends it.
	hurt func(t *testing.T, r *rig, s *redisserver.Server, operator *redis.Client) (undo func())
	// signsOut says that a sign-out works all the same.
	signsOut bool
	// reloads says that Caddy is reloaded to end it, which may close a connection
	// just as a request is sent on it.
	reloads bool
}

// password is of the user that Caddy is.
const password = "a-password-that-no-log-may-show"

// asUser are a server's arguments for a user with it.
var asUser = []string{"--user", "app", "on", ">" + password, "~*", "&*", "+@all"}

// withPassword is the URL with one.
func withPassword(url string) string {
	return strings.Replace(url, "redis://", "redis://app:"+password+"@", 1)
}

// disconnect closes all connections but the operator's.
func disconnect(t *testing.T, operator *redis.Client) {
	t.Helper()
	order(t, operator, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
}

var refusals = []refusal{
	{name: "F-07 READONLY", hurt: func(t *testing.T, _ *rig, _ *redisserver.Server, operator *redis.Client) func() {
		order(t, operator, "REPLICAOF", "127.0.0.1", "1")
		return func() { order(t, operator, "REPLICAOF", "NO", "ONE") }
	}},
	{name: "F-08 LOADING", args: []string{
		"--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024",
	}, hurt: func(t *testing.T, _ *rig, s *redisserver.Server, operator *redis.Client) func() {
		// 20 000 keys of 1 ms each load in 20 s, unless the delay is taken away.
		order(t, operator, "EVAL", "for i = 1, 20000 do redis.call('SET', 'filler' .. i, string.rep('x', 100)) end return 1", 0)
		order(t, operator, "SAVE")
		s.Kill()
		loaded := make(chan struct{})
		go func() {
			s.Restart()
			close(loaded)
		}()
		for {
			if err := operator.Ping(t.Context()).Err(); err != nil && strings.HasPrefix(err.Error(), "LOADING") {
				break
			}
			select {
			case <-loaded:
				t.Fatal("the server never said LOADING")
			default:
			}
		}
		return func() {
			order(t, operator, "CONFIG", "SET", "key-load-delay", "0")
			<-loaded
		}
	}},
	{name: "F-10 OOM", signsOut: true, hurt: func(t *testing.T, _ *rig, _ *redisserver.Server, operator *redis.Client) func() {
		order(t, operator, "CONFIG", "SET", "maxmemory", "1")
		return func() { order(t, operator, "CONFIG", "SET", "maxmemory", "0") }
	}},
	{name: "F-15 maxclients", hurt: func(t *testing.T, _ *rig, _ *redisserver.Server, operator *redis.Client) func() {
		order(t, operator, "CONFIG", "SET", "maxclients", "1")
		disconnect(t, operator)
		return func() { order(t, operator, "CONFIG", "SET", "maxclients", "1000") }
	}},
	{name: "F-16 NOAUTH", hurt: func(t *testing.T, _ *rig, _ *redisserver.Server, operator *redis.Client) func() {
		order(t, operator, "CONFIG", "SET", "requirepass", password)
		disconnect(t, operator)
		return func() { order(t, operator, "CONFIG", "SET", "requirepass", "") }
	}},
	{name: "F-16 WRONGPASS", url: withPassword, args: asUser,
		hurt: func(t *testing.T, _ *rig, _ *redisserver.Server, operator *redis.Client) func() {
			order(t, operator, "ACL", "SETUSER", "app", "resetpass", ">another")
			disconnect(t, operator)
			return func() { order(t, operator, "ACL", "SETUSER", "app", "resetpass", ">"+password) }
		}},
	{name: "F-16 rotated and reloaded", url: withPassword, args: asUser, reloads: true,
		hurt: func(t *testing.T, r *rig, _ *redisserver.Server, operator *redis.Client) func() {
			order(t, operator, "ACL", "SETUSER", "app", "resetpass", ">another-"+password)
			disconnect(t, operator)
			return func() {
				r.store = strings.Replace(r.store, password, "another-"+password, 1)
				if err := r.reload(r.nodes[0]); err != nil {
					t.Error(err)
				}
			}
		}},
	{name: "F-16 NOPERM", url: withPassword, args: asUser,
		hurt: func(t *testing.T, _ *rig, _ *redisserver.Server, operator *redis.Client) func() {
			order(t, operator, "ACL", "SETUSER", "app", "-@scripting")
			return func() { order(t, operator, "ACL", "SETUSER", "app", "+@all") }
		}},
	{name: "F-18 BUSY", args: []string{"--busy-reply-threshold", "50"},
		hurt: func(t *testing.T, _ *rig, s *redisserver.Server, operator *redis.Client) func() {
			other := admin(t, s.Addr)
			ended := make(chan struct{})
			go func() {
				other.Do(t.Context(), "EVAL", "while true do end", 0)
				close(ended)
			}()
			for {
				if err := operator.Ping(t.Context()).Err(); err != nil && strings.HasPrefix(err.Error(), "BUSY") {
					break
				}
			}
			return func() {
				order(t, operator, "SCRIPT", "KILL")
				<-ended
			}
		}},
}

// TestRefusals has a Redis refuse in each way that it knows: logins are
// answered with 503 and in time, guesses are not judged, the app goes on, no
// log shows a secret, and afterwards all is as it was.
func TestRefusals(t *testing.T) {
	site.SkipShort(t)
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			server := redisserver.Start(t, c.args...)
			url := server.URL()
			if c.url != nil {
				url = c.url(url)
			}
			r := newRig(t, 1, standalone(url).lines(usually()), spacious)
			operator := admin(t, server.Addr)
			known, gone := r.login(), r.login()
			guessed, waiting := newAddress(), newAddress()
			guessedCode, waitingCode := r.issued(r.nodes[0], guessed, 1), r.issued(r.nodes[0], waiting, 1)

			undo := c.hurt(t, r, server, operator)
			slowest := r.refuses(t, known, guessed, guessedCode, waiting, waitingCode)
			if c.signsOut {
				r.signOut(t, gone)
			}
			ended := time.Now()
			undo()
			for a := r.start(r.nodes[0], newAddress()); a.status != http.StatusOK; a = r.start(r.nodes[0], newAddress()) {
				if cutOff := c.reloads && a.status == 0; !a.outage() && !cutOff {
					t.Fatalf("a start afterwards: %s", a)
				}
				if time.Since(ended) > 30*time.Second {
					t.Fatalf("logins don't work again:\n%s", tail(r.logs()))
				}
				time.Sleep(10 * time.Millisecond)
			}
			back := time.Since(ended)
			if a := insist(func() answer { return r.verify(r.nodes[0], guessed, guessedCode) }); a.status != http.StatusOK {
				t.Errorf("the code that was guessed at: %s", a)
			}
			r.verify(r.nodes[0], waiting, waitingCode) // the ledger knows what may be
			r.settled(t)
			row(t, "%s: longest answer %s, back after %s; %s", c.name, ms(slowest), ms(back), r.reconciled())
			if f := promised(); slowest > f.answer || back > f.back {
				t.Errorf("the longest answer took %v, more than %v, or logins work again only after %v, not %v", slowest, f.answer, back, f.back)
			}
			for _, secret := range []string{password, secret, guessed, guessedCode, known.access, known.refresh} {
				if strings.Contains(r.logs(), secret) {
					t.Errorf("the log shows a secret or an address:\n%s", tail(r.logs()))
				}
			}
		})
	}
}

// refuses checks that a store that refuses refuses everything and nothing
// else, and returns how long the longest answer took.
func (r *rig) refuses(t *testing.T, known *visitor, guessed, guessedCode, waiting, waitingCode string) (slowest time.Duration) {
	t.Helper()
	n := r.nodes[0]
	timed := func(what string, ask func() answer) {
		t.Helper()
		begin := time.Now()
		a := ask()
		slowest = max(slowest, time.Since(begin))
		if !a.outage() {
			t.Errorf("%s: %s with Retry-After %q, want 503", what, a, a.retryAfter)
		}
	}
	for range either(2, 5) {
		timed("a start", func() answer { return r.start(n, newAddress()) })
		timed("a right code", func() answer { return r.verify(n, waiting, waitingCode) })
		timed("a renewal", func() answer { return renew(n, known.refresh) })
		for _, v := range []*visitor{known, {}} {
			status, body, err := app(n, v.access)
			if err != nil || status != http.StatusOK || body != "app "+v.address {
				t.Errorf("the app: %d %q, %v", status, body, err)
			}
		}
	}
	for range attempts - 1 {
		timed("a guess", func() answer { return r.guess(n, guessed, site.OtherCode(guessedCode)) })
	}
	return slowest
}

// signOut signs somebody out, who soon is nobody to the app.
func (r *rig) signOut(t *testing.T, v *visitor) {
	t.Helper()
	if a := post(keepAlive, r.nodes[0], "/auth/logout", site.Object{}, "Authorization", "Bearer "+v.access); a.status != http.StatusOK {
		t.Fatalf("logout: %s", a)
	}
	deadline := time.Now().Add(delivery)
	for {
		_, body, err := app(r.nodes[0], v.access)
		if err != nil {
			t.Fatal(err)
		}
		if body != "app "+v.address {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the sign-out doesn't take effect")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// login returns somebody who has logged in.
func (r *rig) login() *visitor {
	r.t.Helper()
	v := &visitor{address: newAddress()}
	v.code = r.issued(r.nodes[0], v.address, 1)
	a := insist(func() answer { return r.verify(r.nodes[0], v.address, v.code) })
	if a.status != http.StatusOK {
		r.t.Fatalf("verify: %s\n%s", a, tail(r.logs()))
	}
	v.access, v.refresh = a.fields.AccessToken, a.fields.RefreshToken
	return v
}

// settled waits until the ledger misses no message any more, as long as one may
// take.
func (r *rig) settled(t *testing.T) {
	t.Helper()
	missing := func() bool {
		lost := r.ledger.Reconcile().Lost
		return slices.ContainsFunc(lost, func(f ledger.Finding) bool { return f.What == ledger.Message })
	}
	deadline := time.Now().Add(delivery)
	for missing() && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
}
