// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func TestLogin(t *testing.T) {
	s := newSite(t, webtest.Options{SMS: true})
	for _, test := range []struct{ name, field, path, address string }{
		{"email", "email", "/auth/login/email-code", alice},
		{"phone", "phone", "/identity/api/v1/auth/login/phone-code", phone},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := s.in(t)
			target := `{"` + test.field + `":"` + test.address + `"`
			s.Post("/auth/send-login-code", target+`}`).Want(http.StatusOK)
			code := s.Code()
			wantProblem(s.Post(test.path, target+`,"code":"`+webtest.OtherCode(code)+`"}`), codeInvalid)
			a := s.Post(test.path, target+`,"code":"`+code+`","captcha_token":"x","tenant_id":"t"}`).Want(http.StatusOK)
			if _, ok := a.Fields["code"]; ok || len(a.Fields) != 7 {
				t.Errorf("body is %s", a.Body)
			}
			user := a.Fields["user"].(map[string]any)
			if a.Text("token_type") != "Bearer" || a.Fields["expires_in"] != 3600.0 || a.Fields["is_new_user"] != true ||
				a.Text("access_token") == "" || a.Text("refresh_token") == "" || a.Text("user_id") != user["id"] {
				t.Errorf("body is %s", a.Body)
			}
			if user[test.field] != test.address || user["username"] != test.address || user["status"] != "active" ||
				user["must_change_password"] != false || len(user) != 9 {
				t.Errorf("user is %v", user)
			}
			if _, err := time.Parse(time.RFC3339, user["created_at"].(string)); err != nil {
				t.Error(err)
			}
			wantProblem(s.Post(test.path, target+`,"code":"`+code+`"}`), codeInvalid)
		})
	}
	t.Run("known now", func(t *testing.T) {
		if a := s.in(t).signIn(alice); a.Fields["is_new_user"] != false {
			t.Errorf("body is %s", a.Body)
		}
	})
}

func TestLoginRefuses(t *testing.T) {
	s := newSite(t, webtest.Options{SMS: true})
	s.send(alice).Want(http.StatusOK)
	code := s.Code()
	for _, test := range []struct {
		name, path, body string
		kind             *kind
		fields           []string
	}{
		{"nothing", "email-code", `{}`, invalidParameter, []string{"email required", "code required"}},
		{"no code", "email-code", `{"email":"` + alice + `"}`, invalidParameter, []string{"code required"}},
		{"wrong types", "email-code", `{"email":1,"code":2,"tenant_id":3,"register_if_new":"4","captcha_token":5,"captcha_challenge_id":6}`, invalidParameter,
			[]string{"email type", "code type", "tenant_id type", "register_if_new type", "captcha_token type", "captcha_challenge_id type"}},
		{"unknown field", "email-code", `{"email":"` + alice + `","code":"` + code + `","phone":"` + phone + `"}`, invalidParameter, []string{"phone unknown"}},
		{"phone for an e-mail", "phone-code", `{"email":"` + alice + `","code":"` + code + `"}`, invalidParameter, []string{"phone required", "email unknown"}},
		{"long tenant", "email-code", `{"email":"` + alice + `","code":"` + code + `","tenant_id":"` + strings.Repeat("t", 129) + `"}`, invalidParameter, []string{"tenant_id range"}},
		{"no address", "phone-code", `{"phone":"` + alice + `","code":"` + code + `"}`, invalidParameter, []string{"phone format"}},
		{"truncated", "email-code", `{"email":"`, malformedBody, nil},
		{"a code of another channel", "phone-code", `{"phone":"` + phone + `","code":"` + code + `"}`, codeInvalid, nil},
		{"a code of nobody", "email-code", `{"email":"nobody@example.com","code":"` + code + `"}`, codeInvalid, nil},
		{"not digits", "email-code", `{"email":"` + alice + `","code":"abc"}`, codeInvalid, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantProblem(s.in(t).Post("/auth/login/"+test.path, test.body), test.kind, test.fields...)
		})
	}
	s.login(alice, code).Want(http.StatusOK)
}

