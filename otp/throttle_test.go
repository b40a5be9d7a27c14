// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestCharges(t *testing.T) {
	s := newHouse(t, func(c *Config) {
		c.Throttles = Throttles{
			Address:  []Throttle{{3, time.Minute}, {5, time.Hour}},
			ClientIP: []Throttle{{50, time.Hour}, {10, time.Minute}},
		}
	})
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:1:2::3")
	for _, tc := range []struct {
		name    string
		charges []Charge
		events  []int
		scopes  []Scope
	}{
		{"a start by IPv4", s.startCharges(v4, ""), []int{50, 10, 3, 5}, []Scope{ScopeClientIP, ScopeClientIP, ScopeAddress, ScopeAddress}},
		{"a start by IPv6", s.startCharges(v6, ""), []int{50, 50 * 16, 10, 10 * 16, 3, 5}, []Scope{ScopeClientIP, ScopeClientIP, ScopeClientIP, ScopeClientIP, ScopeAddress, ScopeAddress}},
		{"a verification by IPv4", s.verifyCharges(v4, ""), []int{300, 60}, []Scope{ScopeClientIP, ScopeClientIP}},
		{"a verification by IPv6", s.verifyCharges(v6, ""), []int{300, 300 * 16, 60, 60 * 16}, []Scope{ScopeClientIP, ScopeClientIP, ScopeClientIP, ScopeClientIP}},
	} {
		if len(tc.charges) != len(tc.events) {
			t.Errorf("%s: %+v", tc.name, tc.charges)
			continue
		}
		buckets := make(map[string]bool)
		for i, c := range tc.charges {
			if c.Events != tc.events[i] || c.Scope != tc.scopes[i] {
				t.Errorf("%s: charge %d is %+v", tc.name, i, c)
			}
			if c.Scope == ScopeAddress != (c.Bucket == "") {
				t.Errorf("%s: charge %d has the bucket %q", tc.name, i, c.Bucket)
			}
			if c.Scope == ScopeClientIP && buckets[c.Bucket] {
				t.Errorf("%s: charge %d shares its bucket", tc.name, i)
			}
			buckets[c.Bucket] = true
		}
	}
	if refunds := s.startRefunds(v6, ""); fmt.Sprint(refunds) != fmt.Sprint(s.startCharges(v6, "")[:4]) {
		t.Errorf("refunds are %+v", refunds)
	}
	if s.throttles.ClientIP[0].Events != 50 {
		t.Error("charging has changed the configuration")
	}
}

func TestClientNetworks(t *testing.T) {
	s := newHouse(t, nil)
	other := newHouse(t, func(c *Config) { c.Realm = "other.example.com" })
	buckets := func(h *house, action, ip string) []string {
		addr, _ := netip.ParseAddr(ip) // "" is nobody's address
		var names []string
		for _, c := range h.clientIPCharges(action, addr, 1) {
			names = append(names, c.Bucket)
		}
		return names
	}
	of := func(ip string) []string { return buckets(s, "start", ip) }
	for _, same := range [][2]string{
		{"192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:DB8::1", "2001:db8:0::1"},
		{"fe80::1", "fe80::1%eth0"},
		{"::ffff:192.0.2.1%eth0", "192.0.2.1"},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"},
		{"", ""},
	} {
		if fmt.Sprint(of(same[0])) != fmt.Sprint(of(same[1])) {
			t.Errorf("%s and %s are counted apart", same[0], same[1])
		}
	}
	for _, tc := range []struct {
		a, b           string
		subnet, larger bool
	}{
		{a: "2001:db8:1:2::1", b: "2001:db8:1:3::1", larger: true}, // the same /48
		{a: "2001:db8:1:2::1", b: "2001:db8:2:2::1"},
	} {
		a, b := of(tc.a), of(tc.b)
		if (a[0] == b[0]) != tc.subnet || (a[1] == b[1]) != tc.larger {
			t.Errorf("%s and %s: %v, %v", tc.a, tc.b, a, b)
		}
	}
	for name, others := range map[string][]string{
		"another address":  of("192.0.2.2"),
		"no address":       of(""),
		"another action":   buckets(s, "verify", "192.0.2.1"),
		"another realm":    buckets(other, "start", "192.0.2.1"),
		"embedded in IPv6": of("64:ff9b::192.0.2.1")[:1],
	} {
		if others[0] == of("192.0.2.1")[0] {
			t.Errorf("%s shares the bucket", name)
		}
	}
	short := newHouse(t, func(c *Config) { c.Throttles.ClientIP = []Throttle{{50, time.Minute}} })
	if buckets(short, "start", "192.0.2.1")[0] == of("192.0.2.1")[0] {
		t.Error("another window shares the bucket")
	}
}

