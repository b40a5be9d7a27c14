// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/bolt"
	"github.com/caddy-otp/caddy-otp/otp/store/redis"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// sizesOfStores are how many challenges and as many sessions a store holds
// when it is measured.
var sizesOfStores = []int64{10_000, 100_000, 1_000_000}

// connectionCounts are how many callers a store has at the same time.
var connectionCounts = []int{1, 4, 32, 256, 1024}

// heldStore is a store and what tells its size.
type heldStore struct {
	name  string
	store otp.Store
	// bytes returns how much it keeps, in memory or in its file.
	bytes func() (int64, error)
	// filled is how many people it holds.
	filled int64
}

func heldStores(s *stage) ([]*heldStore, error) {
	server, cluster := redisserver.Start(s), redisserver.StartCluster(s)
	alone, err := onRedis(s, "redis", []string{server.URL()})
	if err != nil {
		return nil, err
	}
	spread, err := onRedis(s, "Cluster of 3", cluster.URLs())
	if err != nil {
		return nil, err
	}
	embedded, _, err := onBolt(s)
	if err != nil {
		return nil, err
	}
	return []*heldStore{alone, spread, embedded}, nil
}

// onRedis is a store on servers.
func onRedis(s *stage, name string, urls []string) (*heldStore, error) {
	store, err := redis.OpenServers(urls, redis.WithTimeout(requestTimeout))
	if err != nil {
		return nil, err
	}
	s.Cleanup(func() { store.Close() })
	var operators []*goredis.Client
	for _, url := range urls {
		options, err := goredis.ParseURL(url)
		if err != nil {
			return nil, err
		}
		operator := goredis.NewClient(options)
		s.Cleanup(func() { operator.Close() })
		operators = append(operators, operator)
	}
	return &heldStore{name: name, store: store, bytes: func() (total int64, err error) {
		for _, operator := range operators {
			used, err := usedMemory(s.ctx, operator)
			if err != nil {
				return 0, err
			}
			total += used
		}
		return total, nil
	}}, nil
}

// onBolt is a store in a file, and what moves its clock on.
func onBolt(s *stage) (h *heldStore, advance func(time.Duration), err error) {
	file := filepath.Join(s.TempDir(), "otp.db")
	var ahead atomic.Int64
	store, err := bolt.Open(file, bolt.WithClock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))
	if err != nil {
		return nil, nil, err
	}
	s.Cleanup(func() { store.Close() })
	size := func() (int64, error) {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	return &heldStore{name: "bolt", store: store, bytes: size}, func(d time.Duration) { ahead.Add(int64(d)) }, nil
}

// usedMemory is what a Redis's data takes.
func usedMemory(ctx context.Context, client *goredis.Client) (int64, error) {
	info, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		if text, found := strings.CutPrefix(line, "used_memory_dataset:"); found {
			return strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		}
	}
	return 0, fmt.Errorf("INFO memory doesn't tell used_memory_dataset")
}

// growth prints how long operations take, so many of a kind, and what is kept,
// at each size.
func growth(ctx context.Context, s *stage, largest, operations int64, p *plots) error {
	stores, err := heldStores(s)
	if err != nil {
		return err
	}
	fmt.Printf("%s; 32 callers; median (p99) of %d operations\n\n", setting(s), operations)
	fmt.Print("| store | people | start | verify | bytes/person | heap of this process |\n|---|---|---|---|---|---|\n")
	for _, h := range stores {
		empty, err := h.bytes()
		if err != nil {
			return err
		}
		for _, size := range sizesOfStores {
			if size > largest {
				break
			}
			if err := h.fill(ctx, size); err != nil {
				return err
			}
			held, err := h.bytes()
			if err != nil {
				return err
			}
			start, verify, err := h.measure(ctx, 32, operations)
			if err != nil {
				return err
			}
			each := float64(held-empty) / float64(size)
			heap := mebibytes(heap())
			fmt.Printf("| %s | %d | %s | %s | %.0f | %.1f MiB |\n", h.name, size, start, verify, each, heap)
			p.add("growth-time", h.name+", start", float64(size), start.milliseconds())
			p.add("growth-time", h.name+", verify", float64(size), verify.milliseconds())
			p.add("growth-bytes", h.name, float64(size), each)
			p.add("growth-heap", h.name, float64(size), heap)
		}
	}
	return nil
}

