// SPDX-License-Identifier: Apache-2.0

// Package ledger writes down what clients and a sink of messages saw of a
// service, and reconciles the two: what was promised and isn't there is lost,
// and what is there once too often is doubled. It knows nothing of the service
// but what came over the wire.
package ledger

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Result is what a client knows of a request's effect.
type Result int

// The results.
const (
	// Done was answered by a success.
	Done Result = iota
	// Refused was answered by a refusal that changed nothing.
	Refused
	// Unknown was answered by a server's error or not at all: it may have
	// happened or not.
	Unknown
)

// Ledger is what was seen. It is safe for concurrent use.
type Ledger struct {
	// attempts is the wrong guess that kills a code.
	attempts int

	mu     sync.Mutex
	people map[string]*person
	// messages are how often each message was delivered, by its id.
	messages map[string]int
}

// person is what was seen of an address.
type person struct {
	starts   [Unknown + 1]int
	messages map[string]bool // by id
	codes    map[string]*code
	guesses  int // wrong ones that were counted
	doubtful int // wrong ones without an answer
	dead     bool
}

// code is what was seen of one code that was delivered.
type code struct {
	sessions map[string]bool
	doubtful int // right guesses without an answer
	refusals int // right guesses that were called wrong
	revoked  bool
}

// New returns a ledger of a service whose codes die of so many wrong guesses.
func New(attempts int) *Ledger {
	return &Ledger{attempts: attempts, people: make(map[string]*person), messages: make(map[string]int)}
}

// of returns what was seen of an address.
func (l *Ledger) of(address string) *person {
	p := l.people[address]
	if p == nil {
		p = &person{messages: make(map[string]bool), codes: make(map[string]*code)}
		l.people[address] = p
	}
	return p
}

func (p *person) code(text string) *code {
	c := p.codes[text]
	if c == nil {
		c = &code{sessions: make(map[string]bool)}
		p.codes[text] = c
	}
	return c
}

// Started notes a start for an address.
func (l *Ledger) Started(address string, r Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(address).starts[r]++
}

// Delivered notes a message that arrived.
func (l *Ledger) Delivered(id, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages[id]++
	l.of(address).messages[id] = true
}

// Verified notes the answer to the right code of an address: the session that
// it opened where it is Done.
func (l *Ledger) Verified(address, text, session string, r Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(address).code(text)
	switch r {
	case Done:
		c.sessions[session] = true
	case Unknown:
		c.doubtful++
	case Refused:
		c.refusals++
	}
}

// Guessed notes the answer to a wrong code of an address: Done is a guess that
// was judged.
func (l *Ledger) Guessed(address string, r Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.of(address)
	switch r {
	case Done:
		p.guesses++
	case Unknown:
		p.doubtful++
	}
}

// Died notes that the code of an address was said to be dead of wrong
// guesses; all that were noted before were made at this one code.
func (l *Ledger) Died(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(address).dead = true
}

// Gone notes that a session that the code of an address opened isn't there.
func (l *Ledger) Gone(address, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(address).code(text).revoked = true
}

// Report is the sum of a ledger.
type Report struct {
	// Starts, Messages, Sessions and Guesses are how many starts were
	// answered, messages arrived, sessions opened and wrong guesses judged.
	Starts, Messages, Sessions, Guesses int
	// Unanswered are the starts and guesses of unknown effect.
	Unanswered int
	// LostMessages are the addresses of starts that were answered and whose
	// message isn't there; LostCodes of right codes that nothing had used and
	// that were refused; LostSessions of sessions that were opened and aren't
	// there; LostGuesses of codes at which more guesses were judged than they
	// die of.
	LostMessages, LostCodes, LostSessions, LostGuesses []string
	// DoubledMessages are the ids of messages that arrived twice, and addresses
	// that got more messages than were asked for; DoubledSessions are addresses
	// one code of which opened several sessions; DoubledGuesses are those one
	// code of which died of too few guesses.
	DoubledMessages, DoubledSessions, DoubledGuesses []string
}

// Reconcile sums up what was seen so far.
func (l *Ledger) Reconcile() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	var r Report
	for _, address := range slices.Sorted(maps.Keys(l.people)) {
		r.add(address, l.people[address], l.attempts)
	}
	for _, id := range slices.Sorted(maps.Keys(l.messages)) {
		if l.messages[id] > 1 {
			r.DoubledMessages = append(r.DoubledMessages, id)
		}
	}
	return r
}

func (r *Report) add(address string, p *person, attempts int) {
	r.Starts += p.starts[Done]
	r.Messages += len(p.messages)
	r.Guesses += p.guesses
	r.Unanswered += p.starts[Unknown] + p.doubtful
	for range p.starts[Done] - len(p.messages) {
		r.LostMessages = append(r.LostMessages, address)
	}
	if len(p.messages) > p.starts[Done]+p.starts[Unknown] {
		r.DoubledMessages = append(r.DoubledMessages, address)
	}
	for _, c := range p.codes {
		r.Sessions += len(c.sessions)
		r.Unanswered += c.doubtful
		if len(c.sessions) > 1 {
			r.DoubledSessions = append(r.DoubledSessions, address)
		}
		if c.refusals > 0 && c.doubtful == 0 && len(c.sessions) == 0 && p.guesses+p.doubtful < attempts {
			r.LostCodes = append(r.LostCodes, address)
		}
		if c.revoked {
			r.LostSessions = append(r.LostSessions, address)
		}
	}
	if p.guesses > attempts && len(p.messages) <= 1 {
		r.LostGuesses = append(r.LostGuesses, address)
	}
	if p.dead && p.guesses+p.doubtful < attempts {
		r.DoubledGuesses = append(r.DoubledGuesses, address)
	}
}

// Lost is how much of what was promised isn't there.
func (r Report) Lost() int {
	return len(r.LostMessages) + len(r.LostCodes) + len(r.LostSessions) + len(r.LostGuesses)
}

// Doubled is how much is there once too often.
func (r Report) Doubled() int {
	return len(r.DoubledMessages) + len(r.DoubledSessions) + len(r.DoubledGuesses)
}

// String is one line, and one for each kind of what is lost or doubled.
func (r Report) String() string {
	text := fmt.Sprintf("%d starts answered, %d messages, %d sessions, %d wrong guesses judged, %d of unknown effect: lost %d, doubled %d",
		r.Starts, r.Messages, r.Sessions, r.Guesses, r.Unanswered, r.Lost(), r.Doubled())
	for _, kind := range []struct {
		name  string
		which []string
	}{
		{"messages lost", r.LostMessages}, {"codes lost", r.LostCodes},
		{"sessions lost", r.LostSessions}, {"guesses lost", r.LostGuesses},
		{"messages doubled", r.DoubledMessages}, {"sessions doubled", r.DoubledSessions},
		{"guesses doubled", r.DoubledGuesses},
	} {
		if len(kind.which) > 0 {
			text += fmt.Sprintf("\n\t%s: %d: %v", kind.name, len(kind.which), kind.which[:min(len(kind.which), mostNamed)])
		}
	}
	return text
}

// mostNamed is how many of a kind are named.
const mostNamed = 10
