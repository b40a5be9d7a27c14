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
