// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"slices"
	"time"
)

// span is a time that is looked at.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// times returns how long requests took that began in a span, the shortest
// first.
func (l *load) times(s span, kinds ...kind) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []time.Duration
	for _, sample := range l.samples {
		if slices.Contains(kinds, sample.kind) && s.has(sample.begin) {
			all = append(all, sample.took)
		}
	}
	slices.Sort(all)
	return all
}

// outages returns how many starts and verifications that began in a span were
// answered with 503, of how many.
func (l *load) outages(s span) (refused, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, sample := range l.samples {
		if sample.kind == appKind || !s.has(sample.begin) {
			continue
		}
		all++
		if sample.outage {
			refused++
		}
	}
	return refused, all
}

// calm is how long nothing may fail for an outage to be over.
const calm = time.Second

// recovery returns how long after a moment the last start or verification
// ended with 503 before there was calm, and how many did after it, until
// another moment.
func (l *load) recovery(from, to time.Time) (back time.Duration, stray int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ends []time.Duration
	for _, sample := range l.samples {
		if sample.outage && sample.end().After(from) && sample.begin.Before(to) {
			ends = append(ends, sample.end().Sub(from))
		}
	}
	slices.Sort(ends)
	for _, end := range ends {
		if end-back > calm {
			stray++
		} else {
			back = end
		}
	}
	return back, stray
}

// percentile returns the pth hundredth of sorted times.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

func longest(sorted []time.Duration) time.Duration { return percentile(sorted, 100) }

// ms prints a time in milliseconds.
func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
