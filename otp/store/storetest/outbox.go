// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

var outboxPromises = []promise{
	{"a start's message is leased to who started", func(t *trial) {
		m := newMessage("r")
		t.queued("alice", m)
		t.advance(m.Lease - margin)
		t.wantClaimed(0, "r")
		t.advance(2 * margin)
		t.wantClaimed(1, "r")
	}},
	{"a claimed message is what was queued", func(t *trial) {
		alice, m := newPerson("alice"), newMessage("r")
		started := t.queue(alice.challenge("g", "1"), m)
		t.advance(time.Minute)
		l := t.claimOne("r")
		if l.ID != m.ID || l.Realm != m.Realm || !bytes.Equal(l.Sealed, m.Sealed) || l.Lifetime != m.Lifetime {
			t.Fatalf("message is %+v, want %+v", l.Envelope, *m)
		}
		if l.Handle != alice.handle {
			t.Fatalf("handle is %s, want %s", l.Handle, alice.handle)
		}
		t.wantEqual("Expires", l.Expires, started.Now.Add(m.Lifetime))
	}},
	{"no message, nothing queued", func(t *trial) {
		t.accepted(newPerson("alice").challenge("g", "1"))
		t.advance(time.Minute)
		t.wantClaimed(0, "r", "")
	}},
	{"each claim takes a lease and raises the fence", func(t *trial) {
		t.queued("alice", newMessage("r"))
		t.advance(time.Minute)
		for fence := int64(2); fence <= 4; fence++ {
			if l := t.claimOne("r"); l.Fence != fence {
				t.Fatalf("fence is %d, want %d", l.Fence, fence)
			}
			t.wantClaimed(0, "r")
			t.advance(claimLease - margin)
			t.wantClaimed(0, "r")
			t.advance(2 * margin)
		}
	}},
	{"a settled message is gone", func(t *trial) {
		t.queued("alice", newMessage("r"))
		t.advance(time.Minute)
		t.settle(t.claimOne("r"), 0)
		t.advance(time.Minute)
		t.wantClaimed(0, "r")
	}},
	{"who started settles with fence 1", func(t *trial) {
		alice, m := newPerson("alice"), newMessage("r")
		o := t.queue(alice.challenge("g", "1"), m)
		t.settle(otp.Lease{Envelope: *m, Handle: alice.handle, Fence: 1, Expires: o.Now.Add(m.Lifetime)}, 0)
		t.advance(time.Minute)
		t.wantClaimed(0, "r")
	}},
	{"settled for later, a message is due then", func(t *trial) {
		t.queued("alice", newMessage("r"))
		t.advance(time.Minute)
		l := t.claimOne("r")
		t.settle(l, 2*time.Minute)
		t.advance(2*time.Minute - margin)
		t.wantClaimed(0, "r")
		t.advance(2 * margin)
		if again := t.claimOne("r"); again.ID != l.ID || again.Fence != l.Fence+1 {
			t.Fatalf("the message has fence %d, want %d", again.Fence, l.Fence+1)
		}
	}},
	{"settled for later, a message is due before its lease would have ended", func(t *trial) {
		t.queued("alice", newMessage("r"))
		t.advance(time.Minute)
		t.settle(t.claimOne("r"), time.Millisecond)
		t.advance(time.Second)
		t.wantClaimed(1, "r")
	}},
	{"a stale fence settles nothing", func(t *trial) {
		t.queued("alice", newMessage("r"))
		t.advance(time.Minute)
		stale := t.claimOne("r")
		t.advance(claimLease + margin)
		held := t.claimOne("r")
		t.settle(stale, 0)
		t.settle(stale, time.Millisecond)
		t.advance(time.Second)
		t.wantClaimed(0, "r")
		t.advance(claimLease)
		if l := t.claimOne("r"); l.Fence != held.Fence+1 {
			t.Fatalf("fence is %d, want %d", l.Fence, held.Fence+1)
		}
	}},
	{"settling what is gone does nothing", func(t *trial) {
		t.queued("alice", newMessage("r"))
		t.advance(time.Minute)
		l := t.claimOne("r")
		t.settle(l, 0)
		t.settle(l, 0)
		t.settle(l, time.Millisecond)
		t.advance(time.Minute)
		t.wantClaimed(0, "r")
	}},
	{"many are settled at once, each as it is to be", func(t *trial) {
		for i := range 40 { // in all of the shards
			t.queued(fmt.Sprint("p", i), newMessage("r"+fmt.Sprint(i%3)))
		}
		t.advance(time.Minute)
		leases := t.claim("r0", "r1", "r2")
		if len(leases) != 40 {
			t.Fatalf("claimed %d messages, want 40", len(leases))
		}
		ends := make([]otp.Settlement, len(leases))
		later := make(map[string]bool)
		for i, l := range leases {
			ends[i].Lease = l
			switch i % 4 {
			case 0:
				ends[i].Again = 2 * time.Second
				later[l.ID] = true
			case 1:
				ends[i].Fence-- // another's lease: nothing happens
			}
		}
		for range 2 { // a second time does no harm
			if err := t.store.Settle(t.Context(), ends...); err != nil {
				t.Fatalf("settle: %v", err)
			}
		}
		t.advance(2*time.Second + margin)
		for _, l := range t.claim("r0", "r1", "r2") {
			if !later[l.ID] {
				t.Fatalf("message %s is due", l.ID)
			}
			delete(later, l.ID)
		}
		if len(later) != 0 {
			t.Fatalf("%d messages aren't due", len(later))
		}
		t.advance(claimLease + margin)
		t.wantClaimed(20, "r0", "r1", "r2")
	}},
	{"settling none does nothing", func(t *trial) {
		if err := t.store.Settle(t.Context()); err != nil {
			t.Fatalf("settle: %v", err)
		}
	}},
	{"only the realms asked for are claimed", func(t *trial) {
		for _, realm := range []string{"a", "ab", "b", "a/b", "a:b", "", "c.example.com:8080"} {
			t.queued("alice "+realm, newMessage(realm))
		}
		t.advance(time.Minute)
		t.wantClaimed(0)
		t.wantClaimed(0, "x")
		for _, realms := range [][]string{{"a"}, {"x", "b"}, {"a/b"}, {""}} {
			for _, l := range t.claim(realms...) {
				if l.Realm != realms[len(realms)-1] {
					t.Fatalf("claimed a message of realm %q, asked for %q", l.Realm, realms)
				}
			}
		}
		t.wantClaimed(3, "a", "ab", "b", "a:b", "c.example.com:8080")
	}},
	{"messages of unknown realms don't starve others", func(t *trial) {
		for i := range 300 {
			t.queued(fmt.Sprint("x", i), newMessage("unknown"))
		}
		t.queued("alice", newMessage("r"))
		t.advance(time.Minute)
		leases, err := t.store.Claim(t.Context(), []string{"r"}, 1, claimLease)
		if err != nil || len(leases) != 1 {
			t.Fatalf("claimed %d messages (%v), want 1", len(leases), err)
		}
	}},
	{"no more than the limit are claimed, and the rest later", func(t *trial) {
		for i := range 25 {
			t.queued(fmt.Sprint("p", i), newMessage("r"+fmt.Sprint(i%3)))
		}
		t.advance(time.Minute)
		seen := make(map[string]bool)
		for _, want := range []int{10, 10, 5, 0} {
			leases, err := t.store.Claim(t.Context(), []string{"r0", "r1", "r2"}, 10, claimLease)
			if err != nil || len(leases) != want {
				t.Fatalf("claimed %d messages (%v), want %d", len(leases), err, want)
			}
			for _, l := range leases {
				seen[l.ID] = true
			}
		}
		if len(seen) != 25 {
			t.Fatalf("claimed %d different messages, want 25", len(seen))
		}
	}},
	{"a message is claimed by one node", func(t *trial) {
		for i := range 20 {
			t.queued(fmt.Sprint("p", i), newMessage("r"))
		}
		t.advance(time.Minute)
		var mu sync.Mutex
		claims := make(map[string]int)
		t.parallel(20, func(ctx context.Context) (otp.Outcome, error) {
			leases, err := t.store.Claim(ctx, []string{"r"}, 5, claimLease)
			mu.Lock()
			defer mu.Unlock()
			for _, l := range leases {
				claims[l.ID]++
			}
			return otp.Outcome{}, err
		})
		for _, l := range t.claim("r") { // what each of them left to the others
			claims[l.ID]++
		}
		for id, n := range claims {
			if n != 1 {
				t.Fatalf("message %s was claimed %d times", id, n)
			}
		}
		if len(claims) != 20 {
			t.Fatalf("%d messages were claimed, want 20", len(claims))
		}
	}},
	{"messages are kept past their lifetime, to be reported, and no longer", func(t *trial) {
		t.queued("alice", newMessage("r"))
		t.advance(lifetime + otp.Overdue - margin)
		t.wantClaimed(1, "r")
		t.queued("bob", newMessage("r"))
		t.advance(lifetime + otp.Overdue + margin)
		t.wantClaimed(0, "r")
	}},
	{"a handle may have several messages", func(t *trial) {
		for range 4 {
			t.queued("alice", newMessage("r"))
		}
		t.advance(time.Minute)
		t.wantClaimed(4, "r")
	}},
}

const claimLease = 20 * time.Second

// queued starts a challenge whose message goes into the outbox.
func (t *trial) queued(name string, m *otp.Envelope) {
	t.Helper()
	t.want(t.queue(newPerson(name).challenge("g", "1"), m), otp.Accepted)
}

func (t *trial) claim(realms ...string) []otp.Lease {
	t.Helper()
	leases, err := t.store.Claim(t.Context(), realms, 100, claimLease)
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	return leases
}

func (t *trial) claimOne(realm string) otp.Lease {
	t.Helper()
	leases := t.claim(realm)
	if len(leases) != 1 {
		t.Fatalf("claimed %d messages, want 1", len(leases))
	}
	return leases[0]
}

func (t *trial) wantClaimed(n int, realms ...string) {
	t.Helper()
	if leases := t.claim(realms...); len(leases) != n {
		t.Fatalf("claimed %d messages, want %d", len(leases), n)
	}
}

func (t *trial) settle(l otp.Lease, again time.Duration) {
	t.Helper()
	if err := t.store.Settle(t.Context(), otp.Settlement{Lease: l, Again: again}); err != nil {
		t.Fatalf("settle: %v", err)
	}
}
