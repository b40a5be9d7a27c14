// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestConfirmationGoldens words the code of a second factor: it signs nobody
// in, and who gets one unasked must know what that means.
func TestConfirmationGoldens(t *testing.T) {
	c := newComposer(t, Options{SiteName: "Acme", Host: "app.example.com"})
	for _, channel := range channels {
		for _, locale := range c.catalogue.Languages() {
			name := string(channel) + "-confirm-" + locale
			t.Run(name, func(t *testing.T) {
				m, err := c.Compose(otp.Message{
					ID: "m1", Channel: channel, Purpose: otp.MFA, Locale: locale, Code: testCode, Lifetime: 5 * time.Minute,
				})
				if err != nil {
					t.Fatal(err)
				}
				w := c.catalogue.Words(locale)
				if strings.Contains(m.Text, w.Mail.NotAsked) || strings.Contains(m.Subject, testCode) {
					t.Errorf("%s\n%s", m.Subject, m.Text)
				}
				if channel == otp.SMS {
					if length, ok := gsmLength(m.Text); !ok || length > maxSMS {
						t.Errorf("takes %d characters, in GSM 03.38: %v", length, ok)
					}
					golden(t, name+".txt", m.Text)
					return
				}
				golden(t, name+".txt", "Subject: "+m.Subject+"\n\n"+m.Text)
				golden(t, name+".html", m.HTML)
			})
		}
	}
}
