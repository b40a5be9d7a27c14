// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/caddy-otp/caddy-otp/otp"
)

// WriteJSON answers with a JSON body of the content type application/json.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	WriteJSONAs(w, "application/json; charset=utf-8", status, body)
}

// WriteJSONAs answers with a JSON body of another content type. The body must
// be one that can be encoded.
func WriteJSONAs(w http.ResponseWriter, contentType string, status int, body any) {
	encoded := buffers.Get().(*bytes.Buffer)
	defer func() {
		clear(encoded.Bytes()) // it may have been tokens
		encoded.Reset()
		if encoded.Cap() <= maxPooledBuffer {
			buffers.Put(encoded)
		}
	}()
	if err := encodeTo(encoded, body); err != nil {
		panic(err) // a defect: every body is made of plain values
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(encoded.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(encoded.Bytes())
}

// buffers are for the bodies of answers, which are short.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const maxPooledBuffer = 16 << 10

// Compact is a value's JSON with ampersands and the like as they are: escaped, as
// for a script within a page, they would take six bytes each.
func Compact(value any) ([]byte, error) {
	var encoded bytes.Buffer
	err := encodeTo(&encoded, value)
	return encoded.Bytes(), err
}

func encodeTo(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// SetPrivate sets what every answer of ours carries: it isn't to be stored,
// sniffed, framed, or named to other sites (RFC 6585 §4 asks it of a 429).
func SetPrivate(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// SetRetryAfter tells when to try again, where err says so.
func SetRetryAfter(h http.Header, err error) {
	if seconds := otp.RetryAfter(err); seconds > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds))
	}
}
