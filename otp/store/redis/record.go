// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Get implements [otp.Store].
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	answer, err := s.run(ctx, s.scripts.get, []string{s.recordKey(key)})
	if err != nil || answer == nil {
		return nil, err
	}
	value, ok := answer.(string)
	if !ok {
		return nil, errNonsense
	}
	return []byte(value), nil
}

// Swap implements [otp.Store].
func (s *Store) Swap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	if len(next) == 0 {
		return false, errors.New("redis: a record must not be empty")
	}
	answer, err := s.run(ctx, s.scripts.swap, []string{s.recordKey(key)}, flag(len(old) > 0), old, next, micros(ttl))
	if err != nil {
		return false, err
	}
	swapped, ok := answer.(int64)
	if !ok {
		return false, errNonsense
	}
	return swapped == 1, nil
}

func (s *Store) recordKey(key string) string { return s.key(otp.ShardOf(key), "r", key) }
