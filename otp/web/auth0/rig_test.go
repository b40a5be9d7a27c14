// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
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

const (
	siteURL      = "https://login.example.com"
	testLinkPath = "/.otp/link?token="
	appOrigin    = "https://app.example.com"
	callback     = "https://app.example.com/callback"
	realm        = "login.example.com"
)

// The clients of every rig.
var (
	regular = Client{ID: "web", Secret: "correct horse", Callbacks: []string{callback, callback + "?from=mail"}, Origins: []string{appOrigin}}
	native  = Client{ID: "phone", Callbacks: []string{"com.example.app://callback"}}
	other   = Client{ID: "other"}
	spa     = Client{ID: "page", Type: SPA, Callbacks: []string{callback}}
)

// rig is a site with the dialect in front of an app, on a store of its own.
type rig struct {
	dialect  *Dialect
	service  *otp.Service
	issuer   *token.Issuer
	server   *httptest.Server
	sent     chan otp.Message
	store    *observedStore
	skew     atomic.Int64 // how far the store's clock is ahead
	clientIP string
	people   int
}

type rigConfig struct {
	exclusive bool
	deny      []otp.Pattern
	senders   []otp.Channel
	throttles otp.Throttles
	clients   []Client
	frozen    bool // the store's clock moves with skew only
}

// observedStore counts the starts that reach it, and fails when told to.
type observedStore struct {
	otp.Store
	starts  atomic.Int64
	failure atomic.Pointer[error]
}

func (s *observedStore) fail(err error) { s.failure.Store(&err) }

func (s *observedStore) failing() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *observedStore) Start(ctx context.Context, c otp.Challenge, m *otp.Envelope, charges ...otp.Charge) (otp.Outcome, error) {
	s.starts.Add(1)
	if err := s.failing(); err != nil {
		return otp.Outcome{}, err
	}
	return s.Store.Start(ctx, c, m, charges...)
}

func (s *observedStore) Verify(ctx context.Context, g otp.Guess, x otp.SessionRecord, charges ...otp.Charge) (otp.Outcome, error) {
	if err := s.failing(); err != nil {
		return otp.Outcome{}, err
	}
	return s.Store.Verify(ctx, g, x, charges...)
}

func (s *observedStore) Renew(ctx context.Context, id otp.SessionID, old []otp.Tag, next otp.Tag) (otp.SessionRecord, error) {
	if err := s.failing(); err != nil {
		return otp.SessionRecord{}, err
	}
	return s.Store.Renew(ctx, id, old, next)
}

func (s *observedStore) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.failing(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func newRig(t *testing.T, change func(*rigConfig)) *rig {
	t.Helper()
	c := rigConfig{
		senders: []otp.Channel{otp.Email, otp.SMS},
		throttles: otp.Throttles{
			Address:  otp.DefaultThrottles().Address,
			ClientIP: []otp.Throttle{{Events: 1000, Window: time.Hour}},
		},
		clients: []Client{regular, native, other, spa},
	}
	if change != nil {
		change(&c)
	}
	r := &rig{sent: make(chan otp.Message, 100), clientIP: "192.0.2.1"}
	now := time.Now
	if c.frozen {
		at := time.Now()
		now = func() time.Time { return at }
	}
	store, err := bolt.Open(filepath.Join(t.TempDir(), "otp.db"), bolt.WithClock(func() time.Time {
		return now().Add(time.Duration(r.skew.Load()))
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	r.store = &observedStore{Store: store}
	r.build(t, c)
	return r
}

func (r *rig) build(t *testing.T, c rigConfig) {
	t.Helper()
	keys, err := otp.NewKeys(bytes.Repeat([]byte("k"), otp.MinSecretLength))
	if err != nil {
		t.Fatal(err)
	}
	publicURL, err := url.Parse(siteURL)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	const timeout = 10 * time.Second // a slow disk isn't what is tested
	courier := otp.NewCourier(r.store, timeout, logger)
	watch := otp.NewWatch(r.store, timeout, logger)
	senders := make(map[otp.Channel][]otp.Sender)
	for _, channel := range c.senders {
		senders[channel] = []otp.Sender{recorder(r.sent)}
	}
	r.service = otp.NewService(otp.Config{
		Realm: realm, PublicURL: publicURL, Keys: keys, Store: r.store, Courier: courier, Watch: watch,
		Composer: plainComposer{}, Senders: senders, Admission: otp.Admission{Deny: c.deny},
		Countries: []string{"DE"}, Throttles: c.throttles, Logger: logger, Timeout: timeout,
	})
	r.issuer = token.NewIssuer(r.service)
	r.dialect = New(Config{
		Dialect: wire.Dialect{
			Service: r.service, Issuer: r.issuer,
			Code:           otp.CodePolicy{Length: 6, Lifetime: 3 * time.Minute, SMSLifetime: 3 * time.Minute, Attempts: 3, Keep: 1},
			AccessLifetime: 24 * time.Hour, RefreshLifetime: 30 * 24 * time.Hour,
			Exclusive: c.exclusive,
		},
		Clients: c.clients, LinkPath: testLinkPath,
	})
	site := web.NewSite(web.Config{
		Gate: gate.New(gate.Config{
			Service: r.service, Issuer: r.issuer, LoginPath: "/.otp/login",
			Cookie: &gate.SessionCookie{Name: "__Host-otp", Secure: true, Sealed: token.NewSealed(keys, realm, "cookie"), Now: time.Now},
		}),
		APIs: []wire.API{r.dialect.API()}, Origin: siteURL, PagesPath: "/.otp", Logger: logger,
		Caller: func(*http.Request) wire.Caller {
			return wire.Caller{IP: netip.MustParseAddr(r.clientIP), RequestID: "request"}
		},
	})
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := site.ServeHTTP(w, req, app); err != nil {
			t.Error(err)
		}
	}))
	courier.Start()
	watch.Start()
	t.Cleanup(func() {
		r.server.Close()
		watch.Stop()
		courier.Stop()
	})
}

// app is what stands behind the site: it gives back what it got.
func app(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	w.Header().Set("X-From", "app")
	_, err = w.Write(body)
	return err
}

type plainComposer struct{}

func (plainComposer) Compose(m otp.Message) (otp.Message, error) {
	m.Text = m.Code + m.Link
	return m, nil
}

type recorder chan otp.Message

func (s recorder) Send(_ context.Context, m otp.Message) error {
	s <- m
	return nil
}

// message returns the next message that was sent.
func (r *rig) message(t *testing.T) otp.Message {
	t.Helper()
	select {
	case m := <-r.sent:
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("no message was sent")
		return otp.Message{}
	}
}

// newEmail and newPhone return an address that nobody has used yet.
func (r *rig) newEmail() string {
	r.people++
	return fmt.Sprintf("person%d@example.org", r.people)
}

func (r *rig) newPhone() string {
	r.people++
	return fmt.Sprintf("+4915123456%03d", r.people)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a answer) text(name string) string {
	text, _ := a.body[name].(string)
	return text
}

// want checks a refusal's status and texts.
func (a answer) want(t *testing.T, status int, code, description string) {
	t.Helper()
	if a.status != status || a.text("error") != code || a.text("error_description") != description {
		t.Errorf("got %d %s\nwant %d %s %q", a.status, a.raw, status, code, description)
	}
	if _, ok := a.body["statusCode"]; ok {
		t.Error("a statusCode in the body overrides the status in go-auth0")
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Error("answer can be stored")
	}
}

func (a answer) wantOK(t *testing.T) {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.raw)
	}
}

