// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// lines are the connections to a server. After a failover those that are open
// may all lead to what was the primary; dropped, none of them is used again.
type lines struct {
	epoch atomic.Int64
}

// now names the present; see drop.
func (l *lines) now() int64 { return l.epoch.Load() }

// drop gives up the connections that were open at a time, once, however many
// find out that they lead nowhere. Commands under way on them go on.
func (l *lines) drop(then int64) { l.epoch.CompareAndSwap(then, then+1) }

// dialError is the error of a connection that wasn't made, so that nothing was
// sent.
type dialError struct{ error }

// Unwrap returns a list, since the driver takes off a layer that can be.
func (e dialError) Unwrap() []error { return []error{e.error} }

// keepAlive finds out about a dead peer of an idle connection within a minute.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3}

// dial makes a connection, as the driver asks for it.
type dial func(ctx context.Context, network, addr string) (net.Conn, error)

// plain returns what makes connections without TLS.
func plain(timeout time.Duration) *net.Dialer {
	return &net.Dialer{Timeout: timeout, KeepAliveConfig: keepAlive}
}

// dialer returns what makes connections as dial does. Where one can't be made,
// using it is what fails, with a dialError; direct makes the dial itself fail,
// which what listens to Sentinels needs, or it would dial without a pause.
func (l *lines) dialer(dial dial, direct bool) dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		epoch := l.now()
		conn, err := dial(ctx, network, addr)
		if err != nil {
			if direct {
				return nil, dialError{err}
			}
			return newUnmade(dialError{err}), nil
		}
		return &line{Conn: conn, lines: l, epoch: epoch}, nil
	}
}

// unmade is a connection that couldn't be made. The pool mustn't hear of that:
// after as many failures as it has connections it would dial only once a second,
// while it is for us to find out when a server is back.
type unmade struct {
	net.Conn
	err error
}

func newUnmade(err error) unmade {
	conn, _ := net.Pipe()
	return unmade{conn, err}
}

func (u unmade) Read([]byte) (int, error)  { return 0, u.err }
func (u unmade) Write([]byte) (int, error) { return 0, u.err }

// SyscallConn fails, so that the pool throws one away that it kept: whoever had
// asked for it had left before the dial came to an end.
func (u unmade) SyscallConn() (syscall.RawConn, error) { return nil, u.err }

// line is a connection that knows when it was made.
type line struct {
	net.Conn
	lines *lines
	epoch int64
}

var errDropped = errors.New("connection leads to a server that isn't the primary")

// SyscallConn is how the pool's health check looks at an idle connection
// before it is used; an error makes it take another.
func (l *line) SyscallConn() (syscall.RawConn, error) {
	if l.lines.now() != l.epoch {
		return nil, errDropped
	}
	conn := l.Conn
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		// Nothing comes over TLS unasked but that the server closes.
		conn = secured.NetConn()
	}
	if conn, ok := conn.(syscall.Conn); ok {
		return conn.SyscallConn()
	}
	return unseen{}, nil
}

// unseen is a connection that can't be looked at: the check finds nothing
// wrong.
type unseen struct{}

func (unseen) Control(func(fd uintptr)) error    { return nil }
func (unseen) Read(func(fd uintptr) bool) error  { return nil }
func (unseen) Write(func(fd uintptr) bool) error { return nil }
