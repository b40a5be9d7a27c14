// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// verdict says an answer as the table of cases does: its status, its form,
// and its business code.
func verdict(a webtest.Answer) string {
	a.Helper()
	code, hasCode := a.Fields["code"]
	switch {
	case strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json"):
		if a.Text("message") == "" {
			a.Errorf("no message: %s", a.Body)
		}
		return fmt.Sprintf("%d Problem %.0f", a.Status, code)
	case hasCode && a.Fields["data"] != nil:
		return fmt.Sprintf("%d envelope %v", a.Status, code)
	case hasCode:
		return fmt.Sprintf("%d SimpleResponse %.0f", a.Status, code)
	case a.Fields["access_token"] != nil:
		return fmt.Sprintf("%d tokens", a.Status)
	case a.Fields["challenge_token"] != nil:
		return fmt.Sprintf("%d challenge", a.Status)
	}
	return fmt.Sprintf("%d %s", a.Status, a.Body)
}

// wantTokens checks a login's flat answer field by field (U11).
func wantTokens(a webtest.Answer, isNew bool) {
	a.Helper()
	user, _ := a.Want(http.StatusOK).Fields["user"].(map[string]any)
	if _, ok := a.Fields["code"]; ok || a.Text("token_type") != "Bearer" || a.Fields["is_new_user"] != isNew ||
		a.Text("user_id") == "" || a.Text("user_id") != user["id"] || a.Text("access_token") == "" || a.Text("refresh_token") == "" {
		a.Errorf("body is %s", a.Body)
	}
	if seconds, ok := a.Fields["expires_in"].(float64); !ok || seconds < 1 || seconds != float64(int(seconds)) {
		a.Errorf("expires_in is %v", a.Fields["expires_in"])
	}
}

