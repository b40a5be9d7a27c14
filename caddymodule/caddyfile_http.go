// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// What the modules that call others by HTTP have in common.

// parseURL reads the URL of a line, which a block may follow, and judges it.
// option is how the line begins.
func parseURL(d *caddyfile.Dispenser, option string, check func(string) error) (string, error) {
	text, err := argument(d, option, "<url>")
	if err != nil {
		return "", err
	}
	host, _, hasScheme := strings.Cut(text, "://")
	host, _, _ = strings.Cut(host, "/")
	if !hasScheme && host != "" && !strings.ContainsAny(host, "{?#@") {
		return "", d.Errf("%s: url %q has no scheme; write one like https://%s", option, host, host)
	}
	return text, at(d, check(text))
}

// parseHeader reads `header <name> <value>` and judges it.
func parseHeader(d *caddyfile.Dispenser, headers *http.Header, check func(http.Header) error) error {
	args := d.RemainingArgs()
	if len(args) != 2 || strings.HasSuffix(args[0], ":") {
		return d.Err("write `header <name> <value>`, the name without a colon and a value with spaces in quotes: header Authorization \"Bearer {env.TOKEN}\"")
	}
	if err := check(http.Header{args[0]: args[1:]}); err != nil {
		return d.WrapErr(err)
	}
	if *headers == nil {
		*headers = make(http.Header)
	}
	headers.Add(args[0], args[1])
	return noBlock(d, "header")
}

// replacedHeaders returns headers with the values of their placeholders.
func replacedHeaders(repl *caddy.Replacer, option string, headers http.Header) (http.Header, error) {
	all := make(http.Header)
	for name, values := range headers {
		for _, value := range values {
			value, err := replaced(repl, option+" "+name, value)
			if err != nil {
				return nil, err
			}
			all.Add(name, value)
		}
	}
	return all, nil
}
