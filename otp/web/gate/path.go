// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/url"
	"path"
	"strings"
)

// Ambiguous reports whether a path can be read in more than one way by the
// servers behind: it has empty or dot segments, a backslash, a semicolon, a
// control character, or one of these, a slash or a NUL in encoded form; or it
// is no path at all (GET * or GET http:admin).
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
		case c == '/' && i+1 < len(p) && p[i+1] == '.' && isDotSegment(p[i+1:]):
			return true
		}
	}
	return false
}

func isDotSegment(rest string) bool {
	segment, _, _ := strings.Cut(rest, "/")
	return segment == "." || segment == ".."
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

// Canonical is the plainest reading of a path: lower case, no dot or empty
// segments, none that ends in blanks or dots, no parameter and no slash at its
// end.
func Canonical(p string) string {
	p = strings.ReplaceAll(p, `\`, "/")
	p, _, _ = strings.Cut(p, ";")
	p = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, p)
	return strings.ToLower(path.Clean(trimSegments(path.Clean("/" + p))))
}

// trimSegments drops the blanks and dots that end a segment, as some file
// systems and the servers on them do.
func trimSegments(p string) string {
	if !hasLooseSegment(p) {
		return p
	}
	segments := strings.Split(p, "/")
	for i, segment := range segments {
		segments[i] = strings.TrimRight(segment, " .")
	}
	return strings.Join(segments, "/")
}

func hasLooseSegment(p string) bool {
	for i := range len(p) {
		if (p[i] == ' ' || p[i] == '.') && (i+1 == len(p) || p[i+1] == '/') {
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
		key := strings.ToLower(strings.TrimSuffix(p, "*"))
		keys[i] = strings.TrimRight(key, "/")
	}
	return keys
}

// Protects reports whether the URL's path needs a session. Ambiguous paths
// match every rule that protects and none that makes public. Blanks and dots
// at a segment's end hide nothing from a rule that protects.
func (r Rules) Protects(u *url.URL) bool {
	if len(r.protect) == 0 {
		return false
	}
	if Ambiguous(u) {
		return true
	}
	public := longestMatch(r.public, u.Path)
	return longestMatch(r.protect, u.Path) > public || longestMatch(r.protect, trimSegments(u.Path)) > public
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

// covers compares without regard to case: an app may be no more exact.
func covers(key, p string) bool {
	if len(p) < len(key) || !strings.EqualFold(p[:len(key)], key) {
		return false
	}
	return len(p) == len(key) || p[len(key)] == '/'
}
