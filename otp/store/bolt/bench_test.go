// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// BenchmarkStart is a start with four throttles and a message, on disk.
func BenchmarkStart(b *testing.B) {
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "otp.db"))
			var next atomic.Int64
			var running sync.WaitGroup
			b.ResetTimer()
			for range callers {
				running.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						name := fmt.Sprint(n)
						if _, err := s.Start(b.Context(), startOf(name), messageOf(name), chargesOf(name, 5)...); err != nil {
							b.Error(err)
						}
					}
				})
			}
			running.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "starts/s")
		})
	}
}

// BenchmarkStartWhileSweeping reports how long starts took while 100 000
// expired entries were removed, and how long without: the median and the 99th
// percentile.
func BenchmarkStartWhileSweeping(b *testing.B) {
	for b.Loop() {
		clock := newClock()
		s := open(b, filepath.Join(b.TempDir(), "otp.db"), WithClock(clock.now))
		for day := range 10 {
			fill(b, s, day, 10_000)
		}
		report := func(when string, during func() bool) {
			var took []time.Duration
			for during() {
				begun := time.Now()
				mustStart(b, s, fmt.Sprint(when, len(took)), otp.Accepted)
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1000, when+"-median-ms")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1000, when+"-p99-ms")
		}
		n := 0
		report("quiet", func() bool { n++; return n < 2000 })

		clock.advance(2 * time.Hour)
		var swept atomic.Bool
		var sweeping sync.WaitGroup
		sweeping.Go(func() {
			defer swept.Store(true)
			for {
				if n, err := s.sweep(b.Context()); err != nil || n < sweepLimit {
					return
				}
			}
		})
		report("sweeping", func() bool { return !swept.Load() })
		sweeping.Wait()
	}
}
