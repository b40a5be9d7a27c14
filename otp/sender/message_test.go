// SPDX-License-Identifier: Apache-2.0

package sender_test

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// mail and sms are messages as a composer leaves them.
func mail() otp.Message {
	return otp.Message{
		ID: "m1-Abc_9", Channel: otp.Email, Purpose: otp.Login, To: "Ada@example.com",
		Code: "048151", Link: "https://app.example.com/.otp/link?t=a-b_c&x=1", Locale: "en",
		Dialect: "portal", Lifetime: 10 * time.Minute,
		Subject: "Your sign-in code for Zürich", Text: "Your code:\n\n048151\n", HTML: "<p>Your code: <b>048151</b></p>\n",
	}
}

func sms() otp.Message {
	return otp.Message{
		ID: "m2", Channel: otp.SMS, Purpose: otp.Login, To: "+4930123456", Code: "048151",
		Locale: "de", Dialect: "nestauth", Tenant: "t1", Text: "048151 ist Ihr Code.\n@app.example.com #048151",
	}
}

// mustNotTell fails where an error quotes one of the secrets of m or more.
func mustNotTell(t *testing.T, err error, m otp.Message, more ...string) {
	t.Helper()
	_, number, _ := strings.Cut(m.To, "+")
	for _, secret := range append(more, m.To, number, m.Code, m.Link) {
		if secret != "" && strings.Contains(strings.ToLower(err.Error()), strings.ToLower(secret)) {
			t.Errorf("error %q quotes %q", err, secret)
		}
	}
}
