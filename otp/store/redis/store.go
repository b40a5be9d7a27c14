// SPDX-License-Identifier: Apache-2.0

// Package redis is an [otp.Store] on Redis or Valkey from version 6.2: one
// server by itself, a primary that Sentinels name, or a Cluster. It always
// speaks to primaries.
//
// Each operation is one Lua script, so one atomic step and one round trip; the
// time is the server's. Names are spread over 64 shards by a hash tag that can
// never change, and all that a start or a verification commits is in its
// handle's shard, but for the buckets that several handles share. On a Cluster
// those are charged first, and given back where nothing came of it, so that
// they never count too little; a record that a guess expects is read at the same
// time; and what concerns every shard is a script for each. The names:
//
//	otp:{NN}:h:<handle>   challenges, failures, address throttles, packed
//	otp:{NN}:b:<bucket>   a client_ip bucket
//	otp:{NN}:m:<id>       a message of the outbox
//	otp:{NN}:q:<realm>    sorted set: its messages by when they are due
//	otp:{NN}:s:<session>  a session
//	otp:{NN}:o:<owner>    sorted set: an owner's sessions by when they end
//	otp:{NN}:v            sorted set: revocations by when they were made
//	otp:{NN}:a:<account>  since when the account is known; never expires
//	otp:{NN}:r:<key>      a record of Swap; never expires if its ttl is 0
//
// Everything else has a TTL. A server that is full or takes no writes ends a
// verification before anything is compared.
package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/caddy-otp/caddy-otp/otp"
)

// DefaultKeyPrefix is what the name of every key begins with.
const DefaultKeyPrefix = "otp:"

// Store is an [otp.Store]. It is safe for concurrent use.
type Store struct {
	current atomic.Pointer[link]
	scripts *scripts
	prefix  string

	mu sync.Mutex
	// draining are the links of earlier configurations, until nothing can be
	// under way on them.
	draining map[*link]*time.Timer
	closed   bool
}

var _ otp.Store = (*Store)(nil)

// Open returns a store on the server that a URL names:
// redis://user:password@host:port/database, rediss:// for TLS, or
// unix://user:password@/path?db=database. Where a node of a Cluster answers, or
// its configuration endpoint, it is a store on the whole Cluster. It connects
// when it is first used, so it fails only for what is wrong with its
// arguments. The error holds no part of the URL.
func Open(url string, options ...Option) (*Store, error) {
	return OpenServers([]string{url}, options...)
}

// OpenServers is [Open] for several URLs, which differ in host and port alone:
// nodes of a Cluster, any of which leads to the others, or, with
// [WithSentinel], Sentinels.
func OpenServers(urls []string, options ...Option) (*Store, error) {
	settings, err := newSettings(urls, options)
	if err != nil {
		return nil, err
	}
	l, err := newLink(settings)
	if err != nil {
		return nil, err
	}
	s := &Store{scripts: production(), prefix: settings.prefix, draining: make(map[*link]*time.Timer)}
	s.current.Store(l)
	return s, nil
}

// Reconfigure makes the store go on with other credentials, certificates,
// timeouts or URLs of the same servers: what comes from here on uses new
// connections, and what is under way ends on the old ones. Nothing changes
// where all is as it was, or with an error. The key prefix must stay.
func (s *Store) Reconfigure(urls []string, options ...Option) error {
	settings, err := newSettings(urls, options)
	if err != nil {
		return err
	}
	if settings.prefix != s.prefix {
		return errors.New("redis: an open store keeps its key prefix")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.current.Load()
	if settings.equal(old.settings) || s.closed {
		return nil
	}
	settings.logger = cmp.Or(settings.logger, old.logger)
	l, err := newLink(settings)
	if err != nil {
		return err
	}
	l.health.succeed(old.health)
	s.current.Store(l)
	// No operation takes longer than its timeout, nor what it gives back after.
	s.draining[old] = time.AfterFunc(3*old.timeout, func() {
		s.mu.Lock()
		delete(s.draining, old)
		s.mu.Unlock()
		old.close()
	})
	return nil
}

// silence stops go-redis from printing to stderr by itself. What it says is in
// the errors too.
var silence = sync.OnceFunc(logging.Disable)

// production are the scripts with the server's own clock.
var production = sync.OnceValue(func() *scripts { return newScripts(0) })

// Close closes the connections. Operations under way fail.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.current.Load().close()
	for l, timer := range s.draining {
		if timer.Stop() {
			err = errors.Join(err, l.close())
		}
	}
	clear(s.draining)
	return err
}

// run runs a script that is as quick as a start.
func (s *Store) run(ctx context.Context, script *goredis.Script, keys []string, args ...any) (any, error) {
	l := s.current.Load()
	var answer any
	err := l.guard(ctx, !s.scripts.onlyRead(script), func(ctx context.Context) (err error) {
		answer, err = l.do(ctx, command{script, keys, args})
		return err
	})
	return answer, err
}

// runAlone runs scripts that may take long, so that no others wait for their
// answers.
func (s *Store) runAlone(ctx context.Context, commands ...command) ([]any, error) {
	l := s.current.Load()
	writes := slices.ContainsFunc(commands, func(c command) bool { return !s.scripts.onlyRead(c.script) })
	var answers []any
	err := l.guard(ctx, writes, func(ctx context.Context) (err error) {
		answers, err = l.all(ctx, commands)
		return err
	})
	return answers, err
}

// key names something of a kind in a shard.
func (s *Store) key(shard, kind, name string) string {
	return s.prefix + "{" + shard + "}:" + kind + ":" + escape(name)
}

// revocationsKey names the revocations of a shard.
func (s *Store) revocationsKey(shard string) string {
	return s.prefix + "{" + shard + "}:v"
}

// escape makes printable ASCII without blanks of a name, as URLs do. Nearly
// all names are that already; a realm needn't be.
func escape(name string) string {
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != '%' }
	for i := range len(name) {
		if !plain(name[i]) {
			return escapeFrom(name, i, plain)
		}
	}
	return name
}

func escapeFrom(name string, at int, plain func(byte) bool) string {
	var escaped strings.Builder
	escaped.WriteString(name[:at])
	for i := at; i < len(name); i++ {
		if plain(name[i]) {
			escaped.WriteByte(name[i])
		} else {
			fmt.Fprintf(&escaped, "%%%02X", name[i])
		}
	}
	return escaped.String()
}
