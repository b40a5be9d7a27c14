// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

func TestProfile(t *testing.T) {
	s := newSite(t, webtest.Options{SMS: true})
	a := s.signIn(phone, "sms")
	_, access := claims(t, a.Text("accessToken"))
	me := s.Get("/auth/me", webtest.Bearer(a.Text("accessToken"))...).Want(http.StatusOK)
	for name, want := range map[string]any{
		"id":                 access["sub"],
		"email":              nil,
		"emailVerifiedAt":    nil,
		"phone":              phone,
		"phoneVerifiedAt":    access["phoneVerifiedAt"],
		"isMfaEnabled":       false,
		"mustChangePassword": false,
	} {
		if got, there := me.Fields[name]; got != want || !there {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"metadata", "roles", "permissions"} {
		if me.Fields[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	user := s.Get("/auth/user", webtest.Bearer(a.Text("accessToken"))...).Want(http.StatusOK)
	if user.Text("id") != me.Text("id") || user.Fields["isActive"] != true || user.Text("createdAt") != me.Text("phoneVerifiedAt") || len(user.Fields) != 12 {
		t.Errorf("user is %s", user.Body)
	}
	held := s.Get("/auth/verify-session", webtest.Bearer(a.Text("accessToken"))...).Want(http.StatusOK)
	expires, err := time.Parse(time.RFC3339, held.Text("expiresAt"))
	if rest := time.Until(expires); err != nil || rest < DefaultRefreshLifetime-time.Hour || rest > DefaultRefreshLifetime+time.Minute {
		t.Errorf("session ends at %s (%v)", held.Text("expiresAt"), err)
	}
	if held.Fields["valid"] != true || held.Text("userId") != me.Text("id") {
		t.Errorf("answer is %s", held.Body)
	}
}

func TestWithoutAToken(t *testing.T) {
	s := newSite(t, webtest.Options{})
	a := s.signIn(alice, "email")
	elsewhere := newSite(t, webtest.Options{}).signIn(alice, "email")
	paths := map[string]string{
		"/auth/me":                         http.MethodGet,
		"/auth/user":                       http.MethodGet,
		"/auth/verify-session":             http.MethodGet,
		"/auth/logout-all":                 http.MethodPost,
		"/auth/mfa/challenge":              http.MethodPost,
		"/auth/mfa/verify":                 http.MethodPost,
		"/auth/mfa/status":                 http.MethodGet,
		"/auth/mfa/devices":                http.MethodGet,
		"/auth/mfa/toggle":                 http.MethodPost,
		"/auth/mfa/generate-recovery-code": http.MethodPost,
	}
	for path, method := range paths {
		t.Run(path, func(t *testing.T) {
			s := s.in(t)
			wantRefusal(s.Do(webtest.Request(method, path, "")), http.StatusUnauthorized, "NO_AUTH_PROVIDED", "No authentication provided")
			for name, raw := range map[string]string{
				"garbage":              "garbage",
				"refresh token":        a.Text("refreshToken"),
				"another site's token": elsewhere.Text("accessToken"),
				"altered token":        a.Text("accessToken") + "A",
			} {
				t.Run(name, func(t *testing.T) {
					answer := s.in(t).Do(webtest.Request(method, path, "", webtest.Bearer(raw)...))
					wantRefusal(answer, http.StatusUnauthorized, "INVALID_TOKEN", "Invalid or expired token")
				})
			}
		})
	}
}

// A token that another API of the site gave out proves nothing here.
func TestOtherAPIsTokens(t *testing.T) {
	s := newSite(t, webtest.Options{})
	v, access := s.SignInBy("another", alice)
	wantRefusal(s.Get("/auth/me", webtest.Bearer(access)...), http.StatusUnauthorized, "INVALID_TOKEN", "Invalid or expired token")
	wantRefusal(s.Post("/auth/logout-all", "", webtest.Bearer(access)...), http.StatusUnauthorized, "INVALID_TOKEN", "Invalid or expired token")
	wantRefusal(s.Post("/auth/mfa/challenge", `{"method":"email"}`, webtest.Bearer(access)...), http.StatusUnauthorized, "INVALID_TOKEN", "Invalid or expired token")
	s.Post("/auth/logout", "", webtest.Bearer(access)...).Want(http.StatusOK)
	if _, err := s.Service.Current(t.Context(), v.Session); err != nil {
		t.Errorf("its session: %v", err)
	}
}

func TestMFAIsOff(t *testing.T) {
	s := newSite(t, policy(otp.MFAPolicy{Off: true}))
	access := webtest.Bearer(s.signIn(alice, "email").Text("accessToken"))
	for _, body := range []string{`{"method":"email"}`, `{}`, ``} {
		wantRefusal(s.Post("/auth/mfa/challenge", body, access...), http.StatusForbidden, "MFA_NOT_ENABLED", "MFA is not enabled for the application")
	}
	wantRefusal(s.Post("/auth/mfa/verify", `{"method":"email","otp":"123456"}`, access...), http.StatusForbidden, "MFA_NOT_ENABLED", "MFA is not enabled for the application")
	wantRefusal(s.Get("/auth/mfa/status", access...), http.StatusForbidden, "MFA_NOT_ENABLED", "MFA is not enabled for the application")
	long := s.Post("/auth/mfa/challenge", string(make([]byte, 9<<10)), access...)
	wantRefusal(long, http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", "Request body must not be over 8 KiB")
}

func TestRefresh(t *testing.T) {
	s := newSite(t, webtest.Options{})
	first := s.signIn(alice, "email")
	second := s.refresh(first.Text("refreshToken")).Want(http.StatusOK)
	if second.Text("message") != "Token refreshed successfully" || second.Fields["isRequiresMfa"] != false {
		t.Errorf("body is %s", second.Body)
	}
	_, before := claims(t, first.Text("refreshToken"))
	_, after := claims(t, second.Text("refreshToken"))
	if before["exp"] != after["exp"] || before["sessionId"] != after["sessionId"] || before["jti"] == after["jti"] {
		t.Errorf("refresh token's claims were %v, are %v", before, after)
	}
	s.Get("/auth/me", webtest.Bearer(second.Text("accessToken"))...).Want(http.StatusOK)

	usedUp := "Refresh token is no longer valid (rotated or replayed)"
	wantRefusal(s.refresh(first.Text("refreshToken")), http.StatusUnauthorized, "REFRESH_TOKEN_INVALID", usedUp)
	wantRefusal(s.refresh(second.Text("refreshToken")), http.StatusUnauthorized, "REFRESH_TOKEN_INVALID", usedUp)
	// N25: the whole session is gone, at once.
	wantRefusal(s.Get("/auth/me", webtest.Bearer(second.Text("accessToken"))...), http.StatusUnauthorized, "INVALID_TOKEN", "Session not found")
}

func TestRefreshRefuses(t *testing.T) {
	s := newSite(t, webtest.Options{})
	a := s.signIn(alice, "email")
	for _, test := range []struct {
		name, body    string
		status        int
		code, message string
	}{
		{"nothing", `{}`, http.StatusUnauthorized, "REFRESH_TOKEN_INVALID", "refreshToken is required"},
		{"no body", ``, http.StatusUnauthorized, "REFRESH_TOKEN_INVALID", "refreshToken is required"},
		{"garbage", `{"refreshToken":"x"}`, http.StatusUnauthorized, "REFRESH_TOKEN_EXPIRED", "Invalid or expired refresh token"},
		{"access token", `{"refreshToken":"` + a.Text("accessToken") + `"}`, http.StatusUnauthorized, "REFRESH_TOKEN_EXPIRED", "Invalid or expired refresh token"},
		{"number", `{"refreshToken":1}`, http.StatusBadRequest, "INVALID_INPUT", "refreshToken must be a string"},
		{"truncated", `{"refreshTok`, http.StatusBadRequest, "INVALID_INPUT", "Request body must be one JSON object without duplicate keys"},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantRefusal(s.in(t).Post("/auth/refresh-token", test.body), test.status, test.code, test.message)
		})
	}
	s.refresh(a.Text("refreshToken")).Want(http.StatusOK)
}

func TestLogout(t *testing.T) {
	s := newSite(t, webtest.Options{})
	for _, headers := range [][]string{nil, webtest.Bearer("garbage")} {
		a := s.Post("/auth/logout", "", headers...).Want(http.StatusOK)
		if a.Body != `{"message":"Logged out successfully"}`+"\n" {
			t.Errorf("body is %s", a.Body)
		}
	}
	a := s.signIn(alice, "email")
	s.Post("/auth/logout", "", webtest.Bearer(a.Text("accessToken"))...).Want(http.StatusOK)
	wantRefusal(s.Get("/auth/me", webtest.Bearer(a.Text("accessToken"))...), http.StatusUnauthorized, "INVALID_TOKEN", "Session not found")
	s.refresh(a.Text("refreshToken")).Want(http.StatusUnauthorized)
}

func TestLogoutAll(t *testing.T) {
	s := newSite(t, webtest.Options{})
	first, second := s.signIn(alice, "email"), s.signIn(alice, "email")
	others := s.signIn("bob@example.com", "email")
	a := s.Post("/auth/logout-all", "", webtest.Bearer(first.Text("accessToken"))...).Want(http.StatusOK)
	if a.Body != `{"message":"Logged out from all devices successfully"}`+"\n" {
		t.Errorf("body is %s", a.Body)
	}
	s.Get("/auth/me", webtest.Bearer(first.Text("accessToken"))...).Want(http.StatusUnauthorized)
	s.Get("/auth/me", webtest.Bearer(second.Text("accessToken"))...).Want(http.StatusUnauthorized)
	s.refresh(second.Text("refreshToken")).Want(http.StatusUnauthorized)
	s.Get("/auth/me", webtest.Bearer(others.Text("accessToken"))...).Want(http.StatusOK)
}

func TestClientConfig(t *testing.T) {
	s := newSite(t, webtest.Options{})
	a := s.Get("/auth/client-config").Want(http.StatusOK)
	want := `{"tenants":{"enabled":false,"mode":"single"},"multipleAccounts":{"enabled":false},"roleGuards":[],` +
		`"emailAuth":{"enabled":true},"phoneAuth":{"enabled":false},"passwordless":{"enabled":true,"allowSignUp":true},` +
		`"google":{"enabled":false},"facebook":{"enabled":false},"apple":{"enabled":false},"github":{"enabled":false},"customProviders":[],` +
		`"registration":{"enabled":false,"requireInvitation":false},` +
		`"mfa":{"enabled":true,"methods":["email","totp"],"allowUserToggle":false,"allowMethodSelection":true},` +
		`"platformAccess":{"enabled":false},"accessTokenType":"header"}` + "\n"
	if a.Body != want {
		t.Errorf("body is %s", a.Body)
	}
}
