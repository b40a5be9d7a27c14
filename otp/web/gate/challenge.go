// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// ReturnParameter is the login page's query parameter for where to go
// afterwards.
const ReturnParameter = "return_to"

// refuse answers a request that needs a session in the way that its client
// understands.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	wire.SetPrivate(h)
	login := g.LoginPath + "?" + url.Values{ReturnParameter: {returnAddress(r)}}.Encode()
	switch {
	case isGRPC(r):
		failGRPC(w, unauthenticated, "sign in first")
	case r.Header.Get("Upgrade") != "":
		g.unauthorized(w, login)
	case r.Header.Get("Hx-Request") == "true":
		h.Set("Hx-Redirect", login)
		g.unauthorized(w, login)
	case isNavigation(r):
		h.Set("Location", login)
		w.WriteHeader(http.StatusSeeOther)
	default:
		g.unauthorized(w, login)
	}
}

// ErrUnchecked: it can't be told now whether a request has a session. It is
// an [otp.ErrUnavailable].
var ErrUnchecked = fmt.Errorf("sessions can't be checked: %w", otp.ErrUnavailable)

// failUnchecked answers a request that needs a session while none can be
// checked, for the reason err.
func (g *Gate) failUnchecked(w http.ResponseWriter, r *http.Request, err error) {
	wire.SetPrivate(w.Header())
	if g.FailPage != nil && wantsPage(r) {
		g.FailPage(w, r, fmt.Errorf("%w: %w", ErrUnchecked, err))
		return
	}
	g.failUncheckedPlainly(w, err)
}

func (g *Gate) failUncheckedPlainly(w http.ResponseWriter, err error) {
	wire.SetRetryAfter(w.Header(), err)
	writeProblem(w, http.StatusServiceUnavailable, "sessions can't be checked right now", "")
}

// forbid answers somebody who is signed in and may not open a path.
func (g *Gate) forbid(w http.ResponseWriter, r *http.Request) {
	wire.SetPrivate(w.Header())
	switch {
	case isGRPC(r):
		failGRPC(w, permissionDenied, "not permitted")
	case g.FailPage != nil && wantsPage(r):
		g.FailPage(w, r, wire.ErrForbidden)
	default:
		writeProblem(w, http.StatusForbidden, "you may not open this", "")
	}
}

// Status codes of gRPC.
const (
	permissionDenied = "7"
	unauthenticated  = "16"
)

// isGRPC tells calls of gRPC, and of gRPC-Web.
func isGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// failGRPC answers in the way of gRPC: with 200 and a status in the header, as
// an answer without messages may (Trailers-Only).
func failGRPC(w http.ResponseWriter, status, message string) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", status)
	h.Set("Grpc-Message", message)
	w.WriteHeader(http.StatusOK)
}

// wantsPage tells who shows a page that comes instead of the one asked for.
func wantsPage(r *http.Request) bool {
	return isNavigation(r) && r.Header.Get("Upgrade") == "" && r.Header.Get("Hx-Request") != "true"
}

// isNavigation tells a person's browser from a program: Fetch metadata where
// there is some, else the Accept header.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}

// returnAddress is where a visitor wanted to go. What a form posted to is no
// page to come back to.
func returnAddress(r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "/"
	}
	return r.URL.RequestURI()
}

func (g *Gate) unauthorized(w http.ResponseWriter, login string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="`+g.Service.Realm()+`"`)
	writeProblem(w, http.StatusUnauthorized, "sign in first", g.Service.PublicURL().String()+login)
}

// writeProblem answers with problem details (RFC 9457).
func writeProblem(w http.ResponseWriter, status int, detail, loginURL string) {
	problem := map[string]any{
		"type":   "about:blank",
		"title":  http.StatusText(status),
		"status": status,
		"detail": detail,
	}
	if loginURL != "" {
		problem["login_url"] = loginURL
	}
	wire.WriteJSONAs(w, "application/problem+json; charset=utf-8", status, problem)
}

// ReturnPath returns the part of an address to return to that is safe: a path
// on this site with its query and fragment, or "/" for anything else.
func ReturnPath(address string) string {
	if len(address) < 1 || address[0] != '/' || len(address) > 1 && (address[1] == '/' || address[1] == '\\') {
		return "/"
	}
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c == '\\' || c == 0x7f {
			return "/"
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return "/"
	}
	return address
}
