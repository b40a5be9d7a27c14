// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
)

// Caller is what the server in front knows of a request's sender.
type Caller struct {
	// IP is the client's address as the server trusts it; invalid where it
	// has none.
	IP netip.Addr
	// RequestID returns what is unique to the request, always the same. It is
	// made when it is asked for: mostly nobody does.
	RequestID func() string
	// Trace returns the one that the request belongs to, or none, likewise.
	Trace func() Trace
}

type callerKey struct{}

// WithCaller returns the request with its caller attached. Where that has no
// trace it gets the one that the request came with, or a new one.
func WithCaller(r *http.Request, c Caller) *http.Request {
	known := c.Trace
	c.Trace = sync.OnceValue(func() Trace {
		if t := known(); t != (Trace{}) {
			return t
		}
		return TraceOf(r)
	})
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
}

// CallerOf returns the caller attached to a request.
func CallerOf(r *http.Request) Caller {
	c, attached := r.Context().Value(callerKey{}).(Caller)
	if !attached {
		return Caller{RequestID: func() string { return "" }, Trace: func() Trace { return Trace{} }}
	}
	return c
}

// maxLanguages is the longest list of languages that is looked at, in bytes.
const maxLanguages = 256

// Languages returns the languages that a request prefers, as the list of an
// Accept-Language header (RFC 9110 §12.5.4), or "".
func Languages(r *http.Request) string {
	languages := r.Header.Get("Accept-Language")
	if len(languages) > maxLanguages {
		return ""
	}
	return languages
}

// First is [http.Header.Get] for a name that is known to be in its canonical
// form.
func First(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Bearer returns the request's bearer token (RFC 6750 §2.1), or "".
func Bearer(r *http.Request) string {
	const scheme = "bearer "
	authorization := First(r.Header, "Authorization")
	if len(authorization) <= len(scheme) || !equalFoldASCII(authorization[:len(scheme)], scheme) {
		return ""
	}
	return authorization[len(scheme):]
}

// equalFoldASCII compares with a lower-case pattern.
func equalFoldASCII(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
