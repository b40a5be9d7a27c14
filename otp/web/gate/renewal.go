// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// renewingWriter sets the session cookie anew with the answer's header,
// unless a shared cache may keep that answer.
type renewingWriter struct {
	http.ResponseWriter
	cookie  *SessionCookie
	session otp.Session
	done    bool
}

func (w *renewingWriter) WriteHeader(status int) {
	if status >= http.StatusOK && !w.done {
		w.done = true
		if !isShared(w.Header()) {
			w.cookie.Set(w.Header(), w.session)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *renewingWriter) Write(p []byte) (int, error) {
	if !w.done {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is below.
func (w *renewingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// isShared reports whether shared caches may keep an answer for a while: it
// says so, or names an age and doesn't say that it is private (RFC 9111 §3).
func isShared(h http.Header) bool {
	for _, header := range [...]string{"Cdn-Cache-Control", "Surrogate-Control"} {
		if h.Get(header) != "" {
			return true
		}
	}
	expires, err := http.ParseTime(h.Get("Expires"))
	shared, private := err == nil && time.Now().Before(expires), false
	for _, value := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(value, ",") {
			name, age, _ := strings.Cut(textproto.TrimString(directive), "=")
			switch strings.ToLower(name) {
			case "public", "s-maxage":
				return true
			case "private", "no-store":
				private = true
			case "max-age":
				shared = strings.Trim(age, `"0`) != ""
			}
		}
	}
	return shared && !private
}
