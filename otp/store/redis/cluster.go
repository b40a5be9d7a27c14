// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// How long a command waits that a Cluster can't run just now, because its slot
// is on the way from one node to another.
const (
	firstPause = 2 * time.Millisecond
	maxPause   = 20 * time.Millisecond
	// lastTry is what a try must have left to be begun.
	lastTry = 30 * time.Millisecond
)

// maxNodes is how many nodes are remembered; more were a Cluster's once.
const maxNodes = 256

// cluster is the route to the primaries of a Cluster: each node has a batcher
// of its own, so that one that hangs holds up nobody else's commands.
type cluster struct {
	client *goredis.ClusterClient
	lines  *lines
	direct int
	logger *slog.Logger

	mu    sync.RWMutex
	nodes map[*goredis.Client]*node

	// watched is when watchNodes asked last.
	watched time.Time
}

// node is a primary.
type node struct {
	executor
	cluster *cluster
	batcher *batcher
	// answers: it answers, and serves us; see learn.
	answers condition
	// told says that the log knows that it doesn't.
	told atomic.Bool
}

func newCluster(client *goredis.ClusterClient, lines *lines, direct int, logger *slog.Logger) *cluster {
	return &cluster{client: client, lines: lines, direct: direct, logger: logger, nodes: make(map[*goredis.Client]*node)}
}

func (c *cluster) do(ctx context.Context, cmd command) (any, error) {
	n, err := c.nodeOf(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return n.batcher.do(ctx, cmd)
}

// all sends the commands of each node together.
func (c *cluster) all(ctx context.Context, cs []command) []result {
	results := make([]result, len(cs))
	var sent sync.WaitGroup
	for n, at := range c.byNode(ctx, cs, results) {
		sent.Go(func() {
			for i, r := range n.all(ctx, pick(cs, at)) {
				results[at[i]] = r
			}
		})
	}
	sent.Wait()
	return results
}

// any is all where one command that succeeds is enough: then it doesn't wait
// for the other nodes. It returns why none did.
func (c *cluster) any(ctx context.Context, cs []command) error {
	unsent := make([]result, len(cs))
	nodes := c.byNode(ctx, cs, unsent)
	outcomes := make(chan []result, len(nodes))
	for n, at := range nodes {
		go func() { outcomes <- n.all(ctx, pick(cs, at)) }()
	}
	err := firstError(unsent)
	for range nodes {
		results := <-outcomes
		if slices.ContainsFunc(results, func(r result) bool { return r.err == nil }) {
			return nil
		}
		err = firstError(results)
	}
	return err
}

func firstError(results []result) error {
	for _, r := range results {
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// byNode returns the places of each node's commands, and puts errors into the
// results of those that have no node.
func (c *cluster) byNode(ctx context.Context, cs []command, results []result) map[*node][]int {
	places := make(map[*node][]int)
	for i, cmd := range cs {
		n, err := c.nodeOf(ctx, cmd)
		if err != nil {
			results[i].err = err
			continue
		}
		places[n] = append(places[n], i)
	}
	return places
}

// pick returns the commands at places.
func pick(cs []command, places []int) []command {
	picked := make([]command, len(places))
	for i, place := range places {
		picked[i] = cs[place]
	}
	return picked
}

// nodeOf returns the primary of a command's slot.
func (c *cluster) nodeOf(ctx context.Context, cmd command) (*node, error) {
	client, err := c.client.MasterForKey(ctx, cmd.keys[0])
	if err != nil {
		return nil, err
	}
	c.mu.RLock()
	n := c.nodes[client]
	c.mu.RUnlock()
	if n != nil {
		return n, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.nodes[client]; n != nil {
		return n, nil
	}
	if len(c.nodes) >= maxNodes {
		clear(c.nodes)
	}
	n = &node{executor: executor{client, c.lines}, cluster: c}
	n.batcher = newBatcherOf(n, c.direct)
	c.nodes[client] = n
	return n, nil
}

func (n *node) one(ctx context.Context, cmd command) (any, error) {
	began := time.Now()
	answer, err := n.executor.one(ctx, cmd)
	n.learn(ctx, began, err)
	r := n.cluster.settle(ctx, cmd, result{answer, err})
	return r.answer, r.err
}

func (n *node) all(ctx context.Context, cs []command) []result {
	began := time.Now()
	results := n.executor.all(ctx, cs)
	n.learn(ctx, began, results[len(results)-1].err)
	var settled sync.WaitGroup
	for i, r := range results {
		if r.err != nil {
			settled.Go(func() { results[i] = n.cluster.settle(ctx, cs[i], r) })
		}
	}
	settled.Wait()
	return results
}

// settle is for what a node couldn't do. A command that it sent elsewhere, and
// so didn't run, is followed there.
func (c *cluster) settle(ctx context.Context, cmd command, r result) result {
	switch {
	case r.err == nil:
	case isRedirection(r.err):
		r.answer, r.err = c.follow(ctx, cmd)
	default:
		if _, answered := errors.AsType[goredis.Error](r.err); !answered {
			c.client.ReloadState(ctx) // the node may be gone, and another in its place
		}
	}
	return r
}

// follow runs a command at whatever node its slot is or is on the way to. A
// slot on its way is waited for: nodes refuse what has keys at both.
func (c *cluster) follow(ctx context.Context, cmd command) (any, error) {
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		reply := once{cmd.script.Eval(ctx, unsent{}, cmd.keys, cmd.args...)}
		err := c.client.Process(ctx, reply)
		if !isRedirection(err) {
			return present(reply.Val(), err)
		}
		// A try that the deadline cuts off may have run; this one certainly didn't.
		if end, limited := ctx.Deadline(); limited && time.Until(end) < pause+lastTry {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// isRedirection reports whether a command wasn't run because it belongs
// elsewhere, or to nowhere yet.
func isRedirection(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, goredis.ErrClosed) {
		return true // the node has just left the Cluster
	}
	_, moved := goredis.IsMovedError(err)
	_, ask := goredis.IsAskError(err)
	return moved || ask || goredis.IsTryAgainError(err)
}

// once is a command that a client never sends twice by itself, but where a
// node says that it didn't run it.
type once struct{ *goredis.Cmd }

// NoRetry implements [goredis.Cmder].
func (once) NoRetry() bool { return true }

// unsent makes commands of scripts and sends none.
type unsent struct{ goredis.Scripter }

// Eval implements [goredis.Scripter].
func (unsent) Eval(ctx context.Context, script string, keys []string, args ...any) *goredis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, "eval", script, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return goredis.NewCmd(ctx, append(all, args...)...)
}

// isDial reports whether no connection came about.
func isDial(err error) bool {
	if _, unsent := errors.AsType[dialError](err); unsent {
		return true
	}
	operation, ok := errors.AsType[*net.OpError](err)
	return ok && operation.Op == "dial"
}
