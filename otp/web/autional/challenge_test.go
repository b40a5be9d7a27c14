// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func TestVerifyChallengeRefuses(t *testing.T) {
	s := newSite(t, webtest.Options{}, shared)
	s.send(alice).Want(http.StatusOK)
	code := s.Code()
	for _, test := range []struct {
		name, body string
		kind       *kind
		fields     []string
	}{
		{"a code that is right elsewhere", `{"challenge_token":"t","code":"` + code + `"}`, codeInvalid, nil},
		{"with a method", `{"challenge_token":"t","code":"123456","mfa_method":"sms"}`, codeInvalid, nil},
		{"nothing", `{}`, invalidParameter, []string{"challenge_token required", "code required"}},
		{"wrong types", `{"challenge_token":1,"code":2,"mfa_method":3}`, invalidParameter,
			[]string{"challenge_token type", "code type", "mfa_method type"}},
		{"a method that there is nothing for", `{"challenge_token":"t","code":"123456","mfa_method":"totp"}`, invalidParameter, []string{"mfa_method unsupported"}},
		{"another one", `{"challenge_token":"t","code":"123456","mfa_method":"push"}`, invalidParameter, []string{"mfa_method unsupported"}},
		{"unknown method", `{"challenge_token":"t","code":"123456","mfa_method":"fax"}`, invalidParameter, []string{"mfa_method format"}},
		{"unknown field", `{"challenge_token":"t","code":"123456","email":"` + alice + `"}`, invalidParameter, []string{"email unknown"}},
		{"truncated", `{"challenge_token":"`, malformedBody, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, prefix := range prefixes {
				wantProblem(s.in(t).Post(prefix+"/auth/mfa/verify-challenge", test.body), test.kind, test.fields...)
			}
		})
	}
	s.login(alice, code).Want(http.StatusOK) // none of it counted as a try
}

// challenged signs somebody in up to the second factor, and returns the answer
// and the message with the code for it.
func (s *site) challenged(email string) (webtest.Answer, otp.Message) {
	s.Helper()
	a := s.signIn(email)
	wantChallenge(a)
	return a, s.Message()
}

// wantChallenge checks an answer that demands a second factor and gives nothing
// away.
func wantChallenge(a webtest.Answer) {
	a.Helper()
	a.Want(http.StatusOK)
	if a.Fields["requires_mfa"] != true || a.Text("challenge_token") == "" || len(a.Fields) != 3 {
		a.Fatalf("body is %s", a.Body)
	}
}

func (s *site) answer(challenge, code, more string) webtest.Answer {
	s.Helper()
	return s.Post("/auth/mfa/verify-challenge", fmt.Sprintf(`{"challenge_token":%q,"code":%q%s}`, challenge, code, more))
}

// TestChallenge goes from a login to a session by two factors.
func TestChallenge(t *testing.T) {
	for _, test := range []struct {
		name    string
		person  otp.Person
		channel otp.Channel
		method  string
	}{
		{"by SMS", member(true, jane, janesPhone), otp.SMS, `,"mfa_method":"sms"`},
		{"by another mailbox", member(true, jane, "jane@example.net"), otp.Email, `,"mfa_method":"email"`},
		{"by the same mailbox", member(true, jane), otp.Email, ``},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newStaffSite(t, webtest.Options{}, test.person)
			a, m := s.challenged(jane)
			if m.Purpose != otp.MFA || m.Channel != test.channel || m.Link != "" || m.Dialect != Name ||
				!reflect.DeepEqual(a.Fields["required_mfa_methods"], []any{string(test.channel)}) {
				t.Fatalf("message %+v, answer %s", m, a.Body)
			}
			challenge := a.Text("challenge_token")
			wantProblem(s.answer(challenge, webtest.OtherCode(m.Code), test.method), codeInvalid)
			b := s.answer(challenge, m.Code, test.method).Want(http.StatusOK)
			user := b.Fields["user"].(map[string]any)
			if _, ok := b.Fields["code"]; ok || b.Fields["requires_mfa"] != false || b.Text("token_type") != "Bearer" ||
				b.Text("user_id") != "staff "+jane || user["email"] != jane || len(b.Fields) != 7 {
				t.Errorf("body is %s", b.Body)
			}
			if main := test.person.Main(otp.SMS).String(); user["phone"] != main {
				t.Errorf("phone is %q, want %q", user["phone"], main)
			}
			x, err := s.Issuer.Authenticate(t.Context(), b.Text("access_token"))
			if err != nil || x.MFA.IsZero() || x.MFAMethod != string(test.channel) || x.Pending || x.Expires.Sub(x.Created) != DefaultRefreshLifetime {
				t.Errorf("%+v, %v", x, err)
			}
			if items := s.list(b.Text("access_token")); len(items) != 1 || items[0]["current"] != true {
				t.Errorf("listed are %v", items)
			}
			again := s.refresh(b.Text("refresh_token")).Want(http.StatusOK)
			if again.Fields["requires_mfa"] != false {
				t.Errorf("body is %s", again.Body)
			}
			wantProblem(s.answer(challenge, m.Code, test.method), codeInvalid) // it is used up
		})
	}
}

