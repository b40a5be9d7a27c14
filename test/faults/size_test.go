// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// mostBytes is what an outstanding challenge may cost a Redis, with its
// throttles; and its message, until it is delivered.
const (
	mostBytes        = 1024
	mostMessageBytes = 1536
)

// TestSize fills a Redis with challenges, each of another address asked for
// from another network, and says what one costs, once its message is
// delivered, and before.
func TestSize(t *testing.T) {
	site.SkipShort(t)
	count := either(1000, 100_000)
	fill := func(mute bool) (kinds string, each int, script float64) {
		server := redisserver.Start(t)
		operator := admin(t, server.Addr)
		h := newHouse(t, server.URL(), nil)
		h.store.mute = mute
		h.ask(t, email(t, "warm@example.com"), netip.MustParseAddr("192.0.2.1"))
		before := usedMemory(t, operator)
		for i := range count {
			from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			h.ask(t, email(t, fmt.Sprintf("somebody.number%d@example.com", i)), from)
		}
		each = (usedMemory(t, operator) - before) / count
		return usageByKind(t, operator), each, scriptTime(t, operator)
	}
	kinds, each, _ := fill(true)
	if each > mostBytes {
		t.Errorf("a challenge costs %d bytes, more than %d", each, mostBytes)
	}
	_, withMessage, script := fill(false)
	if withMessage-each > mostMessageBytes {
		t.Errorf("a message costs %d bytes, more than %d", withMessage-each, mostMessageBytes)
	}
	if limit := float64(either(500, 50)); script > limit {
		t.Errorf("a start takes Redis %.0f µs", script)
	}
	row(t, "%d outstanding challenges: %d bytes each (MEMORY USAGE: %s), %d with a message that isn't delivered yet; F-18 %.0f µs of Redis for a start", count, each, kinds, withMessage, script)
}

func email(t *testing.T, text string) otp.Address {
	t.Helper()
	a, err := otp.ParseEmail(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// usedMemory is how many bytes a Redis has allocated.
func usedMemory(t *testing.T, operator *redis.Client) int {
	t.Helper()
	return int(figure(t, operator, "memory", `^used_memory:(\d+)`))
}

// scriptTime is how long a script takes a Redis, in µs: half of them take
// longer. Before version 7 it is the average, which counts what else the
// machine does.
func scriptTime(t *testing.T, operator *redis.Client) float64 {
	t.Helper()
	return figure(t, operator, "everything", `^latency_percentiles_usec_evalsha:p50=([0-9.]+)`, `^cmdstat_evalsha:.*usec_per_call=([0-9.]+)`)
}

// figure reads a number of INFO: the first that one of the patterns finds.
func figure(t *testing.T, operator *redis.Client, section string, patterns ...string) float64 {
	t.Helper()
	info, err := operator.Info(t.Context(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range patterns {
		found := regexp.MustCompile("(?m)" + pattern).FindStringSubmatch(info)
		if found == nil {
			continue
		}
		value, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	t.Fatalf("INFO has none of %v", patterns)
	return 0
}

// usageByKind says what one key of each kind takes.
func usageByKind(t *testing.T, operator *redis.Client) string {
	t.Helper()
	usage, order := make(map[string]int64), []string(nil)
	keys, _, err := operator.Scan(t.Context(), 0, "*", 1000).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		_, rest, _ := strings.Cut(key, "}:")
		kind, _, _ := strings.Cut(rest, ":")
		if _, known := usage[kind]; known {
			continue
		}
		if usage[kind], err = operator.MemoryUsage(t.Context(), key).Result(); err != nil {
			t.Fatal(err)
		}
		order = append(order, fmt.Sprintf("%s %d", kind, usage[kind]))
	}
	return strings.Join(order, ", ")
}
