// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// MaxBody is the most that a request to one of our endpoints may carry.
const MaxBody = 8 << 10

// Body returns the request's whole body and leaves the request as if it had
// not been read, so that it can still be passed on to the app. It returns
// [ErrTooLarge] for more than [MaxBody], [ErrMediaType] for an encoded body,
// [ErrSlow] or [ErrMalformed] for one that breaks off.
func Body(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if seen, ok := r.Body.(*replayedBody); ok {
		return seen.judge(r)
	}
	body := &replayedBody{original: r.Body}
	body.read, body.err = io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	body.Reader = io.MultiReader(bytes.NewReader(body.read), &remainder{r.Body, body.err})
	r.Body = body
	return body.judge(r)
}

// replayedBody gives again what was read ahead, then goes on with the rest.
type replayedBody struct {
	io.Reader
	original io.ReadCloser
	read     []byte
	err      error
}

func (b *replayedBody) Close() error { return b.original.Close() }

func (b *replayedBody) judge(r *http.Request) ([]byte, error) {
	switch {
	case errors.Is(b.err, os.ErrDeadlineExceeded):
		return nil, ErrSlow
	case b.err != nil:
		return nil, ErrMalformed
	case len(b.read) > MaxBody:
		return nil, ErrTooLarge
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, ErrMediaType
	}
	return b.read, nil
}

// remainder is what follows the bytes read ahead: the error that ended them,
// or the rest.
type remainder struct {
	rest io.Reader
	err  error
}

func (r *remainder) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	return r.rest.Read(p)
}

// Accepts are the content types that an endpoint takes.
type Accepts int

// The content types.
const (
	// JSON is application/json.
	JSON Accepts = 1 << iota
	// Form is application/x-www-form-urlencoded.
	Form
	// PlainJSON is JSON that is sent as text/plain or without a type. A page
	// can send that to a foreign site without asking, so it is taken only
	// where the request isn't cross-site.
	PlainJSON
)

// Parse reads the request's body as an object, by its content type: JSON that
// must be one object, or a form, which may be empty. Keys that occur twice,
// trailing data and invalid UTF-8 are [ErrMalformed]; other content types are
// [ErrMediaType]. It returns the errors of [Body] too.
func Parse(r *http.Request, accepts Accepts) (Object, error) {
	body, err := Body(r)
	if err != nil {
		return nil, err
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return nil, ErrMediaType
	}
	switch {
	case mediaType == "application/json" && accepts&JSON != 0:
		return parseObject(body)
	case mediaType == "application/x-www-form-urlencoded" && accepts&Form != 0:
		return parseForm(body)
	case (mediaType == "text/plain" || mediaType == "") && accepts&PlainJSON != 0 && !declaredCrossSite(r):
		return parseObject(body)
	}
	return nil, ErrMediaType
}

func parseForm(body []byte) (Object, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, ErrMalformed
	}
	object := make(Object, len(values))
	for key, all := range values {
		if len(all) > 1 || !validText(key) || !validText(all[0]) {
			return nil, ErrMalformed
		}
		object[key] = all[0]
	}
	return object, nil
}
