// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"

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
