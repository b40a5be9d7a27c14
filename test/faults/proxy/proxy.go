// SPDX-License-Identifier: Apache-2.0

// Package proxy is a TCP proxy that hurts what goes through it, for tests of
// what happens when a network or a server fails.
package proxy

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Fault is what a proxy does to its connections, in both directions. The zero
// Fault does nothing.
type Fault struct {
	// Latency, and up to Jitter more or less, passes before a byte goes on.
	Latency, Jitter time.Duration
	// Bandwidth is how many bytes go on in a second, on each connection and in
	// each direction; 0: any.
	Bandwidth int
	// Hold lets no byte through. They go on when it ends, as after a time in
	// which a network dropped all packets; connections open as before.
	Hold bool
	// Refuse resets connections as soon as they are open.
	Refuse bool
	// Reset is the share of pieces at which their connection is reset, 0 to 1.
	Reset float64
}

// Proxy passes connections on to a server.
type Proxy struct {
	// Addr is the host and port that it listens on.
	Addr string

	target   string
	listener net.Listener
	fault    atomic.Pointer[state]
	accepted atomic.Int64

	mu     sync.Mutex
	conns  map[*net.TCPConn]struct{}
	closed bool
}

// state is a fault and what ends when it does.
type state struct {
	Fault
	over chan struct{}
}

// Start runs a proxy to the server at a host and port, until the test ends.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		Addr:     listener.Addr().String(),
		target:   target,
		listener: listener,
		conns:    make(map[*net.TCPConn]struct{}),
	}
	p.fault.Store(&state{over: make(chan struct{})})
	go p.accept()
	t.Cleanup(p.close)
	return p
}

// Set replaces the fault, also on open connections.
func (p *Proxy) Set(f Fault) {
	before := p.fault.Swap(&state{Fault: f, over: make(chan struct{})})
	close(before.over)
}

// Cut resets all open connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		reset(conn)
	}
}

// Accepted is how many connections were opened so far.
func (p *Proxy) Accepted() int64 { return p.accepted.Load() }

func (p *Proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Cut()
	p.Set(Fault{}) // ends what is held
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.accepted.Add(1)
		go p.serve(conn.(*net.TCPConn))
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	defer client.Close()
	if p.fault.Load().Refuse {
		reset(client)
		return
	}
	dialled, err := net.DialTimeout("tcp", p.target, time.Second)
	if err != nil {
		reset(client) // as a port that nobody listens on
		return
	}
	server := dialled.(*net.TCPConn)
	defer server.Close()
	if !p.track(client, server) {
		return
	}
	defer p.forget(client, server)
	var both sync.WaitGroup
	both.Go(func() { p.pump(server, client) })
	both.Go(func() { p.pump(client, server) })
	both.Wait()
}

func (p *Proxy) track(conns ...*net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		p.conns[conn] = struct{}{}
	}
	return !p.closed
}

func (p *Proxy) forget(conns ...*net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		delete(p.conns, conn)
	}
}

// piece is bytes that arrived together and when they may go on.
type piece struct {
	bytes []byte
	due   time.Time
}

// onTheWay bounds how many pieces a direction of a connection holds.
const onTheWay = 256

// pump passes bytes on in one direction. Pieces wait side by side, so that a
// latency limits no bandwidth.
func (p *Proxy) pump(to, from *net.TCPConn) {
	pieces := make(chan piece, onTheWay)
	var delivering sync.WaitGroup
	delivering.Go(func() { p.deliver(to, from, pieces) })
	defer delivering.Wait()
	defer close(pieces)
	var last time.Time
	for {
		buffer := make([]byte, 16<<10)
		n, err := from.Read(buffer)
		if n > 0 {
			fault := p.fault.Load()
			due := time.Now().Add(fault.Latency)
			if fault.Jitter > 0 {
				due = due.Add(rand.N(2*fault.Jitter) - fault.Jitter)
			}
			if due.Before(last) {
				due = last // bytes keep their order
			}
			last = due
			pieces <- piece{buffer[:n], due}
		}
		if err != nil {
			return
		}
	}
}

// deliver writes pieces when they are due and the fault lets them.
func (p *Proxy) deliver(to, from *net.TCPConn, pieces <-chan piece) {
	dead := false
	for next := range pieces {
		if dead {
			continue
		}
		time.Sleep(time.Until(next.due))
		fault := p.fault.Load()
		for fault.Hold {
			<-fault.over
			fault = p.fault.Load()
		}
		if fault.Reset > 0 && rand.Float64() < fault.Reset {
			reset(to)
			reset(from)
			dead = true
			continue
		}
		if p.write(to, next.bytes, fault) != nil {
			reset(from)
			dead = true
		}
	}
	if !dead {
		to.CloseWrite()
	}
}

// write writes as fast as the fault's bandwidth allows, until it ends.
func (p *Proxy) write(to io.Writer, bytes []byte, fault *state) error {
	const slice = 50 * time.Millisecond
	for len(bytes) > 0 {
		n := len(bytes)
		if fault.Bandwidth > 0 {
			n = min(n, max(1, int(float64(fault.Bandwidth)*slice.Seconds())))
			select {
			case <-fault.over:
				fault = p.fault.Load()
			case <-time.After(time.Duration(n) * time.Second / time.Duration(fault.Bandwidth)):
			}
		}
		if _, err := to.Write(bytes[:n]); err != nil {
			return err
		}
		bytes = bytes[n:]
	}
	return nil
}

// reset closes a connection so that its other end gets a RST.
func reset(conn *net.TCPConn) {
	conn.SetLinger(0)
	conn.Close()
}