const (
	// sweepWait bounds how long bolt's sweep may take for what a day has left.
	sweepWait = 15 * time.Minute
	// sweepLook is how often it is looked whether it is done: nothing else is
	// going on then, so this process has next to nothing to do, idleShare of a
	// core at the most.
	sweepLook = 3 * time.Second
	idleShare = 0.03
)

// awaitSweep waits until bolt's sweep has nothing to remove.
func awaitSweep(ctx context.Context) error {
	for begun := time.Now(); time.Since(begun) < sweepWait; {
		before, err := cpuTime(os.Getpid())
		if err != nil {
			return err
		}
		select {
		case <-time.After(sweepLook):
		case <-ctx.Done():
			return ctx.Err()
		}
		after, err := cpuTime(os.Getpid())
		if err != nil {
			return err
		}
		if float64(after-before) < idleShare*float64(sweepLook) {
			return nil
		}
	}
	return fmt.Errorf("the sweep isn't done in %v", sweepWait)
}

// days prints what becomes of bolt's file day by day, and how long operations
// take while what the day before has left is swept.
func days(ctx context.Context, s *stage, people, operations int64, p *plots) error {
	h, advance, err := onBolt(s)
	if err != nil {
		return err
	}
	fmt.Printf("| bolt, day | people of the day | file | start beside the sweep | verify beside it |\n|---|---|---|---|---|\n")
	for day := 1; day <= 4; day++ {
		time.Sleep(2 * time.Second) // the sweep looks for what is over once in a second
		start, verify, err := h.measure(ctx, 32, operations)
		if err != nil {
			return err
		}
		if day > 1 {
			// A day is long enough to remove what the one before has left,
			// which this measurement's day isn't.
			if err := awaitSweep(ctx); err != nil {
				return err
			}
		}
		if err := h.fill(ctx, h.filled+people); err != nil {
			return err
		}
		held, err := h.bytes()
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %d | %.0f MiB | %s | %s |\n", day, people, mebibytes(held), start, verify)
		p.add("days-file", "file", float64(day), mebibytes(held))
		p.add("days-time", "start", float64(day), start.milliseconds())
		p.add("days-time", "verify", float64(day), verify.milliseconds())
		advance(25 * time.Hour)
	}
	return nil
}

// scaling prints how many operations a store does in a second for so many
// callers.
func scaling(ctx context.Context, s *stage, operations int64, p *plots) error {
	stores, err := heldStores(s)
	if err != nil {
		return err
	}
	fmt.Printf("| store | callers | starts/s | start: median (p99) | verifies/s | verify: median (p99) |\n|---|---|---|---|---|---|\n")
	for _, h := range stores {
		for _, callers := range connectionCounts {
			start, verify, err := h.measure(ctx, callers, operations)
			if err != nil {
				return err
			}
			fmt.Printf("| %s | %d | %.0f | %s | %.0f | %s |\n", h.name, callers, start.rate, start, verify.rate, verify)
			p.add("connections", h.name+", start", float64(callers), start.rate)
			p.add("connections", h.name+", verify", float64(callers), verify.rate)
		}
	}
	return nil
}

// timing is how long some operations took.
type timing struct {
	median, p99 time.Duration
	rate        float64
}

func (t timing) String() string {
	return fmt.Sprintf("%.2f (%.2f) ms", t.milliseconds(), float64(t.p99)/float64(time.Millisecond))
}

func (t timing) milliseconds() float64 { return float64(t.median) / float64(time.Millisecond) }

// fill adds people until there are so many: each with a challenge that waits,
// and a session that an earlier one opened.
func (h *heldStore) fill(ctx context.Context, people int64) error {
	first := h.filled
	h.filled = people
	_, err := each(ctx, 256, people-first, func(n int64) error {
		if err := h.start(ctx, first+n); err != nil {
			return err
		}
		if err := h.verify(ctx, first+n); err != nil {
			return err
		}
		return h.start(ctx, first+n)
	})
	return err
}

