// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// target is where requests go, and what they are.
type target struct {
	addr string
	// append appends the bytes of the nth request (from 0, over all rounds) to
	// a buffer.
	append func(buffer []byte, n int64) []byte
	// status is the answer that is no error.
	status int
	// answered is told each answer to a request that is no error; nil: nobody
	// is.
	answered func(n int64, c *client)
}

// requestTimeout bounds one request.
const requestTimeout = 10 * time.Second

// measurement is what a load came to.
type measurement struct {
	Requests int
	Errors   int
	// Took is the whole load's time, Latencies each request's, sorted.
	Took      time.Duration
	Latencies []time.Duration
	// CPU is what the server's process used.
	CPU time.Duration
	// Example is one of the errors.
	Example string
}

// rate returns the requests in a second.
func (m measurement) rate() float64 { return float64(m.Requests) / m.Took.Seconds() }

// percentile returns the latency that so many percent of the requests didn't
// exceed.
func (m measurement) percentile(p float64) time.Duration {
	if len(m.Latencies) == 0 {
		return 0
	}
	return m.Latencies[min(len(m.Latencies)-1, int(p/100*float64(len(m.Latencies))))]
}

// cpuPerRequest is the server's CPU time for a request.
func (m measurement) cpuPerRequest() time.Duration {
	return m.CPU / time.Duration(max(1, m.Requests))
}

// load is requests from first to last by number, over connections that each
// send the next when the last was answered, bounded by a time.
type load struct {
	target
	connections int
	first, last int64
	longest     time.Duration
	// every is how long after one request a connection sends its next, however
	// long the first takes: a latency counts from when its request was due. 0:
	// at once after the answer.
	every time.Duration
}

// run sends the load.
func (l load) run(ctx context.Context) measurement {
	ctx, cancel := context.WithTimeout(ctx, l.longest)
	defer cancel()
	var next atomic.Int64
	next.Store(l.first)
	parts := make([]measurement, l.connections)
	var running sync.WaitGroup
	begun := time.Now()
	for i := range parts {
		running.Go(func() {
			parts[i] = l.connection(ctx, func() (int64, bool) {
				n := next.Add(1) - 1
				return n, n < l.last && ctx.Err() == nil
			})
		})
	}
	running.Wait()
	all := measurement{Took: time.Since(begun)}
	for _, part := range parts {
		all.Requests += part.Requests
		all.Errors += part.Errors
		all.Latencies = append(all.Latencies, part.Latencies...)
		if part.Example != "" {
			all.Example = part.Example
		}
	}
	slices.Sort(all.Latencies)
	return all
}

// connection sends requests one after the other, on a new connection after an
// error.
func (l load) connection(ctx context.Context, next func() (int64, bool)) measurement {
	var m measurement
	var c *client
	var buffer []byte
	due := time.Now()
	for {
		n, more := next()
		if !more {
			break
		}
		buffer = l.append(buffer[:0], n)
		begun := time.Now()
		if l.every > 0 {
			time.Sleep(due.Sub(begun))
			begun, due = due, due.Add(l.every)
		}
		var status int
		var err error
		if c == nil {
			c, err = dial(ctx, l.addr)
		}
		if err == nil {
			used := c.used
			status, err = c.do(buffer)
			// A server may close a connection that is idle, as Caddy does at a
			// reload; what it didn't answer then may be sent again if it is safe.
			if used && errors.Is(err, errClosed) && bytes.HasPrefix(buffer, []byte(http.MethodGet)) {
				c.close()
				if c, err = dial(ctx, l.addr); err == nil {
					status, err = c.do(buffer)
				}
			}
		}
		m.Latencies = append(m.Latencies, time.Since(begun))
		m.Requests++
		if err == nil && status != l.status {
			err = fmt.Errorf("status %d: %s", status, c.body)
		}
		if err != nil {
			m.Errors++
			m.Example = err.Error()
			c = c.close()
		} else if l.answered != nil {
			l.answered(n, c)
		}
	}
	c.close()
	return m
}

// client is an HTTP/1.1 connection that costs little, so that what is measured
// is the server. It knows answers with a Content-Length and those that have no
// body.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
	// header and body are those of the last answer.
	header, body []byte
	// used says that it had an answer.
	used bool
}

// errClosed says that the server closed a connection instead of an answer.
var errClosed = errors.New("the connection was closed")

func dial(ctx context.Context, addr string) (*client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, reader: bufio.NewReader(conn)}, nil
}

func (c *client) close() *client {
	if c != nil {
		c.conn.Close()
	}
	return nil
}

// do sends the bytes of a request and reads the answer.
func (c *client) do(request []byte) (status int, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return 0, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, errors.Join(errClosed, err)
	}
	line, err := c.line()
	if err != nil {
		if err == io.EOF || errors.Is(err, syscall.ECONNRESET) {
			err = errors.Join(errClosed, err)
		}
		return 0, err
	}
	c.used = true
	if len(line) < len("HTTP/1.1 200") {
		return 0, errors.New("no HTTP answer")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length := -1
	c.header = c.header[:0]
	for {
		line, err := c.line()
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		c.header = append(append(c.header, line...), '\n')
		const name = "content-length:"
		if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			if length, err = strconv.Atoi(strings.TrimSpace(string(line[len(name):]))); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, fmt.Errorf("status %d without a Content-Length", status)
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	_, err = io.ReadFull(c.reader, c.body)
	return status, err
}

func (c *client) line() ([]byte, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return line[:max(0, len(line)-len("\r\n"))], nil
}

// cookies returns the cookies that the last answer sets, as a request has them.
func (c *client) cookies() string {
	var pairs []string
	for line := range strings.Lines(string(c.header)) {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Set-Cookie") {
			pair, _, _ := strings.Cut(strings.TrimSpace(value), ";")
			pairs = append(pairs, pair)
		}
	}
	return strings.Join(pairs, "; ")
}

// jsonType is the header line of JSON bodies, formType that of forms.
const (
	jsonType = "Content-Type: application/json\r\n"
	formType = "Content-Type: application/x-www-form-urlencoded\r\n"
)

// appendRequest appends a request with further header lines.
func appendRequest(buffer []byte, method, path, host, headers, body string) []byte {
	buffer = append(buffer, method...)
	buffer = append(buffer, ' ')
	buffer = append(buffer, path...)
	buffer = append(buffer, " HTTP/1.1\r\nHost: "...)
	buffer = append(buffer, host...)
	buffer = append(buffer, "\r\n"...)
	buffer = append(buffer, headers...)
	if body != "" {
		buffer = append(buffer, "Content-Length: "...)
		buffer = strconv.AppendInt(buffer, int64(len(body)), 10)
		buffer = append(buffer, "\r\n"...)
	}
	buffer = append(buffer, "\r\n"...)
	return append(buffer, body...)
}
