// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

const sent = `{"message":"If an account exists, a login code has been sent"}` + "\n"

func TestSend(t *testing.T) {
	s := newSite(t, webtest.Options{SMS: true})
	for _, test := range []struct{ name, body, to string }{
		{"email", `{"identifier":"n1@example.com","channel":"email"}`, "n1@example.com"},
		{"sms", `{"identifier":"` + phone + `","channel":"sms"}`, phone},
		{"the documented tenantId", `{"identifier":"n7@example.com","channel":"email","tenantId":"string"}`, "n7@example.com"},
		{"tenantId null", `{"identifier":"n41@example.com","channel":"email","tenantId":null}`, "n41@example.com"},
		{"longest tenantId", `{"identifier":"n7b@example.com","channel":"email","tenantId":"` + strings.Repeat("ü", 128) + `"}`, "n7b@example.com"},
		{"extra property", `{"identifier":"extra@example.com","channel":"email","more":{}}`, "extra@example.com"},
		{"blanks around", `{"identifier":" blank@example.com ","channel":"email"}`, "blank@example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s.in(t)
			a := s.Post("/auth/passwordless/send", test.body, "Authorization", "Bearer stale").Want(http.StatusOK)
			if a.Body != sent {
				t.Errorf("body is %q", a.Body)
			}
			if code := s.Code(); len(code) != 6 || strings.Trim(code, "0123456789") != "" {
				t.Errorf("code is %q", code)
			}
			if n := s.Sent(test.to); n != 1 {
				t.Errorf("%d messages to %s", n, test.to)
			}
		})
	}
}

