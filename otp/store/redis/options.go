// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Option changes a default of [Open].
type Option func(*settings)

// settings are all that decides how a store reaches its servers.
type settings struct {
	urls               []string
	prefix             string
	timeout            time.Duration
	master             string
	username, password string
	tls                *tlsSettings
	poolSize           int
	// anyEviction lets the start-up check pass a server that may evict keys.
	anyEviction bool
	logger      *slog.Logger
}

type tlsSettings struct {
	roots       *x509.CertPool
	certificate *tls.Certificate
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

// WithSentinel makes the URLs those of Sentinels, which name the present
// primary of a master's name. A user and password in the URLs are for the
// Sentinels, those of [WithCredentials] for the data servers, and a database in
// the URLs is the data servers'.
func WithSentinel(master string) Option {
	return func(s *settings) { s.master = master }
}

// WithCredentials are the user and the password for the data servers, where
// they don't stand in the URLs. A user that is "" is Redis's "default".
func WithCredentials(username, password string) Option {
	return func(s *settings) { s.username, s.password = username, password }
}

// WithTLS says whom to trust, where roots isn't nil, instead of the system's
// authorities, and what to show of oneself, where certificate isn't nil. The
// URLs must begin with rediss://.
func WithTLS(roots *x509.CertPool, certificate *tls.Certificate) Option {
	return func(s *settings) { s.tls = &tlsSettings{roots, certificate} }
}

// WithPoolSize replaces how many connections to each server there are at most,
// which is 14: 4 for what goes together when much is asked, 4 for what takes
// long, and the rest for what is sent by itself.
func WithPoolSize(n int) Option {
	return func(s *settings) { s.poolSize = n }
}

// WithAnyEvictionPolicy accepts servers that may evict keys before their time,
// which makes throttles forget.
func WithAnyEvictionPolicy() Option {
	return func(s *settings) { s.anyEviction = true }
}

// WithLogger makes the store tell when its servers go down and come back, and
// what is wrong with their settings. Without it nothing is told.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) { s.logger = logger }
}

func newSettings(urls []string, options []Option) (settings, error) {
	s := settings{urls: urls, prefix: DefaultKeyPrefix, timeout: otp.DefaultTimeout}
	for _, option := range options {
		option(&s)
	}
	if s.timeout <= 0 {
		return settings{}, errors.New("redis: the timeout must be above zero")
	}
	if strings.ContainsAny(s.prefix, "{}") || escape(s.prefix) != s.prefix {
		return settings{}, fmt.Errorf("redis: key prefix %q must be printable ASCII without blanks, braces and percent signs", s.prefix)
	}
	if s.username != "" && s.password == "" {
		return settings{}, errors.New("redis: there is a username without a password; write both")
	}
	if s.poolSize < 0 {
		return settings{}, errors.New("redis: pool_size can't be below zero")
	}
	return s, nil
}

// equal reports whether two settings lead to the same connections.
func (s settings) equal(o settings) bool {
	return slices.Equal(s.urls, o.urls) && s.prefix == o.prefix && s.timeout == o.timeout && s.master == o.master &&
		s.username == o.username && s.password == o.password && s.tls.equal(o.tls) &&
		s.poolSize == o.poolSize && s.anyEviction == o.anyEviction
}

func (t *tlsSettings) equal(o *tlsSettings) bool {
	if t == nil || o == nil {
		return t == o
	}
	return t.roots.Equal(o.roots) && sameCertificate(t.certificate, o.certificate)
}

func sameCertificate(a, b *tls.Certificate) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
}
