// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// deliveryLease is how long a node has for a message before others may
	// try: a try's own deadline and a margin to settle it.
	deliveryLease    = 15 * time.Second
	deliveryDeadline = 12 * time.Second
	settleMargin     = deliveryLease - deliveryDeadline
	// shortestTry is the least that a lease must leave for a try to begin.
	shortestTry = deliveryDeadline / 2
	// deliveryPause, and at most as much again, passes before a delivery
	// begins. Its work must not slow the answer to who asked for the code:
	// that would tell whose address gets messages.
	deliveryPause = 5 * time.Millisecond
	// claimInterval is how often messages that nobody delivers are looked for.
	claimInterval = time.Second
	// couriers is how many messages are delivered at a time.
	couriers = 16
	// courierBacklog is how many messages wait in memory; more wait in the
	// store.
	courierBacklog = 1024
	// stopGrace is how long tries under way may go on after a stop.
	stopGrace = 5 * time.Second
)

// retryWaits are the waits after the first try and those that follow. A mail
// that is greylisted for 300 s is tried again at 310 s (after 310 of the 600
// that a code lives), and once more at 480 s.
var retryWaits = []time.Duration{
	5 * time.Second, 10 * time.Second, 25 * time.Second, 50 * time.Second,
	100 * time.Second, 120 * time.Second, 170 * time.Second,
}

// Courier delivers the messages of a store's outbox for the realms that this
// node serves: at once those that it queued itself, and those of any node that
// were not delivered in time.
type Courier struct {
	store   Store
	logger  *slog.Logger
	timeout time.Duration
	pause   time.Duration
	queue   chan held
	// idle has an element when a worker has become free.
	idle    chan struct{}
	cancel  context.CancelFunc
	running sync.WaitGroup

	unsettled unsettled
	// settling takes the leases that are to end, and settlers are those who
	// see to it.
	settling chan Settlement
	settlers sync.WaitGroup

	mu       sync.RWMutex
	stopped  bool
	stopping chan struct{}
	services map[string][]*Service // by realm
}

// held is a lease and, in this node's time, when it ends at the latest.
type held struct {
	Lease
	until time.Time
	// message is what Sealed holds, where this node has just sealed it.
	message *Message
}

// NewCourier returns a courier of the store's outbox; timeout bounds its
// operations there. It works between Start and Stop.
func NewCourier(store Store, timeout time.Duration, logger *slog.Logger) *Courier {
	return &Courier{
		store:    store,
		logger:   logger,
		timeout:  timeout,
		pause:    deliveryPause,
		queue:    make(chan held, courierBacklog),
		idle:     make(chan struct{}, 1),
		settling: make(chan Settlement, maxSettled),
		stopping: make(chan struct{}),
		services: make(map[string][]*Service),
	}
}

func (c *Courier) register(s *Service) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.services[s.realm] = append(c.services[s.realm], s)
}

// sites returns the sites of a realm that this node serves.
func (c *Courier) sites(realm string) []*Service {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.services[realm]
}

// siteFor returns the site that a message was asked for at or, where it isn't
// among sites, one that can send over the message's channel.
func siteFor(sites []*Service, m Message) *Service {
	substitute := sites[0]
	for _, s := range sites {
		if s.host() == m.Site {
			return s
		}
		if !substitute.HasSender(m.Channel) {
			substitute = s
		}
	}
	return substitute
}

func (c *Courier) realms() []string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	realms := make([]string, 0, len(c.services))
	for realm := range c.services {
		realms = append(realms, realm)
	}
	return realms
}

// Start begins to deliver, in the background.
func (c *Courier) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	for range couriers {
		c.running.Go(func() { c.work(ctx) })
	}
	c.running.Go(func() { c.claim(ctx) })
	c.settlers.Go(c.settleAll)
}

