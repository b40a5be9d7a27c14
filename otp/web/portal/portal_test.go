// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const (
	login  = DefaultPath + "/login"
	verify = DefaultPath + "/verify"
	link   = DefaultPath + "/link"
	logout = DefaultPath + "/logout"
	mfa    = DefaultPath + "/mfa"

	sessions = DefaultPath + "/sessions"
)

// site is a site with its pages, a secret part, /private, and one that needs a
// second factor, /vault.
type site struct {
	*webtest.Site
	pages Config
}

// setting changes what a site is made of.
type setting func(domain *otp.Config, pages *Config)

func newSite(t testing.TB, settings ...setting) *site {
	t.Helper()
	return newSiteIn(t, webtest.Options{}, settings...)
}

// newSiteIn is newSite where the options say.
func newSiteIn(t testing.TB, options webtest.Options, settings ...setting) *site {
	t.Helper()
	s := &site{pages: Config{
		Path:            DefaultPath,
		SiteName:        "app.example.com",
		Send:            otp.FormBoth,
		Code:            webtest.CodePolicy(),
		SessionLifetime: 7 * 24 * time.Hour,
	}}
	s.pages.Code.Keep = 3
	options.Protect = []string{"/private"}
	options.SecondFactor = []gate.SecondFactor{{Paths: []string{"/vault"}, Fresh: 15 * time.Minute}}
	options.NoKey = true
	options.Domain = func(c *otp.Config) {
		c.Throttles = otp.DefaultThrottles()
		for _, set := range settings {
			set(c, &s.pages)
		}
	}
	s.Site = webtest.New(t, options, func(w *webtest.Site) wire.API {
		s.pages.Gate, s.pages.Logger = w.Gate, w.Logger
		api := NewPages(s.pages).API()
		w.Gate.FailPage = api.Fail
		return api
	})
	return s
}

// browser keeps cookies as browsers do.
type browser struct {
	site     *site
	language string
	// device is what it says it is.
	device  string
	cookies map[string]string
}

func (s *site) browser() *browser {
	return &browser{site: s, language: "en", cookies: make(map[string]string)}
}

// answer is what a browser got.
type answer struct{ webtest.Answer }

func (b *browser) do(r *http.Request) answer {
	b.site.Helper()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if b.language != "" {
		r.Header.Set("Accept-Language", b.language)
	}
	if b.device != "" {
		r.Header.Set("User-Agent", b.device)
	}
	a := answer{b.site.Do(r)}
	for _, cookie := range a.Cookies() {
		if cookie.MaxAge < 0 {
			delete(b.cookies, cookie.Name)
		} else {
			b.cookies[cookie.Name] = cookie.Value
		}
	}
	return a
}

func (b *browser) get(target string) answer {
	b.site.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return b.do(r)
}

func (b *browser) post(target string, form url.Values) answer {
	b.site.Helper()
	return b.do(newPost(target, form))
}

// newPost is what a browser sends for a form of our own pages.
func newPost(target string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", webtest.Origin)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// copy is another browser with the same cookies.
func (b *browser) copy() *browser {
	other := b.site.browser()
	for name, value := range b.cookies {
		other.cookies[name] = value
	}
	return other
}

// start asks for a message and returns it.
func (b *browser) start(address, returnTo string) otp.Message {
	b.site.Helper()
	b.post(login, url.Values{"address": {address}, "return_to": {returnTo}}).redirects(b.site, verify)
	return b.site.Message()
}

// signIn signs in with a code.
func (b *browser) signIn(address string) {
	b.site.Helper()
	b.post(verify, url.Values{"code": {b.start(address, "/").Code}}).redirects(b.site, "/")
	b.session()
}

// session returns the session in the browser's cookie.
func (b *browser) session() otp.Session {
	b.site.Helper()
	x, _, _, err := b.site.pages.Gate.Cookie.Sealed.Open(b.cookies["__Host-otp"])
	if err != nil {
		b.site.Fatal("browser has no session")
	}
	return x
}

func (b *browser) hasSession() bool { return b.cookies["__Host-otp"] != "" }

func (a answer) redirects(t testing.TB, want string) {
	t.Helper()
	if got := a.Header.Get("Location"); a.Status != http.StatusSeeOther || got != want {
		t.Fatalf("got %d to %q, want 303 to %q: %s", a.Status, got, want, a.alert(t))
	}
}

// shows checks a page's status and alert.
func (a answer) shows(t testing.TB, status int, alert string) {
	t.Helper()
	if got := a.alert(t); a.Status != status || got != alert {
		t.Fatalf("got %d %q, want %d %q", a.Status, got, status, alert)
	}
}

func (a answer) alert(t testing.TB) string {
	t.Helper()
	return textOf(find(a.document(t), func(n *html.Node) bool { return attribute(n, "role") == "alert" }))
}

func (a answer) document(t testing.TB) *html.Node {
	t.Helper()
	n, err := html.Parse(strings.NewReader(a.Body))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// find returns the first node that is wanted, or nil.
func find(n *html.Node, wanted func(*html.Node) bool) *html.Node {
	for each := range n.Descendants() {
		if each.Type == html.ElementNode && wanted(each) {
			return each
		}
	}
	return nil
}

// named returns the first element with an attribute of this value, or nil.
func named(n *html.Node, key, value string) *html.Node {
	return find(n, func(n *html.Node) bool { return attribute(n, key) == value })
}

func element(n *html.Node, tag string) *html.Node {
	return find(n, func(n *html.Node) bool { return n.Data == tag })
}

func attribute(n *html.Node, key string) string {
	if n != nil {
		for _, a := range n.Attr {
			if a.Key == key {
				return a.Val
			}
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	if n == nil {
		return ""
	}
	var all strings.Builder
	for each := range n.Descendants() {
		if each.Type == html.TextNode {
			all.WriteString(each.Data)
		}
	}
	return all.String()
}

// linkTarget returns the path and query of a message's link, and its token.
func linkTarget(t *testing.T, m otp.Message) (target, token string) {
	t.Helper()
	u, err := url.Parse(m.Link)
	if err != nil || u.Scheme+"://"+u.Host != webtest.Origin {
		t.Fatalf("link doesn't begin with the public URL: %v", err)
	}
	return u.RequestURI(), u.Query().Get("token")
}