func TestSendRefuses(t *testing.T) {
	s := newSite(t, webtest.Options{})
	const input = "INVALID_INPUT"
	malformed := "Request body must be one JSON object without duplicate keys"
	for _, test := range []struct {
		name, body    string
		code, message string
	}{
		{"nothing", `{}`, input, "identifier should not be empty"},
		{"empty identifier", `{"identifier":"","channel":"email"}`, input, "identifier should not be empty"},
		{"null identifier", `{"identifier":null,"channel":"email"}`, input, "identifier should not be empty"},
		{"number", `{"identifier":5,"channel":"email"}`, input, "identifier must be a string"},
		{"array", `{"identifier":["a@example.com"],"channel":"email"}`, input, "identifier must be a string"},
		{"no channel", `{"identifier":"a@example.com"}`, input, "channel must be one of the following values: email, sms"},
		{"unknown channel", `{"identifier":"a@example.com","channel":"fax"}`, input, "channel must be one of the following values: email, sms"},
		{"channel in capitals", `{"identifier":"a@example.com","channel":"EMAIL"}`, input, "channel must be one of the following values: email, sms"},
		{"channel of another type", `{"identifier":"a@example.com","channel":{}}`, input, "channel must be one of the following values: email, sms"},
		{"tenant of another type", `{"identifier":"a@example.com","channel":"email","tenantId":[]}`, input, "tenantId must be a string"},
		{"long tenant", `{"identifier":"a@example.com","channel":"email","tenantId":"` + strings.Repeat("t", 129) + `"}`, input, "tenantId must be shorter than or equal to 128 characters"},
		{"blanks", `{"identifier":"   ","channel":"email"}`, "MISSING_REQUIRED_FIELD", "Identifier is required"},
		{"no address", `{"identifier":"not an email","channel":"email"}`, input, "identifier must be an email"},
		{"long address", `{"identifier":"` + strings.Repeat("a", 300) + `@example.com","channel":"email"}`, input, "identifier must be an email"},
		{"header injection", `{"identifier":"a@example.com\r\nBcc: b@example.com","channel":"email"}`, input, "identifier must be an email"},
		{"no sender", `{"identifier":"` + phone + `","channel":"sms"}`, "PROVIDER_NOT_FOUND", "Phone authentication is not enabled"},
		{"key in capitals", `{"identifier":"a@example.com","IDENTIFIER":"b@example.com","channel":"email"}`, input, "property IDENTIFIER should not exist"},
		{"key twice", `{"identifier":"a@example.com","identifier":"b@example.com","channel":"email"}`, input, malformed},
		{"truncated", `{"identifier":"a@example.com","chan`, input, malformed},
		{"data after it", `{"identifier":"a@example.com","channel":"email"} {}`, input, malformed},
		{"an array", `["a@example.com"]`, input, malformed},
		{"no body", ``, input, malformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s.in(t)
			a := s.Post("/auth/passwordless/send", test.body)
			wantRefusal(a, http.StatusBadRequest, test.code, test.message)
		})
	}
	t.Run("over 8 KiB", func(t *testing.T) {
		s := s.in(t)
		a := s.Post("/auth/passwordless/send", `{"identifier":"`+strings.Repeat("a", 9<<10)+`"}`)
		wantRefusal(a, http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", "Request body must not be over 8 KiB")
	})
	t.Run("form", func(t *testing.T) {
		s := s.in(t)
		a := s.Post("/auth/passwordless/send", "identifier=a%40example.com&channel=email", "Content-Type", "application/x-www-form-urlencoded")
		wantRefusal(a, http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json, without an encoding")
	})
	t.Run("foreign origin", func(t *testing.T) {
		s := s.in(t)
		a := s.Post("/auth/passwordless/send", `{}`, "Origin", "https://evil.example")
		wantRefusal(a, http.StatusForbidden, "CSRF_ORIGIN_REJECTED", "Request origin is not allowed")
	})
	for _, path := range []string{"/auth/passwordless/send", "/auth/mfa/challenge"} {
		t.Run("GET "+path, func(t *testing.T) {
			s := s.in(t)
			a := s.Get(path)
			wantRefusal(a, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "Method not allowed")
			if allow := a.Header.Get("Allow"); allow != http.MethodPost {
				t.Errorf("Allow is %q", allow)
			}
		})
	}
	// Nothing of all that was sent or charged: three are still free.
	for range 3 {
		s.send("a@example.com", "email").Want(http.StatusOK)
		s.Code()
	}
	if n := s.Sent("a@example.com"); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
}

// Who is asked for, whether they may sign in or have before, makes no
// difference that the caller can see.
func TestSendTellsNothing(t *testing.T) {
	s := newSite(t, webtest.Options{SMS: true, Deny: []string{"denied@example.com"}})
	s.signIn("known@example.com", "email")
	want := s.send("known@example.com", "email")
	for _, identifier := range []string{"unknown@example.com", "denied@example.com"} {
		if a := s.send(identifier, "email"); a.Status != want.Status || a.Body != want.Body {
			t.Errorf("%s is answered %d %s", identifier, a.Status, a.Body)
		}
	}
	// A country that isn't served.
	if a := s.send("+33612345678", "sms"); a.Status != want.Status || a.Body != want.Body {
		t.Errorf("foreign number is answered %d %s", a.Status, a.Body)
	}
	// The three that are left of the burst, then refusals, for all alike.
	for range 2 {
		s.send("denied@example.com", "email").Want(http.StatusOK)
		s.send("unknown@example.com", "email").Want(http.StatusOK)
	}
	s.send("known@example.com", "email").Want(http.StatusOK)
	want = s.send("known@example.com", "email").Want(http.StatusTooManyRequests)
	for _, identifier := range []string{"unknown@example.com", "denied@example.com"} {
		if a := s.send(identifier, "email"); a.Status != want.Status || a.Body != want.Body {
			t.Errorf("throttled %s is answered %d %s", identifier, a.Status, a.Body)
		}
	}
	for range 5 { // two more to the known, three to the unknown
		s.Code()
	}
	if n := s.Sent("denied@example.com") + s.Sent("+33612345678"); n != 0 {
		t.Errorf("%d messages to who may not get any", n)
	}
}

func TestSendIsThrottled(t *testing.T) {
	s := newSite(t, webtest.Options{})
	for i := range 3 { // whatever the tenant
		s.Post("/auth/passwordless/send", `{"identifier":"`+alice+`","channel":"email","tenantId":"t`+string(rune('0'+i))+`"}`).Want(http.StatusOK)
	}
	a := s.send(alice, "email")
	wantRefusal(a, http.StatusTooManyRequests, "RATE_LIMITED", "Too many requests. Please try again later.")
	if wait, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 20 {
		t.Errorf("Retry-After is %q, want at most 20", a.Header.Get("Retry-After"))
	}
}

func TestStoreDown(t *testing.T) {
	s := newSite(t, webtest.Options{})
	answer := s.signIn(alice, "email")
	s.FailStore(otp.ErrUnavailable)
	for name, ask := range map[string]func(*site) webtest.Answer{
		"send":    func(s *site) webtest.Answer { return s.send(alice, "email") },
		"login":   func(s *site) webtest.Answer { return s.login(alice, "123456") },
		"refresh": func(s *site) webtest.Answer { return s.refresh(answer.Text("refreshToken")) },
	} {
		t.Run(name, func(t *testing.T) {
			a := ask(s.in(t))
			wantRefusal(a, http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", "Service temporarily unavailable. Please try again later.")
			if a.Header.Get("Retry-After") != "1" {
				t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
			}
		})
	}
	s.FailStore(nil)
	s.refresh(answer.Text("refreshToken")).Want(http.StatusOK)
}
