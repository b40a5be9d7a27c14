// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddy-otp/caddy-otp/otp"
)

// placeholders are what stands for parts of a message, written {otp.to}.
var placeholders = map[string]func(m otp.Message) string{
	"to":      func(m otp.Message) string { return m.To },
	"text":    func(m otp.Message) string { return m.Text },
	"code":    func(m otp.Message) string { return m.Code },
	"link":    func(m otp.Message) string { return m.Link },
	"subject": func(m otp.Message) string { return m.Subject },
	"html":    func(m otp.Message) string { return m.HTML },
	"id":      func(m otp.Message) string { return m.ID },
	"locale":  func(m otp.Message) string { return m.Locale },
}

const placeholderPrefix = "{otp."

// pattern is text with placeholders: literals and names take turns, beginning
// and ending with a literal.
type pattern struct {
	literals, names []string
}

// parsePattern reads text with placeholders. Braces that begin no {otp. are
// text, so that JSON can be written plainly. The error doesn't quote s, which
// may hold a credential.
func parsePattern(s string) (pattern, error) {
	var p pattern
	for {
		before, rest, found := strings.Cut(s, placeholderPrefix)
		p.literals = append(p.literals, before)
		if !found {
			return p, nil
		}
		name, after, _ := strings.Cut(rest, "}")
		if placeholders[name] == nil {
			names := slices.Sorted(maps.Keys(placeholders))
			return p, fmt.Errorf("unknown placeholder; there are {otp.%s}", strings.Join(names, "}, {otp."))
		}
		p.names = append(p.names, name)
		s = after
	}
}

// fill puts a message's parts in, each escaped. What is put in is never looked
// at for placeholders again.
func (p pattern) fill(m otp.Message, escape func(string) string) string {
	var b strings.Builder
	for i, literal := range p.literals {
		b.WriteString(literal)
		if i < len(p.names) {
			b.WriteString(escape(placeholders[p.names[i]](m)))
		}
	}
	return b.String()
}

// sample is the pattern with a letter for each placeholder: what it looks like
// without a message.
func (p pattern) sample() string { return strings.Join(p.literals, "x") }
