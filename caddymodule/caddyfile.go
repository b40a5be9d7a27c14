// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("otp", parseApp)
	httpcaddyfile.RegisterDirective("otp", parseDirective)
	// Behind try_files our paths would be rewritten to the app's index page.
	httpcaddyfile.RegisterDirectiveOrder("otp", httpcaddyfile.Before, "method")
}

// parseApp reads the global block:
//
//	otp {
//		secret <key>...
//		store bolt [<file>]
//		store redis <url>...
//		realm <name> {
//			# any site option: the default for the realm's sites
//		}
//		# any site option: the default for every site
//	}
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next()
		return nil, d.Err("the global otp block stands twice; put all into one")
	}
	var app App
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "otp", Value: caddyconfig.JSON(app, nil)}, nil
}

// parseDirective reads the site directive:
//
//	otp [<realm>] {
//		# site options
//	}
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	var handler Handler
	line := placeOf(h.Dispenser)
	line.d.Next() // the directive's name
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if err := line.at(checkRealmOf(handler.Realm, h.Option("otp"))); err != nil {
		return nil, err
	}
	return h.NewRoute(nil, &handler), nil
}

// UnmarshalCaddyfile reads the global otp block.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the option's name
	if d.NextArg() {
		return d.Errf("the global otp block takes no argument; remove %q", d.Val())
	}
	block := newBlockRepeating(d, append([]string{"realm"}, repeatable...)...)
	for block.next() {
		var err error
		switch d.Val() {
		case "realm":
			err = a.parseRealm(d)
		case "secret":
			a.Secrets, err = allChecked(d, "<key>...", checkSecret)
		case "store":
			a.StoreRaw, err = parseStore(d)
		default:
			if !slices.Contains(siteOptions, d.Val()) {
				return unknown(d, append([]string{"secret", "store", "realm"}, siteOptions...)...)
			}
			err = a.Options.parse(d)
		}
		if err != nil {
			return err
		}
	}
	return block.err
}

// UnmarshalCaddyfile reads the otp directive.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		if strings.HasPrefix(d.Val(), "/") || strings.HasPrefix(d.Val(), "*") || strings.HasPrefix(d.Val(), "@") {
			return d.Errf("otp takes no matcher (%s), since it must see every request to guard the identity headers; "+
				"say which paths need a login with `protect <path>...` and which don't with `public <path>...`", d.Val())
		}
		if err := checkRealmName(d.Val()); err != nil {
			return d.WrapErr(err)
		}
		h.Realm = d.Val()
		if d.NextArg() {
			return d.Errf("otp takes the name of one realm; remove %q", d.Val())
		}
	}
	return parseSiteBlock(d, &h.Options)
}

// parseSiteBlock reads a block of nothing but site options.
func parseSiteBlock(d *caddyfile.Dispenser, o *Options) error {
	block := newBlock(d)
	for block.next() {
		switch d.Val() {
		case "secret", "store":
			return d.Errf("%s is shared by all sites; write it into the otp block of the global options", d.Val())
		case "realm":
			return d.Errf("realms stand in the otp block of the global options; a site belongs to one by its name, as in `otp staff`")
		}
		if err := o.parse(d); err != nil {
			return err
		}
	}
	return block.err
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*Handler)(nil)
)
