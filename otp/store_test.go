// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"
)

// fakeStore records the calls and keeps an outbox, records and revocations in
// memory. What starts and guesses come to is told to it. Its clock is the
// process's.
type fakeStore struct {
	mu sync.Mutex

	starts   []startCall
	verifies []verifyCall // but those that came to Changed
	renewals []renewCall
	claims   []int
	settled  []settleCall
	settles  int // calls
	unlocked []Handle

	// result is what a start comes to, Accepted unless it says otherwise.
	result Result
	// scope is what throttles a start.
	scope Scope
	// verify is what a guess comes to; nil: Verified.
	verify func(Guess, SessionRecord) (Outcome, error)
	renew  func(SessionID, []Tag) (SessionRecord, error)
	// err fails every call, the others those of their own.
	err, settleErr, revocationsErr error
	// hang makes every call wait for its context to end, settleHangs those that
	// settle, slow for this long.
	hang, settleHangs bool
	slow              time.Duration

	outbox      map[string]*outboxEntry
	records     map[string][]byte
	onGet       func()
	revocations []Revocation
}

type startCall struct {
	challenge Challenge
	message   *Envelope
	charges   []Charge
	ctx       context.Context
}

type verifyCall struct {
	guess   Guess
	session SessionRecord
	charges []Charge
	at      time.Time
}

type renewCall struct {
	id   SessionID
	old  []Tag
	next Tag
}

type settleCall struct {
	id    string
	fence int64
	again time.Duration
	at    time.Time
}

type outboxEntry struct {
	Lease
	until time.Time
}

func newFakeStore() *fakeStore {
	return &fakeStore{outbox: make(map[string]*outboxEntry), records: make(map[string][]byte)}
}

func (s *fakeStore) fails(ctx context.Context) error {
	s.mu.Lock()
	hang, slow, err := s.hang, s.slow, s.err
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
	} else if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	return err
}

