// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp/web/gate"
)

// Header tells the app who is signed in.
type Header struct {
	// The header's name. It is stripped from what clients send, in every
	// spelling.
	Name string `json:"name"`

	// What it says: `user` (the main address), `email`, `phone`, `groups`
	// (with commas between), `subject` (the identifier that never changes),
	// `method` (`code` or `link`) or `mfa` (how a second factor was proved).
	// A request for which it is empty has no such header.
	Value string `json:"value"`
}

// facts are the words for what a header can say.
func facts() []string {
	var words []string
	for _, fact := range gate.Facts {
		words = append(words, string(fact))
	}
	return words
}

// parseHeader reads `header <Name> user|email|phone|groups|subject|method|mfa`.
func (o *Options) parseHeader(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 || slices.Contains(args, "") {
		return d.Errf("write `header <Name> user|email|phone|groups|subject|method|mfa`; Caddy's own `header` stands outside of otp's block")
	}
	o.Headers = append(o.Headers, Header{Name: args[0], Value: args[1]})
	if err := o.checkHeaders(); err != nil {
		return d.WrapErr(err)
	}
	return noBlock(d, "header")
}

// checkHeaders judges the names of the headers by which the app is told who is
// signed in, as far as they are known.
func (o *Options) checkHeaders() error {
	seen := make(map[string]bool)
	for _, header := range o.Headers {
		if err := checkHeaderName("header", header.Name, seen); err != nil {
			return err
		}
		err := unlessPlaceholder(header.Value, func(value string) error {
			return checkWord("header "+header.Name, value, facts()...)
		})
		if err != nil {
			return err
		}
	}
	if o.Assertion == "" {
		return nil
	}
	// Apps look for a name under these, wherever they stand.
	for _, header := range gate.DefaultHeaders {
		seen[gate.FoldName(header.Name)] = true
	}
	return checkHeaderName("assertion", o.Assertion, seen)
}

// checkHeaderName judges a name, of which there must be no other spelling
// among those that were seen.
func checkHeaderName(option, name string, seen map[string]bool) error {
	example := "Remote-User"
	if option == "assertion" {
		example = "X-Assertion"
	}
	return unlessPlaceholder(name, func(name string) error {
		if err := gate.CheckName(name); err != nil {
			return fmt.Errorf("%s %q: %w; write a name of your own, such as %s", option, name, err, example)
		}
		folded := gate.FoldName(name)
		if seen[folded] {
			return fmt.Errorf("%s %s: another header has this name (some servers take its spellings for one); write each name once", option, name)
		}
		seen[folded] = true
		return nil
	})
}

func (h *Header) resolve(repl *caddy.Replacer) error {
	return replaceAll(repl, map[string]*string{"header": &h.Name, "header " + h.Name: &h.Value})
}

// identity is how the app is told who is signed in.
func (o *Options) identity() *gate.Identity {
	var headers []gate.IdentityHeader
	for _, header := range o.Headers {
		headers = append(headers, gate.IdentityHeader{Name: header.Name, Fact: gate.Fact(header.Value)})
	}
	return gate.NewIdentity(headers, o.Assertion)
}
