// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strconv"

	"github.com/caddy-otp/caddy-otp/otp/text"
)

//go:embed pages
var files embed.FS

var (
	style     = mustRead("pages/style.css")
	fragment  = mustRead("pages/fragment.js")
	templates = map[kind]*template.Template{
		loginKind:    mustParse("pages/login.html"),
		signedInKind: mustParse("pages/signedin.html"),
		verifyKind:   mustParse("pages/verify.html"),
		factorsKind:  mustParse("pages/factors.html"),
		linkKind:     mustParse("pages/link.html"),
		askKind:      mustParse("pages/ask.html"),
		formKind:     mustParse("pages/form.html"),
		logoutKind:   mustParse("pages/logout.html"),
		sessionsKind: mustParse("pages/sessions.html"),
		messageKind:  mustParse("pages/message.html"),
	}
)

func mustRead(name string) string {
	content, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(content)
}

func mustParse(name string) *template.Template {
	return template.Must(template.ParseFS(files, "pages/layout.html", name))
}

// policies are the pages' Content-Security-Policy: nothing is loaded or
// framed, and the one style sheet and the one script are those that we wrote.
// The icon is an empty one in the page, so that no browser asks the app for one.
var (
	basePolicy = "default-src 'none'; style-src '" + hashSource(style) + "'; script-src '" + hashSource(fragment) +
		"'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
	formPolicy = basePolicy + "; form-action 'self'"
)

func hashSource(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// kind is which of the templates a page is made of.
type kind int

const (
	loginKind kind = iota
	signedInKind
	verifyKind
	factorsKind
	linkKind
	askKind
	formKind
	logoutKind
	sessionsKind
	messageKind
)

// page is what the templates see.
type page struct {
	kind  kind
	Words *text.Words
	Title string
	// Site is the site's name, or empty where the title has it.
	Site string
	// Alert says what went wrong, Notice what else is new; both may be empty.
	Alert, Notice string
	// Text are the paragraphs above the page's form.
	Text []string
	// Body is what the page's own template needs.
	Body any

	// coolDown words that no code is taken for a while.
	coolDown string
	// badAddress words that an address can't be one, and what can.
	badAddress string
	// leads says that the page's form leads on to another site.
	leads bool
}

// Style is the style sheet.
func (*page) Style() template.CSS { return template.CSS(style) }

// CarriesFragment reports whether the page leads on to where somebody wanted to
// go.
func (p *page) CarriesFragment() bool { return p.kind == loginKind || p.kind == signedInKind }

// CarryFragment is the script that keeps the fragment of the address that a
// visitor wanted. Without it only that is lost.
func (*page) CarryFragment() template.JS { return template.JS(fragment) }

// leavesSite reports whether the page's form leads on to an address of the
// app's choice, to the realm's home, or is answered by the app. Chromium holds a
// form-action against redirects after the post too, so that an app which sends
// people on to another origin (the callback of an OAuth client) could not be
// signed in to.
func (p *page) leavesSite() bool {
	return p.kind == verifyKind || p.kind == linkKind || p.kind == askKind || p.kind == formKind || p.leads
}

func (p *portal) render(w http.ResponseWriter, status int, page *page) {
	var body bytes.Buffer
	if err := templates[page.kind].ExecuteTemplate(&body, "layout", page); err != nil {
		panic(err) // a defect: every page is made of plain values
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", page.Words.Language)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Content-Security-Policy", formPolicy)
	if page.leavesSite() {
		h.Set("Content-Security-Policy", basePolicy)
	}
	// With no-referrer browsers hide the origin of a form's post too.
	h.Set("Referrer-Policy", "strict-origin")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
