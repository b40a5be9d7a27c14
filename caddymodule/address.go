// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"log/slog"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// warnOfAddresses tells of sites whose public_url isn't an address of theirs:
// links and redirects would lead elsewhere, and nobody could sign in.
func (a *App) warnOfAddresses() {
	module, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return // no sites
	}
	for _, server := range module.(*caddyhttp.App).Servers {
		for _, route := range server.Routes {
			h := findHandler(route)
			if h == nil || h.publicURL == nil {
				continue
			}
			hosts := hostsOf(route)
			switch {
			case !servesHost(hosts, h.publicURL.Hostname()):
				a.logger.Warn("public_url is none of the addresses of its site: links and redirects lead to another host; make them the same",
					slog.String("public_url", h.publicURL.String()), slog.Any("site", hosts))
			case !servesPort(server.Listen, h.publicURL):
				a.logger.Warn("public_url has another port than its site: links and redirects lead there; make them the same",
					slog.String("public_url", h.publicURL.String()), slog.Any("listen", server.Listen))
			}
		}
	}
}

// servesHost reports whether a host may be one of a route's, of which there are
// none where it takes all.
func servesHost(hosts []string, host string) bool {
	return len(hosts) == 0 || slices.ContainsFunc(hosts, func(pattern string) bool {
		matched, err := path.Match(pattern, host)
		return err != nil || matched || strings.Contains(pattern, "{") // known only when a request comes
	})
}

// servesPort reports whether a URL's port may be one that is listened on. One
// that has none is what a proxy in front may listen on.
func servesPort(listen []string, u *url.URL) bool {
	port, err := strconv.ParseUint(u.Port(), 10, 0)
	if err != nil {
		return true
	}
	for _, text := range listen {
		address, err := caddy.ParseNetworkAddress(text)
		if err != nil || address.IsUnixNetwork() || uint64(address.StartPort) <= port && port <= uint64(address.EndPort) {
			return true
		}
	}
	return len(listen) == 0
}
