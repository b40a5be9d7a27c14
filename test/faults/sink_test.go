// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/faults/ledger"
)

// sink is an HTTP provider that takes every message, tells the ledger, and
// hands the codes to those who wait for them.
type sink struct {
	url    string
	ledger *ledger.Ledger

	mu    sync.Mutex
	boxes map[string]*mailbox
	count int
}

// mailbox are the codes that arrived for an address.
type mailbox struct {
	codes []string
	news  chan struct{} // closed when a code arrives
}

func newSink(t testing.TB, l *ledger.Ledger) *sink {
	t.Helper()
	s := &sink{ledger: l, boxes: make(map[string]*mailbox)}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct{ To, Code string }
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.Context().Err() != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	s.ledger.Delivered(r.Header.Get("Idempotency-Key"), m.To)
	s.mu.Lock()
	box := s.box(m.To)
	box.codes = append(box.codes, m.Code)
	close(box.news)
	box.news = make(chan struct{})
	s.count++
	s.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func (s *sink) box(address string) *mailbox {
	box := s.boxes[address]
	if box == nil {
		box = &mailbox{news: make(chan struct{})}
		s.boxes[address] = box
	}
	return box
}

// code waits for the nth code (from 1) of an address and returns it, or ""
// where ctx ends before.
func (s *sink) code(ctx context.Context, address string, nth int) string {
	for {
		s.mu.Lock()
		box := s.box(address)
		codes, news := box.codes, box.news
		s.mu.Unlock()
		if len(codes) >= nth {
			return codes[nth-1]
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ""
		}
	}
}

// taken is how many messages arrived.
func (s *sink) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}
