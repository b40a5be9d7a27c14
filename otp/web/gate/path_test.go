// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// target parses a request target as the server does.
func target(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.ParseRequestURI(raw)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return u
}

func TestProtects(t *testing.T) {
	for _, tc := range []struct {
		protect, public string
		open, closed    string
	}{
		{open: "/ /admin /admin%2fx //admin /a;b *"}, // nothing is protected
		{protect: "/", closed: "/ /x /x/y http://app.example.com * http:admin"},
		{protect: "/admin", open: "/ /adminx /admin-x /x/admin /administrator/x", closed: "/admin /admin/ /admin/x /admin/x/y"},
		{protect: "/admin/*", open: "/ /adminx", closed: "/admin /admin/ /admin/x"},
		{protect: "/admin/", open: "/ /adminx", closed: "/admin /admin/ /admin/x"},
		{protect: "/Admin", open: "/adminx", closed: "/admin /ADMIN/x /aDmIn"},
		{protect: "/", public: "/", open: "/ /x", closed: "/a//b /..;/x"},
		{protect: "/", public: "/assets", open: "/assets /assets/a.css /ASSETS/x", closed: "/ /assetsx /x/assets"},
		{protect: "/ /assets/secret", public: "/assets", open: "/assets/x /assets/secrets", closed: "/ /assets/secret /assets/secret/x /ASSETS/Secret"},
		{protect: "/admin", public: "/admin", open: "/admin /admin/x", closed: "/admin/../x"}, // public wins a tie
		{protect: "/admin", public: "/admin/login", open: "/admin/login /admin/login/x /x", closed: "/admin /admin/loginx"},
		{protect: "/a/b/c", public: "/a/b", open: "/a/b /a /a/b/cc", closed: "/a/b/c"},
		{protect: "/İdari /STRAẞE /ſet", open: "/x", closed: "/%C4%B0dari /idari /STRA%E1%BA%9EE /stra%C3%9Fe /%C5%BFet /set /SET/x"},
		{protect: "/wiki/admin", public: "/wiki", open: "/wiki/Fate%EF%BC%8FZero /wiki/C%23 /wiki/what%3F /wiki/50%25", closed: "/wiki%EF%BC%8Fadmin"},
		{protect: "/straße", open: "/strasse", closed: "/stra%C3%9Fe"},
		{ // whatever a server behind may fold to /admin
			protect: "/admin", public: "/ /static",
			open: "/static/x /static/..x /static/x..y/z /static/.hidden /static/...x /.well-known/x /a.b/c.d /x%2561dmin /x%3fadmin",
			closed: "//admin /./admin /x/../admin /static/../admin /static/%2e%2e/admin /static/..%2fadmin /static%2f..%2fadmin /admin%2f /%61dmin /ADMIN/x " +
				"/admin/ /admin;x=1 /static;/x /static/..;/admin /admin%00 /static/%00/x /admin%0a /admin%0d%0a /admin%09 /static%5c..%5cadmin /static\\x " +
				"/static/.%2e/admin /static/. /static/.. /static/%2e /admin%20 /admin. /admin%20/x /admin./x /admin..%20/x /static/x//y /static%2Fx /static/%7fx " +
				"/%2561dmin /%252561dmin /static%252f..%252fadmin /static/%252e%252e/admin /static/..%ef%bc%8fadmin /static/%ef%bc%8e%ef%bc%8e/admin /static/..%c0%af..%c0%afadmin " +
				"/admin%3fx /admin%23 /admin%3f/../x /static/.../admin /static/..%20/admin /admin%253bx /%61dm%C4%B1n/../admin /a%64min%252f",
		},
		{ // blanks and dots at a segment's end, below
			protect: "/a/b", open: "/a/bb /a/b.c /a/c. /b./a", closed: "/a/b. /a./b /a%20/b%20 /a./b./c /a/b.%20.",
		},
		{protect: "/", public: "/docs", open: "/docs/etc. /docs/a%20/b", closed: "/docs./x /docs%20"},
	} {
		rules := protecting(tc.protect, strings.Fields(tc.public)...)
		for _, raw := range strings.Fields(tc.open) {
			if rules.Need(target(t, raw)).Session {
				t.Errorf("protect %q, public %q: %s is closed", tc.protect, tc.public, raw)
			}
		}
		for _, raw := range strings.Fields(tc.closed) {
			if !rules.Need(target(t, raw)).Session {
				t.Errorf("protect %q, public %q: %s is open", tc.protect, tc.public, raw)
			}
		}
	}
}

