// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"time"
)

// guard sends a command unless it is known to fail, in bounded time, and learns
// from what becomes of it.
func (s *Store) guard(ctx context.Context, send func(context.Context, command) (any, error), c command) (any, error) {
	if err := s.health.admit(!s.scripts.onlyRead(c.script)); err != nil {
		return nil, s.health.domainError(err)
	}
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	answer, err := send(bounded, c)
	if !s.leftEarly(ctx, began) {
		s.health.learn(began, err, false)
	}
	return answer, s.health.domainError(err)
}

// leftEarly reports whether the caller of an operation gave up before the
// server had had its time, so that the outcome tells nothing.
func (s *Store) leftEarly(ctx context.Context, began time.Time) bool {
	err := ctx.Err()
	// A caller's deadline is mostly as long as the store's own.
	return errors.Is(err, context.Canceled) || err != nil && time.Since(began) < s.timeout*9/10
}

// watchHealth tells the health how to ask.
func (s *Store) watchHealth(anyEvictionPolicy bool) {
	probe := s.scripts.probe
	s.health.probe = func(ctx context.Context) error {
		keys := []string{s.key("00", "m", ""), s.key("00", "q", "")}
		_, err := s.sender.one(ctx, command{probe, keys, nil})
		return err
	}
	s.health.inspect = func(ctx context.Context) ([]settingsFound, error) {
		return inspect(ctx, s.client)
	}
	s.health.judge = func(all []settingsFound) verdict {
		return judge(s.server, anyEvictionPolicy, all)
	}
}

// Check looks at the server and returns what is wrong with it for good: it may
// evict keys, it is too old, or it is a replica. The error says what to do. A
// server that can't be reached is none of that: the store goes on trying.
func (s *Store) Check(ctx context.Context) error { return s.health.check(ctx) }
