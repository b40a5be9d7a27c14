// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeServer answers a command with its first key after a while, or never.
type fakeServer struct {
	takes time.Duration
	fails map[string]error

	mu        sync.Mutex
	alone     int
	pipelines []int
	sent      []string
}

func (f *fakeServer) one(ctx context.Context, c command) (any, error) {
	f.mu.Lock()
	f.alone++
	f.sent = append(f.sent, c.keys[0])
	f.mu.Unlock()
	r := f.answer(ctx, c)
	return r.answer, r.err
}

func (f *fakeServer) all(ctx context.Context, cs []command) []result {
	f.mu.Lock()
	f.pipelines = append(f.pipelines, len(cs))
	for _, c := range cs {
		f.sent = append(f.sent, c.keys[0])
	}
	f.mu.Unlock()
	if f.answer(ctx, cs[0]); ctx.Err() != nil {
		return slices.Repeat([]result{{err: ctx.Err()}}, len(cs))
	}
	results := make([]result, len(cs))
	for i, c := range cs {
		results[i] = result{c.keys[0], f.fails[c.keys[0]]}
	}
	return results
}

func (f *fakeServer) answer(ctx context.Context, c command) result {
	select {
	case <-time.After(f.takes):
		return result{c.keys[0], f.fails[c.keys[0]]}
	case <-ctx.Done():
		return result{err: ctx.Err()}
	}
}

func newBatcher(s sender) *batcher { return newBatcherOf(s, maxDirect) }

func name(i int) string { return string(rune('A' + i)) }

func do(t *testing.T, b *batcher, key string, timeout time.Duration) (any, error) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return b.do(ctx, command{keys: []string{key}})
}

func TestFewGoAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{takes: time.Millisecond}
		b := newBatcher(server)
		for range 3 {
			var all sync.WaitGroup
			for i := range maxDirect {
				all.Go(func() {
					if answer, err := do(t, b, name(i), time.Second); answer != name(i) || err != nil {
						t.Errorf("answer to %s is %v, %v", name(i), answer, err)
					}
				})
			}
			all.Wait()
		}
		if server.alone != 3*maxDirect || server.pipelines != nil {
			t.Errorf("%d went alone, %v in pipelines", server.alone, server.pipelines)
		}
	})
}

func TestManyGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failure := errors.New("failure")
		server := &fakeServer{takes: time.Millisecond, fails: map[string]error{name(100): failure}}
		b := newBatcher(server)
		const n = 1000
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				answer, err := do(t, b, name(i), time.Second)
				if answer != name(i) || !errors.Is(err, server.fails[name(i)]) {
					t.Errorf("answer to %s is %v, %v", name(i), answer, err)
				}
			})
		}
		all.Wait()
		sent := 0
		for _, size := range server.pipelines {
			if size > maxPipeline {
				t.Errorf("a pipeline of %d", size)
			}
			sent += size
		}
		if sent+server.alone != n || len(server.pipelines) > 3*n/maxPipeline {
			t.Errorf("%d went alone, %v in pipelines", server.alone, server.pipelines)
		}
		synctest.Wait()
		if b.direct != 0 || b.lanes != 0 || len(b.waiting) != 0 {
			t.Errorf("left: %d direct, %d lanes, %d waiting", b.direct, b.lanes, len(b.waiting))
		}
	})
}

// hang occupies everything that sends.
func hang(t *testing.T, b *batcher, all *sync.WaitGroup) {
	for i := range maxDirect {
		all.Go(func() { do(t, b, name(i), time.Hour) })
	}
	synctest.Wait()
	for i := range maxLanes {
		all.Go(func() { do(t, b, name(i), time.Hour) })
		synctest.Wait()
	}
}

func TestCallerLeavesAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{takes: 10 * time.Minute}
		b := newBatcher(server)
		var all sync.WaitGroup
		hang(t, b, &all)
		began := time.Now()
		if _, err := do(t, b, "left", time.Second); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("left after %v with %v", time.Since(began), err)
		}
		if answer, err := do(t, b, "stayed", time.Hour); answer != "stayed" || err != nil {
			t.Errorf("answer is %v, %v", answer, err)
		}
		all.Wait()
		if slices.Contains(server.sent, "left") {
			t.Error("a command was sent whose caller had left")
		}
		synctest.Wait()
	})
}

// A pipeline is given up when the last of its callers is gone.
func TestPipelineEndsWithItsCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(&fakeServer{takes: time.Hour})
		var all sync.WaitGroup
		began := time.Now()
		for i := range maxDirect + 10 {
			all.Go(func() {
				if _, err := do(t, b, name(i), time.Second); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error is %v", err)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		if time.Since(began) != time.Second || b.lanes != 0 {
			t.Errorf("ended after %v with %d lanes", time.Since(began), b.lanes)
		}
	})
}

func TestTooManyAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBatcher(&fakeServer{takes: time.Minute})
		var all sync.WaitGroup
		hang(t, b, &all)
		for i := range maxWaiting {
			all.Go(func() {
				if _, err := do(t, b, name(i), time.Hour); err != nil {
					t.Errorf("error is %v", err)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if _, err := do(t, b, "refused", time.Hour); !errors.Is(err, errShed) || time.Since(began) != 0 {
			t.Errorf("error is %v after %v", err, time.Since(began))
		}
		all.Wait()
		synctest.Wait()
	})
}

func TestDoneContextIsNotSent(t *testing.T) {
	server := &fakeServer{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newBatcher(server).do(ctx, command{keys: []string{"x"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if server.sent != nil {
		t.Error("it was sent")
	}
}
