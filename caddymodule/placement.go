// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"

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
