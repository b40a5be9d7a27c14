// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

var parallelPromises = []promise{
	{"of 200 right guesses one is Verified", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		counts := t.parallel(200, func(ctx context.Context) (otp.Outcome, error) {
			return t.store.Verify(ctx, alice.guess("g", "the code"), newSession(alice.handle))
		})
		if counts[otp.Verified] != 1 || counts[otp.Wrong] != 199 {
			t.Fatalf("results are %v, want 1 Verified and 199 Wrong", named(counts))
		}
	}},
	{"of 2000 wrong guesses only Attempts are judged", func(t *trial) {
		alice := newPerson("alice")
		t.accepted(alice.challenge("g", "the code"))
		counts := t.parallel(2000, func(ctx context.Context) (otp.Outcome, error) {
			return t.store.Verify(ctx, alice.guess("g", "wrong"), newSession(alice.handle))
		})
		if counts[otp.Wrong] != attempts-1 || counts[otp.Exhausted] != 2000-attempts+1 {
			t.Fatalf("results are %v, want %d Wrong and the rest Exhausted", named(counts), attempts-1)
		}
		t.want(t.guess(alice.guess("g", "the code")), otp.Exhausted)

		// There are exactly Attempts failures: the cool-down begins where it
		// must.
		next := alice.challenge("g", "the next code")
		next.Attempts = otp.CoolDownFailures + 1
		t.accepted(next)
		t.fail(alice, "g", otp.CoolDownFailures-attempts)
		t.want(t.guess(alice.guess("g", "the next code")), otp.CoolingDown)
	}},
	{"of 100 starts a throttle lets its burst through", func(t *trial) {
		charge := perClient("a", 7, 24*time.Hour)
		var mu sync.Mutex
		n := 0
		counts := t.parallel(100, func(ctx context.Context) (otp.Outcome, error) {
			mu.Lock()
			n++
			p := newPerson(fmt.Sprint(n))
			mu.Unlock()
			return t.store.Start(ctx, p.challenge("g", "1"), nil, charge)
		})
		if counts[otp.Accepted] != 7 || counts[otp.Throttled] != 93 {
			t.Fatalf("results are %v, want 7 Accepted and 93 Throttled", named(counts))
		}
	}},
	{"an account is New to one of its verifications", func(t *trial) {
		alice := newPerson("alice")
		for _, group := range []string{"a", "b", "c"} {
			t.accepted(alice.challenge(group, group))
		}
		var mu sync.Mutex
		groups, first := []string{"a", "b", "c"}, 0
		counts := t.parallel(3, func(ctx context.Context) (otp.Outcome, error) {
			mu.Lock()
			group := groups[0]
			groups = groups[1:]
			mu.Unlock()
			o, err := t.store.Verify(ctx, alice.guess(group, group), newSession(alice.handle))
			mu.Lock()
			defer mu.Unlock()
			if o.New {
				first++
			}
			return o, err
		})
		if counts[otp.Verified] != 3 || first != 1 {
			t.Fatalf("%v, of which %d are New, want 3 Verified and 1 New", named(counts), first)
		}
	}},
}

// parallel runs n operations at the same time and counts their results.
func (t *trial) parallel(n int, operation func(context.Context) (otp.Outcome, error)) map[otp.Result]int {
	t.Helper()
	var (
		running sync.WaitGroup
		mu      sync.Mutex
		failed  error
		counts  = make(map[otp.Result]int)
		begin   = make(chan struct{})
	)
	for range n {
		running.Go(func() {
			<-begin
			o, err := operation(t.Context())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			counts[o.Result]++
		})
	}
	close(begin)
	running.Wait()
	if failed != nil {
		t.Fatal(failed)
	}
	return counts
}

func named(counts map[otp.Result]int) map[string]int {
	names := make(map[string]int, len(counts))
	for result, n := range counts {
		names[name(result)] = n
	}
	return names
}
