// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
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
			r := newRig(t, nil)
			email := r.newEmail()
			code := r.emailCode(t, regular, email)
			login := r.login(t, regular, "offline_access")
			r.store.fail(test.failure)
			for name, a := range map[string]answer{
				"start":   r.post(t, startPath, startEmail(regular, r.newEmail())),
				"token":   r.post(t, tokenPath, redeem(regular, "email", email, code)),
				"refresh": r.post(t, tokenPath, refresh(regular, login.text("refresh_token"))),
				"revoke": r.post(t, revokePath, fields{
					"client_id": regular.ID, "client_secret": regular.Secret, "token": login.text("refresh_token"),
				}),
			} {
				a.want(t, test.status, test.code, test.description)
				if got := a.header.Get("Retry-After") != ""; got != (test.status == 503) {
					t.Errorf("%s: Retry-After %q", name, a.header.Get("Retry-After"))
				}
				if strings.Contains(a.raw, secret) {
					t.Errorf("%s tells what is wrong inside: %s", name, a.raw)
				}
			}
			r.store.fail(nil)
			r.post(t, tokenPath, redeem(regular, "email", email, code)).wantOK(t)
			r.post(t, tokenPath, refresh(regular, login.text("refresh_token"))).wantOK(t)
		})
	}
}

// TestOutageBeforeTheFirstKey has a store that fails before the realm has a
// key.
func TestOutageBeforeTheFirstKey(t *testing.T) {
	r := newRig(t, nil)
	r.store.fail(otp.ErrUnavailable)
	r.do(t, http.MethodGet, jwksPath, "", "").want(t, 503, "temporarily_unavailable", errUnavailable.Description)
	r.store.fail(nil)
	r.do(t, http.MethodGet, jwksPath, "", "").wantOK(t)
}

// TestLinkWithoutKey has a link whose tokens can't be signed: the application
// hears of it.
func TestLinkWithoutKey(t *testing.T) {
	r := newRig(t, nil)
	r.store.fail(otp.ErrUnavailable)
	response := r.finishLink(otp.Link{
		Dialect: Name, Client: regular.ID, Payload: []byte(`{"response_type":"token","state":"s"}`),
	}, otp.Verification{})
	want := callback + "#error=temporarily_unavailable&error_description=" +
		strings.ReplaceAll(errUnavailable.Description, " ", "%20") + "&state=s"
	if got := response.Header.Get("Location"); got != want {
		t.Errorf("leads to %q", got)
	}
}
