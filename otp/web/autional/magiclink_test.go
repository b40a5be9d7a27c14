// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

const (
	confirmPath = "/auth/magic-link/confirm"
	spa         = "https://spa.example.net"
)

// ask has a link sent and returns its token.
func (s *site) ask(body string, headers ...string) string {
	s.Helper()
	wantDone(s.Post("/auth/magic-link", body, headers...))
	m := s.Message()
	raw, ok := strings.CutPrefix(m.Link, webtest.Origin+linkPath)
	if !ok || m.Code != "" || m.Purpose != otp.Login || m.Dialect != Name {
		s.Fatalf("message is %+v", m)
	}
	return raw
}

func (s *site) confirm(raw string) webtest.Answer {
	s.Helper()
	return s.Post(confirmPath, fmt.Sprintf(`{"token":%q}`, raw))
}

// TestMagicLink goes from the request to the tokens, on all paths.
func TestMagicLink(t *testing.T) {
	for _, prefix := range prefixes {
		for _, path := range []string{"/auth/magic-link", "/auth/magic-link/request"} {
			t.Run(prefix+path, func(t *testing.T) {
				s := newSite(t, webtest.Options{}, shared)
				wantDone(s.Post(prefix+path, `{"email":"`+alice+`"}`))
				raw := strings.TrimPrefix(s.Message().Link, webtest.Origin+linkPath)
				a := s.Post(prefix+confirmPath, `{"token":"`+raw+`"}`).Want(http.StatusOK)
				user := a.Fields["user"].(map[string]any)
				if _, ok := a.Fields["code"]; ok || a.Fields["is_new_user"] != true || a.Text("token_type") != "Bearer" || user["email"] != alice || len(a.Fields) != 7 {
					t.Errorf("body is %s", a.Body)
				}
				if items := s.list(a.Text("access_token")); len(items) != 1 || items[0]["method"] != "link" {
					t.Errorf("listed are %v", items)
				}
				s.refresh(a.Text("refresh_token")).Want(http.StatusOK)
				wantProblem(s.Post(prefix+confirmPath, `{"token":"`+raw+`"}`), linkInvalid)
			})
		}
	}
}

// TestMagicLinkRefuses what is asked for wrongly.
func TestMagicLinkRefuses(t *testing.T) {
	s := newSite(t, webtest.Options{}, func(c *Config) { c.Origins = []string{spa} })
	for _, test := range []struct {
		name, body string
		kind       *kind
		fields     []string
	}{
		{"nothing", `{}`, invalidParameter, []string{"email required"}},
		{"a phone", `{"phone":"` + phone + `"}`, invalidParameter, []string{"email required", "phone unknown"}},
		{"no address", `{"email":"x","redirect_url":1,"y":2}`, invalidParameter, []string{"email format", "redirect_url type", "y unknown"}},
		{"an array", `["` + alice + `"]`, malformedBody, nil},
		{"truncated", `{"email":"`, malformedBody, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantProblem(s.in(t).Post("/auth/magic-link", test.body), test.kind, test.fields...)
		})
	}
	for code, all := range map[string][]string{
		"": {
			webtest.Origin, webtest.Origin + "/", webtest.Origin + "/a?b=c&d=%2F", spa, spa + "/welcome",
		},
		"unsupported": {
			"https://evil.example/", "http://app.example.com/", "https://app.example.com:444/", "https://app.example.com.evil.example/",
			"https://APP.example.com/", "https://sub.spa.example.net/", "javascript://app.example.com/%0aalert(1)", "https://evil.example?" + webtest.Origin,
		},
		"format": {
			"/welcome", "//evil.example", "x", "javascript:alert(1)", "https://", "https://app.example.com@evil.example/", "https://u:p@app.example.com/",
			webtest.Origin + "/#x", webtest.Origin + `\@evil.example`, " " + webtest.Origin, webtest.Origin + "/a b", webtest.Origin + "/\n", "https://app.example.com:x/", "%",
		},
		"range": {webtest.Origin + "/" + strings.Repeat("x", maxRedirect)},
	} {
		for _, redirect := range all {
			a := s.Post("/auth/magic-link", fmt.Sprintf(`{"email":"x","redirect_url":%q}`, redirect))
			if code == "" {
				wantProblem(a, invalidParameter, "email format")
				continue
			}
			wantProblem(a, invalidParameter, "email format", "redirect_url "+code)
		}
	}
	s.NoMessage()
}

