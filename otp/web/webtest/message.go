// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"context"
	"sync"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// outbox is the sender of a site: it keeps what is sent, once. A message may come
// again where a test moves the store's clock before it is settled.
type outbox struct {
	waiting chan otp.Message

	mu    sync.Mutex
	known map[string]bool // by the messages' IDs
	sent  map[string]int  // messages by address
	taken int64
}

func newOutbox() outbox {
	return outbox{waiting: make(chan otp.Message, 128), known: make(map[string]bool), sent: make(map[string]int)}
}

// Send implements [otp.Sender].
func (o *outbox) Send(_ context.Context, m otp.Message) error {
	o.mu.Lock()
	again := o.known[m.ID]
	if !again {
		o.known[m.ID] = true
		o.sent[m.To]++
	}
	o.mu.Unlock()
	if !again {
		o.waiting <- m
	}
	return nil
}

// Message waits for the next message.
func (s *Site) Message() otp.Message {
	s.Helper()
	select {
	case m := <-s.outbox.waiting:
		s.outbox.mu.Lock()
		defer s.outbox.mu.Unlock()
		s.outbox.taken++
		return m
	case <-time.After(30 * time.Second):
		s.Fatal("no message was sent")
		return otp.Message{}
	}
}

// Code waits for the next message and returns its code.
func (s *Site) Code() string {
	s.Helper()
	return s.Message().Code
}

// Pending returns how many messages are sent, or will be, besides those that
// were taken.
func (s *Site) Pending() int64 {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	return s.store.messages.Load() - s.outbox.taken
}

// NoMessage fails where there is a message that wasn't taken.
func (s *Site) NoMessage() {
	s.Helper()
	if n := s.Pending(); n != 0 {
		s.Fatalf("%d messages were sent", n)
	}
}

// Sent returns how many messages have gone to an address so far.
func (s *Site) Sent(to string) int {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	return s.outbox.sent[to]
}

// OtherCode returns a code that isn't this one, or another text that differs in
// its first character.
func OtherCode(code string) string {
	if code[0] == '9' {
		return "0" + code[1:]
	}
	return "9" + code[1:]
}