func TestLoginRegisters(t *testing.T) {
	s := newSite(t, webtest.Options{})
	s.send(alice).Want(http.StatusOK)
	code := s.Code()
	wantProblem(s.Post("/auth/login/email-code", `{"email":"`+alice+`","code":"`+code+`","register_if_new":false}`), codeInvalid)
	a := s.Post("/auth/login/email-code", `{"email":"`+alice+`","code":"`+code+`","register_if_new":true}`).Want(http.StatusOK)
	if a.Fields["is_new_user"] != true {
		t.Errorf("body is %s", a.Body)
	}
	s.send(alice).Want(http.StatusOK)
	s.Post("/auth/login/email-code", `{"email":"`+alice+`","code":"`+s.Code()+`","register_if_new":false}`).Want(http.StatusOK)
}

func TestLoginCodeDies(t *testing.T) {
	s := newSite(t, webtest.Options{})
	t.Run("of a newer one", func(t *testing.T) {
		s := s.in(t)
		s.send("newer@example.com").Want(http.StatusOK)
		first := s.Code()
		s.send("newer@example.com").Want(http.StatusOK)
		second := s.Code()
		if first != second {
			wantProblem(s.login("newer@example.com", first), codeInvalid)
		}
		s.login("newer@example.com", second).Want(http.StatusOK)
	})
	t.Run("of wrong guesses", func(t *testing.T) {
		s := s.in(t)
		s.send("guessed@example.com").Want(http.StatusOK)
		code := s.Code()
		for range 4 {
			wantProblem(s.login("guessed@example.com", webtest.OtherCode(code)), codeInvalid)
		}
		wantProblem(s.login("guessed@example.com", webtest.OtherCode(code)), tooManyAttempts)
		wantProblem(s.login("guessed@example.com", code), tooManyAttempts)
	})
	t.Run("of age", func(t *testing.T) {
		s := s.in(t)
		s.send("late@example.com").Want(http.StatusOK)
		code := s.Code()
		s.Advance(11 * time.Minute)
		wantProblem(s.login("late@example.com", code), codeTooOld)
	})
	t.Run("and the person cools down", func(t *testing.T) {
		s := s.in(t)
		for range 2 {
			s.send("cold@example.com").Want(http.StatusOK)
			code := s.Code()
			for range 5 {
				s.login("cold@example.com", webtest.OtherCode(code)).Want(http.StatusBadRequest)
			}
		}
		wantProblem(s.login("cold@example.com", "123456"), coolingDown)
	})
}

func TestMe(t *testing.T) {
	s := newSite(t, webtest.Options{})
	a := s.signIn(alice)
	for _, prefix := range prefixes {
		data := wantSuccess(s.Get(prefix+"/auth/me", webtest.Bearer(a.Text("access_token"))...))
		if data["id"] != a.Text("user_id") || data["email"] != alice {
			t.Errorf("data is %v", data)
		}
	}
	elsewhere := newSite(t, webtest.Options{}).signIn(alice)
	wantSimple(s.Get("/auth/me"), errUnauthorized)
	for _, raw := range []string{"garbage", a.Text("refresh_token"), elsewhere.Text("access_token")} {
		wantSimple(s.Get("/auth/me", webtest.Bearer(raw)...), errUnauthorized)
	}
}

func TestRefresh(t *testing.T) {
	s := newSite(t, webtest.Options{})
	first := s.signIn(alice)
	second := s.refresh(first.Text("refresh_token")).Want(http.StatusOK)
	if _, ok := second.Fields["code"]; ok || second.Fields["requires_mfa"] != false || second.Text("user_id") != first.Text("user_id") ||
		second.Text("token_type") != "Bearer" || second.Fields["expires_in"] != 3600.0 || second.Fields["user"] == nil {
		t.Errorf("body is %s", second.Body)
	}
	wantSuccess(s.Get("/auth/me", webtest.Bearer(second.Text("access_token"))...))
	wantSimple(s.refresh(first.Text("refresh_token")), errReused)
	wantSimple(s.refresh(second.Text("refresh_token")), errUnauthorized)
}

func TestRefreshRefuses(t *testing.T) {
	s := newSite(t, webtest.Options{})
	for _, test := range []struct {
		name, body string
		want       simple
	}{
		{"nothing", `{}`, errNoRefreshToken},
		{"no body", ``, errNoRefreshToken},
		{"wrong type", `{"refresh_token":1}`, errBadRefresh},
		{"unknown field", `{"refresh_token":"x","y":1}`, errBadRefresh},
		{"truncated", `{"refresh_to`, errBadRefresh},
		{"garbage", `{"refresh_token":"x"}`, errUnauthorized},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantSimple(s.in(t).Post("/auth/refresh", test.body), test.want)
		})
	}
}

