// SPDX-License-Identifier: Apache-2.0

package text

import (
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestStencilsSayTheSame holds what a stencil says against what the templates
// do, for each kind of mail, the first and the second of it.
func TestStencilsSayTheSame(t *testing.T) {
	for _, name := range []string{"", "Acme", `<b>A&"C'</b> {{.Code}} {host}`} {
		c := newComposer(t, Options{SiteName: name, Host: "app.example.com"})
		for _, purpose := range []otp.Purpose{otp.Login, otp.MFA} {
			for _, language := range c.catalogue.Languages() {
				for _, lifetime := range []time.Duration{3 * time.Minute, 10 * time.Minute} {
					for _, m := range []otp.Message{
						{Code: "048151"},
						{Code: "162342000000"},
						{Link: testLink},
						{Link: "http://localhost:8080/.otp/link?t=a-_b"},
						{Code: "048151", Link: testLink},
						{Code: "162342", Link: `https://app.example.com/a%20b?x=1&y="+'<`},
						{Link: `javascript:alert(1)`},
						{Code: "<b>"},
						{Code: "1", Link: linkSlot + codeSlot},
					} {
						m.Channel, m.Purpose, m.Lifetime, m.Locale = otp.Email, purpose, lifetime, language
						want, err := c.mail(c.catalogue.Words(language), m)
						if err != nil {
							t.Fatal(err)
						}
						if got, err := c.Compose(m); err != nil || got != want {
							t.Errorf("got %+v (%v)\nwant %+v", got, err, want)
						}
					}
				}
			}
		}
	}
}

// BenchmarkMail is what the wording of a mail costs.
func BenchmarkMail(b *testing.B) {
	c, err := NewComposer(Options{SiteName: "Acme", Host: "app.example.com"})
	if err != nil {
		b.Fatal(err)
	}
	m := otp.Message{Channel: otp.Email, Code: testCode, Link: testLink, Lifetime: 10 * time.Minute}
	words := c.catalogue.Words("en")
	for name, compose := range map[string]func() (otp.Message, error){
		"stencil":   func() (otp.Message, error) { return c.Compose(m) },
		"templates": func() (otp.Message, error) { return c.mail(words, m) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := compose(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