func TestThousandAddressesOfANetwork(t *testing.T) {
	s := newHouse(t, nil)
	seen := make(map[string]bool)
	ip := netip.MustParseAddr("2001:db8:1:2::")
	for range 1000 {
		for _, c := range s.clientIPCharges("start", ip, 1) {
			seen[c.Bucket] = true
		}
		ip = ip.Next()
	}
	if len(seen) != 2 {
		t.Fatalf("a /64 has %d buckets", len(seen))
	}
}

func TestGlobalCharges(t *testing.T) {
	limited := func(c *Config) { c.Throttles.Global = []Throttle{{100, time.Minute}, {1000, time.Hour}} }
	s := newHouse(t, limited)
	ip := netip.MustParseAddr("192.0.2.1")
	charges := s.startCharges(ip, "")
	if len(charges) != 1+2+3 || fmt.Sprint(charges[1:3]) != fmt.Sprint(s.globalCharges()) {
		t.Fatalf("a start is charged %+v", charges)
	}
	global := charges[1:3]
	if global[0].Scope != ScopeGlobal || global[0].Events != 100 || global[0].Bucket == "" || global[0].Bucket == global[1].Bucket {
		t.Errorf("%+v", global)
	}
	for _, c := range append(s.verifyCharges(ip, ""), s.startRefunds(ip, "")...) {
		if c.Scope != ScopeClientIP {
			t.Errorf("a verification charges or gives back %+v", c)
		}
	}
	if fmt.Sprint(newHouse(t, limited).globalCharges()) != fmt.Sprint(global) {
		t.Error("the sites of a realm don't share the bucket")
	}
	other := newHouse(t, func(c *Config) { limited(c); c.Realm = "other.example.com" })
	if other.globalCharges()[0].Bucket == global[0].Bucket {
		t.Error("another realm shares the bucket")
	}
	if q := scarcest(global, []time.Duration{time.Minute, time.Minute}); q != (Quota{}) {
		t.Errorf("the quota tells %+v of others", q)
	}

	s.store.result, s.store.scope = Throttled, ScopeGlobal
	_, err := s.Start(t.Context(), startRequest(t, "jane@example.com"))
	retry, _ := errors.AsType[*RetryError](err)
	if !errors.Is(err, ErrBusy) || !errors.Is(err, ErrThrottled) || RetryAfter(err) != 90 || retry.Limit != 0 {
		t.Errorf("refused with %v", err)
	}
}

func TestExemptClients(t *testing.T) {
	s := newHouse(t, func(c *Config) {
		c.Throttles.Global = []Throttle{{100, time.Minute}}
		for _, network := range []string{"10.0.0.0/8", "192.0.2.1/32", "2001:db8:1:2::1/128"} {
			c.Throttles.Exempt = append(c.Throttles.Exempt, netip.MustParsePrefix(network))
		}
	})
	for text, exempt := range map[string]bool{
		"10.0.0.1": true, "10.255.255.255": true, "::ffff:10.1.2.3": true, "192.0.2.1": true, "2001:db8:1:2::1": true, "2001:db8:1:2::1%eth0": true,
		"11.0.0.0": false, "192.0.2.2": false, "2001:db8:1:2::2": false, "::10.0.0.1": false, "": false,
	} {
		ip, _ := netip.ParseAddr(text) // "" is nobody's address
		var scopes []Scope
		for _, c := range s.startCharges(ip, "") {
			scopes = append(scopes, c.Scope)
		}
		if want := []Scope{ScopeGlobal, ScopeAddress, ScopeAddress, ScopeAddress}; slices.Equal(scopes, want) != exempt {
			t.Errorf("a start from %q is charged by %v", text, scopes)
		}
		if got := len(s.verifyCharges(ip, "")) == 0 && len(s.startRefunds(ip, "")) == 0; got != exempt {
			t.Errorf("a verification from %q: exempt is %t", text, got)
		}
	}

	neighbour, office := netip.MustParseAddr("2001:db8:1:2::2"), netip.MustParseAddr("2001:db8:1:2::1")
	s.heldBack.put(startAction, neighbour, time.Minute)
	if s.refuseHeldBack(startAction, neighbour, "") == nil || s.refuseHeldBack(startAction, office, "") != nil {
		t.Error("a neighbour's limit holds for who is exempt, or not for the neighbour")
	}
}

func TestInterval(t *testing.T) {
	for throttle, want := range map[Throttle]time.Duration{
		{3, time.Minute}:                  20 * time.Second,
		{5, time.Hour}:                    12 * time.Minute,
		{10, 24 * time.Hour}:              144 * time.Minute,
		{1, time.Second}:                  time.Second,
		{1_000_000 * 6 * 16, time.Second}: 10 * time.Nanosecond,
	} {
		if got := throttle.Interval(); got != want {
			t.Errorf("%+v refills each %v, want %v", throttle, got, want)
		}
	}
}

func TestDefaultThrottles(t *testing.T) {
	got := DefaultThrottles()
	want := Throttles{
		Address:  []Throttle{{3, time.Minute}, {5, time.Hour}, {10, 24 * time.Hour}},
		ClientIP: []Throttle{{50, time.Hour}},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%+v", got)
	}
}
