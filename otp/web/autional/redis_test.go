// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/store/redis"
)

// Answers of a server that is no Redis of ours, to every script that it gets.
const (
	nonsense = "*2\r\n$5\r\nhello\r\n:-1\r\n" // a list, but not what the script returns
	noRedis  = "HTTP/1.1 400 Bad Request\r\n\r\n"
)

// redisThatAnswers returns a store on a server that gives one answer to every
// script, and knows no other command.
func redisThatAnswers(t testing.TB, answer string) otp.Store {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveRedis(conn, answer)
		}
	}()
	return openRedis(t, listener.Addr().String())
}

// redisThatIsGone returns a store on a server that nobody runs.
func redisThatIsGone(t testing.TB) otp.Store {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	return openRedis(t, listener.Addr().String())
}

func openRedis(t testing.TB, address string) otp.Store {
	t.Helper()
	store, err := redis.Open("redis://"+address, redis.WithTimeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// serveRedis answers the commands of a connection until it ends.
func serveRedis(conn net.Conn, answer string) {
	defer conn.Close()
	commands := bufio.NewReader(conn)
	for {
		words, err := readCommand(commands)
		if err != nil {
			return
		}
		reply := "-ERR unknown command\r\n"
		if strings.HasPrefix(strings.ToUpper(words[0]), "EVAL") {
			reply = answer
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return
		}
	}
}

// readCommand reads an array of bulk strings (RESP2).
func readCommand(r *bufio.Reader) ([]string, error) {
	n, err := readLength(r, '*')
	if err != nil || n < 1 {
		return nil, fmt.Errorf("no command: %w", err)
	}
	words := make([]string, n)
	for i := range words {
		length, err := readLength(r, '$')
		if err != nil {
			return nil, err
		}
		word := make([]byte, length+len("\r\n"))
		if _, err := io.ReadFull(r, word); err != nil {
			return nil, err
		}
		words[i] = string(word[:length])
	}
	return words, nil
}

func readLength(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("line is %q", line)
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}
