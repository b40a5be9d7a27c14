// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Parameters of the login page that have their names from OpenID Connect Core
// §3.1.2.1.
const (
	// hintParameter is the address that stands in the form: nothing is sent to it
	// until somebody presses the button.
	hintParameter = "login_hint"
	// localesParameter are the languages that the pages are wanted in, the best
	// first, with spaces between them.
	localesParameter = "ui_locales"
)

const (
	maxHint    = 254 // that of the form's field
	maxLocales = 64
)

// LoginRequest is how a browser is sent to sign in.
type LoginRequest struct {
	// Return is where to go afterwards: a path on this site.
	Return string
	// Fresh has whoever is signed in sign in again.
	Fresh bool
	// Hint stands in the form as the address; it may be anything.
	Hint string
	// Locales are the languages of the pages, as in ui_locales; empty: those
	// that the browser asks for.
	Locales string
}

// loginAddressFor is the address of the login page for a request.
func (p *portal) loginAddressFor(q LoginRequest) string {
	query := make(url.Values)
	if q.Return != "/" {
		query.Set(gate.ReturnParameter, q.Return)
	}
	if q.Fresh {
		query.Set(freshField, "1")
	}
	q.ask(query)
	if len(query) == 0 {
		return LoginPath(p.Path)
	}
	return LoginPath(p.Path) + "?" + query.Encode()
}

// ask adds to a query how the page looks.
func (q LoginRequest) ask(query url.Values) {
	if hint := cleanHint(q.Hint); hint != "" {
		query.Set(hintParameter, hint)
	}
	if known := cleanLocales(q.Locales); known != "" {
		query.Set(localesParameter, known)
	}
}

func loginHint(query url.Values) string { return cleanHint(query.Get(hintParameter)) }

// cleanHint returns what can be an address, or "".
func cleanHint(hint string) string {
	if len(hint) > maxHint || !utf8.ValidString(hint) || strings.ContainsFunc(hint, isUnprintable) {
		return ""
	}
	return strings.TrimSpace(hint)
}

func isUnprintable(r rune) bool { return !unicode.IsPrint(r) }

// locales are the languages that an address asks for, in the form of
// Accept-Language, or "".
func locales(query url.Values) string {
	return strings.Join(strings.Fields(cleanLocales(query.Get(localesParameter))), ",")
}

// cleanLocales returns what can be language tags with spaces between them, or "".
func cleanLocales(tags string) string {
	other := func(r rune) bool {
		return r != ' ' && r != '-' && r != ',' && (r < '0' || '9' < r) && (r < 'A' || 'Z' < r) && (r < 'a' || 'z' < r)
	}
	if len(tags) > maxLocales || strings.ContainsFunc(tags, other) {
		return ""
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(tags, ",", " ")), " ")
}

// attemptWords are those of the language that an attempt began in.
func (p *portal) attemptWords(r *http.Request, a attempt) *text.Words {
	return p.catalogue.Words(cmp.Or(a.Locales, locales(r.URL.Query()), wire.Languages(r)))
}
