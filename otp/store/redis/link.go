// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"
)

// link is how a store reaches its servers under one configuration. A store has
// another when it is reconfigured.
type link struct {
	settings
	servers *servers
	server  string // what errors call the servers
	client  goredis.UniversalClient
	lines   *lines
	health  *health
	// found is the route, once it is known.
	found atomic.Pointer[route]
	// cluster is the client of a Cluster that one URL turned out to name.
	cluster atomic.Pointer[goredis.ClusterClient]
}

// route is a way for scripts: to one server, or to the nodes of a Cluster.
type route interface {
	// do sends a command, together with others where many are under way.
	do(ctx context.Context, c command) (any, error)
	// all sends commands that may take long, past those of do. Each has a
	// result of its own.
	all(ctx context.Context, cs []command) []result
}

// alone is the route to one server: the only one, or the primary that
// Sentinels name.
type alone struct {
	executor
	batcher *batcher
}

func newAlone(client *goredis.Client, lines *lines, direct int) alone {
	e := executor{client, lines}
	return alone{e, newBatcherOf(e, direct)}
}

func (a alone) do(ctx context.Context, c command) (any, error) { return a.batcher.do(ctx, c) }

// newLink connects to nothing.
func newLink(s settings) (*link, error) {
	v, err := parseServers(s)
	if err != nil {
		return nil, err
	}
	configure(v.options, s.timeout)
	v.secure(s.tls)
	silence()
	l := &link{settings: s, servers: v, server: v.name(s.master), lines: new(lines)}
	l.health = newHealth(l.server, s.timeout, s.logger)
	l.watchHealth()
	connect := v.options.Dialer
	if connect == nil {
		connect = plain(s.timeout).DialContext
	}
	v.options.Dialer = l.lines.dialer(connect, v.sentinel)
	direct := directOf(v.options.PoolSize)
	switch {
	case v.sentinel:
		client := newFailover(v, s.master)
		l.client = client
		l.choose(newAlone(client, l.lines, direct))
	case v.clustered():
		client := newClusterClient(v)
		l.client = client
		l.choose(newCluster(client, l.lines, direct, l.health.logger))
	default:
		l.client = goredis.NewClient(v.options)
	}
	return l, nil
}

func (l *link) choose(r route) route {
	l.found.CompareAndSwap(nil, &r)
	return *l.found.Load()
}

// route returns the way to the servers. Where one URL may name a server by
// itself as well as a node of a Cluster, or its configuration endpoint, the
// server is asked with the first use.
func (l *link) route(ctx context.Context) (route, error) {
	if r := l.found.Load(); r != nil {
		return *r, nil
	}
	client := l.client.(*goredis.Client)
	mode, err := modeOf(ctx, client)
	if mayDialAgain(err) {
		mode, err = modeOf(ctx, client) // as a command is sent a second time
	}
	switch {
	case err != nil:
		return nil, err
	case mode == "sentinel":
		return nil, errIsSentinel
	case mode == "cluster" && l.servers.options.DB != 0:
		return nil, errClusterDatabase
	case mode == "cluster":
		return l.toCluster(), nil
	}
	return l.choose(newAlone(client, l.lines, directOf(l.servers.options.PoolSize))), nil
}

// errIsSentinel is the error of a URL of the wrong kind.
var errIsSentinel = errors.New("redis: a Sentinel answers at the URL; write `sentinel <name of its master>`, or the URL of a data server")

// toCluster makes the route one over the nodes of a Cluster.
func (l *link) toCluster() route {
	client := newClusterClient(l.servers)
	if !l.cluster.CompareAndSwap(nil, client) {
		client.Close() // another request was faster
		client = l.cluster.Load()
	}
	var r route = newCluster(client, l.lines, directOf(l.servers.options.PoolSize), l.health.logger)
	if before := l.found.Load(); before != nil {
		if _, is := (*before).(*cluster); is {
			return *before
		}
		l.found.CompareAndSwap(before, &r)
	} else {
		l.found.CompareAndSwap(nil, &r)
	}
	return *l.found.Load()
}

// modeOf asks a server whether it is "standalone", a node of a "cluster" or a
// "sentinel". It is "" where the server doesn't tell us.
func modeOf(ctx context.Context, client *goredis.Client) (string, error) {
	answer, err := client.Do(ctx, "HELLO").Slice()
	if reply, ok := errors.AsType[goredis.Error](err); ok {
		switch code := refusal(reply.Error()); {
		case isClusterDatabase(reply.Error()):
			return "", errClusterDatabase
		case code != "" && code != "NOPERM":
			return "", err
		}
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for i := 0; i+1 < len(answer); i += 2 {
		if answer[i] == "mode" {
			return fmt.Sprint(answer[i+1]), nil
		}
	}
	return "", nil
}

// do runs a command by the route.
func (l *link) do(ctx context.Context, c command) (any, error) {
	r, err := l.route(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := r.do(ctx, c)
	if l.isUnexpectedCluster(r, err) {
		return l.toCluster().do(ctx, c)
	}
	return answer, err
}

// all runs commands that may take long by the route.
func (l *link) all(ctx context.Context, cs []command) ([]any, error) {
	r, err := l.route(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]any, len(cs))
	for i, result := range r.all(ctx, cs) {
		if result.err != nil {
			return nil, result.err
		}
		answers[i] = result.answer
	}
	return answers, nil
}

// isUnexpectedCluster reports whether a server redirects us that didn't tell
// that it is a node of a Cluster. It did nothing then.
func (l *link) isUnexpectedCluster(r route, err error) bool {
	if _, single := r.(alone); !single || err == nil || l.servers.sentinel || l.servers.options.DB != 0 {
		return false
	}
	_, moved := goredis.IsMovedError(err)
	return moved || goredis.HasErrorPrefix(err, "CROSSSLOT")
}

func (l *link) close() error {
	l.health.stop()
	defer l.health.close()
	err := l.client.Close()
	if client := l.cluster.Load(); client != nil {
		err = errors.Join(err, client.Close())
	}
	return err
}