// Stop ends the work: tries under way get a few seconds to end, and what
// waits in memory goes back to the outbox, where it is due at once.
func (c *Courier) Stop() {
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return
	}
	c.stopped = true
	close(c.stopping)
	c.mu.Unlock()
	if c.cancel != nil {
		grace := time.AfterFunc(stopGrace, c.cancel)
		c.running.Wait()
		grace.Stop()
		c.cancel()
		close(c.settling)
		c.settlers.Wait()
	}
	var handing sync.WaitGroup // at once: with a store that hangs each waits for as long as it may
	for len(c.queue) > 0 {
		var waiting []Settlement
		for len(c.queue) > 0 && len(waiting) < maxSettled {
			h := <-c.queue
			waiting = append(waiting, Settlement{h.Lease, dueNow})
		}
		handing.Go(func() { c.handBack(waiting...) })
	}
	handing.Wait()
}

// deliverSoon is [Courier.deliver] once who asked for the message has had the
// answer.
func (c *Courier) deliverSoon(h held) {
	if c.pause == 0 {
		c.deliver(h)
		return
	}
	time.AfterFunc(c.pause+rand.N(c.pause), func() { c.deliver(h) })
}

// deliver takes over a message that the caller has leased.
func (c *Courier) deliver(h held) {
	if !c.enqueue(h) {
		c.handBack(Settlement{h.Lease, dueNow})
	}
}

// enqueue returns false where the courier has stopped.
func (c *Courier) enqueue(h held) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.stopped {
		return false
	}
	select {
	case c.queue <- h:
	default: // it stays in the outbox and is claimed when its lease ends
	}
	return true
}

// handBack has messages be due at once for whoever claims them.
func (c *Courier) handBack(messages ...Settlement) {
	if err := c.trySettle(messages...); err != nil {
		c.logger.Warn("messages wait for the end of their leases", slog.Int("messages", len(messages)), slog.Any("error", err))
	}
}

func (c *Courier) work(ctx context.Context) {
	for {
		select {
		case <-c.stopping:
			return
		default:
		}
		select {
		case <-c.stopping:
			return
		case h := <-c.queue:
			c.try(ctx, h)
		}
		select {
		case c.idle <- struct{}{}:
		default:
		}
	}
}

func (c *Courier) claim(ctx context.Context) {
	failed := false
	ticker := time.NewTicker(claimInterval)
	defer ticker.Stop()
	var outage outage
	for {
		if failed && !c.resumes(ctx, &outage) {
			return
		}
		more, err := c.claimOnce(ctx)
		failed = err != nil
		c.tell(&outage, err)
		var idle chan struct{}
		if more {
			idle = c.idle
		}
		select {
		case <-c.stopping:
			return
		case <-idle:
		case <-ticker.C:
		}
	}
}

// tell tells the log of an outage that begins, lasts or ends with err.
func (c *Courier) tell(o *outage, err error) {
	switch {
	case err != nil && o.fails(err, time.Now()):
		c.logger.Error("outbox can't be read", slog.Any("error", err))
	case err == nil && o.ends():
		c.logger.Info("outbox can be read again")
	}
}

// claimOnce claims as many messages as are delivered at a time, so that none
// outwaits its lease here. more says that there may be others.
func (c *Courier) claimOnce(ctx context.Context) (more bool, err error) {
	limit := couriers - len(c.queue)
	if limit <= 0 {
		return true, nil
	}
	realms := c.realms()
	if len(realms) == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	until := time.Now().Add(deliveryLease)
	leases, err := c.store.Claim(ctx, realms, limit, deliveryLease)
	for _, lease := range leases {
		c.deliver(held{Lease: lease, until: until})
	}
	return len(leases) == limit, err
}

