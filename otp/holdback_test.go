// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// countingDirectory knows nobody and counts how often it is asked.
type countingDirectory struct{ asked atomic.Int32 }

func (d *countingDirectory) Find(context.Context, Address) (Person, error) {
	d.asked.Add(1)
	return Person{}, ErrNobody
}

// TestThrottledClientsCostADirectoryNothing: whoever is throttled can't go on
// having it asked for made up addresses.
func TestThrottledClientsCostADirectoryNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(countingDirectory)
		h := newHouse(t, func(c *Config) { c.Directory = d })
		throttled := Outcome{Result: Throttled, Scope: ScopeClientIP, RetryAfter: 90 * time.Second}
		h.store.result, h.store.scope = Throttled, ScopeClientIP
		h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return throttled, nil }
		nth := 0
		start := func(ip string) error {
			nth++
			r := startRequest(t, fmt.Sprintf("made-up-%d@example.com", nth))
			r.ClientIP = netip.MustParseAddr(ip)
			_, err := h.Start(t.Context(), r)
			return err
		}
		verify := func(ip string) error {
			nth++
			r := verifyRequestFor(startRequest(t, fmt.Sprintf("made-up-%d@example.com", nth)), "000123")
			r.ClientIP = netip.MustParseAddr(ip)
			_, err := h.Verify(t.Context(), r)
			return err
		}
		want := func(what string, err error, wait int, asked int32) {
			t.Helper()
			if !errors.Is(err, ErrThrottled) || RetryAfter(err) != wait {
				t.Errorf("%s: %v, again in %d s", what, err, RetryAfter(err))
			}
			if got := d.asked.Swap(0); got != asked {
				t.Errorf("%s: the directory is asked %d times", what, got)
			}
		}
		for what, do := range map[string]func(string) error{"start": start, "verify": verify} {
			want(what, do("203.0.113.1"), 90, 1)
			want(what+" again", do("203.0.113.1"), 90, 0)
			want(what+" from a mapped address", do("::ffff:203.0.113.1"), 90, 0)
			want(what+" of somebody else", do("203.0.113.2"), 90, 1)
			want(what+" by IPv6", do("2001:db8::1"), 90, 1)
			want(what+" by the same subscriber", do("2001:db8::2:0:0:1"), 90, 0)
		}
		time.Sleep(89 * time.Second)
		want("still", start("203.0.113.1"), 1, 0)
		time.Sleep(time.Second)
		want("after its time", start("203.0.113.1"), 90, 1)

		h.store.verify = nil
		if err := verify("203.0.113.1"); err != nil { // gives starts back
			t.Fatal(err)
		}
		d.asked.Store(0)
		want("after a success", start("203.0.113.1"), 90, 1)

		h.store.scope = ScopeAddress
		want("for an address", start("203.0.113.3"), 90, 1)
		want("for another address", start("203.0.113.3"), 90, 1)
	})
}

func TestHoldbackIsBounded(t *testing.T) {
	h := newHoldback()
	for i := range maxHeldBack + 10 {
		h.put(startAction, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), time.Hour)
	}
	if len(h.until) > maxHeldBack || len(h.until) == 0 {
		t.Errorf("%d clients", len(h.until))
	}
}