func TestAmbiguous(t *testing.T) {
	for raw, want := range map[string]bool{
		"/": false, "/a": false, "/a/": false, "/a.b": false, "/.a": false, "/a..": false, "/...": true, "/..%20/a": true, "/%20": true, "/a/.../b": true, "/a/.b/..c": false, "/%61": false, "/a%20b": false,
		"/ü": false, "/%C3%BC": false, "/a%3Fb": false, "/a%25b": false, "/?a=//../;\\": false, "http://app.example.com": false, "/a:b@c": false,
		"//": true, "//a": true, "/a//": true, "/.": true, "/..": true, "/a/./b": true, "/a/../b": true, "/a/..": true, "/%2e%2e/a": true, "/a/.%2E": true,
		"/a%2fb": true, "/a%2Fb": true, "/%2f": true, "/a%5cb": true, "/a%5Cb": true, `/a\b`: true, "/a;b": true, "/a%3Bb": true, "/%00": true, "/%0a": true, "/%1f": true, "/%7F": true,
		"*": true, "http:admin": true, "x:%2fadmin": true,
	} {
		if got := Ambiguous(target(t, raw)); got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
	if Ambiguous(&url.URL{}) || !Ambiguous(&url.URL{Path: "admin"}) {
		t.Error("of a path without a slash")
	}
}

func TestCanonical(t *testing.T) {
	for _, tc := range []struct{ path, want string }{
		{"", "/"}, {"/", "/"}, {"/auth/login", "/auth/login"},
		{"/AUTH/Login", "/auth/login"}, {"/auth/login/", "/auth/login"}, {"//auth///login", "/auth/login"}, {"/auth/./login", "/auth/login"},
		{"/x/../auth/login", "/auth/login"}, {"/../auth/login", "/auth/login"}, {"/auth/login/.", "/auth/login"}, {"/auth/login/x/..", "/auth/login"},
		{`\auth\login`, "/auth/login"}, {"/auth/login;x=1", "/auth/login"}, {"/auth/login;/x", "/auth/login"},
		{"/auth/login\x00", "/auth/login"}, {"/auth\n/login\r", "/auth/login"}, {"/auth/login ", "/auth/login"}, {"/auth/login.", "/auth/login"},
		{"/auth/login. .", "/auth/login"}, {"/auth./login", "/auth/login"}, {"/auth /login", "/auth/login"}, {"/auth/login/ ", "/auth/login"}, {"/auth/... /login", "/auth/login"},
		{"/auth/logins", "/auth/logins"}, {"/auth.login", "/auth.login"}, {"/.otp/login", "/.otp/login"},
	} {
		if got := Canonical(tc.path); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.path, got, tc.want)
		}
	}
}

// TestCanonicalOfLongPaths: an encoding of an encoding costs no more for each
// level.
func TestCanonicalOfLongPaths(t *testing.T) {
	const levels = 500_000
	began := time.Now()
	if got := Canonical("/%" + strings.Repeat("25", levels) + "61dmin"); got != "/admin" {
		t.Errorf("%.40q", got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// FuzzDecode: one pass decodes as much as many do.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"%2541", "%%32%35", "%%4141", "%2%35", "%25%32%35", "%%%25", "%252525", "%%2525%41", "%zz%2", "%25zz"} {
		f.Add(seed)
	}
	once := regexp.MustCompile("%[0-9A-Fa-f]{2}")
	f.Fuzz(func(t *testing.T, p string) {
		want := []byte(p)
		for {
			next := once.ReplaceAllFunc(want, func(code []byte) []byte {
				return []byte{unhex(code[1])<<4 | unhex(code[2])}
			})
			if bytes.Equal(next, want) {
				break
			}
			want = next
		}
		if got := decode(p); got != string(want) {
			t.Fatalf("%q: %q, want %q", p, got, want)
		}
	})
}

// FuzzProtects looks for a path that a server behind may read as one that is
// protected, and that passes.
func FuzzProtects(f *testing.F) {
	for _, seed := range []string{"/admin", "/ADMIN/x", "/x/../admin", "/admin;x", "/admin%2f", "/admin%20", "/admin./x", `/\admin`, "/%61dmin/", "//admin", "*", "http:admin", "/x%00/admin"} {
		f.Add(seed)
	}
	rules := protecting("/admin", "/", "/public")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		canonical := Canonical(u.Path)
		if again := Canonical(canonical); again != canonical {
			t.Fatalf("%q: %q, then %q", raw, canonical, again)
		}
		if (canonical == "/admin" || strings.HasPrefix(canonical, "/admin/")) && !rules.Need(u).Session {
			t.Fatalf("%q reads as %q and is open", raw, canonical)
		}
		if Ambiguous(u) && !rules.Need(u).Session {
			t.Fatalf("%q is ambiguous and open", raw)
		}
	})
}

// protecting returns rules that protect paths, given with blanks between, but
// for the public ones.
func protecting(paths string, public ...string) Rules {
	return NewRules([]Protection{{Paths: strings.Fields(paths)}}, nil, public)
}
