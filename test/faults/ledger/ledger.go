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
	"strings"
	"sync"
	"time"
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

	mu       sync.Mutex
	people   map[string]*person
	messages map[string]*message // by id
}

// person is what was seen of an address.
type person struct {
	starts   [Unknown + 1]int
	started  time.Time       // when a start was last answered
	messages map[string]bool // by id
	codes    map[string]*code
	guesses  int       // wrong ones that were judged
	guessed  time.Time // the first of them
	doubtful int       // wrong ones without an answer
	dead     bool
}

// code is what was seen of one code that was delivered.
type code struct {
	sessions map[string]bool
	opened   time.Time // the first of them
	doubtful int       // right guesses without an answer
	refusals int       // right guesses that were called wrong
	gone     bool
}

// message is what was seen of a message.
type message struct {
	times int
	first time.Time
}

// New returns a ledger of a service whose codes die of so many wrong guesses.
func New(attempts int) *Ledger {
	return &Ledger{attempts: attempts, people: make(map[string]*person), messages: make(map[string]*message)}
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
	p := l.of(address)
	p.starts[r]++
	p.started = time.Now()
}

// Delivered notes a message that arrived.
func (l *Ledger) Delivered(id, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.messages[id]
	if m == nil {
		m = &message{first: time.Now()}
		l.messages[id] = m
	}
	m.times++
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
		if len(c.sessions) == 0 {
			c.opened = time.Now()
		}
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
		if p.guesses++; p.guesses == 1 {
			p.guessed = time.Now()
		}
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
	l.of(address).code(text).gone = true
}

// Finding is something that is lost or doubled.
type Finding struct {
	// What is of what kind, and Name whose: an address, or a message's id.
	What, Name string
	// At is when it was promised, or done for the first time.
	At time.Time
}

// The kinds of findings.
const (
	// Message is one that was promised and didn't arrive, or that arrived
	// twice or without being asked for.
	Message = "message"
	// Code is a right one that nothing had used and that was refused.
	Code = "code"
	// Session is one that was opened and isn't there, or the second of a code.
	Session = "session"
	// Guess is one of more than a code dies of, or one that killed a code too
	// early.
	Guess = "guess"
)

// Report is the sum of a ledger.
type Report struct {
	// Starts, Messages, Sessions and Guesses are how many starts were
	// answered, messages arrived, sessions opened and wrong guesses judged.
	Starts, Messages, Sessions, Guesses int
	// Unanswered are the requests of unknown effect.
	Unanswered int
	// Lost was promised and isn't there; Doubled is there once too often.
	Lost, Doubled []Finding
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
		if m := l.messages[id]; m.times > 1 {
			r.double(Message, id, m.first)
		}
	}
	return r
}

func (r *Report) lose(what, name string, at time.Time) {
	r.Lost = append(r.Lost, Finding{what, name, at})
}

func (r *Report) double(what, name string, at time.Time) {
	r.Doubled = append(r.Doubled, Finding{what, name, at})
}

func (r *Report) add(address string, p *person, attempts int) {
	r.Starts += p.starts[Done]
	r.Messages += len(p.messages)
	r.Guesses += p.guesses
	r.Unanswered += p.starts[Unknown] + p.doubtful
	for range p.starts[Done] - len(p.messages) {
		r.lose(Message, address, p.started)
	}
	if len(p.messages) > p.starts[Done]+p.starts[Unknown] {
		r.double(Message, address, p.started)
	}
	for _, c := range p.codes {
		r.Sessions += len(c.sessions)
		r.Unanswered += c.doubtful
		if len(c.sessions) > 1 {
			r.double(Session, address, c.opened)
		}
		if c.refusals > 0 && c.doubtful == 0 && len(c.sessions) == 0 && p.guesses+p.doubtful < attempts {
			r.lose(Code, address, p.started)
		}
		if c.gone {
			r.lose(Session, address, c.opened)
		}
	}
	if p.guesses > attempts && len(p.messages) <= 1 {
		r.lose(Guess, address, p.guessed)
	}
	if p.dead && p.guesses+p.doubtful < attempts {
		r.double(Guess, address, p.guessed)
	}
}

// mostNamed is how many findings are named.
const mostNamed = 20

// String is one line, and one for each finding.
func (r Report) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d starts answered, %d messages, %d sessions, %d wrong guesses judged, %d of unknown effect: lost %d, doubled %d",
		r.Starts, r.Messages, r.Sessions, r.Guesses, r.Unanswered, len(r.Lost), len(r.Doubled))
	for kind, findings := range map[string][]Finding{"lost": r.Lost, "doubled": r.Doubled} {
		for _, f := range findings[:min(len(findings), mostNamed)] {
			fmt.Fprintf(&text, "\n\t%s: %s of %s, %s", kind, f.What, f.Name, f.At.Format(time.StampMilli))
		}
	}
	return text.String()
}
