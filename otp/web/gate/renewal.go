// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// renewingWriter sets the session cookie anew with the answer's header, unless
// shared caches may keep that answer. One that leaves that to them becomes
// private.
type renewingWriter struct {
	http.ResponseWriter
	cookie  *SessionCookie
	session *otp.Session
	done    bool
}

func (w *renewingWriter) WriteHeader(status int) {
	if status >= http.StatusOK && !w.done {
		w.done = true
		h := w.Header()
		if caching := cachingOf(h); caching != shared && status != http.StatusNotModified {
			if caching == unsaid {
				h.Add("Cache-Control", "private")
			}
			w.cookie.Set(h, *w.session)
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

// caching is what an answer says of shared caches. A cookie alone doesn't keep
// it out of them (RFC 9111 §7.3).
type caching int

const (
	// unsaid: a cache may keep it by its own judgement.
	unsaid caching = iota
	// private: none may keep it.
	private
	// shared: they may keep it for a while.
	shared
)

// cachingOf reads what an answer says (RFC 9111 §5.2.2).
func cachingOf(h http.Header) caching {
	for _, header := range [...]string{"Cdn-Cache-Control", "Surrogate-Control"} {
		if h.Get(header) != "" {
			return shared
		}
	}
	said := unsaid
	if expires, err := http.ParseTime(h.Get("Expires")); err == nil && time.Now().Before(expires) {
		said = shared
	}
	for _, value := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(value, ",") {
			name, argument, _ := strings.Cut(textproto.TrimString(directive), "=")
			switch name = strings.ToLower(name); {
			case name == "public", name == "s-maxage":
				return shared
			case name == "no-store", name == "private" && argument == "": // with an argument it is about single fields
				said = private
			case name == "max-age" && strings.Trim(argument, `"0`) != "" && said != private:
				said = shared
			}
		}
	}
	return said
}