// TestMagicLinkTellsNothing of who may sign in.
func TestMagicLinkTellsNothing(t *testing.T) {
	s, _ := newStaffSite(t, webtest.Options{}, member(false, jane))
	known, unknown := s.Post("/auth/magic-link", `{"email":"`+jane+`"}`), s.Post("/auth/magic-link", `{"email":"who@example.com"}`)
	wantDone(known)
	if known.Status != unknown.Status || changing.ReplaceAllString(known.Body, "") != changing.ReplaceAllString(unknown.Body, "") {
		t.Errorf("%s, but %s", known.Body, unknown.Body)
	}
	s.Message()
	s.NoMessage()
}

func TestMagicLinkThrottles(t *testing.T) {
	s := newSite(t, webtest.Options{})
	for range 3 {
		s.ask(`{"email":"` + alice + `"}`)
	}
	wantProblem(s.Post("/auth/magic-link", `{"email":"`+alice+`"}`), tooFrequent)
	wantProblem(s.send(alice), tooFrequent) // it is one throttle with codes
}

// TestFollowedLinkIsHarmless: whatever follows the link uses nothing up.
func TestFollowedLinkIsHarmless(t *testing.T) {
	s := newSite(t, webtest.Options{})
	raw := s.ask(`{"email":"` + alice + `"}`)
	target := confirmPath + "?token=" + raw
	for name, headers := range map[string][]string{
		"an old browser":  {"Accept", "text/html,application/xhtml+xml"},
		"a browser":       {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site", "Accept", "*/*"},
		"a prefetch":      {"Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch"},
		"a mail scanner":  {"User-Agent", "Mozilla/5.0 (compatible; SafeLinks)", "Accept", "text/html"},
		"somebody signed": append([]string{"Accept", "text/html"}, webtest.Bearer("x")...),
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			a := s.Do(webtest.Request(method, target, "", headers...)).Want(http.StatusSeeOther)
			if a.Header.Get("Location") != linkPath+raw || len(a.Cookies()) > 0 || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s, %s: %v", name, method, a.Header)
			}
		}
	}
	for name, headers := range map[string][]string{
		"a program": nil,
		"JSON":      {"Accept", "application/json"},
		"fetch":     {"Sec-Fetch-Mode", "cors", "Accept", "text/html"},
	} {
		a := s.Get(target, headers...)
		wantProblem(a, linkUnconfirmed)
		if a.Header.Get("Allow") != "POST" || strings.Contains(a.Text("detail"), raw) {
			t.Errorf("%s: %v %s", name, a.Header, a.Body)
		}
	}
	if a := s.Get(confirmPath+"?token=a%26b%3D%0d%0a", "Accept", "text/html").Want(http.StatusSeeOther); a.Header.Get("Location") != linkPath+"a%26b%3D%0D%0A" {
		t.Errorf("%v", a.Header)
	}
	s.confirm(raw).Want(http.StatusOK)
	if strings.Contains(s.Logged(), raw) {
		t.Error("the link's token is logged")
	}
}

// TestConfirmRefuses what is no live link of this API.
func TestConfirmRefuses(t *testing.T) {
	s := newSite(t, webtest.Options{})
	raw := s.ask(`{"email":"` + alice + `"}`)
	signedIn := s.signIn("bob@example.com")
	for _, test := range []struct {
		name, body string
		kind       *kind
		fields     []string
	}{
		{"nothing", `{}`, invalidParameter, []string{"token required"}},
		{"a number", `{"token":1}`, invalidParameter, []string{"token type"}},
		{"more", `{"token":"x","code":"1"}`, invalidParameter, []string{"code unknown"}},
		{"garbage", `{"token":"x"}`, linkInvalid, nil},
		{"altered", `{"token":"` + raw[:len(raw)/2] + webtest.OtherCode(raw[len(raw)/2:]) + `"}`, linkInvalid, nil},
		{"an access token", `{"token":"` + signedIn.Text("access_token") + `"}`, linkInvalid, nil},
		{"a refresh token", `{"token":"` + signedIn.Text("refresh_token") + `"}`, linkInvalid, nil},
		{"truncated", `{"token":"`, malformedBody, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantProblem(s.in(t).Post(confirmPath, test.body), test.kind, test.fields...)
		})
	}
	t.Run("another API's", func(t *testing.T) {
		s := s.in(t)
		address := otp.RestoreAddress(otp.Email, "carol@example.com")
		_, err := s.Service.Start(t.Context(), otp.StartRequest{
			Dialect: "portal", Address: address, Purpose: otp.Login, Form: otp.FormLink, Code: webtest.CodePolicy(), LinkPath: linkPath,
		})
		if err != nil {
			t.Fatal(err)
		}
		wantProblem(s.confirm(strings.TrimPrefix(s.Message().Link, webtest.Origin+linkPath)), linkInvalid)
	})
	t.Run("from another site", func(t *testing.T) {
		wantProblem(s.in(t).Post(confirmPath, `{"token":"`+raw+`"}`, "Origin", "https://evil.example"), foreignOrigin)
	})
	t.Run("store down", func(t *testing.T) {
		s.FailStore(otp.ErrUnavailable)
		wantProblem(s.in(t).confirm(raw), unavailable)
		s.FailStore(nil)
	})
	s.confirm(raw).Want(http.StatusOK)
	t.Run("too old", func(t *testing.T) {
		s := s.in(t)
		late := s.ask(`{"email":"late@example.com"}`)
		s.Advance(11 * time.Minute)
		wantProblem(s.confirm(late), linkInvalid)
	})
}

// TestMagicLinkAndFactor: a link is one factor, like a code.
func TestMagicLinkAndFactor(t *testing.T) {
	s, _ := newStaffSite(t, webtest.Options{}, member(true, jane, janesPhone))
	a := s.confirm(s.ask(`{"email":"` + jane + `"}`))
	wantChallenge(a)
	s.answer(a.Text("challenge_token"), s.Code(), "").Want(http.StatusOK)
}

// TestFinishLink pins where a browser is led that redeemed a link at the pages.
func TestFinishLink(t *testing.T) {
	for _, test := range []struct {
		name, redirect string
		mfa            bool
		origins        []string // when it is redeemed
		want           string
		fragment       string // the names in it
	}{
		{"none", "", false, []string{spa}, "/", ""},
		{"a page of the site", webtest.Origin + "/welcome?a=b", false, []string{spa}, webtest.Origin + "/welcome?a=b", ""},
		{"a page elsewhere", spa + "/welcome", false, []string{spa}, spa + "/welcome", ""},
		{"a front page with a query", spa + "/?next=x", false, []string{spa}, spa + "/?next=x", ""},
		{"a front page", spa + "/", false, []string{spa}, spa + "/", "access_token expires_in token_type"},
		{"the site's front page", webtest.Origin, false, []string{spa}, webtest.Origin, "access_token expires_in token_type"},
		{"a front page, with a second factor to prove", spa, true, []string{spa}, spa, "requires_mfa"},
		{"an origin that is no longer one", spa + "/", false, nil, "/", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newStaffSite(t, webtest.Options{}, member(test.mfa, jane, janesPhone))
			config := Config{Dialect: s.Dialect(), LinkPath: linkPath}
			config.Origins = []string{spa}
			asking := dialectOf(config)
			body := fmt.Sprintf(`{"email":%q,"redirect_url":%q}`, jane, test.redirect)
			if err := asking.sendLink(httptest.NewRecorder(), webtest.Request(http.MethodPost, "/auth/magic-link", body)); err != nil {
				t.Fatal(err)
			}
			l, err := s.Service.OpenLink(strings.TrimPrefix(s.Message().Link, webtest.Origin+linkPath))
			if err != nil {
				t.Fatal(err)
			}
			v, err := s.Service.VerifyLink(t.Context(), l, otp.Presented{Lifetime: 7 * 24 * time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			config.Origins = test.origins
			w := httptest.NewRecorder()
			FinishLink(config)(w, webtest.Request(http.MethodPost, "/.otp/link", ""), l, v)
			target, fragment, _ := strings.Cut(w.Header().Get("Location"), "#")
			values, err := url.ParseQuery(fragment)
			if w.Code != http.StatusSeeOther || target != test.want || err != nil {
				t.Fatalf("%d to %s, want %s; %v", w.Code, target, test.want, err)
			}
			for _, name := range strings.Fields(test.fragment) {
				if !values.Has(name) {
					t.Errorf("no %s in %s", name, fragment)
				}
			}
			if len(values) != len(strings.Fields(test.fragment)) {
				t.Errorf("fragment is %s", fragment)
			}
			if access := values.Get("access_token"); access != "" && !s.holds(access) {
				t.Error("the access token opens nothing")
			}
		})
	}
}
