// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
)

// guard sends commands unless they are known to fail, in bounded time, and
// learns from what becomes of them.
func (l *link) guard(ctx context.Context, writes bool, send func(context.Context) error) error {
	if err := l.health.admit(writes); err != nil {
		return &unrun{l.health.domainError(err)}
	}
	began := time.Now()
	bounded, cancel := within(ctx, l.timeout)
	defer cancel()
	err := send(bounded)
	if !leftEarly(ctx, began, l.timeout) {
		l.health.learn(began, err, false)
	}
	return l.health.domainError(err)
}

// within is [context.WithTimeout] for a context that mostly ends as soon by
// itself.
func within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}

// leftEarly reports whether the caller of what began at a time gave up before
// the server had had its time, so that the outcome tells nothing.
func leftEarly(ctx context.Context, began time.Time, timeout time.Duration) bool {
	err := ctx.Err()
	// A caller's deadline is mostly as long as the store's own.
	return errors.Is(err, context.Canceled) || err != nil && time.Since(began) < timeout*9/10
}

// watchHealth tells the health how to ask.
func (l *link) watchHealth() {
	l.health.probe = l.probe
	l.health.inspect = l.inspect
	l.health.watch = l.watchNodes
	l.health.renew = func() { l.lines.drop(l.lines.now()) }
	l.health.judge = func(all []settingsFound) verdict {
		v := judge(l.server, l.anyEviction, all)
		if l.servers.sentinel || l.clusterClient() != nil {
			v.misplaced = "" // another will be the primary
		}
		return v
	}
}

// probe asks the server, or every node of a Cluster, whether it takes writes.
// A Cluster is well while any node is: operations find out about theirs. One
// that hangs doesn't hold up the others' answer, or it would seem to be all.
func (l *link) probe(ctx context.Context) error {
	r, err := l.route(ctx)
	if err != nil {
		return err
	}
	if c, several := r.(*cluster); several {
		return c.any(ctx, l.probes())
	}
	return r.all(ctx, l.probes()[:1])[0].err
}

// probes are the commands that ask, one for each shard.
func (l *link) probes() []command {
	commands := make([]command, otp.Shards)
	for i := range commands {
		tag := fmt.Sprintf("%s{%02d}:", l.prefix, i)
		commands[i] = command{probe(), []string{tag + "m:", tag + "q:"}, nil}
	}
	return commands
}

// inspect asks the servers for their settings.
func (l *link) inspect(ctx context.Context) ([]settingsFound, error) {
	if _, err := l.route(ctx); err != nil {
		return nil, err
	}
	if cluster := l.clusterClient(); cluster != nil {
		return inspectCluster(ctx, cluster)
	}
	found, err := inspect(ctx, l.client)
	return []settingsFound{found}, err
}

// clusterClient returns the client of a Cluster, or nil where it is none.
func (l *link) clusterClient() *goredis.ClusterClient {
	if cluster, ok := l.client.(*goredis.ClusterClient); ok {
		return cluster
	}
	return l.cluster.Load()
}

// Check looks at the servers and returns what is wrong with them for good: they
// may evict keys, are too old, or not what they were taken for. The error says
// what to do. A server that can't be reached is none of that: the store goes on
// trying.
func (s *Store) Check(ctx context.Context) error { return s.current.Load().health.check(ctx) }
