// SPDX-License-Identifier: Apache-2.0

// Package endpoint is what all calls of other people's services by HTTP have
// in common: which URLs may be called, by which client, and how a failure is
// worded. No error of this package holds more of a URL than scheme and host,
// since paths, queries and user names may be secret.
package endpoint

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// ParseURL reads the URL of a service: https; or http, where the host is this
// machine or in a private network. carries names what would be sent in the
// clear otherwise, and example is a URL to write instead of one that can't be
// used.
func ParseURL(text, carries, example string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" {
		return nil, fmt.Errorf("url%s can't be used; write one like %s", quotable(text), example)
	}
	if u.Scheme == "http" && !isNear(u.Hostname()) {
		return nil, fmt.Errorf("url http://%s would send %s in the clear; write https://%[1]s (plain http is for hosts of this machine and of private networks)", u.Host, carries)
	}
	return u, nil
}

// quotable returns what an error can quote of a URL that can't be used: what
// stands before its path, unless that may hold a password.
func quotable(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found || strings.Contains(rest, "@") {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return fmt.Sprintf(" %q", scheme+"://"+rest)
}

// isNear reports whether what goes to a host stays on this machine or in a
// private network: by its address, a name without a dot (which only a local
// resolver knows), or a domain that is kept for such networks.
func isNear(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
	}
	if !strings.Contains(host, ".") {
		return true
	}
	for _, domain := range []string{".internal", ".local", ".localhost"} {
		if strings.HasSuffix(host, domain) {
			return true
		}
	}
	return false
}
