// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// meters are those of the process. They go on counting across reloads, each of
// which has a registry of its own. The values of labels are names of the
// configuration and of closed sets: no request can make a new series.
var meters = newMeters()

type meterSet struct {
	starts, verifications *prometheus.CounterVec
	tries                 *prometheus.CounterVec
	waits, tryTimes       *prometheus.HistogramVec
	requests              *prometheus.CounterVec
	storeTimes            *prometheus.HistogramVec
	storeErrors           *prometheus.CounterVec
	eventsDropped         prometheus.Counter
}

// metricsNamespace and metricsSubsystem begin the names of our metrics.
const metricsNamespace, metricsSubsystem = "caddy", "otp"

func newMeters() meterSet {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help}
	}
	times := func(name, help string, buckets ...float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help, Buckets: buckets}
	}
	return meterSet{
		starts: prometheus.NewCounterVec(counter("starts_total",
			"Codes and links that were asked for, by what came of it."),
			[]string{"realm", "dialect", "channel", "purpose", "outcome"}),
		verifications: prometheus.NewCounterVec(counter("verifications_total",
			"Codes and links that were presented, by what came of it."),
			[]string{"realm", "dialect", "purpose", "method", "outcome"}),
		tries: prometheus.NewCounterVec(counter("message_tries_total",
			"Tries to deliver a message, by what came of it."),
			[]string{"realm", "channel", "outcome"}),
		waits: prometheus.NewHistogramVec(times("message_wait_seconds",
			"Time from when a message was queued until a relay or provider had taken it.",
			.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
			[]string{"realm", "channel"}),
		tryTimes: prometheus.NewHistogramVec(times("message_try_seconds",
			"Time that a try to deliver a message took, whatever came of it.",
			.005, .025, .1, .25, .5, 1, 2.5, 5, 12),
			[]string{"realm", "channel"}),
		requests: prometheus.NewCounterVec(counter("requests_total",
			"Requests for the apps behind the sites, by what was decided on them."),
			[]string{"realm", "decision"}),
		storeTimes: prometheus.NewHistogramVec(times("store_operation_seconds",
			"Time that operations of the store took which did not fail.",
			.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1),
			[]string{"store", "operation"}),
		storeErrors: prometheus.NewCounterVec(counter("store_errors_total",
			"Operations of the store that failed."),
			[]string{"store", "operation"}),
		eventsDropped: prometheus.NewCounter(counter("events_dropped_total",
			"Events that no handler got, since handlers were too slow.")),
	}
}

// register adds the meters, and how things stand in a configuration, to its
// registry.
func (m meterSet) register(registry prometheus.Registerer, s *standing) error {
	for _, c := range []prometheus.Collector{
		m.starts, m.verifications, m.tries, m.waits, m.tryTimes, m.requests, m.storeTimes, m.storeErrors, m.eventsDropped, s,
	} {
		err := registry.Register(c)
		if _, twice := errors.AsType[prometheus.AlreadyRegisteredError](err); err != nil && !twice {
			return err
		}
	}
	return nil
}
