// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"testing"
	"time"
)

func TestScarcest(t *testing.T) {
	const minute, hour = time.Minute, time.Hour
	perIP := func(events int, window time.Duration) Charge {
		return Charge{Scope: ScopeClientIP, Throttle: Throttle{Events: events, Window: window}}
	}
	address := Charge{Scope: ScopeAddress, Throttle: Throttle{Events: 1, Window: hour}}
	for name, test := range map[string]struct {
		charges []Charge
		levels  []time.Duration
		want    Quota
	}{
		"nothing":                {},
		"an address":             {[]Charge{address}, []time.Duration{hour}, Quota{}},
		"a store without levels": {[]Charge{perIP(50, hour)}, nil, Quota{}},
		"the first event":        {[]Charge{perIP(60, hour)}, []time.Duration{minute}, Quota{60, 59, minute}},
		"part of an event":       {[]Charge{perIP(60, hour)}, []time.Duration{minute + 1}, Quota{60, 58, minute + 1}},
		"the last event":         {[]Charge{perIP(60, hour)}, []time.Duration{hour}, Quota{60, 0, hour}},
		"a lowered limit":        {[]Charge{perIP(60, hour)}, []time.Duration{2 * hour}, Quota{60, 0, 2 * hour}},
		"two of them":            {[]Charge{perIP(60, hour), address, perIP(5, minute)}, []time.Duration{minute, hour, 24 * time.Second}, Quota{5, 3, 24 * time.Second}},
	} {
		if got := scarcest(test.charges, test.levels); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestStartLimit(t *testing.T) {
	h := newHouse(t, func(c *Config) {
		c.Throttles.ClientIP = []Throttle{{Events: 50, Window: time.Hour}, {Events: 5, Window: time.Minute}}
	})
	if got := h.StartLimit(); got != 5 {
		t.Errorf("limit %d", got)
	}
	if got := newHouse(t, func(c *Config) { c.Throttles.ClientIP = nil }).StartLimit(); got != 0 {
		t.Errorf("without one: %d", got)
	}
}
