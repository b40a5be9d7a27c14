// SPDX-License-Identifier: Apache-2.0

// Package redis is an [otp.Store] on Redis or Valkey from version 6.2, one
// server by itself.
//
// Each operation is one Lua script, so one atomic step and one round trip; the
// time is the server's. Names are spread over 64 shards by a hash tag that can
// never change, and all that a start or a verification commits is in its
// handle's shard (but the client_ip buckets):
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
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/caddy-otp/caddy-otp/otp"
)

// DefaultKeyPrefix is what the name of every key begins with.
const DefaultKeyPrefix = "otp:"

// Store is an [otp.Store]. It is safe for concurrent use.
type Store struct {
	client  *goredis.Client
	server  string // its host and port, or its socket: what errors may tell
	health  *health
	sender  executor
	batcher *batcher
	scripts *scripts
	prefix  string
	timeout time.Duration
}

var _ otp.Store = (*Store)(nil)

// Option changes a default of [Open].
type Option func(*settings)

type settings struct {
	prefix            string
	timeout           time.Duration
	logger            *slog.Logger
	anyEvictionPolicy bool
}

// WithLogger makes the store tell when its server goes down and comes back, and
// what is wrong with the server's settings. Without it nothing is told.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) { s.logger = logger }
}

// WithAnyEvictionPolicy accepts a server that may forget keys before their
// time: throttles, failures, sign-outs.
func WithAnyEvictionPolicy() Option {
	return func(s *settings) { s.anyEvictionPolicy = true }
}

// WithKeyPrefix replaces [DefaultKeyPrefix]: printable ASCII without blanks
// and braces. Deployments that share a database need different ones.
func WithKeyPrefix(prefix string) Option {
	return func(s *settings) { s.prefix = prefix }
}

// WithTimeout replaces [otp.DefaultTimeout], the longest that an operation
// takes, connecting included. It must be above zero.
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) { s.timeout = timeout }
}

// Open returns a store on the server that a URL names:
// redis://user:password@host:port/database, rediss:// for TLS, or
// unix://user:password@/path?db=database. It connects when it is first used,
// so it fails only for what is wrong with its arguments. The error holds no part
// of the URL.
func Open(url string, options ...Option) (*Store, error) {
	s := settings{prefix: DefaultKeyPrefix, timeout: otp.DefaultTimeout}
	for _, option := range options {
		option(&s)
	}
	if s.timeout <= 0 {
		return nil, errors.New("redis: the timeout must be above zero")
	}
	if strings.ContainsAny(s.prefix, "{}") || escape(s.prefix) != s.prefix {
		return nil, fmt.Errorf("redis: key prefix %q must be printable ASCII without blanks, braces and percent signs", s.prefix)
	}
	opts, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	configure(opts, s.timeout)
	silence()
	lines := new(lines)
	opts.Dialer = lines.dialer(s.timeout, opts.TLSConfig)
	client := goredis.NewClient(opts)
	sender := executor{client, lines}
	store := &Store{
		client:  client,
		server:  opts.Addr,
		health:  newHealth(opts.Addr, s.timeout, s.logger),
		sender:  sender,
		batcher: newBatcher(sender),
		scripts: production(),
		prefix:  s.prefix,
		timeout: s.timeout,
	}
	store.watchHealth(s.anyEvictionPolicy)
	return store, nil
}

// silence stops go-redis from printing to stderr by itself. What it says is in
// the errors too.
var silence = sync.OnceFunc(logging.Disable)

// production are the scripts with the server's own clock.
var production = sync.OnceValue(func() *scripts { return newScripts(0) })

// configure sets what makes the client answer in time and never run a command
// twice by itself: it would try again after a lost connection, which may have
// been lost after the command ran.
func configure(o *goredis.Options, timeout time.Duration) {
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	o.DialerRetries = 1
	o.MaxRetries = -1
	// What a handshake needn't do: scripts need nothing of RESP3.
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	// One pool serves pipelines and single commands.
	o.PipelinePoolSize = -1
	if o.PoolSize == 0 {
		o.PoolSize = maxDirect + maxLanes + sparePool
	}
	o.MaxActiveConns = o.PoolSize
}

// sparePool are the connections for what goes past the batcher.
const sparePool = 4

// Close closes the connections. Operations under way fail.
func (s *Store) Close() error {
	s.health.stop()
	err := s.client.Close()
	s.health.close()
	return err
}

// run runs a script that is as quick as a start.
func (s *Store) run(ctx context.Context, script *goredis.Script, keys []string, args ...any) (any, error) {
	return s.guard(ctx, s.batcher.do, command{script, keys, args})
}

// runAlone runs a script that may take long, so that no other waits for its
// answer.
func (s *Store) runAlone(ctx context.Context, script *goredis.Script, keys []string, args ...any) (any, error) {
	return s.guard(ctx, s.sender.one, command{script, keys, args})
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
