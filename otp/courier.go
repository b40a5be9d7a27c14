// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// deliveryLease is how long a node has for a message before others may
	// try: a try's own deadline and a margin.
	deliveryLease    = 15 * time.Second
	deliveryDeadline = 12 * time.Second
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
	queue   chan Lease
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.RWMutex
	stopped  bool
	stopping chan struct{}
	services map[string]*Service
}

// NewCourier returns a courier of the store's outbox; timeout bounds its
// operations there. It works between Start and Stop.
func NewCourier(store Store, timeout time.Duration, logger *slog.Logger) *Courier {
	return &Courier{
		store:    store,
		logger:   logger,
		timeout:  timeout,
		queue:    make(chan Lease, courierBacklog),
		stopping: make(chan struct{}),
		services: make(map[string]*Service),
	}
}

func (c *Courier) register(s *Service) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.services[s.realm] = s
}

func (c *Courier) service(realm string) *Service {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.services[realm]
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
	if c.cancel == nil {
		return
	}
	grace := time.AfterFunc(stopGrace, c.cancel)
	c.running.Wait()
	grace.Stop()
	c.cancel()
	for {
		select {
		case lease := <-c.queue:
			c.handBack(lease)
		default:
			return
		}
	}
}

// deliver takes over a message that the caller has just put into the outbox.
func (c *Courier) deliver(lease Lease) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.stopped {
		go c.handBack(lease)
		return
	}
	select {
	case c.queue <- lease:
	default: // it stays in the outbox and is claimed when its lease ends
	}
}

func (c *Courier) handBack(lease Lease) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	if err := c.store.Settle(ctx, lease, time.Millisecond); err != nil {
		c.logger.Warn("message waits for the end of its lease", slog.String("message_id", lease.ID), slog.Any("error", err))
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
		case lease := <-c.queue:
			c.try(ctx, lease)
		}
	}
}

func (c *Courier) claim(ctx context.Context) {
	ticker := time.NewTicker(claimInterval)
	defer ticker.Stop()
	healthy := true
	for {
		err := c.claimOnce(ctx)
		switch {
		case err != nil && healthy:
			c.logger.Error("outbox can't be read", slog.Any("error", err))
		case err == nil && !healthy:
			c.logger.Info("outbox can be read again")
		}
		healthy = err == nil
		select {
		case <-c.stopping:
			return
		case <-ticker.C:
		}
	}
}

func (c *Courier) claimOnce(ctx context.Context) error {
	free := cap(c.queue) - len(c.queue)
	realms := c.realms()
	if free == 0 || len(realms) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	leases, err := c.store.Claim(ctx, realms, min(free, couriers), deliveryLease)
	for _, lease := range leases {
		c.deliver(lease)
	}
	return err
}

// try makes one try of a message and settles its lease by what came of it.
func (c *Courier) try(ctx context.Context, lease Lease) {
	logger := c.logger.With(slog.String("message_id", lease.ID), slog.String("realm", lease.Realm))
	service := c.service(lease.Realm)
	if service == nil {
		c.settle(lease, time.Millisecond, logger)
		return
	}
	if !time.Now().Before(lease.Expires) {
		logger.Error("message expired before it could be delivered")
		c.settle(lease, 0, logger)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deliveryDeadline)
	defer cancel()
	channel, err := service.send(ctx, lease.Envelope)
	logger = logger.With(slog.String("channel", string(channel)))
	if err == nil {
		logger.Info("message delivered", slog.Int64("try", lease.Fence))
		c.settle(lease, 0, logger)
		return
	}
	wait := retryWait(lease.Fence)
	switch {
	case errors.Is(err, ErrUndeliverable):
		logger.Error("message can't be delivered", slog.Any("error", err))
		c.settle(lease, 0, logger)
	case !time.Now().Add(wait).Before(lease.Expires):
		logger.Error("message expires before another try", slog.Any("error", err))
		c.settle(lease, 0, logger)
	default:
		logger.Warn("message not delivered yet", slog.Any("error", err), slog.Int64("try", lease.Fence), slog.Duration("again_in", wait))
		c.settle(lease, wait, logger)
	}
}

// retryWait is the wait after a try (the first is 1), spread by a tenth so
// that what failed together isn't tried together.
func retryWait(try int64) time.Duration {
	wait := retryWaits[min(max(int(try), 1), len(retryWaits))-1]
	return wait - wait/10 + rand.N(wait/5)
}

// settle ends a lease. An answer that was delivered and can't be settled
// would be delivered twice, so it is tried for as long as the lease lasts.
func (c *Courier) settle(lease Lease, again time.Duration, logger *slog.Logger) {
	var err error
	for _, pause := range []time.Duration{0, 100 * time.Millisecond, time.Second} {
		time.Sleep(pause)
		ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
		err = c.store.Settle(ctx, lease, again)
		cancel()
		if err == nil {
			return
		}
	}
	logger.Error("message may be delivered again", slog.Any("error", err))
}

// send composes a message and hands it to the first of the channel's senders
// that takes it.
func (s *Service) send(ctx context.Context, e Envelope) (Channel, error) {
	m, err := s.unseal(e)
	if err != nil {
		return "", errors.Join(ErrUndeliverable, err)
	}
	m, err = s.composer.Compose(m)
	if err != nil {
		return m.Channel, errors.Join(ErrUndeliverable, err)
	}
	senders := s.senders[m.Channel]
	if len(senders) == 0 {
		return m.Channel, errors.Join(ErrUndeliverable, ErrNoSender)
	}
	var failures []error
	undeliverable := true
	for _, sender := range senders {
		err := sender.Send(ctx, m)
		if err == nil {
			return m.Channel, nil
		}
		undeliverable = undeliverable && errors.Is(err, ErrUndeliverable)
		failures = append(failures, err)
	}
	err = errors.Join(failures...)
	if !undeliverable {
		return m.Channel, retryable{err}
	}
	return m.Channel, err
}

// retryable hides that one of several senders gave up where another may still
// succeed.
type retryable struct{ error }
