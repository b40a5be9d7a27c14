// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/bolt"
	"github.com/caddy-otp/caddy-otp/otp/text"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const (
	origin = "https://app.example.com"
	login  = DefaultPath + "/login"
	verify = DefaultPath + "/verify"
	link   = DefaultPath + "/link"
	logout = DefaultPath + "/logout"
)

// site is a site with its pages, an app, a store of its own and a clock.
type site struct {
	t       *testing.T
	web     *web.Site
	pages   Config
	service *otp.Service
	store   *bolt.Store
	mail    chan otp.Message
	outbox  *outbox
	taken   int64
	log     *strings.Builder
	mu      sync.Mutex
	offset  time.Duration
}

// setting changes what a site is made of.
type setting func(service *otp.Config, pages *Config)

func newSite(t *testing.T, settings ...setting) *site {
	t.Helper()
	s := &site{t: t, mail: make(chan otp.Message, 100), log: new(strings.Builder)}
	store, err := bolt.Open(filepath.Join(t.TempDir(), "otp.db"), bolt.WithClock(s.now))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	s.store, s.outbox = store, &outbox{Store: store}
	keys, err := otp.NewKeys([]byte(rand.Text() + rand.Text()))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	courier := otp.NewCourier(store, 5*time.Second, quiet)
	composer, err := text.NewComposer(text.Options{Host: "app.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	serviceConfig := otp.Config{
		Realm:     "app.example.com",
		PublicURL: &url.URL{Scheme: "https", Host: "app.example.com"},
		Keys:      keys,
		Store:     s.outbox,
		Courier:   courier,
		Watch:     otp.NewWatch(store, 5*time.Second, quiet),
		Composer:  composer,
		Senders:   map[otp.Channel][]otp.Sender{otp.Email: {recorder(s.mail)}},
		Throttles: otp.DefaultThrottles(),
		Timeout:   5 * time.Second,
	}
	pages := Config{
		Path:     DefaultPath,
		SiteName: "app.example.com",
		Send:     otp.FormBoth,
		Code: otp.CodePolicy{
			Length: 6, Lifetime: 10 * time.Minute, SMSLifetime: 5 * time.Minute, Attempts: 5, Keep: 3,
		},
		SessionLifetime: 7 * 24 * time.Hour,
		Logger:          slog.New(slog.NewTextHandler(s.log, nil)),
	}
	for _, set := range settings {
		set(&serviceConfig, &pages)
	}
	s.service = otp.NewService(serviceConfig)
	pages.Gate = gate.New(gate.Config{
		Service: s.service,
		Issuer:  token.NewIssuer(s.service),
		Cookie: &gate.SessionCookie{
			Name:   gate.DefaultCookieName(true, ""),
			Secure: true,
			Sealed: token.NewSealed(keys, s.service.Realm(), "cookie"),
			Now:    s.now,
		},
		Rules:     gate.NewRules([]string{"/private"}, nil),
		LoginPath: LoginPath(pages.Path),
	})
	s.pages = pages
	s.web = web.NewSite(web.Config{
		Gate:      pages.Gate,
		APIs:      []wire.API{New(pages)},
		Origin:    origin,
		PagesPath: pages.Path,
		Caller: func(*http.Request) wire.Caller {
			return wire.Caller{IP: netip.MustParseAddr("192.0.2.7"), RequestID: "r1"}
		},
		Logger: pages.Logger,
	})
	courier.Start()
	t.Cleanup(courier.Stop)
	return s
}

// recorder is a sender that keeps the messages.
type recorder chan otp.Message

func (r recorder) Send(_ context.Context, m otp.Message) error {
	r <- m
	return nil
}

func (s *site) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.offset)
}

// pass lets time go by, for the store and the cookies.
func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
}

// message waits for the next message.
func (s *site) message() otp.Message {
	s.t.Helper()
	select {
	case m := <-s.mail:
		s.taken++
		return m
	case <-time.After(10 * time.Second):
		s.t.Fatal("no message came")
		return otp.Message{}
	}
}

