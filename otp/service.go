// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"time"
)

// Config is what a [Service] needs. Realm, PublicURL, Keys, Store, Courier, Watch
// and Composer are required.
type Config struct {
	// Realm names what belongs together: codes, budgets, subjects and
	// sessions of one realm mean nothing in another.
	Realm string
	// PublicURL is the site's address without a path. Links begin with it,
	// never with what a request calls the site.
	PublicURL *url.URL
	Keys      *Keys
	Store     Store
	// Courier delivers the realm's messages; the service registers with it.
	Courier *Courier
	// Watch knows which sessions are revoked.
	Watch    *Watch
	Composer Composer
	// Senders of a channel are tried in order. A channel without one can't be
	// used.
	Senders map[Channel][]Sender
	// Admission says who may sign in.
	Admission Admission
	// Directory knows the people who may sign in, and nobody else may; nil:
	// there is none.
	Directory Directory
	// DirectoryName tells the directory from those of the realm's other sites,
	// on every node alike. Sites that share one may share their sessions while
	// it can't be asked.
	DirectoryName string
	// Countries are the ISO 3166 regions that SMS are sent to.
	Countries []string
	// DefaultCountry is the region of numbers that don't begin with +.
	DefaultCountry string
	Throttles      Throttles
	// Breaker is the realm's; sites that share the realm share it. Default: one
	// of the service's own.
	Breaker *Breaker
	// MFA is the site's policy of second factors.
	MFA    MFAPolicy
	Logger *slog.Logger
	// Observer is told what comes of the service's work; nil: nobody is.
	Observer Observer
	// Timeout is the longest that an operation waits for the store.
	Timeout time.Duration
	// Now is by what trusted devices expire, and the clock of a breaker of the
	// service's own. Default: [time.Now].
	Now func() time.Time
}

// DefaultTimeout is how long a store may take before a request is answered
// without it.
const DefaultTimeout = 250 * time.Millisecond

// Service issues and verifies the challenges of one site. Those of one realm
// are valid on all its sites. It is safe for concurrent use.
type Service struct {
	realm          string
	publicURL      *url.URL
	keys           *Keys
	store          Store
	courier        *Courier
	watch          *Watch
	composer       Composer
	senders        map[Channel][]Sender
	admission      Admission
	directory      Directory
	directoryName  string // empty without a directory
	refused        *recently
	heldBack       *holdback
	mirror         mirror
	countries      []string
	defaultCountry string
	throttles      Throttles
	breaker        *Breaker
	mfa            MFAPolicy
	logger         *slog.Logger
	observer       Observer
	timeout        time.Duration
	now            func() time.Time

	outbox, sessions, links, grants *Sealer
}

// NewService returns a service of c, registered with c.Courier.
func NewService(c Config) *Service {
	s := &Service{
		realm:          c.Realm,
		publicURL:      c.PublicURL,
		keys:           c.Keys,
		store:          c.Store,
		courier:        c.Courier,
		watch:          c.Watch,
		composer:       c.Composer,
		senders:        c.Senders,
		admission:      c.Admission,
		directory:      c.Directory,
		refused:        newRecently(refusalsRemembered, time.Minute),
		heldBack:       newHoldback(),
		countries:      c.Countries,
		defaultCountry: c.DefaultCountry,
		throttles:      c.Throttles,
		breaker:        c.Breaker,
		mfa:            c.MFA,
		logger:         c.Logger,
		observer:       c.Observer,
		timeout:        c.Timeout,
		now:            c.Now,
		outbox:         c.Keys.Sealer(outboxUse),
		sessions:       c.Keys.Sealer(sessionUse),
		links:          c.Keys.Sealer(linkUse),
		grants:         c.Keys.Sealer(grantUse),
	}
	if s.directory != nil {
		s.directoryName = s.keys.name("directory", c.DirectoryName)
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.observer == nil {
		s.observer = noObserver{}
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.breaker == nil {
		s.breaker = NewBreaker(s.now)
	}
	if s.timeout == 0 {
		s.timeout = DefaultTimeout
	}
	s.courier.register(s)
	return s
}

// Realm returns the service's realm.
func (s *Service) Realm() string { return s.realm }

// PublicURL returns the site's address without a path or a slash at its end.
func (s *Service) PublicURL() *url.URL { return s.publicURL }

// host names the service among those of its realm.
func (s *Service) host() string { return s.publicURL.Host }

// Keys returns the deployment's keys.
func (s *Service) Keys() *Keys { return s.keys }

// Watch returns what knows the revoked sessions.
func (s *Service) Watch() *Watch { return s.watch }

// DefaultCountry returns the region of numbers that don't begin with +, or "".
func (s *Service) DefaultCountry() string { return s.defaultCountry }

// HasSender reports whether messages can be sent over a channel.
func (s *Service) HasSender(c Channel) bool { return len(s.senders[c]) > 0 }

// ParseAddress reads an address of the channel by the site's rules.
func (s *Service) ParseAddress(c Channel, text string) (Address, error) {
	return ParseAddress(c, text, s.defaultCountry)
}

// storeContext bounds a store operation, or, where a request needs several, all
// of those that are given its context. It isn't cancelled when the client hangs
// up: a guess that was presented counts.
func (s *Service) storeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := time.Now().Add(s.timeout)
	if sooner, ok := ctx.Deadline(); ok && sooner.Before(limit) {
		limit = sooner
	}
	return context.WithDeadline(context.WithoutCancel(ctx), limit)
}

// unavailable puts a wait to an error of the store.
func unavailable(err error) error {
	if errors.Is(err, ErrUnavailable) {
		return &RetryError{Err: err, After: defaultRetryWait}
	}
	return err
}
