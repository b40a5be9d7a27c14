// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// newDialect returns the dialect itself, for what isn't an endpoint.
func newDialect(f *testing.F) (d *dialect) {
	f.Helper()
	webtest.New(f, webtest.Options{SMS: true}, func(s *webtest.Site) wire.API {
		d = dialectOf(Config{Dialect: s.Dialect()})
		return wire.API{}
	})
	return d
}

// wantClientError fails unless err is one that the client has made.
func wantClientError(t *testing.T, err error) {
	t.Helper()
	switch e := answerTo(err).(type) {
	case *kind:
		if e.status >= 400 && e.status < 500 {
			return
		}
	case simple:
		if e.status == http.StatusUnauthorized || e.status == http.StatusBadRequest {
			return
		}
	}
	t.Fatalf("%v is answered %v", err, answerTo(err))
}

func FuzzDecodeSend(f *testing.F) {
	d := newDialect(f)
	f.Add(`{"email":"a@example.com"}`)
	f.Add(`{"phone":"+8613800138000","x":[{}]}`)
	f.Add(`{"email":1,"phone":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := wire.Parse(webtest.Request(http.MethodPost, "/", body), wire.JSON)
		var address otp.Address
		if err == nil {
			address, err = d.decodeSend(o)
		}
		if err != nil {
			wantClientError(t, err)
			return
		}
		if address.IsZero() || address.Masked() == address.String() {
			t.Fatalf("%s is read as %s", body, address)
		}
	})
}

func FuzzDecodeLogin(f *testing.F) {
	d := newDialect(f)
	f.Add(`{"email":"a@example.com","code":"123456","tenant_id":"t","register_if_new":false}`, false)
	f.Add(`{"phone":"+8613800138000","code":"123456","captcha_token":"x"}`, true)
	f.Add(`{"phone":{},"code":[],"register_if_new":1,"y":2}`, true)
	f.Fuzz(func(t *testing.T, body string, sms bool) {
		channel := otp.Email
		if sms {
			channel = otp.SMS
		}
		o, err := wire.Parse(webtest.Request(http.MethodPost, "/", body), wire.JSON)
		var in loginRequest
		if err == nil {
			in, err = d.decodeLogin(channel, o)
		}
		if err != nil {
			wantClientError(t, err)
			return
		}
		if in.address.Channel() != channel || in.code == "" || utf8.RuneCountInString(in.tenant) > maxTenant {
			t.Fatalf("%s is read as %+v", body, in)
		}
	})
}

func FuzzDecodeMagicLink(f *testing.F) {
	d := newDialect(f)
	f.Add(`{"email":"a@example.com","redirect_url":"https://app.example.com/x"}`)
	f.Add(`{"email":"a@example.com","redirect_url":"https://app.example.com@evil.example/"}`)
	f.Add(`{"redirect_url":[],"z":1}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := wire.Parse(webtest.Request(http.MethodPost, "/", body), wire.JSON)
		var address otp.Address
		var payload linkPayload
		if err == nil {
			address, payload, err = d.decodeMagicLink(o)
		}
		if err != nil {
			wantClientError(t, err)
			return
		}
		rest, ours := strings.CutPrefix(payload.RedirectURL, webtest.Origin)
		if address.Channel() != otp.Email || payload.RedirectURL != "" && !ours || rest != "" && rest[0] != '/' && rest[0] != '?' {
			t.Fatalf("%s is read as %s, %+v", body, address, payload)
		}
	})
}

func FuzzDecodeChallengeAnswer(f *testing.F) {
	f.Add(`{"challenge_token":"t","code":"123456","mfa_method":"sms"}`)
	f.Add(`{"challenge_token":[],"mfa_method":{},"x":1}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := wire.Parse(webtest.Request(http.MethodPost, "/", body), wire.JSON)
		if err == nil {
			_, err = decodeChallengeAnswer(o)
		}
		if err != nil {
			wantClientError(t, err)
			return
		}
		if o.Text("challenge_token") == "" || o.Text("code") == "" || len(o) > 3 {
			t.Fatalf("took %s", body)
		}
	})
}

func FuzzPresentedRefresh(f *testing.F) {
	f.Add(`{"refresh_token":"x"}`)
	f.Add(``)
	f.Add(`{"refresh_token":[]}`)
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := presentedRefresh(webtest.Request(http.MethodPost, "/", body)); err != nil {
			wantClientError(t, err)
		}
	})
}

func FuzzAccept(f *testing.F) {
	f.Add("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	f.Add("application/json, text/html;q=NaN")
	f.Fuzz(func(t *testing.T, accept string) {
		r := webtest.Request(http.MethodGet, "/", "", "Accept", accept)
		if wantsHTML(r) && !strings.Contains(strings.ToLower(accept), "html") {
			t.Fatalf("%q is taken for a browser's", accept)
		}
	})
}