// TestLoginCases are the contract's cases of logins and sessions, U11 to U18
// and U20 to U23.
func TestLoginCases(t *testing.T) {
	const (
		tokens       = "200 tokens"
		wrong        = "400 Problem 30101003"
		unauthorized = "401 SimpleResponse 40100001"
	)
	// sendTo has a code sent to a fresh address of a site.
	sendTo := func(s *site, email string) string {
		s.send(email).Want(http.StatusOK)
		return s.Code()
	}
	me := func(s *site, access string) webtest.Answer { return s.Get("/auth/me", webtest.Bearer(access)...) }
	for _, c := range []struct {
		id, request string
		want        string
		// got are the verdicts of the requests, in their order.
		got func(s *site) []webtest.Answer
	}{
		{"U11", "email-code, right", tokens, func(s *site) []webtest.Answer {
			a := s.login(alice, sendTo(s, alice))
			wantTokens(a, true)
			return []webtest.Answer{a}
		}},
		{"U11", "phone-code, right", tokens, func(s *site) []webtest.Answer {
			s.Post("/auth/send-login-code", `{"phone":"`+phone+`"}`).Want(http.StatusOK)
			a := s.Post("/auth/login/phone-code", `{"phone":"`+phone+`","code":"`+s.Code()+`"}`)
			wantTokens(a, true)
			return []webtest.Answer{a}
		}},
		{"U12", "email-code, wrong", wrong, func(s *site) []webtest.Answer {
			return []webtest.Answer{s.login(alice, webtest.OtherCode(sendTo(s, alice)))}
		}},
		{"U13", "email-code, right; again", tokens + "; " + wrong, func(s *site) []webtest.Answer {
			code := sendTo(s, alice)
			return []webtest.Answer{s.login(alice, code), s.login(alice, code)}
		}},
		{"U14", "email-code, after 11 minutes", "400 Problem 30101004", func(s *site) []webtest.Answer {
			code := sendTo(s, alice)
			s.Advance(11 * time.Minute)
			return []webtest.Answer{s.login(alice, code)}
		}},
		{"U15", "the older code after another was sent; the newer", wrong + "; " + tokens, func(s *site) []webtest.Answer {
			older, newer := sendTo(s, alice), sendTo(s, alice)
			if older == newer {
				older = webtest.OtherCode(newer)
			}
			return []webtest.Answer{s.login(alice, older), s.login(alice, newer)}
		}},
		{"U16", "five wrong; right", strings.Repeat(wrong+"; ", 4) + "400 Problem 30101005; 400 Problem 30101005", func(s *site) (all []webtest.Answer) {
			code := sendTo(s, alice)
			for range 5 {
				all = append(all, s.login(alice, webtest.OtherCode(code)))
			}
			return append(all, s.login(alice, code))
		}},
		{"U17", "an e-mail's code at phone-code", wrong, func(s *site) []webtest.Answer {
			return []webtest.Answer{s.Post("/auth/login/phone-code", `{"phone":"`+phone+`","code":"`+sendTo(s, alice)+`"}`)}
		}},
		{"U18", "unknown, register_if_new false; true; absent, another time", wrong + "; " + tokens + "; " + tokens, func(s *site) []webtest.Answer {
			body := func(code, more string) string { return `{"email":"` + alice + `","code":"` + code + `"` + more + `}` }
			code := sendTo(s, alice)
			refused := s.Post("/auth/login/email-code", body(code, `,"register_if_new":false`))
			first := s.Post("/auth/login/email-code", body(code, `,"register_if_new":true`))
			wantTokens(first, true)
			second := s.Post("/auth/login/email-code", body(sendTo(s, alice), ``))
			wantTokens(second, false)
			return []webtest.Answer{refused, first, second}
		}},
		{"U18", "known, register_if_new false", tokens, func(s *site) []webtest.Answer {
			s.signIn(alice)
			a := s.Post("/auth/login/email-code", `{"email":"`+alice+`","code":"`+sendTo(s, alice)+`","register_if_new":false}`)
			wantTokens(a, false)
			return []webtest.Answer{a}
		}},
		{"U20", "GET /auth/me with a token; without", "200 envelope 0; " + unauthorized, func(s *site) []webtest.Answer {
			return []webtest.Answer{me(s, s.signIn(alice).Text("access_token")), s.Get("/auth/me")}
		}},
		{"U21", "refresh; the used token again; the next token; GET /auth/me with either; with that of another login; its refresh", tokens + "; 400 SimpleResponse 40000201" + strings.Repeat("; "+unauthorized, 5), func(s *site) []webtest.Answer {
			other := s.signIn(alice)
			first := s.signIn(alice)
			second := s.refresh(first.Text("refresh_token"))
			return []webtest.Answer{
				second, s.refresh(first.Text("refresh_token")), s.refresh(second.Text("refresh_token")),
				me(s, first.Text("access_token")), me(s, second.Text("access_token")),
				me(s, other.Text("access_token")), s.refresh(other.Text("refresh_token")),
			}
		}},
		{"U22", "logout; GET /auth/me; refresh", "200 envelope 0; " + unauthorized + "; " + unauthorized, func(s *site) []webtest.Answer {
			a := s.signIn(alice)
			return []webtest.Answer{
				s.Post("/auth/logout", `{"refresh_token":"`+a.Text("refresh_token")+`"}`, webtest.Bearer(a.Text("access_token"))...),
				me(s, a.Text("access_token")), s.refresh(a.Text("refresh_token")),
			}
		}},
		{"U23", "email-code where a second factor is demanded; verify-challenge, wrong; right; again", "200 challenge; " + wrong + "; " + tokens + "; " + wrong, func(s *site) []webtest.Answer {
			login := s.signIn(jane)
			challenge, code := login.Text("challenge_token"), s.Code()
			return []webtest.Answer{
				login, s.answer(challenge, webtest.OtherCode(code), `,"mfa_method":"sms"`),
				s.answer(challenge, code, `,"mfa_method":"sms"`), s.answer(challenge, code, ``),
			}
		}},
	} {
		t.Run(c.id+" "+c.request, func(t *testing.T) {
			s := newSite(t, webtest.Options{SMS: true, Domain: func(oc *otp.Config) {
				if c.id == "U23" {
					oc.Directory = &staff{people: []otp.Person{member(true, jane, janesPhone)}}
				}
			}})
			var got []string
			for _, a := range c.got(s) {
				got = append(got, verdict(a))
			}
			t.Logf("%s | %s | expected %s | got %s", c.id, c.request, c.want, strings.Join(got, "; "))
			if strings.Join(got, "; ") != c.want {
				t.Errorf("got %s, want %s", strings.Join(got, "; "), c.want)
			}
		})
	}
}
