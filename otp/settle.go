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
	// settleSpacing passes between two calls that settle, so that under load
	// many leases end with one. It is as much longer that a message goes out
	// twice where the process is killed.
	settleSpacing = 5 * time.Millisecond
	// maxSettled is how many leases one call ends: a store does nothing else
	// meanwhile.
	maxSettled = 32
	// maxSettling is how many calls are under way at a time.
	maxSettling = 4
	// dueNow has a message be due at once.
	dueNow = time.Millisecond
)

// unsettled are messages that this node is done with and has yet to settle, or
// could not settle in time, by their ids, the latter for as long as they are
// kept: claimed again, they aren't sent again. It is safe for concurrent use.
type unsettled struct {
	mu      sync.Mutex
	entries map[string]doneWith
}

// doneWith is since when this node is done with a message, and when nobody keeps
// it any more.
type doneWith struct{ since, end time.Time }

func (u *unsettled) add(lease Lease) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.entries == nil {
		u.entries = make(map[string]doneWith)
	}
	u.entries[lease.ID] = doneWith{time.Now(), lease.Expires.Add(Overdue)}
}

// settled forgets messages. Where that took longer than their leases have left
// after a try, they may have been claimed before, and stay.
func (u *unsettled) settled(batch []Settlement) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	for _, end := range batch {
		if m, ok := u.entries[end.ID]; ok && now.Sub(m.since) < settleMargin {
			delete(u.entries, end.ID)
		}
	}
}

// clean forgets the messages that nobody keeps.
func (u *unsettled) clean() {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	for id, m := range u.entries {
		if m.end.Before(now) {
			delete(u.entries, id)
		}
	}
}

func (u *unsettled) has(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.entries[id]
	return ok
}

// settle ends a lease soon, together with others.
func (c *Courier) settle(lease Lease, again time.Duration) {
	if again == 0 {
		c.unsettled.add(lease)
	}
	c.settling <- Settlement{lease, again}
}

// settleAll ends leases as they come, until there are no more.
func (c *Courier) settleAll() {
	under := make(chan struct{}, maxSettling)
	var last time.Time
	for first := range c.settling {
		batch := c.gather(first, last.Add(settleSpacing))
		last = time.Now()
		under <- struct{}{}
		c.settlers.Go(func() {
			c.settleTogether(batch)
			<-under
		})
	}
}

// gather takes what there is to settle until a moment, or until it is enough
// for one call.
func (c *Courier) gather(first Settlement, until time.Time) []Settlement {
	batch := []Settlement{first}
	over := time.After(time.Until(until))
	for len(batch) < maxSettled && (over != nil || len(c.settling) > 0) {
		select {
		case end, more := <-c.settling:
			if !more {
				return batch
			}
			batch = append(batch, end)
		case <-over:
			over = nil
		}
	}
	return batch
}

// settleTogether ends leases. Where that fails each is tried on by itself, in
// the background: until the lease is over, for a message that is due again; for
// one that is done, until nobody would deliver it any more, since others may
// claim it once the lease is over.
func (c *Courier) settleTogether(batch []Settlement) {
	if c.trySettle(batch...) == nil {
		c.unsettled.settled(batch)
		return
	}
	c.unsettled.clean()
	for _, end := range batch {
		until := time.Now().Add(deliveryLease)
		if end.Again == 0 {
			until = end.Expires
		}
		c.settlers.Go(func() { c.settleUntil(end, until) })
	}
}

// settleUntil tries to settle until a moment, or until the courier stops.
func (c *Courier) settleUntil(end Settlement, until time.Time) {
	for {
		stopping := !c.pauses(settlePause)
		err := c.trySettle(end)
		if err == nil {
			return
		}
		if stopping || !time.Now().Before(until) {
			c.log(slog.LevelError, "message may be delivered again", end.Lease, slog.Any("error", err))
			return
		}
	}
}

func (c *Courier) trySettle(ends ...Settlement) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	return c.store.Settle(ctx, ends...)
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
