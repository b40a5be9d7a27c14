// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
)

// Protection says that paths need a session. Of several the longest path that
// matches a request decides.
type Protection struct {
	// The paths, each with all below it. `/` means every path.
	Paths []string `json:"paths"`

	// Groups of the directory, of which somebody must be in one. Default: any
	// session will do.
	Groups []string `json:"groups,omitempty"`
}

// parseProtect reads `protect [<path>... [group:<name>...]]`; bare it means
// every path.
func (o *Options) parseProtect(d *caddyfile.Dispenser) error {
	p := Protection{Paths: []string{"/"}}
	if d.CountRemainingArgs() == 0 {
		if err := noBlock(d, "protect"); err != nil {
			return err
		}
	} else {
		words, err := oneOrMore(d, "[<path>... [group:<name>...]]")
		if err != nil {
			return err
		}
		if p, err = protectionOf(words); err != nil {
			return d.WrapErr(err)
		}
	}
	o.Protect = append(o.Protect, p)
	return at(d, checkRules(o.Protect, o.Public))
}

// groupPrefix begins the name of a group where there are paths or patterns too.
const groupPrefix = "group:"

// protectionOf reads the words of a protect line: paths, then groups.
func protectionOf(words []string) (p Protection, err error) {
	for _, word := range words {
		group, isGroup := strings.CutPrefix(word, groupPrefix)
		switch {
		case isGroup:
			p.Groups = append(p.Groups, group)
		case len(p.Groups) > 0:
			return p, fmt.Errorf("protect: %q stands behind a group; write the paths first, as in `protect /admin group:admins`", word)
		default:
			p.Paths = append(p.Paths, word)
		}
	}
	return p, p.check()
}

func (p Protection) check() error {
	if len(p.Paths) == 0 {
		return errors.New("protect has groups and no path; write `protect / group:…` for every path")
	}
	for _, path := range p.Paths {
		if err := unlessPlaceholder(path, of("protect", checkRulePath)); err != nil {
			return err
		}
	}
	for _, group := range p.Groups {
		if err := unlessPlaceholder(group, of("protect", checkGroup)); err != nil {
			return err
		}
	}
	return nil
}

func checkGroup(name string) error {
	if !otp.IsGroup(name) {
		return fmt.Errorf("%q can't be a group; write 1 to 64 characters without blanks, commas and semicolons", name)
	}
	return nil
}

// checkGroups refuses groups where nothing says who is in one.
func (o *Options) checkGroups() error {
	if o.DirectoryRaw != nil {
		return nil
	}
	isGroup := func(pattern string) bool { return strings.HasPrefix(pattern, groupPrefix) }
	option := ""
	switch {
	case slices.ContainsFunc(o.Allow, isGroup):
		option = "allow"
	case slices.ContainsFunc(o.Deny, isGroup):
		option = "deny"
	case slices.ContainsFunc(o.Protect, func(p Protection) bool { return len(p.Groups) > 0 }):
		option = "protect"
	default:
		return nil
	}
	return fmt.Errorf("%s names a group, and nothing says who is in it; write `directory file <path>` or `directory http <url>`", option)
}

// checkRules refuses a path that one block both protects and leaves public, or
// protects twice.
func checkRules(protect []Protection, public []string) error {
	protected := make(map[string]bool)
	for _, p := range protect {
		for _, path := range p.Paths {
			if protected[covered(path)] {
				return fmt.Errorf("%s is protected twice; keep one, with all of its groups", path)
			}
			protected[covered(path)] = true
		}
	}
	for _, path := range public {
		if protected[covered(path)] {
			return fmt.Errorf("%s is in both protect and public; keep one", path)
		}
	}
	return nil
}

// covered is what two spellings of one rule have in common.
func covered(path string) string {
	return strings.ToLower(strings.TrimRight(strings.TrimSuffix(path, "*"), "/"))
}

// checkPublic judges a site's exceptions by the rules that they are from. Its
// levels are the nearest first. A site may open what is protected by default,
// and a default may have exceptions from what only some sites protect.
func checkPublic(levels []Options) error {
	first := func(has func(Options) bool) int { return slices.IndexFunc(levels, has) }
	public := first(func(o Options) bool { return len(o.Public) > 0 })
	protect := first(func(o Options) bool { return len(o.Protect) > 0 })
	factor := first(func(o Options) bool { return len(o.RequireMFA) > 0 })
	if public == 0 && protect < 0 && factor < 0 {
		return errors.New("public has nothing to make an exception from, since nothing is protected; write `protect` (every path) or `protect <path>...`, or remove it")
	}
	// Only what stands at one level is a contradiction.
	at := func(level int) []string {
		if level == public && public >= 0 {
			return levels[public].Public
		}
		return nil
	}
	if protect >= 0 {
		if err := checkRules(levels[protect].Protect, at(protect)); err != nil {
			return err
		}
	}
	if factor >= 0 {
		return checkFactorRules(levels[factor].RequireMFA, at(factor))
	}
	return nil
}

func (p *Protection) resolve(repl *caddy.Replacer) error {
	if err := replaceList(repl, "protect", &p.Paths); err != nil {
		return err
	}
	return replaceList(repl, "protect", &p.Groups)
}

// rules are what paths need.
func (o *Options) rules() gate.Rules {
	var protect []gate.Protection
	for _, p := range o.Protect {
		protect = append(protect, gate.Protection{Paths: p.Paths, Groups: p.Groups})
	}
	var factors []gate.SecondFactor
	for _, f := range o.RequireMFA {
		factors = append(factors, gate.SecondFactor{Paths: f.Paths, Fresh: time.Duration(f.Fresh)})
	}
	return gate.NewRules(protect, factors, o.Public)
}
