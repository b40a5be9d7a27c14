// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// stream is a request that goes on: a websocket, an event stream, a call.
type stream struct {
	name string
	// send is where the client writes lines that come back; nil: lines come by
	// themselves.
	send io.Writer
	// lines is how many have come.
	lines atomic.Int64
	// ended is closed when the client has learned of the end, at the time at.
	ended chan struct{}
	at    time.Time
}

// listen begins to read the stream's lines. hangUp is called at its end, and
// at the test's.
func (s *stream) listen(t *testing.T, lines io.Reader, hangUp func()) *stream {
	s.ended = make(chan struct{})
	go func() {
		reader := bufio.NewReader(lines)
		for {
			if _, err := reader.ReadString('\n'); err != nil {
				break
			}
			s.lines.Add(1)
		}
		s.at = time.Now()
		hangUp()
		close(s.ended)
	}()
	t.Cleanup(hangUp)
	return s
}

// hasEnded reports whether the client has learned of the stream's end.
func (s *stream) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// lives reports whether a line still arrives: an echo of one that is sent now,
// or the next of those that come by themselves.
func (s *stream) lives() bool {
	before := s.lines.Load()
	if s.send != nil {
		if _, err := io.WriteString(s.send, "ping\n"); err != nil {
			return false
		}
	}
	for deadline := time.Now().Add(recovery); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if s.lines.Load() > before {
			return true
		}
		if s.hasEnded() {
			return false
		}
	}
	return false
}

// endsWithin waits for the stream's end, and returns how long after a time it
// came, and whether within a limit, whenever it is asked.
func (s *stream) endsWithin(limit time.Duration, after time.Time) (time.Duration, bool) {
	select {
	case <-s.ended:
		took := s.at.Sub(after)
		return took, took <= limit
	case <-time.After(recovery):
		return time.Since(after), false
	}
}

// upgraded is a connection that the app has taken over, which echoes lines.
func upgraded(t *testing.T, r *site.Rig, header string) *stream {
	t.Helper()
	conn, answer, reader := dial(t, r, "GET /socket HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"+header)
	if answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("an upgrade gets %d", answer.StatusCode)
	}
	return (&stream{name: "websocket", send: conn}).listen(t, reader, func() { conn.Close() })
}

// events is an event stream.
func events(t *testing.T, r *site.Rig, header string) *stream {
	t.Helper()
	return unaskedEvents(t, r, "Accept: text/event-stream\r\n"+header)
}

// unaskedEvents is an event stream that the app answers with by itself.
func unaskedEvents(t *testing.T, r *site.Rig, header string) *stream {
	t.Helper()
	conn, answer, _ := dial(t, r, "GET /ticks HTTP/1.1\r\n"+header)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("an event stream gets %d", answer.StatusCode)
	}
	return (&stream{name: "event stream"}).listen(t, answer.Body, func() { conn.Close() })
}

func dial(t *testing.T, r *site.Rig, head string) (net.Conn, *http.Response, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", r.Host())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(recovery)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "%sHost: %s\r\n\r\n", head, r.Host())
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	return conn, answer, reader
}

// http2Only speaks HTTP/2 without TLS.
func http2Only() *http.Protocols {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	return p
}

// call is a request over HTTP/2 whose body goes on, as that of a gRPC call with
// streams both ways does; or an event stream, where the headers say so.
func call(t *testing.T, r *site.Rig, name, method, path string, headers ...string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var body io.Reader
	s := &stream{name: name}
	if method == http.MethodPost {
		said, say := io.Pipe()
		body, s.send = said, say
	}
	request, err := http.NewRequestWithContext(ctx, method, r.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	transport := &http.Transport{Protocols: http2Only(), DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, r.Host())
	}}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 {
		t.Fatalf("%s gets %d by %s", name, answer.StatusCode, answer.Proto)
	}
	return s.listen(t, answer.Body, func() {
		cancel()
		answer.Body.Close()
		transport.CloseIdleConnections()
	})
}