// TestChallengeOpensNothing: before the second factor there is no session, by
// whatever it is asked for.
func TestChallengeOpensNothing(t *testing.T) {
	s, _ := newStaffSite(t, webtest.Options{Protect: []string{"/private"}}, member(true, jane, janesPhone), member(false, "joe@example.com"))
	a, _ := s.challenged(jane)
	challenge := a.Text("challenge_token")
	wantSimple(s.Get("/auth/me", webtest.Bearer(challenge)...), errUnauthorized)
	wantSimple(s.Get(sessionsPath, webtest.Bearer(challenge)...), errUnauthorized)
	wantSimple(s.refresh(challenge), errUnauthorized)
	for name, headers := range map[string][]string{
		"bearer": webtest.Bearer(challenge),
		"cookie": {"Cookie", s.Gate.Cookie.Name + "=" + challenge},
	} {
		if b := s.Get("/private", headers...); b.Status != http.StatusUnauthorized {
			t.Errorf("by %s: %d", name, b.Status)
		}
	}
	// Nor does a session's own seal pass for a challenge.
	joe := s.signIn("joe@example.com")
	x, err := s.Issuer.Authenticate(t.Context(), joe.Text("access_token"))
	if err != nil {
		t.Fatal(err)
	}
	cookie := token.NewSealed(s.Service.Keys(), s.Service.Realm(), "cookie").Seal(x, time.Now())
	for _, other := range []string{cookie, joe.Text("access_token"), joe.Text("refresh_token"), challenge + "A", challenge[1:], strings.ToUpper(challenge)} {
		wantProblem(s.answer(other, "123456", ""), codeInvalid)
	}
}

// TestChallengeDies of what kills any code, of time, of a sign-out and of the
// directory.
func TestChallengeDies(t *testing.T) {
	people := func() []otp.Person { return []otp.Person{member(true, jane, janesPhone)} }
	t.Run("of wrong guesses", func(t *testing.T) {
		s, _ := newStaffSite(t, webtest.Options{}, people()...)
		a, m := s.challenged(jane)
		for range 4 {
			wantProblem(s.answer(a.Text("challenge_token"), webtest.OtherCode(m.Code), ""), codeInvalid)
		}
		wantProblem(s.answer(a.Text("challenge_token"), webtest.OtherCode(m.Code), ""), tooManyAttempts)
		wantProblem(s.answer(a.Text("challenge_token"), m.Code, ""), tooManyAttempts)
	})
	t.Run("with its code", func(t *testing.T) {
		s, _ := newStaffSite(t, webtest.Options{}, people()...)
		a, m := s.challenged(jane)
		s.Advance(6 * time.Minute)
		wantProblem(s.answer(a.Text("challenge_token"), m.Code, ""), codeTooOld)
	})
	t.Run("of age", func(t *testing.T) {
		s, _ := newStaffSite(t, webtest.Options{}, people()...)
		a, m := s.challenged(jane)
		sealed := token.NewSealed(s.Service.Keys(), s.Service.Realm(), challengeUse)
		x, _, _, err := sealed.Open(a.Text("challenge_token"))
		if err != nil || x.Expires.Sub(x.Created) != 10*time.Minute {
			t.Fatalf("%+v, %v", x, err)
		}
		x.Expires = time.Now()
		wantProblem(s.answer(sealed.Seal(x, time.Now()), m.Code, ""), codeInvalid)
	})
	t.Run("with all of the person's sessions", func(t *testing.T) {
		s, _ := newStaffSite(t, webtest.Options{}, people()...)
		a, m := s.challenged(jane)
		if err := s.Service.SignOutEverywhere(t.Context(), "staff "+jane, time.Hour); err != nil {
			t.Fatal(err)
		}
		wantProblem(s.answer(a.Text("challenge_token"), m.Code, ""), codeInvalid)
	})
	t.Run("with the person", func(t *testing.T) {
		s, d := newStaffSite(t, webtest.Options{}, people()...)
		a, m := s.challenged(jane)
		d.change(func() { d.people = nil })
		wantProblem(s.answer(a.Text("challenge_token"), m.Code, ""), codeInvalid)
	})
	t.Run("with the address", func(t *testing.T) {
		s, d := newStaffSite(t, webtest.Options{}, people()...)
		a, m := s.challenged(jane)
		d.change(func() { d.people[0] = member(true, jane, "+4917012345679") })
		wantProblem(s.answer(a.Text("challenge_token"), m.Code, ""), codeInvalid)
	})
}

