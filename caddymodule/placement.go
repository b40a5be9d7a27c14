// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// checkPlacement refuses a config in which an otp handler doesn't see every
// request of its site: on the others, clients could forge the identity
// headers, and the login pages would be the app's. It is asked once all apps
// are provisioned, since only then the routes are known.
func checkPlacement(ctx caddy.Context) error {
	module, err := ctx.AppIfConfigured("http")
	if err != nil {
		return nil // no sites
	}
	for _, server := range module.(*caddyhttp.App).Servers {
		if _, err := countHandlers(server.Routes, ""); err != nil {
			return err
		}
		if err := checkErrorRoutes(server); err != nil {
			return err
		}
		for _, route := range server.NamedRoutes {
			if _, err := countHandlers(caddyhttp.RouteList{*route}, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// countHandlers returns how many otp handlers of routes see every request that
// gets to them. matcher is what stands before the routes, or "".
func countHandlers(routes caddyhttp.RouteList, matcher string) (count int, err error) {
	for _, route := range routes {
		within, hosts := matcher, false
		for _, set := range route.MatcherSets {
			for _, m := range set {
				if name := caddy.GetModuleName(m); name == "host" {
					hosts = true
				} else {
					within = name
				}
			}
		}
		found, err := countInRoute(route, within)
		if err != nil {
			return 0, err
		}
		if !hosts {
			count += found
		}
		if found > 1 || count > 1 {
			return 0, errors.New("otp stands twice in one site; a site has one")
		}
	}
	return count, nil
}

func countInRoute(route caddyhttp.Route, matcher string) (count int, err error) {
	for _, handler := range route.Handlers {
		switch handler := handler.(type) {
		case *Handler:
			if matcher != "" {
				return 0, fmt.Errorf("the otp of %s stands below a matcher (%s): it must see every request of its site, "+
					"to serve its pages and to strip forged identity headers; write it straight into the site, "+
					"and say which paths need a login with `protect <path>...`", handler.PublicURL, matcher)
			}
			count++
		case *caddyhttp.Subroute:
			found, err := countHandlers(handler.Routes, matcher)
			if err != nil {
				return 0, err
			}
			count += found
		}
	}
	return count, nil
}

// checkErrorRoutes refuses error routes of our sites that lead to an app:
// Caddy takes them without us where an error comes before us, such as from a
// strict SNI check, and what the client says of its identity is still there.
func checkErrorRoutes(server *caddyhttp.Server) error {
	if server.Errors == nil {
		return nil
	}
	for _, route := range server.Routes {
		handler := findHandler(route)
		if handler == nil {
			continue
		}
		for _, errorRoute := range server.Errors.Routes {
			if proxy := findProxy(errorRoute); proxy != "" && mayShareHost(route, errorRoute) {
				return fmt.Errorf("handle_errors of %s uses %s: an error page from an app would be one past the login, "+
					"with whatever identity headers the client sent; serve error pages with `file_server` or `respond`", handler.PublicURL, proxy)
			}
		}
	}
	return nil
}

func findHandler(route caddyhttp.Route) *Handler {
	for _, handler := range route.Handlers {
		switch handler := handler.(type) {
		case *Handler:
			return handler
		case *caddyhttp.Subroute:
			for _, route := range handler.Routes {
				if found := findHandler(route); found != nil {
					return found
				}
			}
		}
	}
	return nil
}

// findProxy returns the directive by which a route leads to an app, or "".
func findProxy(route caddyhttp.Route) string {
	for _, handler := range route.Handlers {
		if subroute, ok := handler.(*caddyhttp.Subroute); ok {
			for _, route := range subroute.Routes {
				if proxy := findProxy(route); proxy != "" {
					return proxy
				}
			}
		} else if module, ok := handler.(caddy.Module); ok && caddy.GetModuleName(module) == "reverse_proxy" {
			return "reverse_proxy" // php_fastcgi is one too
		}
	}
	return ""
}

// mayShareHost reports whether two routes may be taken for one host. Patterns
// and placeholders may stand for any.
func mayShareHost(one, other caddyhttp.Route) bool {
	hosts, others := hostsOf(one), hostsOf(other)
	if len(hosts) == 0 || len(others) == 0 {
		return true
	}
	for _, host := range append(hosts, others...) {
		if strings.ContainsAny(host, "*{") {
			return true
		}
	}
	return slices.ContainsFunc(hosts, func(host string) bool { return slices.Contains(others, host) })
}

// hostsOf returns the hosts that a route is for, in lower case; none: all.
func hostsOf(route caddyhttp.Route) []string {
	var hosts []string
	for _, set := range route.MatcherSets {
		for _, m := range set {
			var names []string
			switch m := m.(type) {
			case *caddyhttp.MatchHost:
				names = *m
			case caddyhttp.MatchHost:
				names = m
			}
			for _, name := range names {
				hosts = append(hosts, strings.ToLower(name))
			}
		}
	}
	return hosts
}
