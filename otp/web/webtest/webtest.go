// SPDX-License-Identifier: Apache-2.0

// Package webtest runs a site for the tests of its APIs: all of the domain on
// an embedded store of its own, with a clock that tests move and a sender
// that hands them the messages.
package webtest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/bolt"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// Origin is the origin of every site, PagesPath the path of its pages.
const (
	Origin    = "https://app.example.com"
	PagesPath = "/.otp"
)

// CodePolicy is what the codes of the APIs look like.
func CodePolicy() otp.CodePolicy {
	return otp.CodePolicy{
		Length:      6,
		Lifetime:    10 * time.Minute,
		SMSLifetime: 5 * time.Minute,
		Attempts:    5,
		Keep:        1,
	}
}

// Dialect is what an API of a site begins with. It is exclusive and leaves
// its lifetimes open.
func Dialect(s *otp.Service, i *token.Issuer) wire.Dialect {
	return wire.Dialect{Service: s, Issuer: i, Code: CodePolicy(), Exclusive: true}
}

// Options are how a site differs from the usual one, which has an e-mail
// sender, admits everybody and has no limits but those of addresses.
type Options struct {
	// SMS adds a sender for German and Chinese numbers.
	SMS bool
	// Deny are patterns of addresses that may not sign in.
	Deny []string
	// ClientIP limits the starts of a network address.
	ClientIP []otp.Throttle
}

// Site is a running site. Requests that aren't its own go to an app that
// repeats what it got.
type Site struct {
	testing.TB
	*running
}

// running is what a site is made of, whichever test looks at it.
type running struct {
	Service *otp.Service
	Issuer  *token.Issuer

	site     *web.Site
	messages chan otp.Message
	ahead    atomic.Int64
	broken   atomic.Bool
	requests atomic.Int64

	mu   sync.Mutex
	sent []otp.Message
}

// In returns the site for a subtest, which fails where the site does.
func (s *Site) In(t testing.TB) *Site { return &Site{t, s.running} }

// New runs a site with the API that newAPI returns, until the test ends.
func New(t testing.TB, o Options, newAPI func(*otp.Service, *token.Issuer) wire.API) *Site {
	t.Helper()
	s := &Site{t, &running{messages: make(chan otp.Message, 128)}}
	store := &breakable{Store: s.openStore(), broken: &s.broken}
	logger := slog.New(slog.DiscardHandler)
	courier := otp.NewCourier(store, time.Minute, logger)
	watch := otp.NewWatch(store, time.Minute, logger)
	s.Service = otp.NewService(s.config(o, store, courier, watch))
	s.Issuer = token.NewIssuer(s.Service)
	s.site = web.NewSite(web.Config{
		Gate: gate.New(gate.Config{
			Service: s.Service,
			Issuer:  s.Issuer,
			Cookie: &gate.SessionCookie{
				Name:   "otp",
				Sealed: token.NewSealed(s.Service.Keys(), s.Service.Realm(), "cookie"),
				Now:    time.Now,
			},
			LoginPath: PagesPath + "/login",
		}),
		APIs:      []wire.API{newAPI(s.Service, s.Issuer)},
		Origin:    Origin,
		PagesPath: PagesPath,
		Caller:    s.caller,
		Logger:    logger,
	})
	// The signing key takes a while to make, which no request should wait for.
	if _, err := s.Issuer.JWKS(t.Context()); err != nil {
		t.Fatal(err)
	}
	courier.Start()
	t.Cleanup(courier.Stop)
	watch.Start()
	t.Cleanup(watch.Stop)
	return s
}

func (s *Site) openStore() otp.Store {
	store, err := bolt.Open(filepath.Join(s.TempDir(), "otp.db"), bolt.WithClock(func() time.Time {
		return time.Now().Add(time.Duration(s.ahead.Load()))
	}))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := store.Close(); err != nil {
			s.Error(err)
		}
	})
	return store
}

func (s *Site) config(o Options, store otp.Store, courier *otp.Courier, watch *otp.Watch) otp.Config {
	keys, err := otp.NewKeys([]byte("the secret of the sites that tests run"))
	if err != nil {
		s.Fatal(err)
	}
	publicURL, err := url.Parse(Origin)
	if err != nil {
		s.Fatal(err)
	}
	c := otp.Config{
		Realm:     "test",
		PublicURL: publicURL,
		Keys:      keys,
		Store:     store,
		Courier:   courier,
		Watch:     watch,
		Composer:  composer{},
		Senders:   map[otp.Channel][]otp.Sender{otp.Email: {s.running}},
		Countries: []string{"DE", "CN"},
		Throttles: otp.Throttles{Address: otp.DefaultThrottles().Address, ClientIP: o.ClientIP},
		Timeout:   time.Minute,
	}
	if o.SMS {
		c.Senders[otp.SMS] = []otp.Sender{s.running}
	}
	for _, text := range o.Deny {
		pattern, err := otp.ParsePattern(text)
		if err != nil {
			s.Fatal(err)
		}
		c.Admission.Deny = append(c.Admission.Deny, pattern)
	}
	return c
}

func (s *Site) caller(*http.Request) wire.Caller {
	return wire.Caller{
		IP:        netip.MustParseAddr("192.0.2.1"),
		RequestID: strconv.FormatInt(s.requests.Add(1), 10),
	}
}

// Send records a message: the site is its own sender.
func (s *running) Send(_ context.Context, m otp.Message) error {
	s.mu.Lock()
	s.sent = append(s.sent, m)
	s.mu.Unlock()
	s.messages <- m
	return nil
}

