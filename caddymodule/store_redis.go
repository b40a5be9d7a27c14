// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/redis"
)

func init() { caddy.RegisterModule(RedisStore{}) }

// RedisStore keeps everything in a Redis or Valkey that several Caddys may
// share. All of them need the same secret.
type RedisStore struct {
	// The server: `redis://user:password@host:6379/0`, `rediss://` for TLS,
	// `unix:///path`. Best with the password as `{env.NAME}`.
	URL string `json:"url,omitempty"`
	// What all keys of ours begin with: printable ASCII without blanks, braces
	// and percent signs. Deployments that share a database need different
	// ones. Default: `otp:`.
	KeyPrefix string `json:"key_prefix,omitempty"`
	// How long an operation may take, connecting included, before the request
	// is answered with 503: 10ms to 10s. Default: 250ms.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	url string
}

// The bounds of a timeout: above zero, and below what people wait for.
const (
	minRedisTimeout = 10 * time.Millisecond
	maxRedisTimeout = 10 * time.Second
)

// CaddyModule returns the Caddy module information.
func (RedisStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: storeNamespace + ".redis", New: func() caddy.Module { return new(RedisStore) }}
}

// Provision reads the URL. It doesn't connect.
func (s *RedisStore) Provision(caddy.Context) error {
	url, err := replaced(caddy.NewReplacer(), "store redis", s.URL)
	if err != nil {
		return err
	}
	s.url = url
	if s.Timeout != 0 {
		if err := checkRedisTimeout(s.Timeout); err != nil {
			return err
		}
	}
	return checkRedis(url, s.options()...)
}

func (s *RedisStore) options() []redis.Option {
	options := []redis.Option{redis.WithTimeout(s.Patience())}
	if s.KeyPrefix != "" {
		options = append(options, redis.WithKeyPrefix(s.KeyPrefix))
	}
	return options
}

// checkRedis doesn't connect.
func checkRedis(url string, options ...redis.Option) error {
	probe, err := redis.Open(url, options...)
	if err != nil {
		return err
	}
	return probe.Close()
}

func checkRedisURL(url string) error { return checkRedis(url) }

func checkRedisTimeout(t caddy.Duration) error {
	if d := time.Duration(t); d < minRedisTimeout || d > maxRedisTimeout {
		return fmt.Errorf("store redis timeout must be from %s to %s, not %s", minRedisTimeout, maxRedisTimeout, d)
	}
	return nil
}

// Identity is all that is configured.
func (s *RedisStore) Identity() string {
	return fmt.Sprintf("redis %s %s %s", s.url, s.KeyPrefix, s.Patience())
}

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
	return redis.Open(s.url, append(s.options(), redis.WithLogger(logger))...)
}

// UnmarshalCaddyfile reads
//
//	redis <url> {
//		key_prefix <prefix>
//		timeout <duration>
//	}
func (s *RedisStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	var err error
	if s.URL, err = argument(d, "store redis", "<url>"); err != nil {
		return err
	}
	if err := unlessPlaceholder(s.URL, checkRedisURL); err != nil {
		return d.WrapErr(err)
	}
	block := newBlock(d)
	for block.next() {
		var err error
		switch d.Val() {
		case "key_prefix":
			if s.KeyPrefix, err = one(d, "<prefix>"); err == nil {
				err = at(d, checkRedis(anyRedis, redis.WithKeyPrefix(s.KeyPrefix)))
			}
		case "timeout":
			s.Timeout, err = parseRedisTimeout(d)
		default:
			err = unknown(d, "key_prefix", "timeout")
		}
		if err != nil {
			return err
		}
	}
	return block.err
}

// anyRedis is an address to judge other options with.
const anyRedis = "redis://localhost"

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
	_ caddy.Provisioner     = (*RedisStore)(nil)
	_ caddyfile.Unmarshaler = (*RedisStore)(nil)
)