// TestChallengeIsBound: a code is good for the login that it was sent for, and
// by the method that it was sent by.
func TestChallengeIsBound(t *testing.T) {
	s, _ := newStaffSite(t, webtest.Options{}, member(true, jane, janesPhone))
	first, old := s.challenged(jane)
	second, code := s.challenged(jane)
	if old.Code != code.Code {
		wantProblem(s.answer(first.Text("challenge_token"), code.Code, ""), codeInvalid)
		wantProblem(s.answer(second.Text("challenge_token"), old.Code, ""), codeInvalid)
	}
	wantProblem(s.answer(second.Text("challenge_token"), code.Code, `,"mfa_method":"email"`), codeInvalid)
	wantProblem(s.Post("/auth/login/phone-code", `{"phone":"`+janesPhone+`","code":"`+code.Code+`"}`), codeInvalid)
	s.answer(second.Text("challenge_token"), code.Code, "").Want(http.StatusOK)
}

// TestFactorOutage: where no code can be sent nothing is opened.
func TestFactorOutage(t *testing.T) {
	t.Run("throttled", func(t *testing.T) {
		s := newSite(t, webtest.Options{Domain: func(c *otp.Config) {
			c.Directory = &staff{people: []otp.Person{member(true, jane)}}
			c.Throttles.Address = []otp.Throttle{{Events: 1, Window: time.Hour}}
		}})
		s.send(jane).Want(http.StatusOK)
		wantProblem(s.login(jane, s.Code()), tooFrequent)
		s.NoMessage()
	})
	t.Run("no other address is left", func(t *testing.T) {
		s, _ := newStaffSite(t, webtest.Options{Deny: []string{"+49*"}}, member(true, jane, janesPhone))
		a := s.signIn(jane)
		wantChallenge(a)
		if !reflect.DeepEqual(a.Fields["required_mfa_methods"], []any{"email"}) {
			t.Errorf("body is %s", a.Body)
		}
	})
	t.Run("directory down", func(t *testing.T) {
		s, d := newStaffSite(t, webtest.Options{}, member(true, jane, janesPhone))
		a, m := s.challenged(jane)
		d.change(func() { d.down = true })
		wantProblem(s.answer(a.Text("challenge_token"), m.Code, ""), unavailable)
		d.change(func() { d.down = false })
		s.answer(a.Text("challenge_token"), m.Code, "").Want(http.StatusOK)
	})
}

// TestNoFactor: somebody whose address no code can be sent to any more.
func TestNoFactor(t *testing.T) {
	s := newSite(t, webtest.Options{})
	d := dialectOf(Config{Dialect: s.Dialect(), PagesPath: webtest.PagesPath})
	w, r := httptest.NewRecorder(), webtest.Request(http.MethodPost, "/auth/login/phone-code", "")
	err := d.demandFactor(w, r, otp.Session{Address: otp.RestoreAddress(otp.SMS, phone)})
	if !errors.Is(err, otp.ErrNoFactor) || answerTo(err) != error(noFactor) || w.Body.Len() > 0 {
		t.Errorf("%v, %s", err, w.Body)
	}
}

// TestFactorDemandedSince: a session from before the directory demanded a
// second factor goes on until it is to be renewed, and manages no sessions.
func TestFactorDemandedSince(t *testing.T) {
	s, d := newStaffSite(t, webtest.Options{}, member(false, jane, janesPhone))
	a := s.signIn(jane)
	d.change(func() { d.people[0].MFA = true })
	wantSuccess(s.Get("/auth/me", webtest.Bearer(a.Text("access_token"))...))
	wantSimple(s.Get("/auth/me/sessions", webtest.Bearer(a.Text("access_token"))...), errUnauthorized)
	wantSimple(s.delete("/auth/me/sessions", webtest.Bearer(a.Text("access_token"))...), errUnauthorized)
	wantSimple(s.refresh(a.Text("refresh_token")), errUnauthorized)
	wantSimple(s.Get("/auth/me", webtest.Bearer(a.Text("access_token"))...), errUnauthorized)
	wantSimple(s.refresh(a.Text("refresh_token")), errUnauthorized)
}
