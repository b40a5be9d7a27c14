// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
)

func TestChallenge(t *testing.T) {
	const (
		here  = "/admin/x?a=b&c=%2F%2Fd"
		back  = "/.otp/login?return_to=%2Fadmin%2Fx%3Fa%3Db%26c%3D%252F%252Fd"
		start = "/.otp/login?return_to=%2F"
	)
	for _, tc := range []struct {
		name    string
		method  string
		headers map[string]string
		status  int
		login   string
	}{
		{name: "a browser that navigates", headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}, status: 303, login: back},
		{name: "a browser without Fetch metadata", headers: map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, status: 303, login: back},
		{name: "a form that posts", method: http.MethodPost, headers: map[string]string{"Sec-Fetch-Mode": "navigate"}, status: 303, login: start},
		{name: "a HEAD", method: http.MethodHead, headers: map[string]string{"Accept": "text/html"}, status: 303, login: back},
		{name: "fetch", headers: map[string]string{"Sec-Fetch-Mode": "cors", "Accept": "text/html"}, status: 401, login: back},
		{name: "fetch of the same origin", headers: map[string]string{"Sec-Fetch-Mode": "same-origin", "Accept": "*/*"}, status: 401, login: back},
		{name: "an image", headers: map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, status: 401, login: back},
		{name: "XMLHttpRequest", headers: map[string]string{"X-Requested-With": "XMLHttpRequest", "Accept": "application/json"}, status: 401, login: back},
		{name: "curl", headers: map[string]string{"Accept": "*/*"}, status: 401, login: back},
		{name: "nothing said", status: 401, login: back},
		{name: "a post without Fetch metadata", method: http.MethodPost, headers: map[string]string{"Accept": "text/html"}, status: 401, login: start},
		{name: "a preflight that is none", method: http.MethodOptions, headers: map[string]string{"Origin": "https://spa.example.net"}, status: 401, login: start},
		{name: "a websocket", headers: map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Fetch-Mode": "websocket"}, status: 401, login: back},
		{name: "an upgrade that claims to navigate", headers: map[string]string{"Upgrade": "websocket", "Sec-Fetch-Mode": "navigate"}, status: 401, login: back},
		{name: "a tunnel that claims to navigate", headers: map[string]string{"Upgrade": "h2c"}, status: 401, login: back},
		{name: "an extended CONNECT", method: http.MethodConnect, headers: map[string]string{"Sec-Fetch-Mode": "websocket"}, status: 401, login: start},
		{name: "expecting to continue", method: http.MethodPost, headers: map[string]string{"Expect": "100-continue"}, status: 401, login: start},
		{name: "an event stream", headers: map[string]string{"Accept": "text/event-stream", "Sec-Fetch-Mode": "cors"}, status: 401, login: back},
		{name: "an event stream without Fetch metadata", headers: map[string]string{"Accept": "text/event-stream"}, status: 401, login: back},
		{name: "gRPC", method: http.MethodPost, headers: map[string]string{"Content-Type": "application/grpc+proto"}, status: 200},
		{name: "htmx", headers: map[string]string{"Hx-Request": "true", "Accept": "text/html", "Sec-Fetch-Mode": "cors"}, status: 401, login: back},
		{name: "an old htmx", headers: map[string]string{"Hx-Request": "true", "Accept": "*/*"}, status: 401, login: back},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, nil)
			method := tc.method
			if method == "" {
				method = http.MethodGet
			}
			r := httptest.NewRequest(method, "https://app.example.com"+here, nil)
			r.URL.Scheme, r.URL.Host, r.Host = "", "", "evil.example" // as a server has it
			for name, value := range tc.headers {
				r.Header.Set(name, value)
			}
			w := h.do(r)
			if h.passed != nil || w.Code != tc.status {
				t.Fatalf("passed %v, status %d", h.passed != nil, w.Code)
			}
			header := w.Header()
			if header.Get("Cache-Control") != "no-store" || header.Get("Set-Cookie") != "" || strings.Contains(w.Body.String(), "evil") {
				t.Errorf("%v %s", header, w.Body)
			}
			redirect := ""
			if tc.headers["Hx-Request"] != "" {
				redirect = tc.login
			}
			if got := header.Get("Hx-Redirect"); got != redirect {
				t.Errorf("HX-Redirect: %q", got)
			}
			switch tc.status {
			case http.StatusSeeOther:
				if got := header.Get("Location"); got != tc.login {
					t.Errorf("goes to %s", got)
				}
			case http.StatusOK:
				if header.Get("Grpc-Status") != "16" || header.Get("Content-Type") != "application/grpc" || w.Body.Len() > 0 {
					t.Errorf("%v %s", header, w.Body)
				}
			case http.StatusUnauthorized:
				var problem struct {
					Status        int
					Title, Detail string
					LoginURL      string `json:"login_url"`
				}
				if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
					t.Fatal(err)
				}
				if problem.Status != 401 || problem.LoginURL != "https://app.example.com"+tc.login || problem.Title != "Unauthorized" || problem.Detail == "" {
					t.Errorf("%+v", problem)
				}
				if header.Get("Content-Type") != "application/problem+json; charset=utf-8" || header.Get("Www-Authenticate") != `Bearer realm="app.example.com"` || header.Get("Location") != "" {
					t.Errorf("%v", header)
				}
			}
		})
	}
}