// beyond is where the people begin that a measurement adds, which are few.
const beyond = int64(1) << 40

var measured int64

// measure times starts and verifications of people whom the store doesn't hold.
func (h *heldStore) measure(ctx context.Context, callers int, count int64) (start, verify timing, err error) {
	first := beyond + measured
	measured += count
	if start, err = each(ctx, callers, count, func(n int64) error { return h.start(ctx, first+n) }); err != nil {
		return start, verify, err
	}
	verify, err = each(ctx, callers, count, func(n int64) error { return h.verify(ctx, first+n) })
	return start, verify, err
}

// each does something count times, by so many callers.
func each(ctx context.Context, callers int, count int64, do func(n int64) error) (timing, error) {
	var next atomic.Int64
	took := make([]time.Duration, count)
	var running sync.WaitGroup
	var failed atomic.Pointer[error]
	begun := time.Now()
	for range callers {
		running.Go(func() {
			for n := next.Add(1) - 1; n < count && failed.Load() == nil && ctx.Err() == nil; n = next.Add(1) - 1 {
				at := time.Now()
				if err := do(n); err != nil {
					failed.Store(&err)
					return
				}
				took[n] = time.Since(at)
			}
		})
	}
	running.Wait()
	lasted := time.Since(begun)
	if err := failed.Load(); err != nil {
		return timing{}, *err
	}
	slices.Sort(took)
	return timing{median: took[count/2], p99: took[count*99/100], rate: float64(count) / lasted.Seconds()}, ctx.Err()
}

func (h *heldStore) start(ctx context.Context, n int64) error {
	outcome, err := h.store.Start(ctx, otp.Challenge{
		Handle: handleOf(n), Group: "group", Code: tagOf(n, "code"), Link: tagOf(n, "link"),
		Lifetime: 10 * time.Minute, Attempts: 5, Keep: 3,
	}, nil, chargesOf(n)...)
	if err == nil && outcome.Result != otp.Accepted {
		err = fmt.Errorf("start %d: result %d", n, outcome.Result)
	}
	return err
}

func (h *heldStore) verify(ctx context.Context, n int64) error {
	handle := handleOf(n)
	outcome, err := h.store.Verify(ctx, otp.Guess{
		Handle: handle, Group: "group", Account: handle.Shard() + "account" + string(handle),
		Tags: []otp.Tag{tagOf(n, "code")}, Browser: "browser",
		Expect: &otp.ExpectedRecord{Key: fmt.Sprintf("record%022d", n)},
	}, otp.SessionRecord{
		ID: otp.SessionID(fmt.Sprintf("%s%043d", handle.Shard(), n)), Owner: handle.Shard() + "owner" + string(handle),
		Sealed: sealedSession, Refresh: tagOf(n, "refresh"), Lifetime: 24 * time.Hour,
	}, chargesOf(n)[:1]...)
	if err == nil && outcome.Result != otp.Verified {
		err = fmt.Errorf("verify %d: result %d", n, outcome.Result)
	}
	return err
}

// sealedSession is as long as that of a person without groups.
var sealedSession = []byte(strings.Repeat("s", 240))

func handleOf(n int64) otp.Handle { return otp.Handle(fmt.Sprintf("%02d%022d", n%otp.Shards, n)) }

func tagOf(n int64, secret string) otp.Tag { return otp.Tag(fmt.Sprintf("%-8s%014d", secret, n)) }

// chargesOf are those of a start: each address of a thousand people's network.
func chargesOf(n int64) []otp.Charge {
	throttles := otp.DefaultThrottles()
	charges := []otp.Charge{{
		Scope: otp.ScopeClientIP, Bucket: fmt.Sprintf("bucket%d", n/1000),
		Throttle: otp.Throttle{Events: 1_000_000, Window: time.Second},
	}}
	for _, throttle := range throttles.Address {
		charges = append(charges, otp.Charge{Scope: otp.ScopeAddress, Throttle: throttle})
	}
	return charges
}

// heap is what this process holds, in bytes.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }
