// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-otp/caddy-otp/otp"
)

var (
	breakerOpen = prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, metricsSubsystem, "breaker_open"),
		"Whether the realm's breaker is open, so that browsers and clients that are not known are refused.", []string{"realm"}, nil)
	revocationsAge = prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, metricsSubsystem, "revocations_age_seconds"),
		"Time since the store was last asked for revoked sessions and answered. From 60 on nobody is taken for signed in.", nil, nil)
)

// standing tells how things stand in a configuration, whenever it is asked.
type standing struct {
	watch *otp.Watch

	mu       sync.Mutex
	breakers map[string]*otp.Breaker // by realm
}

func newStanding(watch *otp.Watch) *standing {
	return &standing{watch: watch, breakers: make(map[string]*otp.Breaker)}
}

// add has a realm's breaker told of.
func (s *standing) add(realm string, b *otp.Breaker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breakers[realm] = b
}

// Describe implements [prometheus.Collector].
func (s *standing) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- breakerOpen
	descriptions <- revocationsAge
}

// Collect implements [prometheus.Collector].
func (s *standing) Collect(metrics chan<- prometheus.Metric) {
	metrics <- prometheus.MustNewConstMetric(revocationsAge, prometheus.GaugeValue, s.watch.Age().Seconds())
	s.mu.Lock()
	defer s.mu.Unlock()
	for realm, b := range s.breakers {
		open := 0.0
		if b.Open() {
			open = 1
		}
		metrics <- prometheus.MustNewConstMetric(breakerOpen, prometheus.GaugeValue, open, realm)
	}
}
