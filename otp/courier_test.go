// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errBusy = errors.New("the relay is busy")

func TestDeliveredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.courier.Start()
		defer h.courier.Stop()
		began := time.Now()
		h.mustStart(t, "Jane@Example.com")
		synctest.Wait()
		sent := h.sender.all()
		if len(sent) != 1 || !sent[0].at.Equal(began) || sent[0].To != "Jane@Example.com" || len(sent[0].Code) != 6 || sent[0].Text != "code "+sent[0].Code {
			t.Fatalf("%+v", sent)
		}
		if sent[0].deadline != deliveryDeadline {
			t.Errorf("a try has %v", sent[0].deadline)
		}
		if h.store.waiting() != 0 {
			t.Error("it is still in the outbox")
		}
		log := h.log.String()
		if !strings.Contains(log, "message delivered") || !strings.Contains(log, "channel=email") {
			t.Errorf("not told:\n%s", log)
		}
		for _, text := range []string{sent[0].Code, "Jane", "jane"} {
			if strings.Contains(log, text) {
				t.Errorf("the log says %q:\n%s", text, log)
			}
		}
	})
}

// TestDeliveryPause: the work of a delivery begins once the answer is out, and
// a stop in between loses nothing.
func TestDeliveryPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.courier.pause = deliveryPause
		h.courier.Start()
		h.mustStart(t, "jane@example.com")
		time.Sleep(deliveryPause - 1)
		synctest.Wait()
		if sent := h.sender.all(); len(sent) != 0 {
			t.Fatal("sent with the answer")
		}
		time.Sleep(deliveryPause + 1)
		synctest.Wait()
		if sent := h.sender.all(); len(sent) != 1 {
			t.Fatalf("%d sent", len(sent))
		}
		h.mustStart(t, "joe@example.com")
		h.courier.Stop()
		time.Sleep(2 * deliveryPause)
		synctest.Wait()
		if sent, settled := h.sender.all(), h.store.waiting(); len(sent) != 1 || settled != 1 {
			t.Fatalf("after a stop %d are sent and %d wait", len(sent), settled)
		}
	})
}

func (h *house) mustStart(t *testing.T, typed string) {
	t.Helper()
	if _, err := h.Start(t.Context(), startRequest(t, typed)); err != nil {
		t.Fatal(err)
	}
}

// TestRetrySchedule follows a message that a relay never takes. Each try is up
// to a tenth and, as the outbox is looked through once a second, a second off.
func TestRetrySchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.sender.answer = func(context.Context, int) error { return errBusy }
		h.courier.Start()
		defer h.courier.Stop()
		began := time.Now()
		h.mustStart(t, "jane@example.com")
		time.Sleep(20 * time.Minute)
		sent := h.sender.all()
		schedule := []time.Duration{0, 5, 15, 40, 90, 190, 310, 480}
		if len(sent) != len(schedule) {
			t.Fatalf("%d tries", len(sent))
		}
		for i, m := range sent {
			at, planned := m.at.Sub(began), schedule[i]*time.Second
			if at < planned-planned/10 || at > planned+planned/10+time.Duration(i)*claimInterval {
				t.Errorf("try %d came at %v, not at %v", i+1, at, planned)
			}
			if m.ID != sent[0].ID || m.Code != sent[0].Code {
				t.Errorf("try %d is another message", i+1)
			}
		}
		if greylisted := sent[6].at.Sub(began); greylisted < 270*time.Second {
			t.Errorf("no try after a greylisting of five minutes: %v", greylisted)
		}
		if h.store.waiting() != 0 {
			t.Error("it is still in the outbox")
		}
		if log := h.log.String(); strings.Count(log, "level=WARN") != 7 || strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, "expires before another try") {
			t.Errorf("log:\n%s", log)
		}
	})
}

func TestDeliveredOnAnotherTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.sender.answer = func(_ context.Context, try int) error {
			if try < 3 {
				return errBusy
			}
			return nil
		}
		h.courier.Start()
		defer h.courier.Stop()
		h.mustStart(t, "jane@example.com")
		time.Sleep(20 * time.Minute)
		if sent := h.sender.all(); len(sent) != 3 || h.store.waiting() != 0 {
			t.Fatalf("%d tries, %d in the outbox", len(sent), h.store.waiting())
		}
	})
}

