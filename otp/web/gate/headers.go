// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"io"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
)

// The headers that tell the app who is signed in.
const (
	RemoteUser    = "Remote-User"
	RemoteEmail   = "Remote-Email"
	RemotePhone   = "Remote-Phone"
	RemoteGroups  = "Remote-Groups"
	RemoteSubject = "Remote-Subject"
)

var identityHeaders = [...]string{RemoteUser, RemoteEmail, RemotePhone, RemoteGroups, RemoteSubject}

// StripIdentity removes the identity headers that a client sent, in every
// spelling that some server behind folds to the same name (case, and whatever
// stands between the words),
// and removes them from what Connection and Trailer name: a proxy would
// delete ours, or take them from after the body. It does the same to the
// trailers, also to those that arrive with the body's end.
func StripIdentity(r *http.Request) {
	for name := range r.Header {
		if isIdentityHeader(name) {
			delete(r.Header, name)
		}
	}
	stripListed(r.Header, "Connection")
	stripListed(r.Header, "Trailer")
	stripTrailer(r)
	if mayHaveTrailer(r) {
		r.Body = &strippedBody{ReadCloser: r.Body, request: r}
	}
}

func stripTrailer(r *http.Request) {
	for name := range r.Trailer {
		if isIdentityHeader(name) {
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
	request *http.Request
}

func (b *strippedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		stripTrailer(b.request)
	}
	return n, err
}

func isIdentityHeader(name string) bool {
	for _, header := range identityHeaders {
		if foldsTo(name, header) {
			return true
		}
	}
	return false
}

// foldsTo compares header names as lenient servers do.
func foldsTo(name, header string) bool {
	if len(name) != len(header) {
		return false
	}
	for i := range len(name) {
		if foldByte(name[i]) != foldByte(header[i]) {
			return false
		}
	}
	return true
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

// stripListed removes identity headers from a header that lists names.
func stripListed(h http.Header, list string) {
	values := h[list]
	if !listsIdentity(values) {
		return
	}
	var kept []string
	for _, value := range values {
		var names []string
		for name := range strings.SplitSeq(value, ",") {
			if name = textproto.TrimString(name); !isIdentityHeader(name) {
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

func listsIdentity(values []string) bool {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			if isIdentityHeader(textproto.TrimString(name)) {
				return true
			}
		}
	}
	return false
}

// setIdentity tells the app who is signed in. Each value is in a slice of its
// own: later handlers edit them in place.
func setIdentity(h http.Header, x otp.Session) {
	address := x.Address.String()
	h[RemoteUser] = []string{address}
	if x.Address.Channel() == otp.SMS {
		h[RemotePhone] = []string{address}
	} else {
		h[RemoteEmail] = []string{address}
	}
	if len(x.Person.Groups) > 0 {
		h[RemoteGroups] = []string{strings.Join(x.Person.Groups, ",")}
	}
	h[RemoteSubject] = []string{x.Subject}
}
