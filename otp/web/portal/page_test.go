// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// tour visits every page in a language, and every error's.
func tour(t *testing.T, language string) map[string]answer {
	t.Helper()
	s := newSite(t)
	pages := make(map[string]answer)
	b := s.browser()
	b.language = language
	pages["login"] = b.get(login + "?return_to=%2Fprivate")
	pages["login again"] = b.get(login + "?restart=1")
	pages["login refused"] = b.post(login, url.Values{"address": {`"><b>x`}})
	message := b.start("jane@example.com", "/")
	target, token := linkTarget(t, message)
	pages["verify"] = b.get(verify)
	pages["verify refused"] = b.post(verify, url.Values{"code": {webtest.OtherCode(message.Code)}})
	pages["link"] = b.get(target)
	pages["link refused"] = b.get(link + "?token=x")
	pages["link malformed"] = b.post(link, url.Values{"token": {"x", "y"}})
	b.post(link, url.Values{"token": {token}}).redirects(t, "/")
	pages["login signed in"] = b.get(login + "?return_to=%2Fprivate")
	pages["mfa"] = b.get(mfa + "?return_to=%2Fvault")
	b.post(mfa, url.Values{"to": {"0"}, "return_to": {"/vault"}}).redirects(t, mfa)
	code := s.Message().Code
	pages["verify mfa"] = b.get(mfa)
	pages["verify mfa refused"] = b.post(mfa, url.Values{"code": {webtest.OtherCode(code)}})
	pages["logout"] = b.get(logout)
	pages["sessions"] = b.get(sessions)
	pages["method"] = b.do(httptest.NewRequest(http.MethodDelete, login, nil))
	foreign := newPost(login, nil)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	pages["foreign"] = b.do(foreign)
	other := newPost(login, nil)
	other.Host = "192.0.2.1:8080"
	other.Header.Set("Origin", "http://192.0.2.1:8080")
	other.Header.Del("Sec-Fetch-Site") // which browsers don't send over plain http
	pages["other address"] = b.do(other)
	pages["unknown"] = b.get(DefaultPath + "/nothing")
	pages["ambiguous"] = b.get(DefaultPath + "//login")
	plain := newPost(verify, nil)
	plain.Header.Set("Content-Type", "text/plain")
	pages["media type"] = b.do(plain)
	pages["too large"] = b.post(login, url.Values{"address": {strings.Repeat("a", 9<<10)}})
	s.FailStore(otp.ErrUnavailable)
	pages["store down"] = b.post(login, url.Values{"address": {"jane@example.com"}})
	pages["sessions unchecked"] = b.get(sessions)
	pages["half signed out"] = b.post(logout, nil)
	pages["signed out"] = b.get(logout)
	return pages
}

