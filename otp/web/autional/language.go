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
type text struct{ english, german, chinese string }

// languages are those of text, in its order. Traditional Chinese, which is
// served by the simplified one, must be named, or another language that a
// request lists behind it would be taken for nearer.
var languages = language.NewMatcher([]language.Tag{
	language.English, language.German, language.SimplifiedChinese, language.TraditionalChinese,
})

// in returns the sentence in the language that a request prefers.
func (t text) in(r *http.Request) string { return t.as(languageOf(r)) }

// as returns the sentence in a language of [languageOf].
func (t text) as(l language.Tag) string {
	switch l {
	case language.German:
		return t.german
	case language.SimplifiedChinese:
		return t.chinese
	}
	return t.english
}

// languageOf returns the language of text that a request prefers.
func languageOf(r *http.Request) language.Tag {
	_, i := language.MatchStrings(languages, wire.Languages(r))
	return [...]language.Tag{language.English, language.German, language.SimplifiedChinese, language.SimplifiedChinese}[i]
}

var second, severalSeconds = text{"second", "Sekunde", "秒"}, text{"seconds", "Sekunden", "秒"}

// withWait is [text.in] with {wait} replaced by a number of seconds.
func (t text) withWait(r *http.Request, seconds int) string {
	unit := severalSeconds
	if seconds == 1 {
		unit = second
	}
	return strings.ReplaceAll(t.in(r), "{wait}", strconv.Itoa(seconds)+" "+unit.in(r))
}