func TestLogout(t *testing.T) {
	s := newSite(t, webtest.Options{})
	t.Run("of nobody", func(t *testing.T) {
		s := s.in(t)
		for _, headers := range [][]string{nil, webtest.Bearer("garbage")} {
			if data := wantSuccess(s.Post("/auth/logout", "", headers...)); data["token_invalidated"] != false {
				t.Errorf("data is %v", data)
			}
		}
	})
	t.Run("by bearer, with an empty body", func(t *testing.T) {
		s := s.in(t)
		a := s.signIn("bearer@example.com")
		if data := wantSuccess(s.Post("/auth/logout", "", webtest.Bearer(a.Text("access_token"))...)); data["token_invalidated"] != true {
			t.Errorf("data is %v", data)
		}
		wantSimple(s.Get("/auth/me", webtest.Bearer(a.Text("access_token"))...), errUnauthorized)
		wantSimple(s.refresh(a.Text("refresh_token")), errUnauthorized)
	})
	t.Run("by refresh token", func(t *testing.T) {
		s := s.in(t)
		a := s.signIn("refresh@example.com")
		body := `{"refresh_token":"` + a.Text("refresh_token") + `"}`
		if data := wantSuccess(s.Post("/auth/logout", body)); data["token_invalidated"] != true {
			t.Errorf("data is %v", data)
		}
		wantSimple(s.Get("/auth/me", webtest.Bearer(a.Text("access_token"))...), errUnauthorized)
	})
}

func TestLogoutByAUsedRefreshToken(t *testing.T) {
	s := newSite(t, webtest.Options{})
	first := s.signIn(alice)
	second := s.refresh(first.Text("refresh_token")).Want(http.StatusOK)
	data := wantSuccess(s.Post("/auth/logout", `{"refresh_token":"`+first.Text("refresh_token")+`"}`))
	if data["token_invalidated"] != true {
		t.Errorf("data is %v", data)
	}
	wantSimple(s.refresh(second.Text("refresh_token")), errUnauthorized)
}

// A token that another API of the site gave out proves nothing here.
func TestOtherAPIsTokens(t *testing.T) {
	s := newSite(t, webtest.Options{})
	v, access := s.SignInBy("another", alice)
	refresh := token.FormatRefresh(v.Session.ID, v.Refresh)
	wantSimple(s.Get("/auth/me", webtest.Bearer(access)...), errUnauthorized)
	if data := wantSuccess(s.Post("/auth/logout", "", webtest.Bearer(access)...)); data["token_invalidated"] != false {
		t.Errorf("data is %v", data)
	}
	wantSimple(s.refresh(refresh), errUnauthorized)
	if _, err := s.Service.Current(t.Context(), v.Session); err != nil {
		t.Errorf("its session: %v", err)
	}
}

// What isn't ours reaches the app as it is, beside what is.
func TestSharedPaths(t *testing.T) {
	s := newSite(t, webtest.Options{}, shared)
	a := s.signIn(alice)
	foreign := newSite(t, webtest.Options{}).signIn(alice).Text("access_token")
	_, another := s.SignInBy("another", "bob@example.com")
	const get, post = http.MethodGet, http.MethodPost
	for _, test := range []struct {
		name, method, path, body string
		headers                  []string
		ours                     bool
	}{
		{"anonymous me", get, "/auth/me", "", nil, false},
		{"foreign me", get, "/auth/me", "", webtest.Bearer(foreign), false},
		{"another API's me", get, "/auth/me", "", webtest.Bearer(another), false},
		{"our me", get, "/auth/me", "", webtest.Bearer(a.Text("access_token")), true},
		{"foreign refresh", post, "/auth/refresh", `{"refresh_token": "eyJ"}`, nil, false},
		{"no refresh", post, "/auth/refresh", ``, nil, false},
		{"our refresh", post, "/auth/refresh", `{"refresh_token":"` + a.Text("refresh_token") + `"}`, nil, true},
		{"foreign logout", post, "/auth/logout", `{"refresh_token": "eyJ"}`, webtest.Bearer(foreign), false},
		{"our logout", post, "/auth/logout", ``, webtest.Bearer(a.Text("access_token")), true},
		{"our revoked token", get, "/auth/me", "", webtest.Bearer(a.Text("access_token")), true},
		{"login by GET", get, "/auth/login/email-code", "", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s.in(t).Do(webtest.Request(test.method, test.path, test.body, test.headers...)).WantOurs(test.ours, test.body)
		})
	}
}
