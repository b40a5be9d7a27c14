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

// MaxReturnPath bounds what is kept of where to go after a sign-in, in bytes.
const MaxReturnPath = 1 << 10

// FormParameter is the login page's query parameter for what has become of a
// form that was posted without a session: [FormKept] or [FormLost].
const FormParameter = "form"

// The values of [FormParameter].
const (
	FormKept = "kept"
	FormLost = "lost"
)

// refuse answers a request that needs a session in the way that its client
// understands.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	wire.SetPrivate(h)
	login := addressOf(g.LoginPath, g.returnAddress(r), "")
	switch {
	case isGRPC(r):
		failGRPC(w, r, unauthenticated, "sign in first")
	case r.Header.Get("Upgrade") != "":
		g.unauthorized(w, login)
	case r.Header.Get("Hx-Request") == "true":
		h.Set("Hx-Redirect", login)
		g.unauthorized(w, login)
	case isNavigation(r):
		if isForm(r) {
			login = g.loginOfForm(w, r)
		}
		h.Set("Location", login)
		w.WriteHeader(http.StatusSeeOther)
	default:
		g.unauthorized(w, login)
	}
}

// loginOfForm keeps a form if it can, and returns the address of the login page
// that leads to sending it, or else to the page that it was on.
func (g *Gate) loginOfForm(w http.ResponseWriter, r *http.Request) string {
	if _, _, ok := g.Forms.confirmation(r); ok {
		// The session ended while we asked; what was kept stays so.
		return addressOf(g.LoginPath, g.FormPath, FormKept)
	}
	page := g.returnAddress(r)
	switch {
	case g.Forms.keep(w, r) == nil:
		back := g.FormPath + "?" + url.Values{ReturnParameter: {page}}.Encode()
		if len(back) > MaxReturnPath {
			back = g.FormPath // what was kept is worth more than the way back
		}
		return addressOf(g.LoginPath, back, FormKept)
	case g.Forms.origin(r) == wire.Foreign:
		return addressOf(g.LoginPath, page, "")
	}
	return addressOf(g.LoginPath, page, FormLost)
}

// addressOf is the address of a page of ours that leads back to another and,
// unless form is empty, says what has become of a form.
func addressOf(page, back, form string) string {
	query := url.Values{ReturnParameter: {back}}
	if form != "" {
		query.Set(FormParameter, form)
	}
	return page + "?" + query.Encode()
}

// ErrUnchecked: it can't be told now whether a request has a session. It is
// an [otp.ErrUnavailable].
var ErrUnchecked = fmt.Errorf("sessions can't be checked: %w", otp.ErrUnavailable)

const unchecked = "sessions can't be checked right now"

// failUnchecked answers a request that needs a session while none can be
// checked, for the reason err.
func (g *Gate) failUnchecked(w http.ResponseWriter, r *http.Request, err error) {
	g.fail(w, r, fmt.Errorf("%w: %w", ErrUnchecked, err), unchecked)
}

// failForm answers a confirmation of a form that can't be sent, for the reason
// err.
func (g *Gate) failForm(w http.ResponseWriter, r *http.Request, err error) {
	g.fail(w, r, err, "the form that was kept can't be sent")
}

// fail answers with a page, or with problem details to who shows none.
func (g *Gate) fail(w http.ResponseWriter, r *http.Request, err error, detail string) {
	wire.SetPrivate(w.Header())
	if g.FailPage != nil && WantsPage(r) {
		g.FailPage(w, r, err)
		return
	}
	failPlainly(w, err, detail)
}

// failPlainly answers with problem details.
func failPlainly(w http.ResponseWriter, err error, detail string) {
	wire.SetRetryAfter(w.Header(), err)
	writeProblem(w, wire.Status(err), detail)
}

// forbid answers somebody who is signed in and may not open a path.
func (g *Gate) forbid(w http.ResponseWriter, r *http.Request) {
	if isGRPC(r) {
		wire.SetPrivate(w.Header())
		failGRPC(w, r, permissionDenied, "not permitted")
		return
	}
	g.fail(w, r, wire.ErrForbidden, "you may not open this")
}

// Status codes of gRPC.
const (
	permissionDenied = "7"
	unauthenticated  = "16"
)

const grpc, grpcWeb = "application/grpc", "application/grpc-web"

// isGRPC tells calls of gRPC, and of gRPC-Web.
func isGRPC(r *http.Request) bool {
	return strings.HasPrefix(wire.First(r.Header, "Content-Type"), grpc)
}

// failGRPC answers in the way of gRPC: with 200 and a status in the header, as
// an answer without messages may (Trailers-Only).
func failGRPC(w http.ResponseWriter, r *http.Request, status, message string) {
	h := w.Header()
	h.Set("Content-Type", grpc)
	if strings.HasPrefix(r.Header.Get("Content-Type"), grpcWeb) {
		h.Set("Content-Type", grpcWeb)
	}
	h.Set("Grpc-Status", status)
	h.Set("Grpc-Message", message)
	w.WriteHeader(http.StatusOK)
}

// WantsPage tells who shows a page that comes instead of the one asked for.
func WantsPage(r *http.Request) bool {
	return isNavigation(r) && r.Header.Get("Upgrade") == "" && r.Header.Get("Hx-Request") != "true"
}

// isNavigation tells a person's browser from a program: Fetch metadata where
// there is some, else the Accept header of who gets a page or posts a form.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return (r.Method == http.MethodGet || r.Method == http.MethodHead || isForm(r)) &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}

// returnAddress is where a visitor comes back to: what a navigation asks for,
// or the page that a script or a form is on, where the request says which.
func (g *Gate) returnAddress(r *http.Request) string {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if reads && WantsPage(r) {
		return r.URL.RequestURI()
	}
	if page := g.pageOf(r); page != "" {
		return page
	}
	if reads {
		return r.URL.RequestURI()
	}
	return "/"
}

// pageOf is the page of this site that a request was made on, by what htmx or
// else the Referer tells, or "".
func (g *Gate) pageOf(r *http.Request) string {
	for _, page := range [...]string{r.Header.Get("Hx-Current-Url"), r.Referer()} {
		if path, ok := strings.CutPrefix(page, g.Service.PublicURL().String()); ok {
			return ReturnPath(path)
		}
	}
	return ""
}

func (g *Gate) unauthorized(w http.ResponseWriter, login string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="`+g.Service.Realm()+`"`)
	writeProblem(w, http.StatusUnauthorized, "sign in first", way{"login_url", g.Service.PublicURL().String() + login})
}

// way is a member of problem details that says where to go on.
type way struct{ member, url string }

// writeProblem answers with problem details (RFC 9457).
func writeProblem(w http.ResponseWriter, status int, detail string, ways ...way) {
	problem := map[string]any{
		"type":   "about:blank",
		"title":  http.StatusText(status),
		"status": status,
		"detail": detail,
	}
	for _, way := range ways {
		problem[way.member] = way.url
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