// TestReturnAddress: people come back to a page, not to what a script asked for.
func TestReturnAddress(t *testing.T) {
	const page = "https://app.example.com/inbox?box=1"
	for _, tc := range []struct {
		name    string
		method  string
		headers map[string]string
		want    string
	}{
		{name: "a navigation from a page", headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Referer": page}, want: "/api"},
		{name: "fetch on a page", headers: map[string]string{"Sec-Fetch-Mode": "cors", "Referer": page}, want: "/inbox?box=1"},
		{name: "fetch that posts", method: http.MethodPost, headers: map[string]string{"Sec-Fetch-Mode": "cors", "Referer": page}, want: "/inbox?box=1"},
		{name: "a form", method: http.MethodPost, headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Referer": page}, want: "/inbox?box=1"},
		{name: "htmx", headers: map[string]string{"Hx-Request": "true", "Hx-Current-Url": page + "#top", "Referer": "https://app.example.com/old"}, want: "/inbox?box=1#top"},
		{name: "fetch on a foreign page", headers: map[string]string{"Sec-Fetch-Mode": "cors", "Referer": "https://evil.example/inbox"}, want: "/api"},
		{name: "a form on a foreign page", method: http.MethodPost, headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Referer": "https://evil.example/"}, want: "/"},
		{name: "a host that only begins alike", headers: map[string]string{"Referer": "https://app.example.com.evil.example/x"}, want: "/"},
		{name: "a user that looks like the host", headers: map[string]string{"Referer": "https://app.example.com@evil.example/x"}, want: "/"},
		{name: "htmx that claims another site", headers: map[string]string{"Hx-Request": "true", "Hx-Current-Url": "https://evil.example/"}, want: "/api"},
		{name: "two slashes", headers: map[string]string{"Referer": "https://app.example.com//evil.example"}, want: "/"},
	} {
		h := newHouse(t, nil)
		r := httptest.NewRequest(cmp.Or(tc.method, http.MethodGet), "/api", nil)
		for name, value := range tc.headers {
			r.Header.Set(name, value)
		}
		if got := h.returnAddress(r); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// TestUnchecked asks while no session can be checked.
func TestUnchecked(t *testing.T) {
	const page = "a page"
	browsing := map[string]string{"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
	for _, tc := range []struct {
		name     string
		headers  map[string]string
		hookless bool
		page     bool
	}{
		{name: "a browser that navigates", headers: browsing, page: true},
		{name: "a browser without Fetch metadata", headers: map[string]string{"Accept": "text/html"}, page: true},
		{name: "a browser, and nobody has a page", headers: browsing, hookless: true},
		{name: "fetch", headers: map[string]string{"Sec-Fetch-Mode": "cors", "Accept": "text/html"}},
		{name: "curl", headers: map[string]string{"Accept": "*/*"}},
		{name: "an old htmx", headers: map[string]string{"Accept": "text/html", "Hx-Request": "true"}},
		{name: "an upgrade that claims to navigate", headers: map[string]string{"Sec-Fetch-Mode": "navigate", "Upgrade": "websocket"}},
	} {
		h := newHouse(t, nil)
		h.store.err = otp.ErrUnavailable
		if !tc.hookless {
			h.FailPage = func(w http.ResponseWriter, _ *http.Request, err error) {
				if !errors.Is(err, ErrUnchecked) || !errors.Is(err, otp.ErrUnavailable) || otp.RetryAfter(err) != 1 {
					t.Errorf("%s: %v", tc.name, err)
				}
				w.WriteHeader(http.StatusServiceUnavailable)
				_, _ = io.WriteString(w, page)
			}
		}
		r := h.as(session(t, "jane@example.com"), http.MethodGet, "/admin")
		for name, value := range tc.headers {
			r.Header.Set(name, value)
		}
		w := h.do(r)
		if h.passed != nil || w.Code != http.StatusServiceUnavailable || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: passed %v, %d %v", tc.name, h.passed != nil, w.Code, w.Header())
		}
		if (w.Body.String() == page) != tc.page {
			t.Errorf("%s: %s", tc.name, w.Body)
		}
		if !tc.page && (w.Header().Get("Retry-After") != "1" || w.Header().Get("Content-Type") != "application/problem+json; charset=utf-8") {
			t.Errorf("%s: %v", tc.name, w.Header())
		}
	}
}

func TestReturnPath(t *testing.T) {
	for address, want := range map[string]string{
		"/":                       "/",
		"/a":                      "/a",
		"/a/b?c=d&e=%2F%2Ff#g":    "/a/b?c=d&e=%2F%2Ff#g",
		"/a?u=https://evil":       "/a?u=https://evil",
		"/a//evil":                "/a//evil",
		"/.otp/login":             "/.otp/login",
		"/%2F%2Fevil":             "/%2F%2Fevil", // stays a path
		"/%09/evil":               "/%09/evil",
		"/%5Cevil":                "/%5Cevil",
		"/ü":                      "/ü",
		"/@evil":                  "/@evil",
		"/:80":                    "/:80",
		"":                        "/",
		"a":                       "/",
		"?a":                      "/",
		"#a":                      "/",
		".":                       "/",
		"//evil":                  "/",
		"///evil":                 "/",
		`/\evil`:                  "/",
		`\\evil`:                  "/",
		`\/evil`:                  "/",
		`/a\b`:                    "/",
		"/\t/evil":                "/",
		"/\n/evil":                "/",
		"\t//evil":                "/",
		" //evil":                 "/",
		" /a":                     "/",
		"/a b":                    "/",
		"/\x00":                   "/",
		"/\x7f":                   "/",
		"/\r\nSet-Cookie: a=b":    "/",
		"https://evil":            "/",
		"https:evil":              "/",
		"https:/evil":             "/",
		"https:///evil":           "/",
		"https://app@evil":        "/",
		"https://app.example.com": "/",
		"javascript:alert(1)":     "/",
		"JavaScript:alert(1)":     "/",
		"data:text/html,x":        "/",
		"/%":                      "/",
		"/%zz":                    "/",
	} {
		if got := ReturnPath(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

// FuzzReturnPath follows an address as a browser does: that drops tabs and
// line breaks, and takes a backslash for a slash.
func FuzzReturnPath(f *testing.F) {
	for _, seed := range []string{"/a?b#c", "//evil", `/\evil`, "/\t/evil", "https:evil", "/%09/evil", "/.//evil", "/..//evil", "/@evil", "/a:b", "\u2028//evil"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://app.example.com/.otp/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, address string) {
		got := ReturnPath(address)
		if got != "/" && got != address {
			t.Fatalf("%q became %q", address, got)
		}
		if ReturnPath(got) != got {
			t.Fatalf("%q isn't taken twice", got)
		}
		seen := strings.NewReplacer("\t", "", "\r", "", "\n", "", `\`, "/").Replace(strings.Trim(got, " \x00"))
		if !strings.HasPrefix(seen, "/") || strings.HasPrefix(seen, "//") || seen != got {
			t.Fatalf("%q is seen as %q", address, seen)
		}
		u, err := base.Parse(seen)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || u.User != nil {
			t.Fatalf("%q leads to %v, %v", address, u, err)
		}
	})
}
