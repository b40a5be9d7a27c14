// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// block walks the lines of a Caddyfile block and refuses a word that stands
// twice, unless it is one that may.
type block struct {
	d         *caddyfile.Dispenser
	nesting   int
	opening   place
	seen      map[string]place
	repeating []string
	err       error
}

// repeatable are the site options that add up over several lines.
var repeatable = []string{"api", "protect", "require_mfa", "throttle", "email", "sms", "header"}

func newBlock(d *caddyfile.Dispenser) *block {
	return newBlockRepeating(d, repeatable...)
}

func newBlockRepeating(d *caddyfile.Dispenser, words ...string) *block {
	return &block{d: d, nesting: d.Nesting(), opening: placeOf(d), seen: make(map[string]place), repeating: words}
}

// place is where a dispenser was, for what shows to be wrong only later.
type place struct{ d caddyfile.Dispenser }

func placeOf(d *caddyfile.Dispenser) place { return place{*d} }

// at adds the file and line to an error, if there is one.
func (p place) at(err error) error { return at(&p.d, err) }

// next moves to the block's next line.
func (b *block) next() bool {
	if b.err != nil || !b.d.NextBlock(b.nesting) {
		return false
	}
	word := b.d.Val()
	if first, twice := b.seen[word]; twice && !slices.Contains(b.repeating, word) {
		b.err = b.d.Errf("%s stands twice in this block (first on line %d); keep one", word, first.d.Line())
		return false
	}
	b.seen[word] = placeOf(b.d)
	return true
}

// at adds the line of a word of this block to an error, if there is one, or
// else the line that the block opens on.
func (b *block) at(word string, err error) error {
	if where, stands := b.seen[word]; stands {
		return where.at(err)
	}
	return b.opening.at(err)
}

// at adds the file and line to an error, if there is one.
func at(d *caddyfile.Dispenser, err error) error {
	if err == nil {
		return nil
	}
	return d.WrapErr(err)
}

// unknown is the error of a word that a block doesn't have.
func unknown(d *caddyfile.Dispenser, known ...string) error {
	err := fmt.Errorf("unknown option %q; write one of: %s", d.Val(), strings.Join(known, ", "))
	if slices.Contains(directives, d.Val()) {
		err = fmt.Errorf("%w; or close otp's block with } above it", err)
	}
	return at(d, err)
}

// directives are Caddy's own, which stand in our block where its end was
// forgotten.
var directives = []string{
	"abort", "acme_server", "basic_auth", "bind", "encode", "error", "file_server", "forward_auth", "fs",
	"handle", "handle_errors", "handle_path", "header", "intercept", "invoke", "log", "log_append", "log_name", "log_skip",
	"map", "method", "metrics", "php_fastcgi", "push", "redir", "request_body", "request_header", "respond", "reverse_proxy",
	"rewrite", "root", "route", "templates", "tls", "tracing", "try_files", "uri", "vars",
}

// usage is the error of a line with too many arguments.
func usage(d *caddyfile.Dispenser, word, arguments string) error {
	return d.Errf("write `%s %s`", word, arguments)
}

// missing is the error of a line without its value.
func missing(d *caddyfile.Dispenser, word, arguments string) error {
	return d.Errf("%s has no value here (a {$NAME} that isn't set is nothing); write `%s %s`", word, word, arguments)
}

// one reads exactly one argument.
func one(d *caddyfile.Dispenser, arguments string) (string, error) {
	word := d.Val()
	text, err := argument(d, word, arguments)
	if err != nil {
		return "", err
	}
	return text, noBlock(d, word)
}

// argument reads exactly one argument, which a block may follow.
func argument(d *caddyfile.Dispenser, word, arguments string) (string, error) {
	args := d.RemainingArgs()
	switch {
	case len(args) == 0 || args[0] == "":
		return "", missing(d, word, arguments)
	case len(args) > 1:
		return "", usage(d, word, arguments)
	}
	return args[0], nil
}

// oneOrMore reads the rest of the line, which must not be empty.
func oneOrMore(d *caddyfile.Dispenser, arguments string) ([]string, error) {
	word := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 || slices.Contains(args, "") {
		return nil, missing(d, word, arguments)
	}
	return args, noBlock(d, word)
}

// none reads a line of a word alone.
func none(d *caddyfile.Dispenser) error {
	word := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes no argument; remove %q", word, d.Val())
	}
	return noBlock(d, word)
}

// noBlock refuses a block behind a line that has none, also an empty one.
func noBlock(d *caddyfile.Dispenser, word string) error {
	if !d.Next() {
		return nil
	}
	opens := d.ValRaw() == "{"
	d.Prev()
	if opens {
		return d.Errf("%s takes no block; remove the braces", word)
	}
	return nil
}

// number reads one whole number and judges it. It must not be 0, which stands
// for an option that isn't given.
func number(d *caddyfile.Dispenser, option string, least, most int) (int, error) {
	word := d.Val()
	text, err := one(d, "<number>")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, d.Errf("%s %s must be a whole number from %d to %d, not %q", option, word, least, most, text)
	}
	return n, at(d, checkNumber(option+" "+word, n, least, most))
}

// duration reads one duration and judges it. It must not be 0, which stands
// for an option that isn't given.
func duration(d *caddyfile.Dispenser, option string, most time.Duration) (caddy.Duration, error) {
	word := d.Val()
	text, err := one(d, "<duration>")
	if err != nil {
		return 0, err
	}
	t, err := parseDuration(d, option+" "+word, text)
	if err != nil {
		return 0, err
	}
	return t, at(d, checkDuration(option+" "+word, t, most))
}

func parseDuration(d *caddyfile.Dispenser, option, text string) (caddy.Duration, error) {
	t, err := caddy.ParseDuration(text)
	if err != nil {
		return 0, d.Errf("%s: %q is no duration; write for example 90s, 10m, 24h or 7d", option, text)
	}
	return caddy.Duration(t), nil
}
