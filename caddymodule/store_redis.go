// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/redis"
)

func init() { caddy.RegisterModule(RedisStore{}) }

// RedisStore keeps everything in a Redis or Valkey that several Caddys may
// share: one server, a primary that Sentinels name, or a Cluster. All of them
// need the same secret. A reload goes on with the same store; credentials and
// files that have changed count from then on.
type RedisStore struct {
	// The server: `redis://user:password@host:6379/0`, `rediss://` for TLS,
	// `unix:///path?db=0`; a Cluster by one or more of its nodes, or its
	// configuration endpoint; or with `sentinel` the Sentinels. Several differ
	// in host and port alone. A placeholder by itself, such as
	// `{env.REDIS_URLS}`, may hold several with blanks between.
	URLs []string `json:"urls,omitempty"`
	// What the Sentinels at the URLs call the primary. A user and password in
	// the URLs are then the Sentinels' own, and the database is the primary's.
	Sentinel string `json:"sentinel,omitempty"`
	// The ACL user, where there is one. It stands here or in the URL.
	Username string `json:"username,omitempty"`
	// The password, as it is, best as `{env.NAME}` or `{file.path}`; in a URL it
	// must be percent-encoded instead.
	Password string `json:"password,omitempty"`
	// Whom to trust, and what to show, where URLs begin with `rediss://`.
	TLS *RedisTLS `json:"tls,omitempty"`
	// What all keys of ours begin with: printable ASCII without blanks, braces
	// and percent signs. Deployments that share a database need different
	// ones. Default: `otp:`.
	KeyPrefix string `json:"key_prefix,omitempty"`
	// How long an operation may take, connecting included, before the request
	// is answered with 503: 10ms to 10s. Default: 250ms.
	Timeout caddy.Duration `json:"timeout,omitempty"`
	// How many connections to each server there are at most, from 2 to 1000.
	// Default: 14; more are of use only where the network is slow.
	PoolSize int `json:"pool_size,omitempty"`
	// Accept a server whose `maxmemory-policy` may remove keys before their
	// time. Throttles forget then, and people may be signed out.
	AnyEvictionPolicy bool `json:"any_eviction_policy,omitempty"`

	urls    []string
	options []redis.Option
	// resource names what the store is on, without credentials.
	resource string
}

// The bounds of a timeout: above zero, and below what people wait for.
const (
	minRedisTimeout = 10 * time.Millisecond
	maxRedisTimeout = 10 * time.Second
)

// The bounds of a pool: what goes together needs a connection beside the rest.
const (
	minRedisPool = 2
	maxRedisPool = 1000
)

// CaddyModule returns the Caddy module information.
func (RedisStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: storeNamespace + ".redis", New: func() caddy.Module { return new(RedisStore) }}
}

// Provision reads the URLs, credentials and files. It doesn't connect.
func (s *RedisStore) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	sentinel, username, password := s.Sentinel, s.Username, s.Password
	err := replaceAll(repl, map[string]*string{
		"store redis sentinel": &sentinel, "store redis username": &username, "store redis password": &password,
	})
	if err != nil {
		return err
	}
	if err := s.findServers(repl, sentinel); err != nil {
		return err
	}
	if s.Timeout != 0 {
		if err := checkRedisTimeout(s.Timeout); err != nil {
			return err
		}
	}
	s.options = []redis.Option{redis.WithTimeout(s.Patience())}
	if s.KeyPrefix != "" {
		s.options = append(s.options, redis.WithKeyPrefix(s.KeyPrefix))
	}
	if sentinel != "" {
		s.options = append(s.options, redis.WithSentinel(sentinel))
	}
	if username != "" || password != "" {
		s.options = append(s.options, redis.WithCredentials(username, password))
	}
	if s.PoolSize != 0 {
		if err := checkRedisPool(s.PoolSize); err != nil {
			return err
		}
		s.options = append(s.options, redis.WithPoolSize(s.PoolSize))
	}
	if s.AnyEvictionPolicy {
		s.options = append(s.options, redis.WithAnyEvictionPolicy())
	}
	if s.TLS != nil {
		option, err := s.TLS.option(repl)
		if err != nil {
			return err
		}
		s.options = append(s.options, option)
	}
	return checkRedis(s.urls, s.options...)
}

// findServers fills the placeholders of the URLs and names the resource.
func (s *RedisStore) findServers(repl *caddy.Replacer, sentinel string) error {
	s.urls = nil
	for _, text := range s.URLs {
		url, err := replaced(repl, "store redis", text)
		if err != nil {
			return err
		}
		if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
			s.urls = append(s.urls, strings.Fields(url)...)
		} else {
			s.urls = append(s.urls, url)
		}
	}
	var addresses []string
	database := 0
	for _, url := range s.urls {
		address, db, err := redis.Address(url)
		if err != nil {
			return err
		}
		addresses, database = append(addresses, address), db
	}
	slices.Sort(addresses)
	s.resource = fmt.Sprintf("redis %q %q %d %q", addresses, sentinel, database, cmp.Or(s.KeyPrefix, redis.DefaultKeyPrefix))
	return nil
}

