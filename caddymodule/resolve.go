// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"
)

// resolve puts the values of placeholders into the options.
func (o *Options) resolve(repl *caddy.Replacer) error {
	texts := map[string]*string{
		"path":            &o.Path,
		"default_country": &o.DefaultCountry,
		"send":            &o.Send,
		"assertion":       &o.Assertion,
	}
	if o.MFA != nil {
		mfa := *o.MFA // shared with other sites
		o.MFA = &mfa
		texts["mfa issuer"] = &mfa.Issuer
	}
	if o.Session != nil {
		session := *o.Session // shared with other sites
		o.Session = &session
		texts["session domain"] = &session.Domain
		texts["session cookie"] = &session.Cookie
	}
	if err := replaceAll(repl, texts); err != nil {
		return err
	}
	lists := map[string]*[]string{
		"public": &o.Public, "allow": &o.Allow, "deny": &o.Deny, "sms_countries": &o.SMSCountries,
		"throttle exempt": &o.ThrottleExempt,
	}
	for _, option := range slices.Sorted(maps.Keys(lists)) {
		if err := replaceList(repl, option, lists[option]); err != nil {
			return err
		}
	}
	protect := slices.Clone(o.Protect) // shared with other sites
	for i := range protect {
		if err := protect[i].resolve(repl); err != nil {
			return err
		}
	}
	o.Protect = protect
	factors := slices.Clone(o.RequireMFA) // shared with other sites
	for i := range factors {
		if err := replaceList(repl, "require_mfa", &factors[i].Paths); err != nil {
			return err
		}
	}
	o.RequireMFA = factors
	headers := slices.Clone(o.Headers)
	for i := range headers {
		if err := headers[i].resolve(repl); err != nil {
			return err
		}
	}
	o.Headers = headers
	apis := make([]API, len(o.APIs))
	for i, api := range o.APIs {
		if err := api.resolve(repl); err != nil {
			return fmt.Errorf("api %s: %w", api.Name, err)
		}
		apis[i] = api
	}
	o.APIs = apis
	return nil
}

func (api *API) resolve(repl *caddy.Replacer) error {
	if err := replaceAll(repl, map[string]*string{"send_requires": &api.SendRequires, "service": &api.Service}); err != nil {
		return err
	}
	if err := replaceList(repl, "origin", &api.Origins); err != nil {
		return err
	}
	if err := api.resolveAuth0(repl); err != nil {
		return err
	}
	clients := make([]Client, len(api.Clients))
	for i, c := range api.Clients {
		if err := c.resolve(repl); err != nil {
			return fmt.Errorf("client %s: %w", api.Clients[i].ID, err)
		}
		clients[i] = c
	}
	api.Clients = clients
	return nil
}
