// SPDX-License-Identifier: Apache-2.0

package site

import (
	"net/http"
	"net/url"
	"testing"
)

// Enter goes to a protected page, is sent to the login page, and enters an
// address there.
func Enter(r *Rig, visitor *http.Client, address string) {
	r.T.Helper()
	a := Do(r.T, visitor, http.MethodGet, r.URL+"/deep/page?x=1", "", "Accept", "text/html")
	login, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.Status != http.StatusSeeOther || login.Path != "/.otp/login" {
		r.T.Fatalf("a visitor gets %d to %q", a.Status, a.Header.Get("Location"))
	}
	if page := Do(r.T, visitor, http.MethodGet, r.URL+login.String(), "", "Accept", "text/html"); page.Status != http.StatusOK {
		r.T.Fatalf("login page: %d", page.Status)
	}
	a = Form(r, visitor, "/.otp/login", url.Values{"address": {address}, "return_to": {login.Query().Get("return_to")}})
	ExpectRedirect(r.T, a, "/.otp/verify")
}

func Form(r *Rig, visitor *http.Client, path string, values url.Values) Answer {
	r.T.Helper()
	return Do(r.T, visitor, http.MethodPost, r.URL+path, values.Encode(),
		"Content-Type", "application/x-www-form-urlencoded", "Origin", r.URL, "Sec-Fetch-Site", "same-origin")
}

func ExpectRedirect(t *testing.T, a Answer, location string) {
	t.Helper()
	if a.Status != http.StatusSeeOther || a.Header.Get("Location") != location {
		t.Fatalf("got %d to %q, want a redirect to %q:\n%s", a.Status, a.Header.Get("Location"), location, a.Body)
	}
}
