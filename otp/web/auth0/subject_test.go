// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestSubject: an app that comes from elsewhere keeps its users' identifiers.
func TestSubject(t *testing.T) {
	r := newRig(t, webtest.Options{})
	realm := r.Service.Realm()
	jane, err := otp.ParseEmail("jane@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]string{
		otp.Subject(realm, jane):         "email|" + otp.SubjectHex(realm, jane),
		"42":                             "email|42",
		"email|5f7c8ec7c33c6c004bbafe82": "email|5f7c8ec7c33c6c004bbafe82",
		"google-oauth2|103547991597142":  "google-oauth2|103547991597142",
	} {
		if got := r.dialect.subject(otp.Session{Subject: subject, Address: jane}); got != want {
			t.Errorf("%s: sub is %s, want %s", subject, got, want)
		}
	}
}
