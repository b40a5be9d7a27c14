// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// Get implements [otp.Store].
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	return read(ctx, s, func(x *step) ([]byte, error) {
		value, err := x.get(records, []byte(key))
		return bytes.Clone(value), err
	})
}

// Swap implements [otp.Store].
func (s *Store) Swap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error) {
	if len(next) == 0 {
		return false, errors.New("a record must not be empty")
	}
	return write(ctx, s, func(x *step) (bool, error) {
		value, err := x.get(records, []byte(key))
		if err != nil || !bytes.Equal(value, old) {
			return false, err
		}
		expires := int64(never)
		if ttl > 0 {
			expires = x.after(ttl)
		}
		return true, x.put(records, []byte(key), expires, next)
	})
}
