// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// finish answers a browser that is signed in by x with what the client asked
// for, or tells the client why it gets none of it. Whoever needs a second factor
// is led to get one first, and from there to /authorize.
func (d *Dialect) finish(w http.ResponseWriter, r *http.Request, a authorization, x otp.Session) {
	if a.target == nil {
		redirect(w, r, "/")
		return
	}
	if a.ResponseType != "" && !d.Pages.Gate.HasFactor(x) {
		back, err := d.wayBack(w, authorizeRequest{authorization: a, maxAge: anyAge})
		if err == nil {
			d.Pages.SecondFactor(w, back)
			return
		}
		d.refuseClient(w, r, a, err)
		return
	}
	values, err := d.yield(r, a, x)
	switch {
	case errors.Is(err, otp.ErrNoSession): // it has ended meanwhile
		d.refuseClient(w, r, a, errLoginRequired)
		return
	case err != nil:
		d.refuseClient(w, r, a, err)
		return
	}
	d.respond(w, r, a, values)
}

// refuseClient tells a client what is wrong with its request (RFC 6749
// §4.1.2.1).
func (d *Dialect) refuseClient(w http.ResponseWriter, r *http.Request, a authorization, err error) {
	answer := refusalFor("", err)
	if answer == errInternal {
		d.Logger.Error("request failed", slog.String("api", Name), slog.Any("error", err))
	}
	if a.errorsInFragment && a.ResponseMode == "" {
		a.ResponseMode = modeFragment
	}
	d.respond(w, r, a, url.Values{"error": {answer.Code}, "error_description": {answer.Description}})
}

// respond sends values to the client, with its state and, for clients of several
// servers, who has sent them (RFC 9207 §2).
func (d *Dialect) respond(w http.ResponseWriter, r *http.Request, a authorization, values url.Values) {
	if a.target == nil {
		redirect(w, r, "/")
		return
	}
	if len(values) > 0 { // else nothing was asked for
		values.Set("iss", d.Issuer.URL())
	}
	if a.State != "" {
		values.Set("state", a.State)
	}
	switch a.mode() {
	case modeFormPost:
		writePage(w, formPostPage, formPostPolicy, formPost{a.RedirectURI, values})
	case modeWebMessage:
		message := make(map[string]any, len(values))
		for name := range values {
			message[name] = values.Get(name)
		}
		if seconds, err := strconv.Atoi(values.Get("expires_in")); err == nil {
			message["expires_in"] = seconds
		}
		encoded, err := json.Marshal(message)
		if err != nil {
			panic(err) // a defect: they are texts
		}
		policy := webMessagePolicy + a.origin()
		writePage(w, webMessagePage, policy, webMessage{a.origin(), string(encoded)})
	case modeFragment:
		redirect(w, r, a.target.String()+"#"+strings.ReplaceAll(values.Encode(), "+", "%20"))
	default:
		redirect(w, r, withQuery(a.RedirectURI, values))
	}
}

// withQuery adds values to the query of a configured address.
func withQuery(address string, values url.Values) string {
	target, err := url.Parse(address)
	if err != nil {
		return address // it is checked where it is configured
	}
	query := target.Query()
	for name := range values {
		query.Set(name, values.Get(name))
	}
	target.RawQuery = query.Encode()
	return target.String()
}

// redirect sends the browser on, by GET: what it posted here isn't for the
// client (RFC 9700 §4.12).
func redirect(w http.ResponseWriter, r *http.Request, address string) {
	w.Header().Set("Location", address)
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusFound)
}

// The pages that hand values to a client without a redirect: each is one script
// of ours and data that it reads. Values are escaped for where they stand.
const (
	submitScript = `document.forms[0].submit()`
	postScript   = `(function(){var d=document.body.dataset;(window.opener||window.parent).postMessage({type:"authorization_response",response:JSON.parse(d.response)},d.target)})()`
)

type formPost struct {
	Action string
	Values url.Values
}

type webMessage struct{ Target, Response string }

var (
	// formPostPage posts the values (OAuth 2.0 Form Post Response Mode).
	formPostPage = template.Must(template.New("").Parse(`<!doctype html>
<meta charset="utf-8"><link rel="icon" href="data:,"><title>…</title>
<form method="post" action="{{.Action}}">
{{range $name, $all := .Values}}{{range $all}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<noscript><button>OK</button></noscript>
</form>
<script>` + submitScript + `</script>
`))
	// webMessagePage posts them to the window that opened or frames it, if that
	// shows a page of the client.
	webMessagePage = template.Must(template.New("").Parse(`<!doctype html>
<meta charset="utf-8"><link rel="icon" href="data:,"><title>…</title>
<body data-target="{{.Target}}" data-response="{{.Response}}">
<script>` + postScript + `</script>
`))

	formPostPolicy   = "default-src 'none'; img-src data:; script-src " + hashOf(submitScript) + "; base-uri 'none'; frame-ancestors 'none'"
	webMessagePolicy = "default-src 'none'; img-src data:; script-src " + hashOf(postScript) + "; base-uri 'none'; form-action 'none'; frame-ancestors "
)

func hashOf(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func writePage(w http.ResponseWriter, page *template.Template, policy string, data any) {
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil {
		panic(err) // a defect: it is made of plain values
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body.Bytes())
}

// showsPages tells a person's browser from a program.
func showsPages(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" || strings.Contains(r.Header.Get("Accept"), "text/html")
}

// refuseBrowser answers a request that a client has sent the browser with, and
// that nothing may be sent to the client for: with a page, and to a program with
// the dialect's error.
func (d *Dialect) refuseBrowser(w http.ResponseWriter, r *http.Request, err error) error {
	answer := refusalFor("", err)
	if !showsPages(r) || answer.status >= http.StatusInternalServerError {
		return err
	}
	d.Logger.Warn("a client's request can't be answered", slog.String("api", Name), slog.String("path", r.URL.Path), slog.String("because_of", answer.Code))
	d.Pages.RefuseClient(w, r, answer.Description)
	return nil
}

// ownPage refuses a form that isn't of a page of this site, which is where people
// are asked. The origins that may call the API may not answer for them: they
// could sign their visitors in as somebody else.
func (d *Dialect) ownPage(r *http.Request) error {
	if wire.JudgeOrigin(r, d.Service.PublicURL().String(), nil) == wire.Foreign {
		return wire.ErrCrossSite
	}
	return nil
}

// fetched refuses what isn't opened by a browser as a page: a script of one
// client must not read what is for another. Browsers put an Origin to what
// scripts get from another site, and to no page that is opened by a link.
func fetched(r *http.Request) error {
	mode := r.Header.Get("Sec-Fetch-Mode")
	if mode != "" && mode != "navigate" || mode == "" && r.Method == http.MethodGet && r.Header.Get("Origin") != "" {
		return badRequest("invalid_request", "This address is for a browser to open, not for a script to fetch.")
	}
	return nil
}
