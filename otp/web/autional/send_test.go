// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func TestSend(t *testing.T) {
	s := newSite(t, webtest.Options{SMS: true})
	for _, test := range []struct {
		name, body string
		want       map[string]any
	}{
		{"email", `{"email":"` + alice + `"}`, map[string]any{"channel": "email", "expires_in": 600.0, "target": "a***@example.com"}},
		{"phone", `{"phone":"` + phone + `"}`, map[string]any{"channel": "sms", "expires_in": 300.0, "target": "138****8000"}},
		{"phone null", `{"email":"bob@example.com","phone":null}`, map[string]any{"channel": "email", "expires_in": 600.0, "target": "b***@example.com"}},
	} {
		for _, prefix := range prefixes {
			t.Run(test.name+" "+prefix, func(t *testing.T) {
				s := s.in(t)
				data := wantSuccess(s.Post(prefix+"/auth/send-login-code", test.body, "Authorization", "Bearer garbage"))
				if !reflect.DeepEqual(data, test.want) {
					t.Errorf("data is %v, want %v", data, test.want)
				}
				if code := s.Code(); len(code) != 6 {
					t.Errorf("code is %q", code)
				}
			})
		}
	}
}

func TestSendRefuses(t *testing.T) {
	s := newSite(t, webtest.Options{})
	for _, test := range []struct {
		name, body string
		kind       *kind
		fields     []string
	}{
		{"neither", `{}`, invalidParameter, []string{"email required"}},
		{"both null", `{"email":null,"phone":null}`, invalidParameter, []string{"email required"}},
		{"empty", `{"email":""}`, invalidParameter, []string{"email required"}},
		{"both", `{"email":"` + alice + `","phone":"` + phone + `"}`, invalidParameter, []string{"email conflict"}},
		{"both of a wrong type", `{"email":1,"phone":[]}`, invalidParameter, []string{"email type", "phone type", "email conflict"}},
		{"no address", `{"email":"alice"}`, invalidParameter, []string{"email format"}},
		{"quoted address", `{"email":"\"a> SIZE=9 <b\"@example.com"}`, invalidParameter, []string{"email format"}},
		{"300 characters", `{"email":"` + strings.Repeat("a", 288) + `@example.com"}`, invalidParameter, []string{"email range"}},
		{"number", `{"email":5}`, invalidParameter, []string{"email type"}},
		{"array", `{"email":["` + alice + `"]}`, invalidParameter, []string{"email type"}},
		{"true", `{"email":true}`, invalidParameter, []string{"email type"}},
		{"object", `{"email":{"value":"` + alice + `"}}`, invalidParameter, []string{"email type"}},
		{"blank", `{"email":" "}`, invalidParameter, []string{"email format"}},
		{"two addresses", `{"email":"` + alice + `,bob@example.com"}`, invalidParameter, []string{"email format"}},
		{"header in it", `{"email":"` + alice + `\r\nBcc: bob@example.com"}`, invalidParameter, []string{"email format"}},
		{"empty phone", `{"phone":""}`, invalidParameter, []string{"phone unsupported"}},
		{"two wrong fields", `{"email":5,"tenant":"t"}`, invalidParameter, []string{"email type", "tenant unknown"}},
		{"no sender", `{"phone":"` + phone + `"}`, invalidParameter, []string{"phone unsupported"}},
		{"unknown fields", `{"mail":"a","channel":"email","email":"x"}`, invalidParameter, []string{"email format", "channel unknown", "mail unknown"}},
		{"key in capitals", `{"email":"` + alice + `","EMAIL":"b@example.com"}`, invalidParameter, []string{"EMAIL unknown"}},
		{"truncated", `{"email":"alice`, malformedBody, nil},
		{"a number", `5`, malformedBody, nil},
		{"null", `null`, malformedBody, nil},
		{"text", `"` + alice + `"`, malformedBody, nil},
		{"no UTF-8", "{\"email\":\"\xff@example.com\"}", malformedBody, nil},
		{"nested deeply", `{"email":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, malformedBody, nil},
		{"an array", `["` + alice + `"]`, malformedBody, nil},
		{"key twice", `{"email":"` + alice + `","email":"b@example.com"}`, malformedBody, nil},
		{"data after it", `{"email":"` + alice + `"}{}`, malformedBody, nil},
		{"no body", ``, malformedBody, nil},
		{"over 8 KiB", `{"email":"` + strings.Repeat("a", 9<<10) + `"}`, bodyTooLarge, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantProblem(s.in(t).Post("/auth/send-login-code", test.body), test.kind, test.fields...)
		})
	}
	t.Run("phones", func(t *testing.T) {
		s := newSite(t, webtest.Options{SMS: true, NoKey: true})
		for body, field := range map[string]string{
			`{"phone":""}`:                                 "phone required",
			`{"phone":"call me"}`:                          "phone format",
			`{"phone":"13800138000"}`:                      "phone format",
			`{"phone":"+12"}`:                              "phone format",
			`{"phone":8613800138000}`:                      "phone type",
			`{"phone":["` + phone + `"]}`:                  "phone type",
			`{"phone":"+` + strings.Repeat("8", 40) + `"}`: "phone range",
		} {
			wantProblem(s.Post("/auth/send-login-code", body), invalidParameter, field)
		}
	})
	t.Run("form", func(t *testing.T) {
		a := s.in(t).Post("/auth/send-login-code", "email=a%40example.com", "Content-Type", "application/x-www-form-urlencoded")
		wantProblem(a, unsupportedMediaType)
	})
	t.Run("foreign origin", func(t *testing.T) {
		wantProblem(s.in(t).Post("/auth/send-login-code", `{}`, "Origin", "https://evil.example"), foreignOrigin)
	})
	for _, prefix := range prefixes {
		t.Run("GET "+prefix, func(t *testing.T) {
			a := s.in(t).Get(prefix + "/auth/send-login-code?x=1")
			wantProblem(a, methodNotAllowed)
			if a.Header.Get("Allow") != http.MethodPost || a.Text("instance") != prefix+"/auth/send-login-code?x=1" {
				t.Errorf("Allow is %q, instance %q", a.Header.Get("Allow"), a.Text("instance"))
			}
		})
	}
	// Nothing of all that was sent or charged: three are still free.
	for range 3 {
		s.send(alice).Want(http.StatusOK)
		s.Code()
	}
	if n := s.Sent(alice); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
}

func TestSendIsThrottled(t *testing.T) {
	t.Run("by address", func(t *testing.T) {
		s := newSite(t, webtest.Options{})
		for range 3 {
			s.send(alice).Want(http.StatusOK)
		}
		wantProblem(s.send(alice), tooFrequent)
	})
	t.Run("by network address", func(t *testing.T) {
		s := newSite(t, webtest.Options{ClientIP: []otp.Throttle{{Events: 2, Window: time.Hour}}})
		s.send("a@example.com").Want(http.StatusOK)
		s.send("b@example.com").Want(http.StatusOK)
		wantProblem(s.send("c@example.com"), tooFrequent)
	})
	t.Run("all together", func(t *testing.T) {
		s := newSite(t, webtest.Options{Frozen: true, Domain: func(c *otp.Config) {
			c.Throttles.Global = []otp.Throttle{{Events: 2, Window: time.Hour}}
		}})
		s.send("a@example.com").Want(http.StatusOK)
		s.Code()
		s.signIn("b@example.com") // which gives nothing back
		a := s.send("c@example.com")
		wantProblem(a, tooFrequent)
		if got := a.Header.Get("Retry-After"); got != "1800" {
			t.Errorf("Retry-After is %q", got)
		}
	})
}

func TestStoreDown(t *testing.T) {
	s := newSite(t, webtest.Options{})
	a := s.signIn(alice)
	s.FailStore(otp.ErrUnavailable)
	wantProblem(s.send(alice), unavailable)
	wantProblem(s.login(alice, "123456"), unavailable)
	wantProblem(s.refresh(a.Text("refresh_token")), unavailable)
	s.FailStore(nil)
	s.refresh(a.Text("refresh_token")).Want(http.StatusOK)
}

// changing is what differs between two answers to the same question: ids and
// the time.
var changing = regexp.MustCompile(`"(request_id|trace_id|span_id|timestamp)":"[^"]*"`)

// Who is asked for, whether they may sign in or have before, makes no
// difference but for the name that the caller gave.
func TestSendTellsNothing(t *testing.T) {
	s := newSite(t, webtest.Options{Deny: []string{"adenied@example.com"}, Frozen: true})
	known, unknown, denied := "aknown@example.com", "aunknown@example.com", "adenied@example.com"
	s.signIn(known)
	s.send(denied).Want(http.StatusOK)
	s.send(unknown).Want(http.StatusOK)
	for round := range 3 {
		want := s.send(known)
		if round == 2 {
			t.Logf("%-20s %s", known, want.Body)
		}
		if throttled := want.Status == http.StatusTooManyRequests; throttled != (round == 2) {
			t.Fatalf("round %d is answered %d", round, want.Status)
		}
		for _, email := range []string{unknown, denied} {
			a := s.send(email)
			if a.Status != want.Status || !reflect.DeepEqual(a.Header, want.Header) ||
				changing.ReplaceAllString(a.Body, "") != changing.ReplaceAllString(want.Body, "") {
				t.Errorf("%s is answered %d %v %s, want %d %v %s", email, a.Status, a.Header, a.Body, want.Status, want.Header, want.Body)
			}
			if round == 2 {
				t.Logf("%-20s %s", email, a.Body)
			}
		}
	}
	for range 5 { // two more to the known, three to the unknown
		s.Code()
	}
	if n := s.Sent(denied); n != 0 {
		t.Errorf("%d messages to who may not get any", n)
	}
}
