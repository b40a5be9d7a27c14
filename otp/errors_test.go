// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"fmt"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	for _, tc := range []struct {
		err     error
		seconds int
	}{
		{nil, 0},
		{ErrWrong, 0},
		{&RetryError{Err: ErrThrottled, After: 20 * time.Second}, 20},
		{&RetryError{Err: ErrThrottled, After: 20*time.Second + 1}, 21},
		{&RetryError{Err: ErrThrottled, After: time.Microsecond}, 1},
		{&RetryError{Err: ErrThrottled}, 1},
		{&RetryError{Err: ErrThrottled, After: -time.Hour}, 1},
		{fmt.Errorf("context: %w", &RetryError{Err: ErrCoolDown, After: time.Hour}), 3600},
	} {
		if got := RetryAfter(tc.err); got != tc.seconds {
			t.Errorf("%v: %d, want %d", tc.err, got, tc.seconds)
		}
	}
}