func TestUndeliverable(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		tries  int
	}{
		{name: "the relay says no", tries: 1, change: func(c *Config) {
			c.Senders[Email][0].(*fakeSender).answer = func(context.Context, int) error { return fmt.Errorf("550: %w", ErrUndeliverable) }
		}},
		{name: "it can't be worded", change: func(c *Config) { c.Composer = brokenComposer{} }},
		{name: "its sender is gone", change: func(c *Config) { c.Senders = map[Channel][]Sender{SMS: c.Senders[Email]} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore()
				newHouseOn(t, store, nil).mustStart(t, "jane@example.com") // on a node that dies then
				h := newHouseOn(t, store, tc.change)
				h.courier.Start()
				time.Sleep(20 * time.Minute)
				h.courier.Stop()
				if sent := h.sender.all(); len(sent) != tc.tries || store.waiting() != 0 {
					t.Errorf("%d tries, %d in the outbox", len(sent), store.waiting())
				}
				if log := h.log.String(); strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, "can't be delivered") {
					t.Errorf("log:\n%s", log)
				}
			})
		})
	}
}

type brokenComposer struct{}

func (brokenComposer) Compose(m Message) (Message, error) {
	return Message{}, errors.New("no template")
}

func TestExpiredBeforeDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		newHouseOn(t, store, nil).mustStart(t, "jane@example.com")
		time.Sleep(10 * time.Minute)
		h := newHouseOn(t, store, nil)
		h.courier.Start()
		time.Sleep(time.Second)
		h.courier.Stop()
		if len(h.sender.all()) != 0 || store.waiting() != 0 {
			t.Errorf("%d tries, %d in the outbox", len(h.sender.all()), store.waiting())
		}
		if !strings.Contains(h.log.String(), "expired before it could be delivered") {
			t.Errorf("silence:\n%s", h.log)
		}
	})
}

func TestFailover(t *testing.T) {
	permanent := func(context.Context, int) error { return ErrUndeliverable }
	busy := func(context.Context, int) error { return errBusy }
	hang := func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
	panics := func(context.Context, int) error { panic("123456 to jane@example.com") }
	for _, tc := range []struct {
		name          string
		first, second func(context.Context, int) error
		// tries of the second, the last of them within so long
		tries  int
		within time.Duration
	}{
		{name: "the first is busy", first: busy, tries: 1},
		{name: "the first says no", first: permanent, tries: 1},
		{name: "the first hangs", first: hang, tries: 1, within: 6 * time.Second},
		{name: "the first panics", first: panics, tries: 1},
		{name: "both say no", first: permanent, second: permanent, tries: 1},
		{name: "one says no, the other is busy", first: permanent, second: busy, tries: 8, within: 600 * time.Second},
		{name: "one is busy, the other says no", first: busy, second: permanent, tries: 8, within: 600 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				second := &fakeSender{answer: tc.second}
				h := newHouse(t, func(c *Config) {
					c.Senders[Email] = append(c.Senders[Email], second)
					c.Senders[Email][0].(*fakeSender).answer = tc.first
				})
				h.courier.Start()
				defer h.courier.Stop()
				began := time.Now()
				h.mustStart(t, "jane@example.com")
				time.Sleep(20 * time.Minute)
				sent := second.all()
				if len(sent) != tc.tries {
					t.Fatalf("the second was tried %d times", len(sent))
				}
				if late := sent[len(sent)-1].at.Sub(began); late > tc.within {
					t.Errorf("after %v", late)
				}
				if h.store.waiting() != 0 {
					t.Error("it is still in the outbox")
				}
			})
		})
	}
}

// TestFirstSenderIsEnough asks nobody else where one has delivered.
func TestFirstSenderIsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := &fakeSender{}
		h := newHouse(t, func(c *Config) { c.Senders[Email] = append(c.Senders[Email], second) })
		h.courier.Start()
		defer h.courier.Stop()
		h.mustStart(t, "jane@example.com")
		time.Sleep(time.Minute)
		if len(h.sender.all()) != 1 || len(second.all()) != 0 {
			t.Fatalf("sent %d and %d times", len(h.sender.all()), len(second.all()))
		}
	})
}

func TestPanics(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"sender": func(c *Config) {
			c.Senders[Email][0].(*fakeSender).answer = func(_ context.Context, try int) error {
				if try == 1 {
					panic("123456 to jane@example.com")
				}
				return nil
			}
		},
		"composer": func(c *Config) { c.Composer = &panickyComposer{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, change)
				h.courier.Start()
				h.mustStart(t, "jane@example.com")
				time.Sleep(10 * time.Second)
				h.courier.Stop()
				if sent := h.sender.all(); len(sent) == 0 || h.store.waiting() != 0 {
					t.Errorf("%d tries, %d in the outbox", len(sent), h.store.waiting())
				}
				log := h.log.String()
				if !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "panicked") || !strings.Contains(log, "message delivered") {
					t.Errorf("log:\n%s", log)
				}
				if strings.Contains(log, "jane") || strings.Contains(log, "123456") {
					t.Errorf("the log quotes the panic:\n%s", log)
				}
			})
		})
	}
}

