// SPDX-License-Identifier: Apache-2.0

// Package webtest runs a site for the tests of its APIs and pages: all of the
// domain on an embedded store of its own, with a clock that tests move, a
// sender that hands them the messages, and an app behind.
package webtest

import (
	"bytes"
	"cmp"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
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

// Options are how a site differs from the usual one, which has an e-mail
// sender, admits everybody and has no limits but those of addresses.
type Options struct {
	// SMS adds a sender for German and Chinese numbers.
	SMS bool
	// Deny are patterns of addresses that may not sign in.
	Deny []string
	// ClientIP limits the starts of a network address.
	ClientIP []otp.Throttle
	// Protect are the paths of the app that need a session.
	Protect []string
	// SecondFactor are those that need one.
	SecondFactor []gate.SecondFactor
	// Domain changes what else the domain is configured with.
	Domain func(*otp.Config)
	// Store is in place of the embedded one. Who opened it closes it.
	Store otp.Store
	// Frozen stops the clock but for [Site.Advance].
	Frozen bool
	// NoKey leaves it to the first request that needs it to make the realm's
	// signing key.
	NoKey bool
	// Origin is the site's own. Default: [Origin].
	Origin string
	// Audiences are those of APIs behind the site.
	Audiences []string
	// Beside is another site of the same realm, whose store, keys and clock
	// the new one has too.
	Beside *Site
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
	Gate    *gate.Gate
	Logger  *slog.Logger

	*house

	web      *web.Site
	log      journal
	requests atomic.Int64
	outbox   outbox
}

// In returns the site for a subtest, which fails where the site does.
func (s *Site) In(t testing.TB) *Site { return &Site{t, s.running} }

// New runs a site with the API that newAPI returns, until the test ends.
func New(t testing.TB, o Options, newAPI func(*Site) wire.API) *Site {
	t.Helper()
	s := &Site{t, &running{outbox: newOutbox()}}
	s.Logger = slog.New(slog.NewTextHandler(&s.log, nil))
	o.Origin = cmp.Or(o.Origin, Origin)
	if o.Beside == nil {
		s.furnish(o)
		s.Service = otp.NewService(s.config(o))
		s.Issuer = token.NewIssuer(s.Service, o.Audiences...)
	} else {
		s.house = o.Beside.house
		s.Service = otp.NewService(s.config(o))
		s.Issuer = o.Beside.Issuer.Beside(s.Service, o.Audiences...)
	}
	s.Gate = gate.New(gate.Config{
		Service: s.Service,
		Issuer:  s.Issuer,
		Cookie: &gate.SessionCookie{
			Name:   gate.DefaultCookieName(true, ""),
			Secure: true,
			Sealed: token.NewSealed(s.Service.Keys(), s.Service.Realm(), "cookie"),
			Now:    s.Now,
		},
		Rules:     gate.NewRules([]gate.Protection{{Paths: o.Protect}}, o.SecondFactor, nil),
		LoginPath: PagesPath + "/login",
		FormPath:  PagesPath + "/form",
		MFAPath:   PagesPath + "/mfa",
	})
	api := newAPI(s)
	s.web = web.NewSite(web.Config{
		Gate:      s.Gate,
		APIs:      []wire.API{api},
		Origin:    o.Origin,
		PagesPath: PagesPath,
		FailPath:  api.Fail,
		Caller:    s.caller,
		Logger:    s.Logger,
	})
	if !o.NoKey { // it takes a while to make, which no request should wait for
		if _, err := s.Issuer.JWKS(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if o.Beside == nil {
		s.run()
	}
	return s
}

// Dialect is what an API of the site begins with: exclusive, and with its
// lifetimes left open.
func (s *Site) Dialect() wire.Dialect {
	return wire.Dialect{
		Service:   s.Service,
		Issuer:    s.Issuer,
		Code:      CodePolicy(),
		Exclusive: true,
		Logger:    s.Logger,

		KnownBrowser: s.Gate.Browser.Known,
	}
}

func (s *Site) config(o Options) otp.Config {
	publicURL, err := url.Parse(o.Origin)
	if err != nil {
		s.Fatal(err)
	}
	c := otp.Config{
		Realm:     "test",
		PublicURL: publicURL,
		Keys:      s.keys,
		Store:     s.store,
		Courier:   s.courier,
		Watch:     s.watch,
		Composer:  composer{},
		Senders:   map[otp.Channel][]otp.Sender{otp.Email: {&s.outbox}},
		Countries: []string{"DE", "CN"},
		Throttles: otp.Throttles{Address: otp.DefaultThrottles().Address, ClientIP: o.ClientIP},
		Timeout:   time.Minute,
		Now:       s.Now,
	}
	if o.SMS {
		c.Senders[otp.SMS] = []otp.Sender{&s.outbox}
	}
	for _, text := range o.Deny {
		pattern, err := otp.ParsePattern(text)
		if err != nil {
			s.Fatal(err)
		}
		c.Admission.Deny = append(c.Admission.Deny, pattern)
	}
	if o.Domain != nil {
		o.Domain(&c)
	}
	return c
}

func (s *Site) caller(*http.Request) wire.Caller {
	id := strconv.FormatInt(s.requests.Add(1), 10)
	return wire.Caller{
		IP:        netip.MustParseAddr("192.0.2.1"),
		RequestID: func() string { return id },
		Trace:     func() wire.Trace { return wire.Trace{} },
	}
}

// Now is the time of the store and of the cookies.
func (s *running) Now() time.Time {
	now := s.frozen
	if now.IsZero() {
		now = time.Now()
	}
	return now.Add(time.Duration(s.ahead.Load()))
}

// Advance moves that time forward.
func (s *running) Advance(d time.Duration) { s.ahead.Add(int64(d)) }

// Logged is what the site has logged so far.
func (s *running) Logged() string { return s.log.String() }

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

// composer says only what must be said.
type composer struct{}

func (composer) Compose(m otp.Message) (otp.Message, error) {
	m.Text = m.Code + m.Link
	return m, nil
}

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