func (a answer) fromApp() bool { return a.header.Get("X-From") == "app" }

// header is one request header.
type header struct{ name, value string }

func (r *rig) do(t *testing.T, method, path, contentType, body string, headers ...header) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for _, h := range headers {
		request.Header.Set(h.name, h.value)
	}
	response, err := r.server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, raw: string(raw)}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			t.Fatalf("body %q: %v", raw, err)
		}
	}
	return a
}

type fields map[string]any

// with returns the fields with one more, or without one where it is nil.
func (f fields) with(name string, value any) fields {
	changed := make(fields, len(f)+1)
	for k, v := range f {
		changed[k] = v
	}
	if changed[name] = value; value == nil {
		delete(changed, name)
	}
	return changed
}

func (f fields) json(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (f fields) form() string {
	values := make(url.Values)
	for name, value := range f {
		values.Set(name, fmt.Sprint(value))
	}
	return values.Encode()
}

func (r *rig) post(t *testing.T, path string, f fields, headers ...header) answer {
	t.Helper()
	return r.do(t, http.MethodPost, path, "application/json", f.json(t), headers...)
}

func startEmail(c Client, email string) fields {
	f := fields{"client_id": c.ID, "connection": "email", "email": email, "send": "code"}
	if c.Secret != "" {
		f["client_secret"] = c.Secret
	}
	return f
}

func startSMS(c Client, phone string) fields {
	return startEmail(c, "").with("email", nil).with("send", nil).with("connection", "sms").with("phone_number", phone)
}

// otherCode is a code that isn't this one.
func otherCode(code string) string {
	if code[0] == '0' {
		return "1" + code[1:]
	}
	return "0" + code[1:]
}

func redeem(c Client, connection, username, code string) fields {
	f := fields{"grant_type": grantOTP, "client_id": c.ID, "username": username, "otp": code, "realm": connection}
	if c.Secret != "" {
		f["client_secret"] = c.Secret
	}
	return f
}

// emailCode has a code sent and returns it.
func (r *rig) emailCode(t *testing.T, c Client, email string) string {
	t.Helper()
	r.post(t, startPath, startEmail(c, email)).wantOK(t)
	return r.message(t).Code
}

func (r *rig) smsCode(t *testing.T, c Client, phone string) string {
	t.Helper()
	r.post(t, startPath, startSMS(c, phone)).wantOK(t)
	return r.message(t).Code
}

// login signs somebody new in and returns the answer of /oauth/token.
func (r *rig) login(t *testing.T, c Client, scope string) answer {
	t.Helper()
	email := r.newEmail()
	code := r.emailCode(t, c, email)
	a := r.post(t, tokenPath, redeem(c, "email", email, code).with("scope", scope))
	a.wantOK(t)
	return a
}

func refresh(c Client, refreshToken string) fields {
	f := fields{"grant_type": grantRefresh, "client_id": c.ID, "refresh_token": refreshToken}
	if c.Secret != "" {
		f["client_secret"] = c.Secret
	}
	return f
}

func bearer(a answer) header {
	return header{"Authorization", "Bearer " + a.text("access_token")}
}