type panickyComposer struct{ tries int }

func (c *panickyComposer) Compose(m Message) (Message, error) {
	if c.tries++; c.tries == 1 {
		panic("123456 to jane@example.com")
	}
	return m, nil
}

// TestClaimedFromADeadNode delivers what another node accepted and didn't
// deliver, once its lease is over.
func TestClaimedFromADeadNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		began := time.Now()
		newHouseOn(t, store, nil).mustStart(t, "jane@example.com")
		h := newHouseOn(t, store, nil)
		h.courier.Start()
		defer h.courier.Stop()
		time.Sleep(time.Minute)
		sent := h.sender.all()
		if len(sent) != 1 || store.waiting() != 0 {
			t.Fatalf("%d tries, %d in the outbox", len(sent), store.waiting())
		}
		if at := sent[0].at.Sub(began); at < deliveryLease || at > deliveryLease+2*time.Second {
			t.Errorf("delivered after %v", at)
		}
	})
}

func TestForeignRealmsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		newHouseOn(t, store, func(c *Config) { c.Realm = "other.example.com" }).mustStart(t, "jane@example.com")
		h := newHouseOn(t, store, nil)
		h.courier.Start()
		defer h.courier.Stop()
		time.Sleep(5 * time.Minute)
		if len(h.sender.all()) != 0 || store.waiting() != 1 {
			t.Fatalf("%d tries, %d in the outbox", len(h.sender.all()), store.waiting())
		}
	})
}

// TestSealedByANewerSecret leaves a message that this node can't open to one
// that can.
func TestSealedByANewerSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		newHouseOn(t, store, func(c *Config) { c.Keys = testKeys(t, "new", "first") }).mustStart(t, "jane@example.com")
		old := newHouseOn(t, store, nil)
		old.courier.Start()
		time.Sleep(time.Minute)
		old.courier.Stop()
		if len(old.sender.all()) != 0 || store.waiting() != 1 {
			t.Fatalf("%d tries, %d in the outbox", len(old.sender.all()), store.waiting())
		}
		rotated := newHouseOn(t, store, func(c *Config) { c.Keys = testKeys(t, "new", "first") })
		rotated.courier.Start()
		defer rotated.courier.Stop()
		time.Sleep(2 * time.Minute)
		if len(rotated.sender.all()) != 1 || store.waiting() != 0 {
			t.Fatalf("%d tries, %d in the outbox", len(rotated.sender.all()), store.waiting())
		}
	})
}

// TestSlowRelay has two nodes and a relay that takes almost all of a try's
// time: what waits in a node's memory longer than its lease is delivered by
// whoever claims it then, and by nobody else.
func TestSlowRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		var mu sync.Mutex
		delivered := make(map[string]int)
		slow := func(ctx context.Context, m Message) error {
			if deadline, _ := ctx.Deadline(); time.Until(deadline) < shortestTry {
				t.Errorf("a try with %v left", time.Until(deadline))
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(9 * time.Second):
			}
			mu.Lock()
			defer mu.Unlock()
			delivered[m.ID]++
			return nil
		}
		change := func(c *Config) { c.Senders[Email] = []Sender{senderFunc(slow)} }
		one, two := newHouseOn(t, store, change), newHouseOn(t, store, change)
		one.courier.Start()
		two.courier.Start()
		const messages = 300
		for range messages {
			one.mustStart(t, "jane@example.com")
		}
		time.Sleep(10 * time.Minute)
		one.courier.Stop()
		two.courier.Stop()
		if len(delivered) != messages || store.waiting() != 0 {
			t.Errorf("%d of %d delivered, %d in the outbox", len(delivered), messages, store.waiting())
		}
		for id, n := range delivered {
			if n != 1 {
				t.Fatalf("%s was delivered %d times", id, n)
			}
		}
	})
}

type senderFunc func(context.Context, Message) error

func (f senderFunc) Send(ctx context.Context, m Message) error { return f(ctx, m) }

