// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A node of a Cluster that fails while others answer stops those whose names it
// has. No operation is refused for that, since a replica may take its place,
// but the log tells of it.

// nodeInterval is how often nodes in doubt are asked, at most.
const nodeInterval = time.Second

// learn takes in what became of commands to the node that began at a time.
func (n *node) learn(ctx context.Context, began time.Time, err error) {
	now := time.Now()
	says, code := signOf(err)
	switch {
	case says == up:
		if away, closed := n.answers.hold(now, true); closed {
			n.tellEnd("a node of the redis Cluster is up again", away)
		}
	case says == nothing, code == "CLUSTERDOWN": // it is others that are missing
	case leftEarly(ctx, began, n.client.Options().ReadTimeout):
	default:
		n.answers.fail(err, began, now)
	}
}

// tell tells the log that the node is down, unless the log knows.
func (n *node) tell() {
	err := n.answers.err()
	if err == nil || !n.told.CompareAndSwap(false, true) {
		return
	}
	logFailure(n.cluster.logger, "a node of the redis Cluster is down: nobody whose name it has can sign in", n.client.Options().Addr, err)
	if n.answers.err() == nil { // meanwhile
		n.tellEnd("a node of the redis Cluster is up again", 0)
	}
}

// tellEnd tells the log that the node is no longer down, if the log was told
// that it is.
func (n *node) tellEnd(message string, away time.Duration) {
	if n.told.CompareAndSwap(true, false) {
		n.cluster.logger.Info(message, slog.String("server", n.client.Options().Addr), slog.Duration("down_for", away))
	}
}

// watchNodes asks the nodes of a Cluster that are in doubt, while it answers as
// a whole, and tells the log of those that are down or have been replaced. It
// is for one goroutine at a time.
func (l *link) watchNodes(ctx context.Context) {
	found := l.found.Load()
	if found == nil {
		return
	}
	c, several := (*found).(*cluster)
	if !several || time.Since(c.watched) < nodeInterval {
		return
	}
	doubtful := c.doubtful()
	if len(doubtful) == 0 {
		return
	}
	c.watched = time.Now()
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	commands := l.probes()
	unknown := make([]result, len(commands))
	places := c.byNode(ctx, commands, unknown)
	var asked sync.WaitGroup
	for _, n := range doubtful {
		if at := places[n]; len(at) > 0 {
			asked.Go(func() { n.one(ctx, commands[at[0]]) })
		} else if firstError(unknown) == nil {
			c.forget(n)
		}
	}
	asked.Wait()
	for _, n := range doubtful {
		if len(places[n]) > 0 {
			n.tell()
		}
	}
}

// doubtful returns the nodes of which it is unknown whether they answer.
func (c *cluster) doubtful() []*node {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var found []*node
	for _, n := range c.nodes {
		if n.answers.doubtful() {
			found = append(found, n)
		}
	}
	return found
}

// forget drops a node that has none of our keys any more.
func (c *cluster) forget(n *node) {
	c.mu.Lock()
	delete(c.nodes, n.client)
	c.mu.Unlock()
	n.tellEnd("a node of the redis Cluster that was down has been replaced", n.answers.age(time.Now()))
}
