// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// settlePause is the wait between the tries to settle a lease.
	settlePause = 250 * time.Millisecond
	// settleGrace is how long after an outage of the store nothing is claimed:
	// whoever delivered a message before it settles it first.
	settleGrace = 4 * settlePause
)

// unsettled are messages that this node was done with and could not settle at
// once, by their ids, for as long as they are kept: claimed again, they aren't
// sent again. It is safe for concurrent use.
type unsettled struct {
	mu   sync.Mutex
	ends map[string]time.Time
}

func (u *unsettled) add(lease Lease) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	for id, end := range u.ends {
		if end.Before(now) {
			delete(u.ends, id)
		}
	}
	if u.ends == nil {
		u.ends = make(map[string]time.Time)
	}
	u.ends[lease.ID] = lease.Expires.Add(Overdue)
}

func (u *unsettled) has(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.ends[id]
	return ok
}

// settle ends a lease. Where that fails it is tried on in the background: until
// the lease is over, for a message that is due again; for one that is done,
// until nobody would deliver it any more, since others may claim it once the
// lease is over.
func (c *Courier) settle(lease Lease, again time.Duration, logger *slog.Logger) {
	if c.trySettle(lease, again) == nil {
		return
	}
	end := time.Now().Add(deliveryLease)
	if again == 0 {
		c.unsettled.add(lease)
		end = lease.Expires
	}
	c.running.Go(func() { c.settleUntil(lease, again, end, logger) })
}

// settleUntil tries to settle until a moment, or until the courier stops.
func (c *Courier) settleUntil(lease Lease, again time.Duration, end time.Time, logger *slog.Logger) {
	for {
		stopping := false
		select {
		case <-time.After(settlePause):
		case <-c.stopping:
			stopping = true
		}
		err := c.trySettle(lease, again)
		if err == nil {
			return
		}
		if stopping || !time.Now().Before(end) {
			logger.Error("message may be delivered again", slog.Any("error", err))
			return
		}
	}
}

func (c *Courier) trySettle(lease Lease, again time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	return c.store.Settle(ctx, lease, again)
}

// resumes waits, after the store failed, until it answers again and those who
// delivered something have had the time to say so. It returns false where the
// courier stops.
func (c *Courier) resumes(ctx context.Context, o *outage) bool {
	for {
		err := c.probe(ctx)
		if err == nil {
			break
		}
		c.tell(o, err)
		if !c.pauses(claimInterval) {
			return false
		}
	}
	return c.pauses(settleGrace)
}

// probe asks the store for a record that nobody has.
func (c *Courier) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	_, err := c.store.Get(ctx, "courier")
	return err
}

// pauses waits and reports whether the courier goes on.
func (c *Courier) pauses(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-c.stopping:
		return false
	}
}
