// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/endpoint"
)

// HTTPConfig configures a directory that is a service. URL is required.
type HTTPConfig struct {
	// URL is https; or http, where the host is this machine or in a private
	// network.
	URL string
	// Headers are sent along, such as Authorization.
	Headers http.Header
	// Cache is how long an answer is taken without asking anew.
	// Default: [DefaultCache].
	Cache time.Duration
	// Timeout bounds a question, connecting included. Default:
	// [DefaultTimeout].
	Timeout time.Duration
	// Logger hears when the service can't be asked, and can be again.
	Logger *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

const (
	// DefaultCache is HTTPConfig's.
	DefaultCache = 30 * time.Second
	// DefaultTimeout is HTTPConfig's.
	DefaultTimeout = 2 * time.Second

	// patience is how long a request waits for a new answer where there is an
	// old one of at most patientAge.
	patience   = 250 * time.Millisecond
	patientAge = time.Hour
	// keepAnswers is how long an answer serves while the service fails.
	keepAnswers = 24 * time.Hour

	// Questions at a time, and those that wait for their turn.
	maxAsking  = 32
	maxWaiting = 1024

	// From pauseFrom failures in a row on nothing is asked for a while, which
	// begins with firstPause and doubles up to lastPause.
	pauseFrom  = 3
	firstPause = time.Second
	lastPause  = 10 * time.Second
)

// HTTP asks a service for people, with a POST of
//
//	{"channel": "email", "address": "alice@example.com"}
//
// to its URL; channel is email or sms, and the address canonical. The service
// answers 200 with an object that has the keys of a list's (see [File]): email,
// phone, groups, subject, tenant and mfa, all of them optional, since the
// address that was asked for is the person's in any case. 404 and 204 say that
// nobody has the address. Everything else is a failure: other statuses,
// redirects, which aren't followed, more than 64 KiB, and whatever isn't such
// an object.
//
// An answer, also that nobody has an address, is taken for the cache time
// without asking anew. The next request after that asks, and waits for 250 ms;
// where the service needs longer the last answer serves meanwhile. So who is
// removed is out at the first request after the cache time, or, if the service
// is slow, at the first one after it answered. (An answer that is more than an
// hour old isn't taken that lightly: it serves only if asking fails.)
//
// While the service fails the last answer on an address serves for up to 24
// hours, so that a broken service throws nobody out who is signed in. Who signs
// in is asked for anew (Ask): an answer that came sooner, or at all, where there
// was one before would tell strangers who comes here.
//
// An address is asked for once at a time. After failures the service is left
// in peace for 1 s, doubling up to 10 s: at once for an address that it failed
// on, and for all from the third failure in a row on. What anybody can have it
// asked, addresses of nobody known, pauses nothing for known people: who was
// removed could otherwise stay in by having it fail. That it refuses a question
// (400, 422 and the like) says nothing of other addresses.
type HTTP struct {
	client  *http.Client
	url     string
	service string // its name in errors, without what may be secret in the URL
	headers http.Header
	host    string
	cache   time.Duration
	timeout time.Duration
	// patience is [patience], but in tests.
	patience time.Duration
	logger   *slog.Logger
	now      func() time.Time
	ctx      context.Context // of all questions, until Stop
	cancel   context.CancelFunc

	mu     sync.Mutex
	known  *answers
	asking map[string]*question
	// Made up addresses can't keep those waiting that are known.
	newcomers, refreshes lane
	// failing is set from a failure on until an answer.
	failing bool
}

// question is one that is being asked.
type question struct {
	address otp.Address
	lane    *lane
	begun   time.Time
	done    chan struct{}

	// Set before done is closed.
	answer *answer
	err    error
}

// lane bounds questions of a kind.
type lane struct {
	slots   chan struct{}
	waiting int
	health  health
}

// health is how the service has been lately, as a lane's questions show.
type health struct {
	failures int // in a row
	failed   time.Time
	pause    time.Time // when to ask again
	cause    error
}

// NewHTTP returns a directory that asks a service. It doesn't connect.
func NewHTTP(c HTTPConfig) (*HTTP, error) {
	u, err := endpoint.ParseURL(c.URL, "addresses", "https://api.example.com/people")
	if err != nil {
		return nil, err
	}
	d := &HTTP{
		client:    endpoint.NewClient(),
		url:       c.URL,
		service:   "directory http " + u.Host,
		headers:   make(http.Header),
		cache:     cmp.Or(c.Cache, DefaultCache),
		timeout:   cmp.Or(c.Timeout, DefaultTimeout),
		patience:  patience,
		logger:    c.Logger,
		now:       c.Now,
		known:     newAnswers(),
		asking:    make(map[string]*question),
		newcomers: lane{slots: make(chan struct{}, maxAsking)},
		refreshes: lane{slots: make(chan struct{}, maxAsking)},
	}
	if d.now == nil {
		d.now = time.Now
	}
	if err := d.setHeaders(c.Headers); err != nil {
		return nil, err
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d, nil
}

func (d *HTTP) setHeaders(own http.Header) error {
	d.headers.Set("Content-Type", "application/json")
	d.headers.Set("Accept", "application/json")
	d.headers.Set("User-Agent", "caddy-otp")
	// Without being sent, this lets the client repeat a question whose
	// connection was closed by the service in the same moment.
	d.headers["Idempotency-Key"] = nil
	for name, values := range own {
		if err := endpoint.CheckHeaderName(name); err != nil {
			return err
		}
		for _, value := range values {
			if err := endpoint.CheckHeaderValue(name, value); err != nil {
				return err
			}
		}
		name = http.CanonicalHeaderKey(name)
		switch {
		case name == "Content-Type":
			return errors.New("header Content-Type can't be set; questions are JSON")
		case name == "Host" && len(values) > 0:
			d.host = values[0]
		default:
			d.headers[name] = slices.Clone(values)
		}
	}
	return nil
}

// Stop ends all questions and closes the connections.
func (d *HTTP) Stop() {
	d.cancel()
	d.client.CloseIdleConnections()
}

// Find answers from memory, or asks. Where ctx ends sooner the question goes
// on for those who ask next.
func (d *HTTP) Find(ctx context.Context, a otp.Address) (otp.Person, error) {
	d.mu.Lock()
	now := d.now()
	last := d.last(a.String(), now)
	if last != nil && now.Sub(last.at) < d.cache {
		d.mu.Unlock()
		return last.result()
	}
	q, err := d.ask(a, last, now)
	d.mu.Unlock()
	if err == nil {
		var hurry time.Duration
		if last != nil && now.Sub(last.at) <= patientAge {
			hurry = d.patience
		}
		if err = q.wait(ctx, hurry); err == nil {
			return q.answer.result()
		}
	}
	if last != nil {
		return last.result()
	}
	return otp.Person{}, unavailable{err}
}

// Ask asks the service, also for an address that it told of a moment ago, and
// among the questions of strangers. While the service fails nobody can be told.
func (d *HTTP) Ask(ctx context.Context, a otp.Address) (otp.Person, error) {
	d.mu.Lock()
	q, err := d.ask(a, nil, d.now())
	d.mu.Unlock()
	if err == nil {
		if err = q.wait(ctx, 0); err == nil {
			return q.answer.result()
		}
	}
	return otp.Person{}, unavailable{err}
}

// last returns the last answer that may serve, or nil.
func (d *HTTP) last(address string, now time.Time) *answer {
	last := d.known.get(address)
	if last != nil && now.Sub(last.at) > keepAnswers {
		d.known.remove(address)
		return nil
	}
	return last
}

// unavailable is a failure that admits nobody.
type unavailable struct{ cause error }

func (u unavailable) Error() string   { return u.cause.Error() }
func (u unavailable) Unwrap() []error { return []error{otp.ErrUnavailable, u.cause} }

var (
	errBusy   = errors.New("too many addresses are being asked for")
	errPaused = errors.New("asking for this address failed a moment ago")
)

// wait waits for the answer, no longer than patience unless that is 0.
func (q *question) wait(ctx context.Context, patience time.Duration) error {
	var late <-chan time.Time
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-q.done:
		return q.err
	case <-late:
		return context.DeadlineExceeded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask returns the question that is being asked on an address, or begins one
// unless the service is left in peace. The caller holds mu.
func (d *HTTP) ask(a otp.Address, last *answer, now time.Time) (*question, error) {
	if q := d.asking[a.String()]; q != nil {
		return q, nil
	}
	l := &d.newcomers
	if last != nil {
		if now.Before(last.retry) {
			return nil, errPaused
		}
		if last.found {
			l = &d.refreshes
		}
	}
	if l.waiting >= maxWaiting {
		return nil, fmt.Errorf("%s: %w", d.service, errBusy)
	}
	if l.health.failures >= pauseFrom {
		if now.Before(l.health.pause) {
			return nil, l.health.cause
		}
		l.health.pause = now.Add(d.timeout) // one tries for all
	}
	q := &question{address: a, lane: l, begun: now, done: make(chan struct{})}
	d.asking[a.String()] = q
	l.waiting++
	go d.run(q)
	return q, nil
}

// run asks a question when its turn comes. Waiting for that takes nothing of the
// service's time, or a crowd would look like an outage.
func (d *HTTP) run(q *question) {
	waiting, cancel := context.WithTimeout(d.ctx, d.timeout)
	defer cancel()
	select {
	case q.lane.slots <- struct{}{}:
		asking, cancel := context.WithTimeout(d.ctx, d.timeout)
		q.answer, q.err = d.fetch(asking, q.address)
		cancel()
		<-q.lane.slots
	case <-waiting.Done():
		q.err = fmt.Errorf("%s: %w", d.service, errBusy)
	}
	d.mu.Lock()
	d.settle(q)
	d.mu.Unlock()
	close(q.done)
}

// settle keeps what came of a question. The caller holds mu.
func (d *HTTP) settle(q *question) {
	address := q.address.String()
	delete(d.asking, address)
	q.lane.waiting--
	switch {
	case q.err == nil:
		d.known.put(address, q.answer)
		if d.failing {
			d.logger.Info("directory can be asked again", slog.String("directory", d.service))
		}
		d.failing = false
		d.newcomers.health, d.refreshes.health = health{}, health{}
	case d.ctx.Err() != nil || errors.Is(q.err, errBusy):
		// It isn't the service's fault.
	default:
		d.failed(q)
	}
}

func (d *HTTP) failed(q *question) {
	now := d.now()
	if last := d.known.get(q.address.String()); last != nil {
		last.failures++
		last.retry = now.Add(pauseAfter(last.failures))
	}
	if !d.failing {
		d.failing = true
		d.logger.Error("directory can't be asked; the people it told of go on for a day, others can't sign in",
			slog.String("directory", d.service), slog.Any("error", q.err))
	}
	if errors.As(q.err, new(refusal)) {
		return
	}
	d.newcomers.health.count(q, now)
	if q.lane == &d.refreshes {
		d.refreshes.health.count(q, now)
	}
}

// count counts the failure of a question.
func (h *health) count(q *question, now time.Time) {
	h.cause = q.err
	if h.failures > 0 && q.begun.Before(h.failed) {
		return // one outage, met by several at a time
	}
	h.failures++
	h.failed = now
	h.pause = now.Add(pauseAfter(h.failures - pauseFrom + 1))
}

// pauseAfter returns how long to leave the service in peace after so many
// failures.
func pauseAfter(failures int) time.Duration {
	return min(firstPause<<max(0, min(failures-1, 10)), lastPause)
}

// fetch asks the service.
func (d *HTTP) fetch(ctx context.Context, a otp.Address) (*answer, error) {
	begun := d.now()
	body, err := json.Marshal(map[string]string{"channel": string(a.Channel()), "address": a.String()})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: its url can't be used", d.service)
	}
	request.Header = d.headers.Clone()
	request.Host = cmp.Or(d.host, request.Host)
	response, err := d.client.Do(request)
	if err != nil {
		return nil, endpoint.Unanswered(ctx, d.service, err)
	}
	defer response.Body.Close()
	// Read in any case: only then can the connection be used again.
	text, err := io.ReadAll(io.LimitReader(response.Body, endpoint.MaxAnswer+1))
	switch code := response.StatusCode; {
	case code == http.StatusNotFound || code == http.StatusNoContent:
		return &answer{at: begun}, nil
	case isRefusal(code):
		return nil, refusal{errors.New(d.service + " answered " + statusAdvice(code))}
	case code != http.StatusOK:
		return nil, errors.New(d.service + " answered " + statusAdvice(code))
	case err != nil:
		return nil, endpoint.Unanswered(ctx, d.service, err)
	case len(text) > endpoint.MaxAnswer:
		return nil, fmt.Errorf("%s answered with more than %d bytes", d.service, endpoint.MaxAnswer)
	}
	person, err := answered(text, a)
	if err != nil {
		return nil, fmt.Errorf("%s answered with what is no person: %w", d.service, err)
	}
	return &answer{person: person, found: true, at: begun}, nil
}

// refusal is the failure of a service that is there and doesn't like the
// question.
type refusal struct{ error }

func isRefusal(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false // of whoever is asked for
	}
	return status/100 == 4
}

func statusAdvice(code int) string {
	said := fmt.Sprint(code)
	switch {
	case code/100 == 3:
		said += ", a redirect; write the url that it leads to"
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		said += "; check its credentials"
	}
	return said
}

// answered reads a person, whose address the one that was asked for is too.
func answered(text []byte, asked otp.Address) (otp.Person, error) {
	if strings.TrimSpace(string(text)) == "" {
		return otp.Person{}, errors.New("it is blank; say 404 where nobody has the address")
	}
	e, err := parsePerson(text)
	if err != nil {
		return otp.Person{}, err
	}
	p, err := e.person()
	if err != nil {
		return otp.Person{}, err
	}
	if !slices.ContainsFunc(p.Addresses, func(a otp.Address) bool { return a.String() == asked.String() }) {
		p.Addresses = append(p.Addresses, asked)
	}
	return p, nil
}

var _ otp.Asker = (*HTTP)(nil)