// Code waits for the next message and returns its code.
func (s *Site) Code() string {
	s.Helper()
	select {
	case m := <-s.messages:
		return m.Code
	case <-time.After(30 * time.Second):
		s.Fatal("no message was sent")
		return ""
	}
}

// Sent returns how many messages have gone to an address so far.
func (s *Site) Sent(to string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.sent {
		if m.To == to {
			n++
		}
	}
	return n
}

// SignInBy opens a session with a code as an API of another name would, and
// returns it with its access token.
func (s *Site) SignInBy(dialect, email string) (v otp.Verification, access string) {
	s.Helper()
	address, err := s.Service.ParseAddress(otp.Email, email)
	if err != nil {
		s.Fatal(err)
	}
	_, err = s.Service.Start(s.Context(), otp.StartRequest{
		Dialect: dialect,
		Address: address,
		Purpose: otp.Login,
		Form:    otp.FormCode,
		Code:    CodePolicy(),
	})
	if err != nil {
		s.Fatal(err)
	}
	v, err = s.Service.Verify(s.Context(), otp.VerifyRequest{
		Presented: otp.Presented{Lifetime: time.Hour, Renewable: true},
		Dialect:   dialect,
		Address:   address,
		Purpose:   otp.Login,
		Code:      s.Code(),
	})
	if err != nil {
		s.Fatal(err)
	}
	access, err = s.Issuer.SignAccess(s.Context(), v.Session, time.Hour, nil)
	if err != nil {
		s.Fatal(err)
	}
	return v, access
}

// Advance moves the store's clock forward.
func (s *Site) Advance(d time.Duration) { s.ahead.Add(int64(d)) }

// Break makes the store unreachable, or reachable again.
func (s *Site) Break(broken bool) { s.broken.Store(broken) }

// Answer is what came of a request.
type Answer struct {
	testing.TB
	Status int
	Header http.Header
	Body   string
	// Fields is the body where it is a JSON object.
	Fields map[string]any
}

// Do makes a request of the site.
func (s *Site) Do(r *http.Request) Answer {
	s.Helper()
	recorder := httptest.NewRecorder()
	if err := s.site.ServeHTTP(recorder, r, app); err != nil {
		s.Fatal(err)
	}
	a := Answer{TB: s.TB, Status: recorder.Code, Header: recorder.Header(), Body: recorder.Body.String()}
	_ = json.Unmarshal([]byte(a.Body), &a.Fields) // what isn't JSON has no fields
	return a
}

// Post posts a JSON body with further headers, in pairs of name and value.
func (s *Site) Post(path, body string, headers ...string) Answer {
	s.Helper()
	return s.Do(Request(http.MethodPost, path, body, headers...))
}

// Get gets a path, with headers in pairs of name and value.
func (s *Site) Get(path string, headers ...string) Answer {
	s.Helper()
	return s.Do(Request(http.MethodGet, path, "", headers...))
}

// Request makes a request with a JSON body, which may be empty, and headers
// in pairs of name and value.
func Request(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, Origin+path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// Text returns a field that must be a string.
func (a Answer) Text(field string) string {
	a.Helper()
	text, ok := a.Fields[field].(string)
	if !ok {
		a.Fatalf("field %s is %v in %d %s", field, a.Fields[field], a.Status, a.Body)
	}
	return text
}

// Want fails unless the answer has a status.
func (a Answer) Want(status int) Answer {
	a.Helper()
	if a.Status != status {
		a.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

// FromApp reports whether the app answered.
func (a Answer) FromApp() bool { return a.Header.Get("X-App") != "" }

// Cookie returns the cookie of a name that the answer sets.
func (a Answer) Cookie(name string) *http.Cookie {
	a.Helper()
	for _, line := range a.Header["Set-Cookie"] {
		if cookie, err := http.ParseSetCookie(line); err == nil && cookie.Name == name {
			return cookie
		}
	}
	a.Fatalf("no cookie %s in %v", name, a.Header["Set-Cookie"])
	return nil
}

// app repeats the body that it gets.
func app(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("X-App", "yes")
	w.Header().Set("X-Remote-User", r.Header.Get(gate.RemoteUser))
	_, err := io.Copy(w, r.Body)
	return err
}

// composer says only what must be said.
type composer struct{}

func (composer) Compose(m otp.Message) (otp.Message, error) {
	m.Text = m.Code
	return m, nil
}

// breakable is a store that can be made unreachable.
type breakable struct {
	otp.Store
	broken *atomic.Bool
}

func (b *breakable) err() error {
	if b.broken.Load() {
		return otp.ErrUnavailable
	}
	return nil
}

func (b *breakable) Start(ctx context.Context, c otp.Challenge, m *otp.Envelope, charges ...otp.Charge) (otp.Outcome, error) {
	if err := b.err(); err != nil {
		return otp.Outcome{}, err
	}
	return b.Store.Start(ctx, c, m, charges...)
}

func (b *breakable) Verify(ctx context.Context, g otp.Guess, s otp.SessionRecord, charges ...otp.Charge) (otp.Outcome, error) {
	if err := b.err(); err != nil {
		return otp.Outcome{}, err
	}
	return b.Store.Verify(ctx, g, s, charges...)
}

func (b *breakable) Renew(ctx context.Context, id otp.SessionID, old []otp.Tag, next otp.Tag) (otp.SessionRecord, error) {
	if err := b.err(); err != nil {
		return otp.SessionRecord{}, err
	}
	return b.Store.Renew(ctx, id, old, next)
}
