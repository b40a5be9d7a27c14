// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-otp/caddy-otp/otp/web/nestauth"
)

// warnOfTrustHeader says where Caddy drops the header by which clients of the
// nestauth API tell that their device is trusted: they are asked for a second
// factor each time. Where nobody has asked for that API it is a mere hint.
func (a *App) warnOfTrustHeader() {
	module, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return // no sites
	}
	for name, server := range module.(*caddyhttp.App).Servers {
		if passesHeader(server, nestauth.TrustHeader) {
			continue
		}
		for _, route := range server.Routes {
			h := findHandler(route)
			if h == nil || h.MFA != nil && h.MFA.Off || h.tokenCookies() == nil {
				continue
			}
			level := slog.LevelInfo
			if len(h.APIs) > 0 {
				level = slog.LevelWarn
			}
			a.logger.Log(a.ctx, level, "Caddy drops the header by which clients of the nestauth API tell that their device is trusted; "+
				"write `expected_underscore_headers "+nestauth.TrustHeader+"` into the `servers` block of the global options",
				slog.String("server", name), slog.String("site", h.PublicURL))
			break
		}
	}
}

// passesHeader reports whether a server lets a header with underscores
// through.
func passesHeader(server *caddyhttp.Server, header string) bool {
	header = http.CanonicalHeaderKey(header)
	return slices.ContainsFunc(server.ExpectedUnderscoreHeaders, func(entry string) bool {
		name, isPrefix := strings.CutSuffix(entry, "*")
		name = http.CanonicalHeaderKey(name)
		return name == header || isPrefix && strings.HasPrefix(header, name)
	})
}
