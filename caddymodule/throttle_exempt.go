// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

const (
	exemptWord      = "exempt"
	exemptArguments = "exempt <cidr>..."
)

// parseExempt reads the networks of `throttle exempt <cidr>...`; several lines
// add up.
func (o *Options) parseExempt(d *caddyfile.Dispenser, texts []string) error {
	if len(texts) == 0 {
		return d.Errf("write `throttle %s`, such as `throttle exempt 10.0.0.0/8 192.0.2.1`", exemptArguments)
	}
	for _, text := range texts {
		if isPlaceholder(text) {
			continue
		}
		if err := checkNetwork(text); err != nil {
			return d.WrapErr(err)
		}
	}
	o.ThrottleExempt = append(o.ThrottleExempt, texts...)
	return noBlock(d, "throttle")
}

func checkNetwork(text string) error {
	_, err := parseNetwork(text)
	return err
}

// parseNetwork reads a network in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3)
// or a single address. IPv4 that is mapped into IPv6 is IPv4. A network of all
// addresses is an error: throttles can't be turned off.
func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("throttle exempt: %q is no network; write one such as 10.0.0.0/8 or 2001:db8::/32, or an address such as 192.0.2.1", text)
	}
	const mapped = 96 // the bits of ::ffff:0:0/96
	if network.Addr().Is4In6() && network.Bits() >= mapped {
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mapped)
	}
	switch {
	case network.Bits() == 0:
		return netip.Prefix{}, fmt.Errorf("throttle exempt %s is everybody, and throttles can't be turned off; write the networks that are yours, or `throttle client_ip <events> <window>` for more events", text)
	case network != network.Masked():
		host := text[:strings.LastIndexByte(text, '/')]
		return netip.Prefix{}, fmt.Errorf("throttle exempt %s: write %s for the network, or %s for the address", text, network.Masked(), host)
	}
	return network, nil
}

// networks reads what parseNetwork does.
func networks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, err
		}
		all = append(all, network)
	}
	return all, nil
}
