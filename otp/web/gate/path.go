// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/url"
	"strings"
)

// Ambiguous reports whether a path can be read in more than one way by the
// servers behind, and in no honest one: it has empty or dot segments, segments
// of nothing but dots and blanks, a backslash, a semicolon, a control
// character, or one of these, a slash or a NUL in encoded form; or it is no
// path at all (GET * or GET http:admin).
func Ambiguous(u *url.URL) bool {
	if u.Opaque != "" || u.Path != "" && u.Path[0] != '/' || hasOddByte(u.Path) {
		return true
	}
	return u.RawPath != "" && hasEncodedSlash(u.RawPath)
}

func hasOddByte(p string) bool {
	for i := range len(p) {
		switch c := p[i]; {
		case c == '\\', c == ';', c < ' ', c == 0x7f:
			return true
		case c == '/' && i+1 < len(p) && p[i+1] == '/':
			return true
		case c == '/' && i+1 < len(p) && (p[i+1] == '.' || p[i+1] == ' ') && isHollowSegment(p[i+1:]):
			return true
		}
	}
	return false
}

func isHollowSegment(rest string) bool {
	segment, _, _ := strings.Cut(rest, "/")
	return strings.Trim(segment, " .") == ""
}

// hasEncodedSlash looks for %2f in any case; whatever else is dangerous when
// encoded shows in the decoded path.
func hasEncodedSlash(raw string) bool {
	for i := 0; i+2 < len(raw); i++ {
		if raw[i] == '%' && raw[i+1] == '2' && raw[i+2]|0x20 == 'f' {
			return true
		}
	}
	return false
}

// Rules say which paths need a session. A rule covers its path and all below
// it; the longest that matches decides, and of equals the public one.
type Rules struct {
	protect, public []string
}

// NewRules returns the rules of paths to protect and to leave public. A bare
// "/" covers everything; a trailing "/*" or "/" changes nothing.
func NewRules(protect, public []string) Rules {
	return Rules{protect: ruleKeys(protect), public: ruleKeys(public)}
}

func ruleKeys(paths []string) []string {
	keys := make([]string, len(paths))
	for i, p := range paths {
		keys[i] = strings.TrimRight(fold(strings.TrimSuffix(p, "*")), "/")
	}
	return keys
}

// Protects reports whether the URL's path needs a session. Ambiguous paths
// match every rule that protects and none that makes public. Of a path that
// lenient servers read as another, both readings must be open.
func (r Rules) Protects(u *url.URL) bool {
	if len(r.protect) == 0 {
		return false
	}
	if Ambiguous(u) {
		return true
	}
	return r.cover(fold(u.Path)) || !Plain(u.Path) && r.cover(Canonical(u.Path))
}

func (r Rules) cover(folded string) bool {
	return longestMatch(r.protect, folded) > longestMatch(r.public, folded)
}

// longestMatch returns the length of the longest key that covers p, plus one,
// or 0 where none does.
func longestMatch(keys []string, p string) int {
	longest := 0
	for _, key := range keys {
		if covers(key, p) {
			longest = max(longest, len(key)+1)
		}
	}
	return longest
}

func covers(key, p string) bool {
	return strings.HasPrefix(p, key) && (len(p) == len(key) || p[len(key)] == '/')
}