// TestBacklog accepts more than memory holds and, the relay being back, gets
// rid of it at the relay's pace.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		const messages = courierBacklog + 1000
		for range messages {
			h.mustStart(t, "jane@example.com")
		}
		if n := len(h.courier.queue); n != courierBacklog {
			t.Fatalf("%d in memory", n)
		}
		time.Sleep(time.Minute)
		h.sender.answer = func(context.Context, int) error { time.Sleep(100 * time.Millisecond); return nil }
		began := time.Now()
		h.courier.Start()
		const pace = couriers * 10 // a second
		time.Sleep(messages * time.Second / pace * 12 / 10)
		h.courier.Stop()
		sent := make(map[string]bool)
		for _, m := range h.sender.all() {
			sent[m.ID] = true
		}
		if len(sent) != messages || len(h.sender.all()) != messages || h.store.waiting() != 0 {
			t.Fatalf("%d of %d delivered by %d tries in %v", len(sent), messages, len(h.sender.all()), time.Since(began))
		}
		if claims := len(h.store.claims); claims > messages {
			t.Errorf("%d claims", claims)
		}
	})
}

// TestNoIdleClaims asks an empty outbox no oftener than once a second, however
// much is delivered.
func TestNoIdleClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.courier.Start()
		for range 100 {
			h.mustStart(t, "jane@example.com")
			time.Sleep(10 * time.Millisecond)
		}
		h.courier.Stop()
		if n := len(h.store.claims); n > 2 {
			t.Fatalf("%d claims in a second", n)
		}
	})
}

func TestStopHandsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.sender.answer = func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
		h.courier.Start()
		const messages = couriers + 10
		for range messages {
			h.mustStart(t, "jane@example.com")
		}
		synctest.Wait()
		if n := len(h.sender.all()); n != couriers {
			t.Fatalf("%d tries under way", n)
		}
		began := time.Now()
		h.courier.Stop()
		h.courier.Stop()
		if took := time.Since(began); took != stopGrace {
			t.Errorf("the stop took %v", took)
		}
		due := 0
		for _, s := range h.store.settled {
			if s.again <= time.Millisecond {
				due++
			}
		}
		if len(h.store.settled) != messages || due != 10 || h.store.waiting() != messages {
			t.Fatalf("%d settled, %d of them due at once, %d in the outbox", len(h.store.settled), due, h.store.waiting())
		}
		next := newHouseOn(t, h.store, nil)
		next.courier.Start()
		defer next.courier.Stop()
		time.Sleep(10 * time.Second)
		if n := len(next.sender.all()); n != messages {
			t.Errorf("the next node delivered %d", n)
		}
	})
}

// TestStoppedDeliver accepts a start while the node goes down.
func TestStoppedDeliver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.courier.Start()
		h.courier.Stop()
		h.mustStart(t, "jane@example.com")
		if len(h.store.settled) != 1 || h.store.settled[0].again != time.Millisecond || h.store.waiting() != 1 {
			t.Fatalf("settled %+v", h.store.settled)
		}
		unstarted := newHouse(t, nil) // requests may come before the start
		unstarted.mustStart(t, "jane@example.com")
		unstarted.courier.Stop()
		if len(unstarted.store.settled) != 1 || unstarted.store.waiting() != 1 {
			t.Fatalf("settled %+v", unstarted.store.settled)
		}
	})
}

// TestSettlesTogether ends the leases of a burst in few calls, and that of a
// single message at once.
func TestSettlesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.courier.Start()
		defer h.courier.Stop()
		h.courier.pause = 0 // all are due at the same moment
		began := time.Now()
		h.mustStart(t, "jane@example.com")
		synctest.Wait()
		if len(h.store.settled) != 1 || !h.store.settled[0].at.Equal(began) {
			t.Fatalf("settled %+v, begun at %v", h.store.settled, began)
		}
		const messages = 4 * maxSettled
		for range messages {
			h.mustStart(t, "jane@example.com")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(h.store.settled); n != 1+messages || h.store.waiting() != 0 {
			t.Fatalf("%d settled, %d in the outbox", n, h.store.waiting())
		}
		if h.store.settles > 1+6 {
			t.Errorf("%d calls for %d messages", h.store.settles, messages)
		}
	})
}

