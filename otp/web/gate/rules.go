// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/url"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Protection says that paths need a session.
type Protection struct {
	// Paths are covered each with all below it; "/" is everything.
	Paths []string
	// Groups are those of which somebody must be in one; none: any session
	// will do.
	Groups []string
}

// SecondFactor says that paths need a session with a second factor.
type SecondFactor struct {
	// Paths are covered each with all below it; "/" is everything.
	Paths []string
	// Fresh is how long ago it may have been proved at the most; 0: at any
	// time in the session.
	Fresh time.Duration
}

// Rules say which paths need what. Of the rules of a kind the longest path that
// matches decides; a public one that is as long or longer opens the path.
type Rules struct {
	protect, secondFactor, public []rule
}

// rule is one path and what it needs.
type rule struct {
	key    string
	groups []string
	fresh  time.Duration
}

// NewRules returns the rules of paths that need something and of those that
// are left public. A bare "/" covers everything; a trailing "/*" or "/" changes
// nothing.
func NewRules(protect []Protection, secondFactor []SecondFactor, public []string) Rules {
	var r Rules
	for _, p := range protect {
		for _, path := range p.Paths {
			r.protect = append(r.protect, rule{key: ruleKey(path), groups: p.Groups})
		}
	}
	for _, f := range secondFactor {
		for _, path := range f.Paths {
			r.secondFactor = append(r.secondFactor, rule{key: ruleKey(path), fresh: f.Fresh})
		}
	}
	for _, path := range public {
		r.public = append(r.public, rule{key: ruleKey(path)})
	}
	return r
}

func ruleKey(path string) string {
	return strings.TrimRight(fold(strings.TrimSuffix(path, "*")), "/")
}

// Need is what a path needs.
type Need struct {
	Session bool
	// Groups are lists of groups: of each somebody must be in one.
	Groups [][]string
	// SecondFactor says that the session needs one, proved not longer than
	// Fresh ago unless that is 0.
	SecondFactor bool
	Fresh        time.Duration
}

// Need returns what a URL's path needs. Ambiguous paths match every rule that
// asks for something and none that makes public; of one that is ambiguous for
// an encoded slash alone both readings decide. So they do for a path that
// lenient servers read as another.
func (r Rules) Need(u *url.URL) Need {
	switch {
	case len(r.protect) == 0 && len(r.secondFactor) == 0:
		return Need{}
	case !Ambiguous(u):
		need := r.needOf(fold(u.Path), r.public)
		if !Plain(u.Path) {
			need = need.and(r.needOf(Canonical(u.Path), r.public))
		}
		return need
	case u.Opaque != "" || u.Path == "" || u.Path[0] != '/' || hasOddByte(u.Path):
		return r.all()
	}
	need := r.needOf(fold(u.Path), nil).and(r.needOf(Canonical(u.Path), nil)).and(r.needOf(undividedPath(u), nil))
	need.Session = true
	return need
}

// undividedPath is a path in which an encoded slash divides nothing.
func undividedPath(u *url.URL) string {
	raw := u.EscapedPath()
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if i+2 < len(raw) && raw[i] == '%' && raw[i+1] == '2' && raw[i+2]|0x20 == 'f' {
			b.WriteString("%252f")
			i += 2
			continue
		}
		b.WriteByte(raw[i])
	}
	path, err := url.PathUnescape(b.String())
	if err != nil {
		return fold(raw)
	}
	return fold(path)
}

// all is what a path needs that may be any.
func (r Rules) all() Need {
	need := Need{Session: true}
	for _, rule := range r.protect {
		need = need.and(needOfProtection(rule))
	}
	for _, rule := range r.secondFactor {
		need = need.and(needOfSecondFactor(rule))
	}
	return need
}

func (r Rules) needOf(folded string, public []rule) (need Need) {
	open, _ := longestMatch(public, folded)
	if length, rule := longestMatch(r.protect, folded); length > open {
		need = needOfProtection(rule)
	}
	if length, rule := longestMatch(r.secondFactor, folded); length > open {
		need = need.and(needOfSecondFactor(rule))
	}
	return need
}

func needOfProtection(r rule) Need {
	if len(r.groups) == 0 {
		return Need{Session: true}
	}
	return Need{Session: true, Groups: [][]string{r.groups}}
}

func needOfSecondFactor(r rule) Need {
	return Need{Session: true, SecondFactor: true, Fresh: r.fresh}
}

// and returns what two needs ask for together.
func (n Need) and(other Need) Need {
	n.Session = n.Session || other.Session
	n.Groups = append(n.Groups[:len(n.Groups):len(n.Groups)], other.Groups...)
	if other.SecondFactor && (!n.SecondFactor || n.Fresh == 0 || other.Fresh != 0 && other.Fresh < n.Fresh) {
		n.Fresh = other.Fresh
	}
	n.SecondFactor = n.SecondFactor || other.SecondFactor
	return n
}

// admits reports whether a person is in the groups that are needed.
func (n Need) admits(p *otp.Person) bool {
	for _, groups := range n.Groups {
		if !p.InAny(groups) {
			return false
		}
	}
	return true
}

// longestMatch returns the length of the longest rule's path that covers p,
// plus one, and the rule; 0 where none does.
func longestMatch(rules []rule, p string) (length int, longest rule) {
	for _, r := range rules {
		if len(r.key) >= length && covers(r.key, p) {
			length, longest = len(r.key)+1, r
		}
	}
	return length, longest
}

func covers(key, p string) bool {
	return strings.HasPrefix(p, key) && (len(p) == len(key) || p[len(key)] == '/')
}
