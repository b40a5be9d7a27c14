// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// A round trip costs more than a script. So where several operations are under
// way, those that come are collected while others travel and sent together, in
// lanes; while there are few, each goes by itself and waits for nothing.
const (
	// maxDirect is how many commands are sent by themselves at a time, where
	// the pool has its usual size.
	maxDirect = 6
	// maxLanes is how many pipelines are under way at a time.
	maxLanes = 4
	// maxPipeline is how many commands go together: all of them wait for the
	// answer to the last.
	maxPipeline = 64
	// maxWaiting is how many commands wait for a lane; more are refused.
	maxWaiting = 4096
)

// command is a script with its arguments.
type command struct {
	script *goredis.Script
	keys   []string
	args   []any
}

// result is the answer to a command.
type result struct {
	answer any
	err    error
}

// sender sends commands and waits for the answers.
type sender interface {
	one(ctx context.Context, c command) (any, error)
	// all sends commands together. Each has a result of its own.
	all(ctx context.Context, cs []command) []result
}

type batcher struct {
	sender    sender
	maxDirect int

	mu      sync.Mutex
	direct  int
	lanes   int
	waiting []*waiter
}

// waiter is a command in a lane. Its caller leaves when ctx ends, without its
// result.
type waiter struct {
	ctx     context.Context
	command command
	result  result
	done    chan struct{}
}

// newBatcherOf returns a batcher that sends this many commands by themselves.
func newBatcherOf(s sender, direct int) *batcher { return &batcher{sender: s, maxDirect: direct} }

// do runs a command, by itself or together with others. It returns when ctx
// ends, which must have a deadline, or with errShed where too many wait.
func (b *batcher) do(ctx context.Context, c command) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	if b.direct < b.maxDirect {
		b.direct++
		b.mu.Unlock()
		defer b.endDirect()
		return b.sender.one(ctx, c)
	}
	if len(b.waiting) >= maxWaiting {
		b.mu.Unlock()
		return nil, errShed
	}
	w := &waiter{ctx: ctx, command: c, done: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	if b.lanes < maxLanes {
		b.lanes++
		go b.lane()
	}
	b.mu.Unlock()
	select {
	case <-w.done:
		return w.result.answer, w.result.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *batcher) endDirect() {
	b.mu.Lock()
	b.direct--
	b.mu.Unlock()
}

// lane sends what waits until nothing does.
func (b *batcher) lane() {
	for {
		batch := b.take()
		if batch == nil {
			return
		}
		b.send(batch)
	}
}

// take removes the next commands from the queue, or ends the lane.
func (b *batcher) take() []*waiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	var batch []*waiter
	taken := 0
	for ; taken < len(b.waiting) && len(batch) < maxPipeline; taken++ {
		// Whose caller has left is never sent.
		if w := b.waiting[taken]; w.ctx.Err() == nil {
			batch = append(batch, w)
		}
	}
	b.waiting = b.waiting[taken:]
	if batch == nil {
		b.lanes--
	}
	return batch
}

// send sends commands together, for as long as any caller waits.
func (b *batcher) send(batch []*waiter) {
	commands := make([]command, len(batch))
	latest, _ := batch[0].ctx.Deadline()
	for i, w := range batch {
		commands[i] = w.command
		if deadline, _ := w.ctx.Deadline(); deadline.After(latest) {
			latest = deadline
		}
	}
	ctx, cancel := context.WithDeadline(context.Background(), latest)
	defer cancel()
	for i, result := range b.sender.all(ctx, commands) {
		batch[i].result = result
		close(batch[i].done)
	}
}
