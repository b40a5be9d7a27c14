// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Upstream is an app that answers with the very bytes that it received: a raw
// socket, so that no HTTP library tidies a header up before it is looked at.
type Upstream struct {
	// Addr is the host and port that it listens on.
	Addr string
}

// NewUpstream runs an app until the test ends. It answers `Upgrade: echo` by
// an echo, /stream with an event stream without an end, and /ticks with one
// that has an event every 100 ms.
func NewUpstream(t *testing.T) *Upstream {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go echo(conn)
		}
	}()
	return &Upstream{Addr: listener.Addr().String()}
}

// echo answers one request with its head and its body, and the trailers.
func echo(conn net.Conn) {
	defer conn.Close()
	var head strings.Builder
	reader := bufio.NewReader(conn)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		head.WriteString(line)
		if line == "\r\n" {
			break
		}
	}
	request, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head.String()), reader)))
	if err != nil {
		return
	}
	if request.Header.Get("Upgrade") == "echo" {
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(conn, reader)
		return
	}
	switch request.URL.Path {
	case "/stream":
		stream(conn)
		return
	case "/ticks":
		ticks(conn)
		return
	}
	body, _ := io.ReadAll(request.Body)
	var trailer strings.Builder
	_ = request.Trailer.Write(&trailer)
	answer := head.String() + string(body) + trailer.String()
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-App: yes\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(answer), answer)
}

// stream sends an event, and the next one only when the client has hung up or
// the first was read: it never ends by itself.
func stream(conn net.Conn) {
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: first\n\n")
	_, _ = io.Copy(io.Discard, conn)
}

// ticks sends an event over and over, until nobody reads it.
func ticks(conn net.Conn) {
	_, err := fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
	for ; err == nil; time.Sleep(100 * time.Millisecond) {
		_, err = fmt.Fprint(conn, "data: tick\n\n")
	}
}