// checkRedis doesn't connect.
func checkRedis(urls []string, options ...redis.Option) error {
	probe, err := redis.OpenServers(urls, options...)
	if err != nil {
		return err
	}
	return probe.Close()
}

func checkRedisURL(url string) error { return checkRedis([]string{url}) }

func checkRedisTimeout(t caddy.Duration) error {
	if d := time.Duration(t); d < minRedisTimeout || d > maxRedisTimeout {
		return fmt.Errorf("store redis timeout must be from %s to %s, not %s", minRedisTimeout, maxRedisTimeout, d)
	}
	return nil
}

func checkRedisPool(n int) error {
	return checkNumber("store redis pool_size", n, minRedisPool, maxRedisPool)
}

// Identity names the servers, the database and the prefix, and no credentials:
// a configuration with others goes on with the same store.
func (s *RedisStore) Identity() string { return s.resource }

// Patience is how long an operation may take.
func (s *RedisStore) Patience() time.Duration {
	return cmp.Or(time.Duration(s.Timeout), otp.DefaultTimeout)
}

// Secret says that one must be configured: the servers that share the store
// must share it as well.
func (*RedisStore) Secret() ([]byte, error) {
	return nil, errors.New("store redis needs a secret that all servers share; " +
		"make one with `openssl rand -base64 32` and write `secret {env.OTP_SECRET}` or `secret {file./path}` into the global otp block")
}

// Keep has nothing to write: no secret is ever made for a shared store.
func (*RedisStore) Keep([]byte) error { return nil }

// Open makes the client. It connects with the first use.
func (s *RedisStore) Open(logger *slog.Logger) (OpenStore, error) {
	return redis.OpenServers(s.urls, slices.Concat(s.options, []redis.Option{redis.WithLogger(logger)})...)
}

// Reconfigure gives an open store this configuration's credentials, files,
// timeout and pool.
func (s *RedisStore) Reconfigure(open OpenStore) error {
	store, ok := open.(*redis.Store)
	if !ok {
		return fmt.Errorf("%T is no redis store", open)
	}
	return store.Reconfigure(s.urls, s.options...)
}

// UnmarshalCaddyfile reads
//
//	redis <url>... {
//		sentinel <master>
//		username <name>
//		password <password>
//		tls {
//			ca <file>
//			client_auth <cert> <key>
//		}
//		key_prefix <prefix>
//		timeout <duration>
//		pool_size <n>
//		any_eviction_policy
//	}
func (s *RedisStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	s.URLs = d.RemainingArgs()
	if len(s.URLs) == 0 || slices.Contains(s.URLs, "") {
		return missing(d, "store redis", "<url>...")
	}
	for _, url := range s.URLs {
		if err := unlessPlaceholder(url, checkRedisURL); err != nil {
			return d.WrapErr(err)
		}
	}
	block := newBlock(d)
	for block.next() {
		var err error
		switch d.Val() {
		case "sentinel":
			s.Sentinel, err = one(d, "<name of the master>")
		case "username":
			s.Username, err = one(d, "<name>")
		case "password":
			s.Password, err = one(d, "<password>")
		case "tls":
			s.TLS, err = parseRedisTLS(d)
		case "key_prefix":
			if s.KeyPrefix, err = one(d, "<prefix>"); err == nil {
				err = at(d, checkRedis(anyRedis, redis.WithKeyPrefix(s.KeyPrefix)))
			}
		case "timeout":
			s.Timeout, err = parseRedisTimeout(d)
		case "pool_size":
			s.PoolSize, err = number(d, "store redis", minRedisPool, maxRedisPool)
		case "any_eviction_policy":
			s.AnyEvictionPolicy, err = true, none(d)
		default:
			err = unknown(d, "sentinel", "username", "password", "tls", "key_prefix", "timeout", "pool_size", "any_eviction_policy")
		}
		if err != nil {
			return err
		}
	}
	return block.err
}

// anyRedis is an address to judge other options with.
var anyRedis = []string{"redis://localhost"}

func parseRedisTimeout(d *caddyfile.Dispenser) (caddy.Duration, error) {
	text, err := one(d, "<duration>")
	if err != nil {
		return 0, err
	}
	t, err := parseDuration(d, "store redis timeout", text)
	if err != nil {
		return 0, err
	}
	return t, at(d, checkRedisTimeout(t))
}

// Interface guards
var (
	_ Store                 = (*RedisStore)(nil)
	_ reconfigurer          = (*RedisStore)(nil)
	_ caddy.Provisioner     = (*RedisStore)(nil)
	_ caddyfile.Unmarshaler = (*RedisStore)(nil)
)