// noMessage checks that none was queued but those that were taken.
func (s *site) noMessage() {
	s.t.Helper()
	if n := s.outbox.queued.Load() - s.taken; n != 0 {
		s.t.Fatalf("%d messages were queued", n)
	}
}

// outbox counts what is put into a store's outbox.
type outbox struct {
	otp.Store
	queued atomic.Int64
}

func (o *outbox) Start(ctx context.Context, c otp.Challenge, m *otp.Envelope, charges ...otp.Charge) (otp.Outcome, error) {
	outcome, err := o.Store.Start(ctx, c, m, charges...)
	if m != nil && outcome.Result == otp.Accepted {
		o.queued.Add(1)
	}
	return outcome, err
}

// app is the app behind: it says who it was told is signed in.
func app(w http.ResponseWriter, r *http.Request) error {
	_, err := io.WriteString(w, "app for "+r.Header.Get(gate.RemoteUser))
	return err
}

// browser keeps cookies as browsers do.
type browser struct {
	site     *site
	language string
	cookies  map[string]string
}

func (s *site) browser() *browser {
	return &browser{site: s, language: "en", cookies: make(map[string]string)}
}

// answer is what a browser got.
type answer struct {
	*httptest.ResponseRecorder
	body string
}

func (b *browser) do(r *http.Request) answer {
	b.site.t.Helper()
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if b.language != "" {
		r.Header.Set("Accept-Language", b.language)
	}
	w := httptest.NewRecorder()
	if err := b.site.web.ServeHTTP(w, r, app); err != nil {
		b.site.t.Fatal(err)
	}
	for _, cookie := range w.Result().Cookies() {
		if cookie.MaxAge < 0 {
			delete(b.cookies, cookie.Name)
		} else {
			b.cookies[cookie.Name] = cookie.Value
		}
	}
	return answer{ResponseRecorder: w, body: w.Body.String()}
}

func (b *browser) get(target string) answer {
	b.site.t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return b.do(r)
}

func (b *browser) post(target string, form url.Values) answer {
	b.site.t.Helper()
	return b.do(newPost(target, form))
}

// newPost is what a browser sends for a form of our own pages.
func newPost(target string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
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
	b.site.t.Helper()
	b.post(login, url.Values{"address": {address}, "return_to": {returnTo}}).redirects(b.site.t, verify)
	return b.site.message()
}

// signIn signs in with a code.
func (b *browser) signIn(address string) {
	b.site.t.Helper()
	b.post(verify, url.Values{"code": {b.start(address, "/").Code}}).redirects(b.site.t, "/")
	b.session()
}

// session returns the session in the browser's cookie.
func (b *browser) session() otp.Session {
	b.site.t.Helper()
	x, _, _, err := b.site.pages.Gate.Cookie.Sealed.Open(b.cookies["__Host-otp"])
	if err != nil {
		b.site.t.Fatal("browser has no session")
	}
	return x
}

func (b *browser) hasSession() bool { return b.cookies["__Host-otp"] != "" }

func (a answer) redirects(t *testing.T, want string) {
	t.Helper()
	if got := a.Header().Get("Location"); a.Code != http.StatusSeeOther || got != want {
		t.Fatalf("got %d to %q, want 303 to %q: %s", a.Code, got, want, a.alert(t))
	}
}

// shows checks a page's status and alert.
func (a answer) shows(t *testing.T, status int, alert string) {
	t.Helper()
	if got := a.alert(t); a.Code != status || got != alert {
		t.Fatalf("got %d %q, want %d %q", a.Code, got, status, alert)
	}
}

func (a answer) alert(t *testing.T) string {
	t.Helper()
	return textOf(find(a.document(t), func(n *html.Node) bool { return attribute(n, "role") == "alert" }))
}

func (a answer) document(t *testing.T) *html.Node {
	t.Helper()
	n, err := html.Parse(strings.NewReader(a.body))
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
	if err != nil || u.Scheme+"://"+u.Host != origin {
		t.Fatalf("link doesn't begin with the public URL: %v", err)
	}
	return u.RequestURI(), u.Query().Get("token")
}
