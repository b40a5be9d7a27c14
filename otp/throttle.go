// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// Scope is what a throttle counts by.
type Scope string

// The scopes.
const (
	ScopeAddress  Scope = "address"
	ScopeClientIP Scope = "client_ip"
	// ScopeGlobal counts all starts of a realm together.
	ScopeGlobal Scope = "global"
)

// Throttle allows so many events in a window, as a bucket that refills evenly
// (GCRA): a burst of Events, then one each Window/Events.
type Throttle struct {
	Events int
	Window time.Duration
}

// Throttles are the limits of a site.
type Throttles struct {
	// Address limits the messages to one mailbox or phone.
	Address []Throttle
	// ClientIP limits the starts from one network address that no
	// verification has followed; verifications may be six times as many.
	ClientIP []Throttle
	// Global limits the starts of the whole realm, verified or not; nil: they
	// aren't limited.
	Global []Throttle
	// Exempt are networks whose clients ClientIP doesn't count.
	Exempt []netip.Prefix
}

// exempts reports whether a client isn't counted by its address.
func (t *Throttles) exempts(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	for _, network := range t.Exempt {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

// DefaultThrottles are the limits of a site that sets none.
func DefaultThrottles() Throttles {
	return Throttles{
		Address: []Throttle{
			{Events: 3, Window: time.Minute},
			{Events: 5, Window: time.Hour},
			{Events: 10, Window: 24 * time.Hour},
		},
		ClientIP: []Throttle{{Events: 50, Window: time.Hour}},
	}
}

// verifiesPerStart is how many verifications an IP address has for each
// start: mistyped codes and a dialect that tries twice must not run out.
const verifiesPerStart = 6

// Networks that are given out whole to one subscriber count as one: IPv6 by
// /64, and by /48 with so many times the events.
const (
	subscriberBits   = 64
	siteBits         = 48
	eventsPerSite    = 16
	defaultRetryWait = time.Second
)

// Charge is one event against one bucket.
type Charge struct {
	Scope Scope
	// Bucket names the bucket in the store. It is empty for [ScopeAddress],
	// whose buckets belong to the handle, one for each Window.
	Bucket string
	Throttle
}

// Interval is the time in which one event is refilled.
func (t Throttle) Interval() time.Duration { return t.Window / time.Duration(t.Events) }

func (s *Service) addressCharges() []Charge {
	charges := make([]Charge, len(s.throttles.Address))
	for i, throttle := range s.throttles.Address {
		charges[i] = Charge{Scope: ScopeAddress, Throttle: throttle}
	}
	return charges
}

// clientIPCharges returns the buckets of an action that a client's address
// falls into: none where it is exempt. An invalid address (a unix socket's
// client) has one of its own.
func (s *Service) clientIPCharges(action string, ip netip.Addr, factor int) []Charge {
	if s.throttles.exempts(ip) {
		return nil
	}
	ip = ip.Unmap().WithZone("")
	charges := make([]Charge, 0, 2*len(s.throttles.ClientIP))
	add := func(network string, t Throttle) {
		window := strconv.FormatInt(int64(t.Window/time.Second), 10)
		bucket := s.keys.name("client_ip", s.realm, action, network, window)
		charges = append(charges, Charge{Scope: ScopeClientIP, Bucket: bucket, Throttle: t})
	}
	for _, t := range s.throttles.ClientIP {
		t.Events *= factor
		if !ip.Is6() {
			add(ip.String(), t)
			continue
		}
		add(network(ip, subscriberBits), t)
		t.Events *= eventsPerSite
		add(network(ip, siteBits), t)
	}
	return charges
}

func network(ip netip.Addr, bits int) string {
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return ip.String()
	}
	return prefix.String()
}

// globalCharges returns the realm's buckets, which all its sites share.
func (s *Service) globalCharges() []Charge {
	charges := make([]Charge, len(s.throttles.Global))
	for i, throttle := range s.throttles.Global {
		window := strconv.FormatInt(int64(throttle.Window/time.Second), 10)
		charges[i] = Charge{Scope: ScopeGlobal, Bucket: s.keys.name("global", s.realm, window), Throttle: throttle}
	}
	return charges
}

// The actions that a client is throttled by.
const startAction, verifyAction = "start", "verify"

// holdBack remembers a client that the store has throttled, where a directory
// would be asked before the store is again.
func (s *Service) holdBack(action string, ip netip.Addr, o Outcome) {
	if s.directory != nil && o.Result == Throttled && o.Scope == ScopeClientIP {
		s.heldBack.put(action, ip, o.RetryAfter)
	}
}

// refuseHeldBack is what [holdback] has against an action of a client who is
// counted by their network address. One that is exempt may have neighbours who
// aren't.
func (s *Service) refuseHeldBack(action string, ip netip.Addr, ownBudget string) error {
	if ownBudget != "" || s.throttles.exempts(ip) {
		return nil
	}
	return s.heldBack.refusal(action, ip)
}

// startCharges are those of a start. A known browser with a budget of its own
// isn't counted by its network address, which others may share, and with all:
// it has throttles for the few addresses that it is known for.
func (s *Service) startCharges(ip netip.Addr, ownBudget string) []Charge {
	if ownBudget != "" {
		return s.addressCharges()
	}
	return slices.Concat(s.clientIPCharges(startAction, ip, 1), s.globalCharges(), s.addressCharges())
}

func (s *Service) verifyCharges(ip netip.Addr, ownBudget string) []Charge {
	if ownBudget != "" {
		return nil
	}
	return s.clientIPCharges(verifyAction, ip, verifiesPerStart)
}

func (s *Service) startRefunds(ip netip.Addr, ownBudget string) []Charge {
	if ownBudget != "" {
		return nil
	}
	return s.clientIPCharges(startAction, ip, 1)
}
