// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func TestOpen(t *testing.T) {
	for _, test := range []struct {
		url                               string
		network, addr, username, password string
		db                                int
		tls                               bool
	}{
		{url: "redis://localhost", network: "tcp", addr: "localhost:6379"},
		{url: "redis://u:p%40ss@h:1/2", network: "tcp", addr: "h:1", username: "u", password: "p@ss", db: 2},
		{url: "redis://:p@[::1]:6380/", network: "tcp", addr: "[::1]:6380", password: "p"},
		{url: "rediss://h", network: "tcp", addr: "h:6379", tls: true},
		{url: "unix://u:p@/run/redis.sock?db=3", network: "unix", addr: "/run/redis.sock", username: "u", password: "p", db: 3},
	} {
		s, err := Open(test.url)
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		o := s.client().(*goredis.Client).Options()
		if o.Network != test.network || o.Addr != test.addr || o.Username != test.username || o.Password != test.password ||
			o.DB != test.db || (o.TLSConfig != nil) != test.tls {
			t.Errorf("%s: options are %+v", test.url, o)
		}
		if s.current.Load().server != test.addr {
			t.Errorf("%s: errors name %s", test.url, s.current.Load().server)
		}
		if o.ReadTimeout != 250*time.Millisecond || !o.ContextTimeoutEnabled || o.MaxRetries > 0 {
			t.Errorf("%s: may wait %v and retry %d times", test.url, o.ReadTimeout, o.MaxRetries)
		}
		s.Close()
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, test := range []struct {
		url     string
		options []Option
		says    string
	}{
		{url: "", says: "redis://"},
		{url: "localhost:6379", says: "redis://"},
		{url: "http://u:s3cret@h", says: "rediss://"},
		{url: "s3cret:pass@localhost:6379", says: "redis://"},
		{url: "redis://u:s3cret@h:port", says: "percent-encode"},
		{url: "redis://u:s3/cret@h:6379", says: "percent-encode"},
		{url: "redis://u:s3#cret@h:6379", says: "percent-encode"},
		{url: "redis://u:s3%cret@h:6379", says: "percent-encode"},
		{url: "redis://u:s3cret@h/database", says: "number"},
		{url: "redis://u:s3cret@h/-1", says: "below zero"},
		{url: "redis://h/1/2", says: "number"},
		{url: "redis://h?db=x", says: "number"},
		{url: "redis://h?pool_size=-1", says: "below zero"},
		{url: "redis://h?read_timeout=1h", says: "option"},
		{url: "redis://h?s3cret", says: "option"},
		{url: "redis://h", options: []Option{WithKeyPrefix("a{b}:")}, says: "prefix"},
		{url: "redis://h", options: []Option{WithKeyPrefix("a b")}, says: "prefix"},
		{url: "redis://h", options: []Option{WithKeyPrefix("ü")}, says: "prefix"},
		{url: "redis://h", options: []Option{WithTimeout(0)}, says: "timeout"},
	} {
		s, err := Open(test.url, test.options...)
		if err == nil {
			s.Close()
			t.Errorf("%s: no error", test.url)
			continue
		}
		if !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %q doesn't say %q", test.url, err, test.says)
		}
		for _, secret := range []string{"s3", "cret"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %q holds a part of the password", test.url, err)
			}
		}
	}
}

// Whatever a URL is, opening it ends and tells no password.
func FuzzParseURL(f *testing.F) {
	for _, url := range []string{"redis://u:p@h:1/2", "unix:///s?db=1", "rediss://h", "redis://u:%zz@h", "://"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		o, err := parseURL(url)
		if (o == nil) == (err == nil) {
			t.Errorf("options %v, error %v", o, err)
		}
	})
}