func (s *fakeStore) Start(ctx context.Context, c Challenge, m *Envelope, charges ...Charge) (Outcome, error) {
	if err := s.fails(ctx); err != nil {
		return Outcome{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.starts = append(s.starts, startCall{c, m, charges, ctx})
	result := cmp.Or(s.result, Accepted)
	if m != nil && result == Accepted {
		s.outbox[m.ID] = &outboxEntry{
			Lease: Lease{Envelope: *m, Handle: c.Handle, Fence: 1, Expires: now.Add(m.Lifetime)},
			until: now.Add(m.Lease),
		}
	}
	return Outcome{Result: result, Now: now, RetryAfter: 90 * time.Second, Scope: s.scope}, nil
}

func (s *fakeStore) Verify(ctx context.Context, g Guess, r SessionRecord, charges ...Charge) (Outcome, error) {
	if err := s.fails(ctx); err != nil {
		return Outcome{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verifies = append(s.verifies, verifyCall{g, r, charges, time.Now()})
	outcome, err := s.judge(g, r)
	if e := g.Expect; e != nil && outcome.Result == Verified && !bytes.Equal(s.records[e.Key], e.Value) {
		s.verifies = s.verifies[:len(s.verifies)-1]
		return Outcome{Result: Changed, Now: time.Now(), Record: s.records[e.Key]}, nil
	}
	return outcome, err
}

// judge is called with the lock held.
func (s *fakeStore) judge(g Guess, r SessionRecord) (Outcome, error) {
	if s.verify != nil {
		return s.verify(g, r)
	}
	now := time.Now()
	r.Created, r.Since = now, now
	return Outcome{Result: Verified, Now: now, Session: r, New: true}, nil
}

func (s *fakeStore) Claim(ctx context.Context, realms []string, limit int, lease time.Duration) ([]Lease, error) {
	if err := s.fails(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims = append(s.claims, limit)
	now := time.Now()
	var leases []Lease
	for _, id := range slices.Sorted(maps.Keys(s.outbox)) {
		entry := s.outbox[id]
		if len(leases) == limit || entry.until.After(now) || !slices.Contains(realms, entry.Realm) {
			continue
		}
		entry.Fence++
		entry.until = now.Add(lease)
		leases = append(leases, entry.Lease)
	}
	return leases, nil
}

func (s *fakeStore) Settle(ctx context.Context, ends ...Settlement) error {
	s.mu.Lock()
	hangs := s.settleHangs
	s.mu.Unlock()
	if hangs {
		<-ctx.Done()
	}
	if err := s.fails(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settleErr != nil {
		return s.settleErr
	}
	s.settles++
	now := time.Now()
	for _, end := range ends {
		s.settled = append(s.settled, settleCall{end.ID, end.Fence, end.Again, now})
		entry := s.outbox[end.ID]
		switch {
		case entry == nil || entry.Fence != end.Fence:
		case end.Again > 0:
			entry.until = now.Add(end.Again)
		default:
			delete(s.outbox, end.ID)
		}
	}
	return nil
}

func (s *fakeStore) Renew(ctx context.Context, id SessionID, old []Tag, next Tag) (SessionRecord, error) {
	if err := s.fails(ctx); err != nil {
		return SessionRecord{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewals = append(s.renewals, renewCall{id, old, next})
	if s.renew == nil {
		return SessionRecord{}, ErrNoSession
	}
	return s.renew(id, old)
}

func (s *fakeStore) Unlock(ctx context.Context, h Handle) error {
	if err := s.fails(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlocked = append(s.unlocked, h)
	return nil
}

func (s *fakeStore) Revoke(ctx context.Context, r Revocation) error {
	if err := s.fails(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.At = time.Now()
	s.revocations = append(s.revocations, r)
	return nil
}

func (s *fakeStore) Sessions(ctx context.Context, owner string) ([]SessionRecord, error) {
	if err := s.fails(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []SessionRecord
	for _, call := range slices.Backward(s.verifies) {
		if call.session.Owner == owner {
			r := call.session
			r.Created, r.Since = call.at, call.at
			found = append(found, r)
		}
	}
	return found, nil
}

// Revocations tells the newest first, with the overlap that is allowed.
func (s *fakeStore) Revocations(ctx context.Context, since Cursor) ([]Revocation, Cursor, error) {
	if err := s.fails(ctx); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revocationsErr != nil {
		return nil, 0, s.revocationsErr
	}
	now := time.Now()
	var told []Revocation
	for _, r := range slices.Backward(s.revocations) {
		if r.At.Add(r.Lifetime).After(now) && r.At.UnixNano() >= int64(since)-int64(RevocationOverlap) {
			told = append(told, r)
		}
	}
	return told, Cursor(now.UnixNano()), nil
}

func (s *fakeStore) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.fails(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value := s.records[key]
	if s.onGet != nil {
		s.onGet()
	}
	return value, nil
}

func (s *fakeStore) Swap(ctx context.Context, key string, old, next []byte, _ time.Duration) (bool, error) {
	if err := s.fails(ctx); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(next) == 0 {
		return false, errors.New("nothing to keep")
	}
	if !bytes.Equal(s.records[key], old) {
		return false, nil
	}
	s.records[key] = next
	return true, nil
}

func (s *fakeStore) setErr(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *fakeStore) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.outbox)
}

// house is a service and all that it stands on.
type house struct {
	*Service
	store   *fakeStore
	courier *Courier
	watch   *Watch
	sender  *fakeSender
	log     *lockedBuffer
}

// newHouse returns a service on a fake store, whose courier and watch wait to
// be started. change may alter the configuration.
func newHouse(t testing.TB, change func(*Config)) *house {
	t.Helper()
	return newHouseOn(t, newFakeStore(), change)
}

func newHouseOn(t testing.TB, store *fakeStore, change func(*Config)) *house {
	t.Helper()
	h := &house{store: store, sender: &fakeSender{}, log: &lockedBuffer{}}
	logger := slog.New(slog.NewTextHandler(h.log, nil))
	c := Config{
		Realm:     "app.example.com",
		PublicURL: &url.URL{Scheme: "https", Host: "app.example.com"},
		Keys:      testKeys(t, "first"),
		Store:     store,
		Courier:   NewCourier(store, DefaultTimeout, logger),
		Watch:     NewWatch(store, DefaultTimeout, logger),
		Composer:  fakeComposer{},
		Senders:   map[Channel][]Sender{Email: {h.sender}},
		Throttles: DefaultThrottles(),
		Logger:    logger,
	}
	if change != nil {
		change(&c)
	}
	h.Service, h.courier, h.watch = NewService(c), c.Courier, c.Watch
	h.courier.pause = 0 // but for the test of it
	return h
}

// testKeys makes keys of secrets that are told by a name each.
func testKeys(t testing.TB, names ...string) *Keys {
	t.Helper()
	var secrets [][]byte
	for _, name := range names {
		secrets = append(secrets, []byte(name+" secret that is long enough to be one"))
	}
	keys, err := NewKeys(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// fakeSender records what it is given and answers what it is told to.
type fakeSender struct {
	mu   sync.Mutex
	sent []delivery
	// answer is what a try comes to; nil: delivered.
	answer func(ctx context.Context, try int) error
}

type delivery struct {
	Message
	at       time.Time
	deadline time.Duration
}

func (s *fakeSender) Send(ctx context.Context, m Message) error {
	deadline, _ := ctx.Deadline()
	s.mu.Lock()
	s.sent = append(s.sent, delivery{m, time.Now(), time.Until(deadline)})
	try, answer := len(s.sent), s.answer
	s.mu.Unlock()
	if answer == nil {
		return nil
	}
	return answer(ctx, try)
}

func (s *fakeSender) all() []delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

type fakeComposer struct{}

func (fakeComposer) Compose(m Message) (Message, error) {
	m.Text = "code " + m.Code
	return m, nil
}

// startRequest is an ordinary one.
func startRequest(t testing.TB, typed string) StartRequest {
	t.Helper()
	return StartRequest{
		Dialect: "portal",
		Client:  "web",
		Address: anyAddress(t, typed),
		Purpose: Login,
		Form:    FormCode,
		Code:    CodePolicy{Length: 6, Lifetime: 10 * time.Minute, SMSLifetime: 5 * time.Minute, Attempts: 5, Keep: 3},
	}
}
