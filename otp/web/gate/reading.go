// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain reports whether lenient servers read a path as it stands, but for the
// case of its letters: it has nothing left that is encoded, no letter outside
// ASCII, no query of its own, and no segment that ends in a blank or a dot.
func Plain(p string) bool {
	for i := range len(p) {
		switch c := p[i]; {
		case c >= utf8.RuneSelf, c == '%', c == '?', c == '#', c == '\\', c == ';', c < ' ', c == 0x7f:
			return false
		case (c == ' ' || c == '.') && (i+1 == len(p) || p[i+1] == '/'):
			return false
		}
	}
	return true
}

// Canonical is a path as the most lenient servers read it: decoded for as long
// as there is something to decode, lookalikes of slashes and dots as those, no
// query and no parameters, no dot or empty segments, none that ends in blanks
// or dots, in lower case and without a slash at its end.
func Canonical(p string) string {
	p = lookalikes.Replace(decode(p))
	if end := strings.IndexAny(p, "?#;"); end >= 0 {
		p = p[:end]
	}
	p = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, p)
	return fold(path.Clean(trimSegments(path.Clean("/" + p))))
}

// lookalikes are what servers have taken for a slash or a dot: in other
// widths and scripts, and in overlong UTF-8.
var lookalikes = strings.NewReplacer(
	"\\", "/", "\uff0f", "/", "\u2215", "/", "\u2044", "/", "\uff3c", "/", "\u2216", "/", "\xc0\xaf", "/",
	"\uff0e", ".", "\u2024", ".", "\xc0\xae", ".",
)

// decode undoes percent-encoding until nothing is left of it, in one pass: what
// is decoded may be part of a further encoding with what stands before it.
func decode(p string) string {
	if !strings.Contains(p, "%") {
		return p
	}
	decoded := make([]byte, 0, len(p))
	for i := range len(p) {
		decoded = append(decoded, p[i])
		for {
			at := len(decoded) - 3
			if at < 0 || decoded[at] != '%' || !isHex(decoded[at+1]) || !isHex(decoded[at+2]) {
				break
			}
			decoded = append(decoded[:at], unhex(decoded[at+1])<<4|unhex(decoded[at+2]))
		}
	}
	return string(decoded)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// trimSegments drops the blanks and dots that end a segment, as some file
// systems and the servers on them do.
func trimSegments(p string) string {
	segments := strings.Split(p, "/")
	for i, segment := range segments {
		segments[i] = strings.TrimRight(segment, " .")
	}
	return strings.Join(segments, "/")
}

// fold returns the one form of all spellings that differ in case, by which an
// app may tell no more apart: lower case in ASCII.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return strings.Map(foldRune, s)
		}
	}
	return s
}

func foldRune(r rune) rune {
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	return unicode.ToLower(least)
}
