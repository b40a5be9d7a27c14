// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"io"
	"net/http"
	"net/textproto"
	"strings"
)

// Strip removes the identity headers that a client sent, in every spelling
// that some server behind folds to the same name (case, and whatever stands
// between the words), and removes them from what Connection and Trailer name:
// a proxy would delete ours, or take them from after the body. It does the
// same to the trailers, also to those that arrive with the body's end. It is
// for every request, before anything else looks at it.
func (i *Identity) Strip(r *http.Request) {
	for name := range r.Header {
		if i.names.has(name) {
			delete(r.Header, name)
		}
	}
	i.stripListed(r.Header, "Connection")
	i.stripListed(r.Header, "Trailer")
	i.stripTrailer(r)
	if mayHaveTrailer(r) {
		r.Body = &strippedBody{ReadCloser: r.Body, identity: i, request: r}
	}
}

func (i *Identity) stripTrailer(r *http.Request) {
	for name := range r.Trailer {
		if i.names.has(name) {
			delete(r.Trailer, name)
		}
	}
}

// mayHaveTrailer tells bodies that can end in trailers, declared or not.
func mayHaveTrailer(r *http.Request) bool {
	return r.Body != nil && r.Body != http.NoBody && (r.ContentLength < 0 || r.Trailer != nil)
}

// strippedBody removes the identity headers from the trailers as the server
// adds them: when the body's end is read, before whoever reads it knows.
type strippedBody struct {
	io.ReadCloser
	identity *Identity
	request  *http.Request
}

func (b *strippedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.identity.stripTrailer(b.request)
	}
	return n, err
}

// stripListed removes identity headers from a header that lists names.
func (i *Identity) stripListed(h http.Header, list string) {
	values := h[list]
	if !i.listed(values) {
		return
	}
	var kept []string
	for _, value := range values {
		var names []string
		for name := range strings.SplitSeq(value, ",") {
			if name = textproto.TrimString(name); !i.names.has(name) {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			kept = append(kept, strings.Join(names, ", "))
		}
	}
	if kept == nil {
		delete(h, list)
		return
	}
	h[list] = kept
}

func (i *Identity) listed(values []string) bool {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			if i.names.has(textproto.TrimString(name)) {
				return true
			}
		}
	}
	return false
}
