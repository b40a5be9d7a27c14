// SPDX-License-Identifier: Apache-2.0

package text

import "golang.org/x/text/language"

// languages are all that there are; the first is the default.
var languages = []*Words{&english, &german}

// maxLocale is how much of a locale is read: requests may carry any length.
const maxLocale = 256

// Catalogue finds the words of a language. It is safe for concurrent use.
type Catalogue struct {
	words   []*Words
	matcher language.Matcher
}

// NewCatalogue returns the catalogue of all languages. English is the default.
func NewCatalogue() *Catalogue {
	c := &Catalogue{words: languages}
	tags := make([]language.Tag, len(languages))
	for i, w := range languages {
		tags[i] = language.MustParse(w.Language)
	}
	c.matcher = language.NewMatcher(tags)
	return c
}

// Words returns the words of the language that suits a locale best: a BCP 47
// tag or a list of them in the form of Accept-Language (RFC 9110 §12.5.4).
// An empty or unintelligible locale gets the default. The words are shared and
// must not be changed.
func (c *Catalogue) Words(locale string) *Words {
	if len(locale) > maxLocale {
		return c.words[0]
	}
	_, i := language.MatchStrings(c.matcher, locale)
	return c.words[i]
}

// Languages returns the BCP 47 tags of all languages, the default first.
func (c *Catalogue) Languages() []string {
	tags := make([]string, len(c.words))
	for i, w := range c.words {
		tags[i] = w.Language
	}
	return tags
}
