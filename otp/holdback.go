// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"net/netip"
	"sync"
	"time"
)

// maxHeldBack is how many clients are remembered to be throttled.
const maxHeldBack = 10_000

// holdback remembers which clients the store has throttled, and until when, so
// that what they ask for meanwhile costs a directory nothing: the store, which
// counts, is asked after it. It is safe for concurrent use.
type holdback struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func newHoldback() *holdback { return &holdback{until: make(map[string]time.Time)} }

// name is an action of all clients that are throttled together.
func (*holdback) name(action string, ip netip.Addr) string {
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		return action + " " + network(ip, subscriberBits)
	}
	return action + " " + ip.String()
}

// put remembers that a client is throttled. Where there are too many, others
// are forgotten before their time.
func (h *holdback) put(action string, ip netip.Addr, wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.until) >= maxHeldBack {
		clear(h.until)
	}
	h.until[h.name(action, ip)] = time.Now().Add(wait)
}

// drop forgets a client: a verification gives back what starts took.
func (h *holdback) drop(action string, ip netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.until, h.name(action, ip))
}

// refusal returns [ErrThrottled] in a [RetryError] for a client that is
// throttled now.
func (h *holdback) refusal(action string, ip netip.Addr) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := h.name(action, ip)
	until, throttled := h.until[name]
	wait := time.Until(until)
	switch {
	case !throttled:
		return nil
	case wait <= 0:
		delete(h.until, name)
		return nil
	}
	return &RetryError{Err: ErrThrottled, After: wait}
}
