// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/caddy-otp/caddy-otp/otp"
)

// WriteJSON answers with a JSON body of the content type application/json.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	WriteJSONAs(w, "application/json; charset=utf-8", status, body)
}

// WriteJSONAs answers with a JSON body of another content type. The body must
// be one that can be encoded.
func WriteJSONAs(w http.ResponseWriter, contentType string, status int, body any) {
	encoded, err := Compact(body)
	if err != nil {
		panic(err) // a defect: every body is made of plain values
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(encoded)))
	w.WriteHeader(status)
	_, _ = w.Write(encoded)
}

// Compact is a value's JSON with ampersands and the like as they are: escaped, as
// for a script within a page, they would take six bytes each.
func Compact(value any) ([]byte, error) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return encoded.Bytes(), err
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
