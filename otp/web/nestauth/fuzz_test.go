// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"
	"testing"
	"unicode/utf8"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// wantClientError fails unless err is one that the client has made.
func wantClientError(t *testing.T, err error) {
	t.Helper()
	if e := refusalOf(err); e.status < 400 || e.status > 499 || e.code == "" || e.message == "" {
		t.Fatalf("%v is answered %+v", err, e)
	}
}

func FuzzDecodeSend(f *testing.F) {
	f.Add(`{"identifier":"a@example.com","channel":"email","tenantId":"string"}`)
	f.Add(`{"identifier":" ","channel":"sms","tenantId":null}`)
	f.Add(`{"identifier":5,"ſ":{}}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := wire.Parse(webtest.Request(http.MethodPost, "/", body), wire.JSON)
		var in sendRequest
		if err == nil {
			in, err = decodeSend(o)
		}
		if err != nil {
			wantClientError(t, err)
			return
		}
		if in.identifier == "" || in.channel == "" || utf8.RuneCountInString(in.tenant) > maxTenant {
			t.Fatalf("%s is read as %+v", body, in)
		}
	})
}

func FuzzDecodeLogin(f *testing.F) {
	f.Add(loginBody("a@example.com", "123456", `,"tenantId":"string","rememberMe":false`))
	f.Add(`{"providerName":"passwordless","credentials":{"identifier":[],"code":{},"channels":"sms"}}`)
	f.Add(`{"providerName":"google","credentials":{}}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := wire.Parse(webtest.Request(http.MethodPost, "/", body), wire.JSON)
		var in loginRequest
		if err == nil {
			in, err = decodeLogin(o)
		}
		if err != nil {
			wantClientError(t, err)
			return
		}
		if in.identifier == "" || in.code == "" || utf8.RuneCountInString(in.tenant) > maxTenant {
			t.Fatalf("%s is read as %+v", body, in)
		}
	})
}

func FuzzPresentedRefresh(f *testing.F) {
	f.Add(`{"refreshToken":"x"}`, "refreshToken=y")
	f.Add(``, "refreshToken=y; refreshToken=z")
	f.Add(`{"refreshToken":null}`, "")
	f.Fuzz(func(t *testing.T, body, cookie string) {
		p, err := presentedRefresh(webtest.Request(http.MethodPost, "/", body, "Cookie", cookie))
		if err != nil {
			wantClientError(t, err)
			return
		}
		if p.raw == "" && !p.inCookie {
			t.Fatalf("%q is read as an empty token of the body", body)
		}
	})
}
