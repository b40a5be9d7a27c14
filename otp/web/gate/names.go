// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// nameSet are names of headers, compared as lenient servers do: whatever the
// case, and whatever stands between the words.
type nameSet struct {
	// lengths has a bit for each length of a name; those from 63 on share one.
	lengths uint64
	folded  []string
}

func newNameSet(names ...string) *nameSet {
	s := new(nameSet)
	for _, name := range names {
		folded := FoldName(name)
		if folded == "" || slices.Contains(s.folded, folded) {
			continue
		}
		s.folded = append(s.folded, folded)
		s.lengths |= lengthBit(name)
	}
	return s
}

func lengthBit(name string) uint64 { return 1 << min(len(name), 63) }

// has reports whether a name is one of the set, in any spelling. Most names
// are told apart by their length and first letter.
func (s *nameSet) has(name string) bool {
	if s.lengths&lengthBit(name) == 0 {
		return false
	}
	for _, folded := range s.folded {
		if len(folded) == len(name) && folded[0] == foldByte(name[0]) && foldsTo(name, folded) {
			return true
		}
	}
	return false
}

// foldsTo reports whether a name of the same length folds to a folded one.
func foldsTo(name, folded string) bool {
	for i := range len(name) {
		if foldByte(name[i]) != folded[i] {
			return false
		}
	}
	return true
}

// FoldName returns the one form of all spellings of a header's name that some
// server takes for the same.
func FoldName(name string) string {
	folded := []byte(name)
	for i, c := range folded {
		folded[i] = foldByte(c)
	}
	return string(folded)
}

// foldByte maps letters to lower case and all but letters and digits to one,
// as CGI servers make variables of header names.
func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	}
	return '-'
}

// maxHeaderName is the longest name of an identity header, in bytes.
const maxHeaderName = 64

// reserved are headers that mean something to HTTP, to Caddy, or to us. The
// names are folded; one that ends in * begins others.
var reserved = []struct {
	why   string
	names []string
}{
	{"it carries HTTP itself", []string{
		"host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "upgrade-insecure-requests", "http2-settings", "expect", "content-*",
		"via", "max-forwards", "date", "early-data", "priority", "alt-used", "status",
	}},
	{"it says what a client asks for", []string{
		"accept", "accept-*", "range", "if-*", "cache-control", "pragma", "user-agent", "last-event-id", "x-requested-with", "hx-*",
		"x-http-method", "x-http-method-override", "x-method-override", "x-original-*", "x-rewrite-*", "x-request-id", "traceparent", "tracestate", "grpc-*",
	}},
	{"it carries what clients prove themselves with, or where a request comes from", []string{
		"authorization", "cookie", "cookie2", "dpop", "origin", "referer", "sec-*", "access-control-*", "x-csrf-token", "x-xsrf-token",
		"x-access-token-type", "x-request-language", "auth0-*", "nest-auth-*",
	}},
	{"it tells of the proxies on the way", []string{
		"forwarded", "x-forwarded-*", "x-real-ip", "x-client-ip", "true-client-ip", "cf-*", "proxy", "proxy-*", "x-accel-*", "x-sendfile*",
	}},
	{"on an answer it would tell the browser something", []string{
		"set-cookie", "set-cookie2", "location", "refresh", "clear-site-data", "www-authenticate", "strict-transport-security",
		"x-frame-options", "x-content-type-options", "retry-after", "vary", "etag", "last-modified", "expires", "age", "allow", "link", "server",
		"referrer-policy", "permissions-policy", "cross-origin-*", "cdn-cache-control", "surrogate-control", "alt-svc",
	}},
}

// known are names of the identity headers of other proxies, which begin like
// reserved ones.
var known = []string{"x-forwarded-user", "x-forwarded-email", "x-forwarded-groups", "x-forwarded-preferred-username"}

// CheckName returns why a header can't tell who is signed in, or nil.
func CheckName(name string) error {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return errors.New("it can't be the name of a header")
	case len(name) > maxHeaderName:
		return fmt.Errorf("it has more than %d characters", maxHeaderName)
	}
	folded := FoldName(name)
	if strings.Trim(folded, "-") == "" {
		return errors.New("it has no letter")
	}
	if slices.Contains(known, folded) {
		return nil
	}
	for _, kind := range reserved {
		for _, pattern := range kind.names {
			prefix, many := strings.CutSuffix(pattern, "*")
			if folded == pattern || many && strings.HasPrefix(folded, prefix) {
				return errors.New(kind.why)
			}
		}
	}
	return nil
}