// TestNotSentAgainWhileItIsSettled delivers at the very end of a lease, while
// calls of the store that hang keep the message from being settled until it is
// over.
func TestNotSentAgainWhileItIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.courier.timeout = 2 * time.Second
		h.sender.answer = func(_ context.Context, try int) error {
			if try == 1 {
				time.Sleep(deliveryDeadline - time.Millisecond)
			}
			return nil
		}
		h.courier.Start()
		defer h.courier.Stop()
		h.mustStart(t, "jane@example.com")
		time.Sleep(deliveryDeadline - 50*time.Millisecond)
		h.store.mu.Lock()
		h.store.settleHangs = true
		h.store.mu.Unlock()
		for range maxSettling {
			h.mustStart(t, "joe@example.com")
			time.Sleep(2 * settleSpacing)
		}
		time.Sleep(deliveryLease - deliveryDeadline + claimInterval)
		h.store.mu.Lock()
		h.store.settleHangs = false
		h.store.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(h.sender.all()); n != 1+maxSettling || h.store.waiting() != 0 {
			t.Fatalf("%d messages were delivered %d times, %d are in the outbox", 1+maxSettling, n, h.store.waiting())
		}
		if n := len(h.courier.unsettled.entries); n > 1+maxSettling {
			t.Errorf("%d are remembered", n)
		}
		h.mustStart(t, "jim@example.com")
		time.Sleep(time.Second)
		synctest.Wait()
		if n := len(h.courier.unsettled.entries); n > 1+maxSettling {
			t.Errorf("%d are remembered: what was settled at once is too", n)
		}
	})
}

// TestSettleIsTriedOn keeps a message from going out twice when the store is
// away just after its delivery.
func TestSettleIsTriedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.store.settleErr = ErrUnavailable
		h.courier.Start()
		defer h.courier.Stop()
		h.mustStart(t, "jane@example.com")
		time.Sleep(5 * time.Second)
		h.store.mu.Lock()
		h.store.settleErr = nil
		h.store.mu.Unlock()
		time.Sleep(time.Minute)
		if n := len(h.sender.all()); n != 1 || h.store.waiting() != 0 {
			t.Fatalf("delivered %d times, %d in the outbox", n, h.store.waiting())
		}
	})
}

// TestSettledAfterAnOutage delivers just before the store is away for longer
// than a lease. None of the nodes delivers again when it is back.
func TestSettledAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		sent := 0
		change := func(c *Config) {
			c.Senders[Email] = []Sender{senderFunc(func(context.Context, Message) error {
				sent++
				store.setErr(ErrUnavailable)
				return nil
			})}
		}
		for offset := range 3 { // their ticks are apart
			h := newHouseOn(t, store, change)
			h.courier.Start()
			defer h.courier.Stop()
			time.Sleep(time.Duration(offset) * claimInterval / 3)
			if offset == 1 {
				h.mustStart(t, "jane@example.com")
				synctest.Wait()
			}
		}
		time.Sleep(time.Minute)
		store.setErr(nil)
		time.Sleep(MaxCodeLifetime)
		if sent != 1 || store.waiting() != 0 {
			t.Fatalf("delivered %d times, %d in the outbox", sent, store.waiting())
		}
	})
}

// TestStopDuringSettle doesn't wait for a store that stays away.
func TestStopDuringSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.store.settleErr = ErrUnavailable
		h.courier.Start()
		h.mustStart(t, "jane@example.com")
		time.Sleep(2 * time.Second)
		began := time.Now()
		h.courier.Stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the stop took %v", took)
		}
		if !strings.Contains(h.log.String(), "may be delivered again") {
			t.Errorf("silence:\n%s", h.log)
		}
	})
}

// TestStopOfAHangingStore waits for the store once, however much there is to
// hand back.
func TestStopOfAHangingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.sender.answer = func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }
		h.courier.Start()
		const messages = couriers + 10*maxSettled
		for range messages {
			h.mustStart(t, "jane@example.com")
		}
		synctest.Wait()
		h.store.mu.Lock()
		h.store.settleHangs = true
		h.store.mu.Unlock()
		began := time.Now()
		h.courier.Stop()
		// What was under way is settled together, then each by itself.
		if took := time.Since(began); took > stopGrace+4*h.courier.timeout {
			t.Errorf("the stop took %v", took)
		}
		if n := strings.Count(h.log.String(), "wait for the end of their leases"); n != 10 {
			t.Errorf("told %d times", n)
		}
	})
}

func TestClaimTellsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		h.courier.Start()
		h.store.setErr(ErrUnavailable)
		time.Sleep(10 * time.Second)
		h.store.setErr(nil)
		time.Sleep(10 * time.Second)
		h.courier.Stop()
		log := h.log.String()
		if strings.Count(log, "outbox can't be read") != 1 || strings.Count(log, "outbox can be read again") != 1 {
			t.Errorf("log:\n%s", log)
		}
	})
}