// try makes one try of a message and settles its lease by what came of it.
func (c *Courier) try(ctx context.Context, h held) {
	lease := h.Lease
	left := time.Until(h.until.Add(-settleMargin))
	if left < shortestTry {
		return // it waited too long here: it is still in the outbox, and due
	}
	sites := c.sites(lease.Realm)
	if len(sites) == 0 {
		c.settle(lease, dueNow)
		return
	}
	if c.unsettled.has(lease.ID) {
		c.settle(lease, 0)
		return
	}
	m, err := h.open(sites)
	site := siteFor(sites, m)
	if !time.Now().Before(lease.Expires) {
		c.log(slog.LevelError, "message expired before it could be delivered", lease)
		site.tellTry(lease, m.Channel, TryExpired, 0)
		c.settle(lease, 0)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(deliveryDeadline, left))
	defer cancel()
	began := time.Now()
	if err == nil {
		err = site.send(ctx, m)
	}
	took := time.Since(began)
	over, failed, try := slog.String("channel", string(m.Channel)), slog.Any("error", err), slog.Int64("try", lease.Fence)
	if err == nil {
		c.log(slog.LevelInfo, "message delivered", lease, over, try)
		site.tellTry(lease, m.Channel, TryDelivered, took)
		c.settle(lease, 0)
		return
	}
	wait := retryWait(lease.Fence)
	switch {
	case errors.Is(err, ErrUndeliverable):
		c.log(slog.LevelError, "message can't be delivered", lease, over, failed)
		site.tellTry(lease, m.Channel, TryUndeliverable, took)
		c.settle(lease, 0)
	case !time.Now().Add(wait).Before(lease.Expires):
		c.log(slog.LevelError, "message expires before another try", lease, over, failed)
		site.tellTry(lease, m.Channel, TryExpired, took)
		c.settle(lease, 0)
	default:
		c.log(slog.LevelWarn, "message not delivered yet", lease, over, failed, try, slog.Duration("again_in", wait))
		site.tellTry(lease, m.Channel, TryPostponed, took)
		c.settle(lease, wait)
	}
}

// log tells the log of a message.
func (c *Courier) log(level slog.Level, text string, lease Lease, attrs ...slog.Attr) {
	if !c.logger.Enabled(context.Background(), level) {
		return
	}
	named := append([]slog.Attr{slog.String("message_id", lease.ID), slog.String("realm", lease.Realm)}, attrs...)
	c.logger.LogAttrs(context.Background(), level, text, named...)
}

// retryWait is the wait after a try (the first is 1), spread by a tenth so
// that what failed together isn't tried together.
func retryWait(try int64) time.Duration {
	wait := retryWaits[min(max(int(try), 1), len(retryWaits))-1]
	return wait - wait/10 + rand.N(wait/5)
}

// open returns the message, which sites of its realm are to send. Where it can't
// be opened, a node that has the secret may claim it next.
func (h held) open(sites []*Service) (Message, error) {
	if h.message != nil {
		return *h.message, nil
	}
	return sites[0].unseal(h.Envelope) // what any of them can: they share the realm and the keys
}

// send composes a message and hands it to the first of the channel's senders
// that takes it.
func (s *Service) send(ctx context.Context, m Message) error {
	err := s.contain(func() (err error) {
		if m, err = s.composer.Compose(m); err != nil {
			return errors.Join(ErrUndeliverable, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	senders := s.senders[m.Channel]
	if len(senders) == 0 {
		return errors.Join(ErrUndeliverable, ErrNoSender)
	}
	var failures []error
	undeliverable := true
	for i, sender := range senders {
		err := s.contain(func() error {
			// One that hangs must leave time for those after it.
			share, cancel := context.WithTimeout(ctx, remaining(ctx)/time.Duration(len(senders)-i))
			defer cancel()
			return sender.Send(share, m)
		})
		if err == nil {
			return nil
		}
		undeliverable = undeliverable && errors.Is(err, ErrUndeliverable)
		failures = append(failures, err)
	}
	err = errors.Join(failures...)
	if !undeliverable {
		return retryable{err}
	}
	return err
}

func remaining(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return deliveryDeadline
	}
	return time.Until(deadline)
}

// errPanic stands for a panic, whose own words may quote the message.
var errPanic = errors.New("composer or sender panicked")

// contain turns a panic into an error that is worth another try: one message
// must not end the process.
func (s *Service) contain(f func() error) (err error) {
	defer func() {
		if recover() != nil {
			s.logger.Error("composer or sender panicked", slog.String("stack", string(debug.Stack())))
			err = errPanic
		}
	}()
	return f()
}

// retryable hides that one of several senders gave up where another may still
// succeed.
type retryable struct{ error }
