// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// The benchmarks report what a script costs the server ("redis-µs/op"), which
// is what bounds a deployment, besides the time at several connections.
func BenchmarkStart(b *testing.B) {
	benchmark(b, func(b *testing.B, s *Store, n int64) error {
		_, err := s.Start(b.Context(), testChallenge(n), testMessage(n), testCharges(n)...)
		return err
	})
}

func BenchmarkVerifyWrong(b *testing.B) {
	benchmark(b, func(b *testing.B, s *Store, n int64) error {
		_, err := s.Verify(b.Context(), testGuess(n, "wrong"), testSession(n), testCharges(n)[0])
		return err
	})
}

func BenchmarkStartAndVerify(b *testing.B) {
	benchmark(b, func(b *testing.B, s *Store, n int64) error {
		if _, err := s.Start(b.Context(), testChallenge(n), testMessage(n), testCharges(n)...); err != nil {
			return err
		}
		o, err := s.Verify(b.Context(), testGuess(n, "code"), testSession(n), testCharges(n)[0])
		if err == nil && o.Result != otp.Verified {
			err = fmt.Errorf("result is %d", o.Result)
		}
		return err
	})
}

func benchmark(b *testing.B, run func(*testing.B, *Store, int64) error) {
	if testing.Short() {
		b.Skip("needs a redis-server")
	}
	server := redisserver.Start(b)
	for _, parallel := range []int{1, 4, 32, 256} {
		b.Run(strconv.Itoa(parallel), func(b *testing.B) {
			store := open(b, server)
			if _, err := store.Get(b.Context(), "warm"); err != nil {
				b.Fatal(err)
			}
			ask(b, store, "CONFIG", "RESETSTAT")
			var n atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(max(1, parallel/2))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := run(b, store, n.Add(1)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			calls, micros := evalsha(b, store)
			b.ReportMetric(micros/float64(calls), "redis-µs/script")
		})
	}
}

// evalsha returns how many scripts the server ran since RESETSTAT, and the
// time that they took, in µs.
func evalsha(t testing.TB, s *Store) (calls int, micros float64) {
	t.Helper()
	for line := range strings.Lines(ask(t, s, "INFO", "commandstats")) {
		rest, ok := strings.CutPrefix(line, "cmdstat_evalsha:")
		if !ok {
			continue
		}
		if _, err := fmt.Sscanf(strings.ReplaceAll(rest, ",", " "), "calls=%d usec=%g", &calls, &micros); err != nil {
			t.Fatal(err)
		}
	}
	return calls, micros
}

// ask runs a command beside the store and returns the answer as text.
func ask(t testing.TB, s *Store, args ...any) string {
	t.Helper()
	answer, err := s.client().Do(t.Context(), args...).Result()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return fmt.Sprint(answer)
}

func testHandle(n int64) otp.Handle { return otp.Handle(fmt.Sprintf("%02d%022d", n%otp.Shards, n)) }

func testTag(n int64, secret string) otp.Tag { return otp.Tag(fmt.Sprintf("%-11s%011d", secret, n)) }

func testChallenge(n int64) otp.Challenge {
	return otp.Challenge{
		Handle:   testHandle(n),
		Group:    "the group",
		Code:     testTag(n, "code"),
		Link:     testTag(n, "link"),
		Lifetime: 10 * time.Minute,
		Attempts: 5,
		Keep:     3,
	}
}

func testMessage(n int64) *otp.Envelope {
	return &otp.Envelope{
		ID:       fmt.Sprintf("message%d", n),
		Realm:    "app.example.com",
		Sealed:   []byte(strings.Repeat("sealed", 100)),
		Lifetime: 10 * time.Minute,
		Lease:    15 * time.Second,
	}
}

func testGuess(n int64, secret string) otp.Guess {
	h := testHandle(n)
	return otp.Guess{
		Handle:  h,
		Group:   "the group",
		Account: h.Shard() + "account" + string(h),
		Tags:    []otp.Tag{testTag(n, secret)},
		Browser: "a browser",
		Refunds: testCharges(n)[:1],
		Expect:  &otp.ExpectedRecord{Key: testRecord(n)},
	}
}

// testRecord is the key of what a guess expects not to be there.
func testRecord(n int64) string { return fmt.Sprintf("record%d", n) }

func testSession(n int64) otp.SessionRecord {
	h := testHandle(n)
	return otp.SessionRecord{
		ID:       otp.SessionID(fmt.Sprintf("%s%043d", h.Shard(), n)),
		Sealed:   []byte(strings.Repeat("sealed", 40)),
		Refresh:  testTag(n, "refresh"),
		Lifetime: 24 * time.Hour,
	}
}

func testCharges(n int64) []otp.Charge {
	charges := []otp.Charge{{
		Scope:    otp.ScopeClientIP,
		Bucket:   fmt.Sprintf("bucket%d", n),
		Throttle: otp.Throttle{Events: 50, Window: time.Hour},
	}}
	for _, throttle := range otp.DefaultThrottles().Address {
		charges = append(charges, otp.Charge{Scope: otp.ScopeAddress, Throttle: throttle})
	}
	return charges
}
