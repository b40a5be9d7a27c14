// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"strings"

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

// isShared reports whether an answer is for shared caches.
func isShared(h http.Header) bool {
	for _, value := range h.Values("Cache-Control") {
		value = strings.ToLower(value)
		if strings.Contains(value, "public") || strings.Contains(value, "s-maxage") {
			return true
		}
	}
	return false
}
