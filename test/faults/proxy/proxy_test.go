// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// echoed runs an echo server behind a proxy and returns a connection to it.
func echoed(t *testing.T) (*Proxy, net.Conn) {
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
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	p := Start(t, listener.Addr().String())
	return p, dial(t, p)
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a text and returns how long its echo took.
func ask(conn net.Conn, text string, patience time.Duration) (time.Duration, error) {
	begin := time.Now()
	conn.SetDeadline(begin.Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		return 0, err
	}
	answer := make([]byte, len(text))
	_, err := io.ReadFull(conn, answer)
	if err == nil && string(answer) != text {
		err = errors.New("another text came back")
	}
	return time.Since(begin), err
}

const long = 10 * time.Second

func TestPassesOn(t *testing.T) {
	p, conn := echoed(t)
	for range 3 {
		if _, err := ask(conn, "hello", long); err != nil {
			t.Fatal(err)
		}
	}
	if p.Accepted() != 1 {
		t.Errorf("%d connections", p.Accepted())
	}
}

func TestLatency(t *testing.T) {
	p, conn := echoed(t)
	p.Set(Fault{Latency: 60 * time.Millisecond, Jitter: 10 * time.Millisecond})
	if d, err := ask(conn, "hello", long); err != nil || d < 100*time.Millisecond {
		t.Errorf("there and back took %v, %v", d, err)
	}
}

func TestBandwidth(t *testing.T) {
	p, conn := echoed(t)
	p.Set(Fault{Bandwidth: 10_000})
	if d, err := ask(conn, string(make([]byte, 2000)), long); err != nil || d < 200*time.Millisecond {
		t.Errorf("2000 bytes at 10 KB/s took %v, %v", d, err)
	}
}

func TestHold(t *testing.T) {
	p, conn := echoed(t)
	p.Set(Fault{Hold: true})
	if _, err := ask(conn, "held", 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while bytes are held: %v", err)
	}
	p.Set(Fault{})
	conn.SetDeadline(time.Now().Add(long))
	answer := make([]byte, 4)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "held" {
		t.Errorf("afterwards %q, %v arrive", answer, err)
	}
}

func TestReset(t *testing.T) {
	for name, hurt := range map[string]func(p *Proxy){
		"cut":   func(p *Proxy) { p.Cut() },
		"reset": func(p *Proxy) { p.Set(Fault{Reset: 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			p, conn := echoed(t)
			if _, err := ask(conn, "hello", long); err != nil {
				t.Fatal(err)
			}
			hurt(p)
			if _, err := ask(conn, "hello", long); !isReset(err) {
				t.Errorf("got %v, not a reset", err)
			}
			p.Set(Fault{})
			if _, err := ask(dial(t, p), "hello", long); err != nil {
				t.Errorf("a new connection: %v", err)
			}
		})
	}
}

func TestRefuse(t *testing.T) {
	p, _ := echoed(t)
	p.Set(Fault{Refuse: true})
	if _, err := ask(dial(t, p), "hello", long); !isReset(err) {
		t.Errorf("got %v, not a reset", err)
	}
}

// isReset reports whether the other end has reset the connection.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)
}
