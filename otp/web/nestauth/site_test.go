// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const (
	alice = "alice@example.com"
	phone = "+4915112345678"
)

// newSite runs a site with the dialect, exclusive unless edit says otherwise.
func newSite(t testing.TB, o webtest.Options, edit ...func(*Config)) *site {
	t.Helper()
	return &site{webtest.New(t, o, func(s *webtest.Site) wire.API {
		c := Config{
			Dialect:       s.Dialect(),
			SecureCookies: true,
		}
		for _, e := range edit {
			e(&c)
		}
		return New(c)
	})}
}

func shared(c *Config) { c.Exclusive = false }

type site struct{ *webtest.Site }

func (s *site) in(t testing.TB) *site { return &site{s.In(t)} }

func (s *site) send(identifier, channel string) webtest.Answer {
	s.Helper()
	return s.Post("/auth/passwordless/send", fmt.Sprintf(`{"identifier":%q,"channel":%q}`, identifier, channel))
}

func (s *site) login(identifier, code string, headers ...string) webtest.Answer {
	s.Helper()
	return s.Post("/auth/login", loginBody(identifier, code, ""), headers...)
}

func (s *site) refresh(token string, headers ...string) webtest.Answer {
	s.Helper()
	return s.Post("/auth/refresh-token", fmt.Sprintf(`{"refreshToken":%q}`, token), headers...)
}

func loginBody(identifier, code, more string) string {
	return fmt.Sprintf(`{"providerName":"passwordless","credentials":{"identifier":%q,"code":%q,"channels":["email","sms"]}%s}`,
		identifier, code, more)
}

// signIn sends a code to an address and logs in with it.
func (s *site) signIn(identifier, channel string, headers ...string) webtest.Answer {
	s.Helper()
	s.send(identifier, channel).Want(http.StatusOK)
	return s.login(identifier, s.Code(), headers...).Want(http.StatusOK)
}

// wantRefusal checks a whole error answer.
func wantRefusal(a webtest.Answer, status int, code, message string) {
	a.Helper()
	a.Want(status)
	want, err := json.Marshal(map[string]any{
		"statusCode": status,
		"error":      http.StatusText(status),
		"message":    message,
		"code":       code,
	})
	if err != nil {
		a.Fatal(err)
	}
	got, err := json.Marshal(a.Fields)
	if err != nil {
		a.Fatal(err)
	}
	if string(got) != string(want) {
		a.Fatalf("got %s, want %s", got, want)
	}
	if contentType := a.Header.Get("Content-Type"); !strings.HasPrefix(contentType, "application/json") {
		a.Fatalf("content type is %s", contentType)
	}
}

func wantWrongCode(a webtest.Answer) {
	a.Helper()
	wantRefusal(a, http.StatusBadRequest, "VERIFICATION_CODE_INVALID", "Invalid or expired code")
}

// claims decodes a JWT as the dialect's clients do: without verifying.
func claims(t testing.TB, jwt string) (header, payload map[string]any) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", jwt)
	}
	for i, into := range []*map[string]any{&header, &payload} {
		plain, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(plain, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, payload
}
