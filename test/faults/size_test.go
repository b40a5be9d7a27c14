// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bufio"
	"fmt"
	"net/netip"
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
	fill := func(mute bool) (memory, kinds string, each int) {
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
		return strconv.Itoa(each), usageByKind(t, operator), each
	}
	delivered, kinds, each := fill(true)
	if each > mostBytes {
		t.Errorf("a challenge costs %d bytes, more than %d", each, mostBytes)
	}
	outstanding, _, withMessage := fill(false)
	if withMessage-each > mostMessageBytes {
		t.Errorf("a message costs %d bytes, more than %d", withMessage-each, mostMessageBytes)
	}
	row(t, "%d outstanding challenges: %s bytes each (MEMORY USAGE: %s); %s with a message that isn't delivered yet", count, delivered, kinds, outstanding)
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
	info, err := operator.Info(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(strings.NewReader(info))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "used_memory:"); ok {
			bytes, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			return bytes
		}
	}
	t.Fatal("INFO has no used_memory")
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
