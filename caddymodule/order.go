// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"log/slog"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// warnOfOrder tells of directives that refuse requests and that Caddy's order
// runs after otp: whoever wrote `respond @bad 403` above it may think that it
// comes first. In a `route` block the order is the author's own.
func (a *App) warnOfOrder() {
	module, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return // no sites
	}
	for _, server := range module.(*caddyhttp.App).Servers {
		a.warnOfList(server.Routes)
		for _, route := range server.Routes {
			for _, handler := range route.Handlers {
				// A site with an address of its own is a route with a matcher.
				if subroute, ok := handler.(*caddyhttp.Subroute); ok && len(route.MatcherSets) > 0 {
					a.warnOfList(subroute.Routes)
				}
			}
		}
	}
}

// warnOfList looks through the directives of one site.
func (a *App) warnOfList(routes caddyhttp.RouteList) {
	var otp *Handler
	var after []string
	for _, route := range routes {
		for _, handler := range route.Handlers {
			switch handler := handler.(type) {
			case *Handler:
				otp = handler
			default:
				if name := refusing(handler, len(route.MatcherSets) > 0); name != "" && otp != nil {
					after = append(after, name)
				}
			}
		}
	}
	if len(after) > 0 {
		a.logger.Warn("these directives run after the login, on what it has let through; "+
			"to have one run before, put it and otp into a route block, in that order",
			slog.String("site", otp.PublicURL), slog.String("directives", strings.Join(after, ", ")))
	}
}

// refusing returns the directive of a handler whose purpose is to refuse
// requests, or "". One that refuses whatever is left over isn't meant.
func refusing(handler caddyhttp.MiddlewareHandler, matched bool) string {
	module, ok := handler.(caddy.Module)
	if !ok {
		return ""
	}
	switch name := caddy.GetModuleName(module); name {
	case "authentication":
		return "basic_auth"
	case "rate_limit":
		return name
	case "error":
		if matched {
			return name
		}
	case "static_response":
		response, ok := handler.(*caddyhttp.StaticResponse)
		switch {
		case !ok || !matched:
		case response.Abort:
			return "abort"
		default:
			if status, err := strconv.Atoi(string(response.StatusCode)); err == nil && status >= 400 {
				return "respond " + string(response.StatusCode)
			}
		}
	}
	return ""
}
