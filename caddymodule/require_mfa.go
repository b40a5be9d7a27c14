// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// SecondFactor says that paths need a session with a second factor. Of several
// the longest path that matches a request decides.
type SecondFactor struct {
	// The paths, each with all below it. `/` means every path.
	Paths []string `json:"paths"`

	// How long ago the second factor may have been proved at the most, up to
	// 24 hours; then it is asked for again. Default: at any time in the
	// session.
	Fresh caddy.Duration `json:"fresh,omitempty"`
}

// maxFresh is the longest that it makes sense to ask anew after.
const maxFresh = 24 * time.Hour

// parseRequireMFA reads `require_mfa <path>... [fresh <duration>]`.
func (o *Options) parseRequireMFA(d *caddyfile.Dispenser) error {
	words, err := oneOrMore(d, "<path>... [fresh <duration>]")
	if err != nil {
		return err
	}
	f, err := secondFactorOf(words)
	if err != nil {
		return d.WrapErr(err)
	}
	o.RequireMFA = append(o.RequireMFA, f)
	return at(d, checkFactorRules(o.RequireMFA, o.Public))
}

// secondFactorOf reads the words of a require_mfa line: paths, then how fresh.
func secondFactorOf(words []string) (f SecondFactor, err error) {
	for i, word := range words {
		if word != "fresh" {
			f.Paths = append(f.Paths, word)
			continue
		}
		switch rest := words[i+1:]; len(rest) {
		case 0:
			return f, errors.New("require_mfa: fresh has no duration; write for example `require_mfa /admin fresh 15m`")
		case 1:
			fresh, err := caddy.ParseDuration(rest[0])
			if err != nil {
				return f, fmt.Errorf("require_mfa fresh: %q is no duration; write for example 90s, 15m or 24h", rest[0])
			}
			if err := checkFresh(caddy.Duration(fresh)); err != nil { // 0 stands for none given
				return f, err
			}
			f.Fresh = caddy.Duration(fresh)
		default:
			return f, fmt.Errorf("require_mfa: %q stands behind fresh and its duration; write the paths first, as in `require_mfa /admin fresh 15m`", rest[1])
		}
		break
	}
	return f, f.check()
}

func (f SecondFactor) check() error {
	if len(f.Paths) == 0 {
		return errors.New("require_mfa has no path; write `require_mfa /` for every path")
	}
	for _, path := range f.Paths {
		if err := unlessPlaceholder(path, of("require_mfa", checkRulePath)); err != nil {
			return err
		}
	}
	if f.Fresh != 0 {
		return checkFresh(f.Fresh)
	}
	return nil
}

func checkFresh(fresh caddy.Duration) error {
	return checkDuration("require_mfa fresh", fresh, maxFresh)
}

// checkFactorRules refuses a path that needs a second factor twice, or that one
// block leaves public too.
func checkFactorRules(factors []SecondFactor, public []string) error {
	required := make(map[string]bool)
	for _, f := range factors {
		for _, path := range f.Paths {
			if required[covered(path)] {
				return fmt.Errorf("%s is in require_mfa twice; keep one", path)
			}
			required[covered(path)] = true
		}
	}
	for _, path := range public {
		if required[covered(path)] {
			return fmt.Errorf("%s is in both require_mfa and public; keep one", path)
		}
	}
	return nil
}
