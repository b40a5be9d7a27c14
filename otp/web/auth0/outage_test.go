// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// TestOutage has a store that fails, on every endpoint that needs it.
func TestOutage(t *testing.T) {
	const secret = "bolt: page 7"
	for _, test := range []struct {
		name        string
		failure     error
		status      int
		code        string
		description string
	}{
		{"unreachable", otp.ErrUnavailable, 503, "temporarily_unavailable", errUnavailable.Description},
		{"defect", errors.New(secret), 500, "server_error", "Internal error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, webtest.Options{SMS: true})
			email := r.newEmail()
			code := r.emailCode(t, regular, email)
			login := r.login(t, regular, "offline_access")
			r.FailStore(test.failure)
			for name, a := range map[string]answer{
				"start":   r.post(t, startPath, startEmail(regular, r.newEmail())),
				"token":   r.post(t, tokenPath, redeem(regular, "email", email, code)),
				"refresh": r.post(t, tokenPath, refresh(regular, login.text("refresh_token"))),
				"revoke": r.post(t, revokePath, fields{
					"client_id": regular.ID, "client_secret": regular.Secret, "token": login.text("refresh_token"),
				}),
			} {
				a.wantRefusal(t, test.status, test.code, test.description)
				if got := a.Header.Get("Retry-After") != ""; got != (test.status == 503) {
					t.Errorf("%s: Retry-After %q", name, a.Header.Get("Retry-After"))
				}
				if strings.Contains(a.Body, secret) {
					t.Errorf("%s tells what is wrong inside: %s", name, a.Body)
				}
			}
			r.FailStore(nil)
			r.post(t, tokenPath, redeem(regular, "email", email, code)).Want(http.StatusOK)
			r.post(t, tokenPath, refresh(regular, login.text("refresh_token"))).Want(http.StatusOK)
		})
	}
}

// TestOutageBeforeTheFirstKey has a store that fails before the realm has a
// key.
func TestOutageBeforeTheFirstKey(t *testing.T) {
	r := newRig(t, webtest.Options{NoKey: true})
	r.FailStore(otp.ErrUnavailable)
	r.do(t, http.MethodGet, jwksPath, "", "").wantRefusal(t, 503, "temporarily_unavailable", errUnavailable.Description)
	r.FailStore(nil)
	r.do(t, http.MethodGet, jwksPath, "", "").Want(http.StatusOK)
}

// TestLinkWithoutKey has a link whose tokens can't be signed: the application
// hears of it.
func TestLinkWithoutKey(t *testing.T) {
	r := newRig(t, webtest.Options{NoKey: true})
	r.FailStore(otp.ErrUnavailable)
	response := r.finishLink(otp.Link{
		Dialect: Name, Client: regular.ID, Payload: []byte(`{"response_type":"token","state":"s"}`),
	}, otp.Verification{Session: otp.Session{Client: regular.ID}})
	want := callback + "#error=temporarily_unavailable&error_description=" +
		strings.ReplaceAll(errUnavailable.Description, " ", "%20") + "&iss=https%3A%2F%2Fapp.example.com%2F&state=s"
	if got := response.Header.Get("Location"); got != want {
		t.Errorf("leads to %q", got)
	}
}
