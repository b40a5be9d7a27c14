// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"reflect"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestAuth0Limits has Auth0's documented limits, and lines in place of them.
func TestAuth0Limits(t *testing.T) {
	const minute = time.Minute
	for name, test := range map[string]struct {
		options  Options
		code     otp.CodePolicy
		clientIP []otp.Throttle
	}{
		"the documented ones": {
			Options{},
			otp.CodePolicy{Length: 6, Lifetime: 3 * minute, SMSLifetime: 3 * minute, Attempts: 3, Keep: 1},
			[]otp.Throttle{{Events: 50, Window: time.Hour}},
		},
		"others": {
			Options{
				Code:      &Code{Length: 8, Lifetime: caddy.Duration(5 * minute), SMSLifetime: caddy.Duration(2 * minute), Attempts: 4, Keep: 3},
				Throttles: []Throttle{{Scope: "client_ip", Events: 9, Window: caddy.Duration(minute)}},
			},
			otp.CodePolicy{Length: 8, Lifetime: 5 * minute, SMSLifetime: 2 * minute, Attempts: 4, Keep: 1},
			[]otp.Throttle{{Events: 9, Window: minute}},
		},
		"some others": {
			Options{Code: &Code{Lifetime: caddy.Duration(minute)}, Throttles: []Throttle{{Scope: "address", Events: 9, Window: caddy.Duration(minute)}}},
			otp.CodePolicy{Length: 6, Lifetime: minute, SMSLifetime: 3 * minute, Attempts: 3, Keep: 1},
			[]otp.Throttle{{Events: 50, Window: time.Hour}},
		},
	} {
		h := &Handler{Options: test.options}
		if got := h.auth0Code(); got != test.code {
			t.Errorf("%s: %+v, want %+v", name, got, test.code)
		}
		if got := throttles(h.Throttles).ClientIP; !reflect.DeepEqual(got, test.clientIP) {
			t.Errorf("%s: client_ip %v, want %v", name, got, test.clientIP)
		}
	}
}
