// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/faults/proxy"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestNetwork hurts the network between Caddy and Redis (F-04).
func TestNetwork(t *testing.T) {
	site.SkipShort(t)
	server := redisserver.Start(t)
	between := proxy.Start(t, server.Addr)
	r := newRig(t, 1, standalone("redis://"+between.Addr).lines(), spacious)
	var faults []fault
	for _, c := range []struct {
		name string
		proxy.Fault
	}{
		{"packets dropped", proxy.Fault{Hold: true}},
		{"latency 200±200 ms", proxy.Fault{Latency: 100 * time.Millisecond, Jitter: 100 * time.Millisecond}},
		{"1 % of packets reset", proxy.Fault{Reset: 0.01}},
		{"bandwidth 10 KB/s", proxy.Fault{Bandwidth: 10_000}},
		{"connections reset", proxy.Fault{Refuse: true}},
	} {
		faults = append(faults, fault{name: "F-04 " + c.name, figures: promised(), hurt: func() {
			between.Set(c.Fault)
			if c.Refuse {
				between.Cut()
			}
			time.Sleep(lasting())
			between.Set(proxy.Fault{})
		}})
	}
	r.under(t, usual(), faults...)
}