func TestStatuses(t *testing.T) {
	pages := tour(t, "en")
	for name, want := range map[string]int{
		"login": 200, "login again": 200, "login signed in": 200, "verify": 200, "link": 200, "logout": 200, "sessions": 200, "signed out": 200,
		"login refused": 400, "verify refused": 400, "link refused": 400, "link malformed": 400,
		"method": 405, "foreign": 403, "other address": 403, "unknown": 404, "ambiguous": 400, "media type": 415, "too large": 413, "store down": 503, "sessions unchecked": 503, "half signed out": 503,
	} {
		if got := pages[name].Status; got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if got := pages["method"].Header.Get("Allow"); got != "GET, HEAD, POST" {
		t.Errorf("Allow %q", got)
	}
}

func TestHeaders(t *testing.T) {
	for name, a := range tour(t, "de") {
		for header, want := range map[string]string{
			"Content-Type":           "text/html; charset=utf-8",
			"Content-Language":       "de",
			"Cache-Control":          "no-store",
			"Referrer-Policy":        "strict-origin",
			"X-Content-Type-Options": "nosniff",
		} {
			if got := a.Header.Values(header); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		policy := strings.Split(a.Header.Get("Content-Security-Policy"), "; ")
		for _, want := range []string{
			"default-src 'none'", "img-src data:", "base-uri 'none'", "frame-ancestors 'none'",
			"style-src '" + hashSource(textOf(element(a.document(t), "style"))) + "'",
			"script-src '" + hashSource(fragment) + "'",
		} {
			if !slices.Contains(policy, want) {
				t.Errorf("%s: policy %q lacks %s", name, policy, want)
			}
		}
		leads := strings.HasPrefix(name, "verify") || name == "link"
		if slices.Contains(policy, "form-action 'self'") == leads {
			t.Errorf("%s: policy is %q", name, policy)
		}
		for _, cookie := range a.Cookies() {
			if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure || !cookie.HttpOnly ||
				cookie.Path != "/" || cookie.Domain != "" || cookie.SameSite != http.SameSiteLaxMode {
				t.Errorf("%s: cookie %v", name, cookie)
			}
		}
	}
}

func TestPagesAreSelfContained(t *testing.T) {
	for _, language := range []string{"en", "de"} {
		for name, a := range tour(t, language) {
			if !strings.HasPrefix(a.Body, "<!doctype html>") {
				t.Errorf("%s begins with %.20q", name, a.Body)
			}
			d := a.document(t)
			for n := range d.Descendants() {
				if n.Type == html.ElementNode {
					checkElement(t, name, n)
				}
			}
			if got := attribute(element(d, "html"), "lang"); got != language {
				t.Errorf("%s: lang %q", name, got)
			}
			if got := attribute(named(d, "rel", "icon"), "href"); got != "data:," {
				t.Errorf("%s: browsers ask the app for the icon %q", name, got)
			}
			if textOf(element(d, "h1")) == "" || !strings.Contains(textOf(element(d, "title")), "app.example.com") {
				t.Errorf("%s: title %q, heading %q", name, textOf(element(d, "title")), textOf(element(d, "h1")))
			}
			if main := textOf(element(d, "main")); strings.ContainsAny(main, "{}") {
				t.Errorf("%s: a wording isn't filled in: %s", name, main)
			}
		}
	}
}

// local are the addresses that a page may name.
var local = regexp.MustCompile(`^/(\.otp/(login|verify|link|logout|mfa|sessions))?(\?return_to=%2F[a-z]*)?$|^/private$|^data:,$`)

func checkElement(t *testing.T, page string, n *html.Node) {
	t.Helper()
	if n.Data == "script" && textOf(n) != fragment {
		t.Errorf("%s has the script %s", page, textOf(n))
	}
	if slices.Contains([]string{"img", "iframe", "object", "base", "b"}, n.Data) {
		t.Errorf("%s has <%s>", page, n.Data)
	}
	for _, a := range n.Attr {
		switch {
		case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src":
			t.Errorf("%s has %s on <%s>", page, a.Key, n.Data)
		case page == "other address" && a.Val == webtest.Origin+login:
		case (a.Key == "href" || a.Key == "action") && !local.MatchString(a.Val):
			t.Errorf("%s leads to %q", page, a.Val)
		}
	}
	if n.Data == "form" && attribute(n, "method") != "post" {
		t.Errorf("%s has a form by %q", page, attribute(n, "method"))
	}
	if n.Data == "input" && attribute(n, "type") != "hidden" {
		id := attribute(n, "id")
		root := n
		for root.Parent != nil {
			root = root.Parent
		}
		if id == "" || named(root, "for", id) == nil {
			t.Errorf("%s: input %v has no label", page, n.Attr)
		}
	}
}

func TestCodeInput(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	b.start("jane@example.com", "/")
	input := named(b.get(verify).document(t), "name", "code")
	for key, want := range map[string]string{
		"autocomplete": "one-time-code", "inputmode": "numeric", "type": "text", "id": "code",
	} {
		if got := attribute(input, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}

func TestErrorsAreAnnounced(t *testing.T) {
	s := newSite(t)
	a := s.browser().post(login, url.Values{"address": {"x"}})
	d := a.document(t)
	if !strings.HasPrefix(textOf(element(d, "title")), "Error: ") {
		t.Errorf("title %q", textOf(element(d, "title")))
	}
	if id := attribute(named(d, "name", "address"), "aria-errormessage"); id == "" || named(d, "id", id) == nil {
		t.Errorf("the field names no error: %q", id)
	}
}

func TestFailHidesInternals(t *testing.T) {
	s := newSite(t)
	api := NewPages(s.pages).API()
	w := httptest.NewRecorder()
	api.Fail(w, httptest.NewRequest(http.MethodPost, login, nil), http.ErrAbortHandler)
	a := answer{webtest.Answer{TB: t, Status: w.Code, Body: w.Body.String()}}
	if a.Status != http.StatusInternalServerError || strings.Contains(a.Body, http.ErrAbortHandler.Error()) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if !strings.Contains(s.Logged(), http.ErrAbortHandler.Error()) {
		t.Error("the error isn't logged")
	}
}

// what must never be gone back to, however it is written.
var elsewhere = []string{
	"//evil.example", `/\evil.example`, "https:evil.example", "https://app.example.com@evil.example",
	"https://app.example.com.evil.example", "javascript:alert(1)", "https://evil.example#@app.example.com", "/\t/evil.example",
	"https:///evil.example", "///evil.example", `\\evil.example`, "evil.example", "/\n/evil.example", "/ /evil.example", "", "?x", "#x",
	"/" + strings.Repeat("a", maxReturnPath), "/\x00", "/%zz",
}

func TestOpenRedirects(t *testing.T) {
	s := newSite(t, func(c *otp.Config, _ *Config) {
		c.Throttles = otp.Throttles{Address: []otp.Throttle{{Events: 1000, Window: 1e9}}, ClientIP: []otp.Throttle{{Events: 1000, Window: 1e9}}}
	})
	signedIn := s.browser()
	signedIn.signIn("joe@example.com")
	for _, address := range elsewhere {
		b := s.browser()
		query := url.Values{gate.ReturnParameter: {address}}.Encode()
		signedIn.get(login+"?"+query).says(t, http.StatusOK, "You are signed in as joe@example.com.", "/", sessions)
		s.browser().post(logout+"?"+query, nil).redirects(t, login)
		if got := attribute(named(b.get(login+"?"+query).document(t), "name", "return_to"), "value"); got != "/" {
			t.Errorf("%q: the form goes back to %q", address, got)
		}
		message := b.start("jane@example.com", address)
		_, token := linkTarget(t, message)
		if token == "" {
			t.Fatal("no token")
		}
		b.post(verify, url.Values{"code": {message.Code}}).redirects(t, "/")

		_, token = linkTarget(t, b.start("jane@example.com", address))
		s.browser().post(link, url.Values{"token": {token}}).redirects(t, "/")
	}
}

func FuzzReturnPath(f *testing.F) {
	for _, address := range elsewhere {
		f.Add(address)
	}
	for _, address := range []string{"/private?a=1&b=%2F#c", "/%09/evil.example", "/%2Fevil.example", "/a/..//evil.example"} {
		f.Add(address)
	}
	base, err := url.Parse(webtest.Origin + login)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, address string) {
		back := returnPath(address)
		u, err := base.Parse(back)
		if err != nil || u.Scheme != "https" || u.Host != "app.example.com" || u.User != nil {
			t.Errorf("%q goes back to %q", address, back)
		}
	})
}

func TestStartCookieFits(t *testing.T) {
	s := newSite(t)
	local := strings.Repeat("a", 64)
	domain := strings.Repeat(strings.Repeat("b", 60)+".", 3) + "de"
	for _, back := range []string{strings.Repeat(`"`, maxReturnPath-1), strings.Repeat("&", maxReturnPath-1), strings.Repeat("\u2028", 300)} {
		b := s.browser()
		a := b.post(login, url.Values{"address": {local + "@" + domain}, "return_to": {"/" + back}})
		a.redirects(t, verify)
		if n := len(a.Header.Get("Set-Cookie")); n > 4096 {
			t.Errorf("cookie has %d bytes", n)
		}
		b.post(verify, url.Values{"code": {s.Message().Code}}).redirects(t, "/"+back)
	}
}

func TestStartCookieName(t *testing.T) {
	for name, want := range map[string]string{
		"__Host-otp":   "__Host-otp-start",
		"__Secure-otp": "__Host-otp-start",
		"otp":          "otp-start",
		"app_session":  "app_session-start",
	} {
		if got := StartCookieName(&gate.SessionCookie{Name: name}); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
