// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"testing"
	"time"
)

func TestCoolDown(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		-1: 0, 0: 0, 1: 0, 9: 0,
		10: 30 * time.Second, 11: time.Minute, 12: 2 * time.Minute, 13: 4 * time.Minute, 14: 8 * time.Minute,
		15: 16 * time.Minute, 16: 32 * time.Minute, 17: time.Hour, 18: time.Hour, 99: time.Hour,
		100: 30 * 24 * time.Hour, 101: 30 * 24 * time.Hour, 1 << 30: 30 * 24 * time.Hour,
	} {
		if got := CoolDown(failures); got != want {
			t.Errorf("after %d failures %v, want %v", failures, got, want)
		}
	}
}
