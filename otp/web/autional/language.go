// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// text is a sentence in the languages of the API.
type text struct{ english, german string }

var languages = language.NewMatcher([]language.Tag{language.English, language.German})

// in returns the sentence in the language that a request prefers.
func (t text) in(r *http.Request) string {
	if _, i := language.MatchStrings(languages, wire.Languages(r)); i == 1 {
		return t.german
	}
	return t.english
}

var second, severalSeconds = text{"second", "Sekunde"}, text{"seconds", "Sekunden"}

// withWait is [text.in] with {wait} replaced by a number of seconds.
func (t text) withWait(r *http.Request, seconds int) string {
	unit := severalSeconds
	if seconds == 1 {
		unit = second
	}
	return strings.ReplaceAll(t.in(r), "{wait}", strconv.Itoa(seconds)+" "+unit.in(r))
}
