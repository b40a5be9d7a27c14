// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
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

	url string
}

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
	return checkRedisURL(url)
}

// checkRedisURL doesn't connect.
func checkRedisURL(url string) error {
	probe, err := redis.Open(url)
	if err != nil {
		return err
	}
	return probe.Close()
}

// Identity is the URL.
func (s *RedisStore) Identity() string { return "redis " + s.url }

// Timeout is how long an operation may take.
func (*RedisStore) Timeout() time.Duration { return otp.DefaultTimeout }

// Secret says that one must be configured: the servers that share the store
// must share it as well.
func (*RedisStore) Secret() ([]byte, error) {
	return nil, errors.New("store redis needs a secret that all servers share; " +
		"make one with `openssl rand -base64 32` and write `secret {env.OTP_SECRET}` or `secret {file./path}` into the global otp block")
}

// Keep has nothing to write: no secret is ever made for a shared store.
func (*RedisStore) Keep([]byte) error { return nil }

// Open makes the client. It connects with the first use.
func (s *RedisStore) Open(*slog.Logger) (OpenStore, error) { return redis.Open(s.url) }

// UnmarshalCaddyfile reads
//
//	redis <url>
func (s *RedisStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	var err error
	if s.URL, err = argument(d, "store redis", "<url>"); err != nil {
		return err
	}
	if err := unlessPlaceholder(s.URL, checkRedisURL); err != nil {
		return d.WrapErr(err)
	}
	return noBlock(d, "store redis")
}

// Interface guards
var (
	_ Store                 = (*RedisStore)(nil)
	_ caddy.Provisioner     = (*RedisStore)(nil)
	_ caddyfile.Unmarshaler = (*RedisStore)(nil)
)
