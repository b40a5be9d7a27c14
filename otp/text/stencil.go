// SPDX-License-Identifier: Apache-2.0

package text

import (
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// Mails of a kind differ in nothing but their code and their link, so that the
// templates need only be executed for the first of each kind. From that a
// stencil is cut: its text with slots where the code and the link belong.

// What stands in the slots while a stencil is cut. It is random, so that no
// site's name has it, and it has nothing to escape.
var (
	codeSlot = rand.Text()
	linkSlot = "https://" + rand.Text() + "/"
)

// kindOfMail is all that a mail's text depends on besides its code and link.
type kindOfMail struct {
	language         string
	confirms         bool
	hasCode, hasLink bool
	lifetime         time.Duration
}

// maxStencils is how many kinds are kept: two languages, two lifetimes and a
// handful of forms are far below.
const maxStencils = 256

// stencils are those cut so far. The zero value is ready.
type stencils struct {
	mu   sync.RWMutex
	kept map[kindOfMail]stencil
}

type stencil struct {
	subject    string
	text, html []part
}

// part is a piece of a text: a slot, or literal text.
type part string

// cut splits a text at its slots.
func cut(s string) []part {
	var parts []part
	for s != "" {
		first := len(s)
		for _, slot := range []string{codeSlot, linkSlot} {
			at := strings.Index(s, slot)
			if at == 0 {
				first = len(slot)
				break
			}
			if at > 0 {
				first = min(first, at)
			}
		}
		parts = append(parts, part(s[:first]))
		s = s[first:]
	}
	return parts
}

// fill puts the code and the link into the slots.
func fill(parts []part, code, link string) string {
	value := func(p part) string {
		switch string(p) {
		case codeSlot:
			return code
		case linkSlot:
			return link
		}
		return string(p)
	}
	size := 0
	for _, p := range parts {
		size += len(value(p))
	}
	var filled strings.Builder
	filled.Grow(size)
	for _, p := range parts {
		filled.WriteString(value(p))
	}
	return filled.String()
}

// isPlain reports whether HTML says a message's code and link by the same
// characters, wherever they stand.
func isPlain(m otp.Message) bool {
	for _, c := range m.Code {
		if c < '0' || c > '9' {
			return false
		}
	}
	for _, c := range m.Link {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-._~:/?=", c)) {
			return false
		}
	}
	return m.Link == "" || strings.HasPrefix(m.Link, "https://") || strings.HasPrefix(m.Link, "http://")
}

// stenciled is [Composer.mail] by a stencil where that says the same.
func (c *Composer) stenciled(w *Words, m otp.Message) (otp.Message, error) {
	if !isPlain(m) {
		return c.mail(w, m)
	}
	kind := kindOfMail{
		language: w.Language, confirms: m.Purpose == otp.MFA,
		hasCode: m.Code != "", hasLink: m.Link != "", lifetime: m.Lifetime,
	}
	c.stencils.mu.RLock()
	cutOut, found := c.stencils.kept[kind]
	c.stencils.mu.RUnlock()
	if !found {
		blank := m
		if kind.hasCode {
			blank.Code = codeSlot
		}
		if kind.hasLink {
			blank.Link = linkSlot
		}
		blank, err := c.mail(w, blank)
		if err != nil {
			return m, err
		}
		cutOut = stencil{subject: blank.Subject, text: cut(blank.Text), html: cut(blank.HTML)}
		c.stencils.mu.Lock()
		if c.stencils.kept == nil || len(c.stencils.kept) >= maxStencils {
			c.stencils.kept = make(map[kindOfMail]stencil)
		}
		c.stencils.kept[kind] = cutOut
		c.stencils.mu.Unlock()
	}
	m.Subject, m.Text, m.HTML = cutOut.subject, fill(cutOut.text, m.Code, m.Link), fill(cutOut.html, m.Code, m.Link)
	return m, nil
}
