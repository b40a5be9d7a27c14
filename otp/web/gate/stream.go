// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"io"
	"net/http"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
)

// streamWriter follows a request whose answer turns out to be a stream. Apps
// answer with one whatever the client accepts, so that whoever left that unsaid
// would keep theirs after the session's end.
type streamWriter struct {
	http.ResponseWriter
	gate    *Gate
	request *http.Request
	session *otp.Session
	need    Need

	began   bool
	release func() // nil: it isn't followed
}

// isStream tells answers that go on until somebody ends them: event streams
// (HTML standard, server-sent events), and pictures that replace each other.
func isStream(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.TrimSpace(mediaType)
	return strings.EqualFold(mediaType, "text/event-stream") || strings.EqualFold(mediaType, "multipart/x-mixed-replace")
}

func (w *streamWriter) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.begin()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *streamWriter) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// ReadFrom leaves it to the server how a file is sent.
func (w *streamWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	return io.Copy(w.ResponseWriter, r)
}

// Unwrap lets http.ResponseController reach what is below.
func (w *streamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// begin looks at what kind of answer begins.
func (w *streamWriter) begin() {
	if w.began {
		return
	}
	w.began = true
	if isStream(w.Header().Get("Content-Type")) {
		// The app has the request already: what ends then is the connection,
		// and with that the request.
		_, w.release = w.gate.follow(w.ResponseWriter, w.request, w.session, w.need)
	}
}

// end must be called when the request has ended.
func (w *streamWriter) end() {
	if w.release != nil {
		w.release()
	}
}
