// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// spread is the median, the least and the greatest of some figures.
type spread struct{ median, least, greatest float64 }

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return spread{median: (sorted[(n-1)/2] + sorted[n/2]) / 2, least: sorted[0], greatest: sorted[n-1]}
}

func (s spread) String() string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", s.median, s.least, s.greatest)
}

// ratios are ours to theirs, round by round.
func (c comparison) ratios(figure func(measurement) float64) spread {
	values := make([]float64, len(c.Ours))
	for i := range values {
		values[i] = figure(c.Ours[i]) / figure(c.Theirs[i])
	}
	return spreadOf(values)
}

func medianOf(all []measurement, figure func(measurement) float64) float64 {
	values := make([]float64, len(all))
	for i, m := range all {
		values[i] = figure(m)
	}
	return spreadOf(values).median
}

func rateOf(m measurement) float64 { return m.rate() }

func p50Of(m measurement) float64 { return float64(m.percentile(50)) }

func p99Of(m measurement) float64 { return float64(m.percentile(99)) }

func cpuOf(m measurement) float64 { return float64(m.cpuPerRequest()) }

const tableHead = `| job | against | goal | req/s: ratio (min–max) | p99: ratio | CPU/request: ratio | ours: req/s, p50, p99, CPU | theirs: req/s, p50, p99, CPU |
|---|---|---|---|---|---|---|---|
`

// row is a line of the table.
func (c comparison) row() string {
	goal := "—"
	if c.goal > 0 {
		goal = fmt.Sprintf("≥ %.2f", c.goal)
	}
	if c.latencyGoal > 0 {
		goal += fmt.Sprintf(", p99 ≤ %.1f×", c.latencyGoal)
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", c.name, c.against, goal,
		c.ratios(rateOf), c.ratios(p99Of), c.ratios(cpuOf), figures(c.Ours), figures(c.Theirs))
}

func figures(all []measurement) string {
	return fmt.Sprintf("%.0f, %s, %s, %.0f µs", medianOf(all, rateOf),
		milliseconds(medianOf(all, p50Of)), milliseconds(medianOf(all, p99Of)), medianOf(all, cpuOf)/float64(time.Microsecond))
}

func milliseconds(d float64) string { return fmt.Sprintf("%.2f ms", d/float64(time.Millisecond)) }

// setting says what the figures were measured with.
func setting(s *stage) string {
	versions := []string{runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if slices.Contains([]string{"github.com/caddyserver/caddy/v2", "github.com/redis/go-redis/v9", "go.etcd.io/bbolt"}, module.Path) {
				versions = append(versions, module.Path[strings.Index(module.Path, "/")+1:]+" "+module.Version)
			}
		}
	}
	versions = append(versions, redisserver.Version(s))
	return fmt.Sprintf("%s/%s, %d CPUs (%s); %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), strings.Join(versions, ", "))
}

// processor is the CPU's name, where the system tells it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	if name, err := exec.Command("uname", "-p").Output(); err == nil {
		return strings.TrimSpace(string(name))
	}
	return "unknown"
}
