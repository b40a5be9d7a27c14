// SPDX-License-Identifier: Apache-2.0

// Package redisserver runs real redis-servers for a test, one by itself, a
// primary that Sentinels watch over, or a Cluster: the one on PATH, or one
// fetched without root from the distribution's own packages. Every server
// is alone on a free port of 127.0.0.1 with a folder of its own, and is gone
// when its test ends. Callers skip it under -short.
package redisserver

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/child"
	"github.com/caddy-otp/caddy-otp/test/freeport"
)

// startTimeout bounds how long a server may take until it answers: a small
// machine that compiles beside it needs its time.
const startTimeout = time.Minute

// Server is a running redis-server.
type Server struct {
	// Addr is the host and port that it listens on.
	Addr string

	t      testing.TB
	binary binary
	dir    string
	args   []string
	// sentinel is the configuration to begin with where it is a Sentinel,
	// which keeps what it learns in that file.
	sentinel string
	process  *exec.Cmd
	exited   chan struct{}
	stopped  bool
	output   *bytes.Buffer
}

// Start starts a server with further arguments ("--maxmemory", "5mb") and
// waits until it answers. It keeps nothing on disk unless the arguments say
// so. Where there is no redis-server and none can be fetched, the test fails
// with one line that says what to install.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return launch(t, func(s *Server) error {
		s.args = args
		return nil
	})
}

// launch starts a server that prepare completes; its Addr and folder are
// chosen by then.
func launch(t testing.TB, prepare func(*Server) error) *Server {
	t.Helper()
	found, err := locate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, binary: found, dir: t.TempDir()}
	t.Cleanup(s.Kill)
	// What isn't a test may take the port between its choice and its use.
	for range 3 {
		s.Addr = freeport.Addr(t)
		if err = prepare(s); err != nil {
			t.Fatal(err)
		}
		if err = s.run(); err == nil {
			return s
		}
	}
	t.Fatal(err)
	return nil
}

// URL returns the server's address as a redis:// URL.
func (s *Server) URL() string { return "redis://" + s.Addr }

// Kill ends the server as kill -9 does and waits until it is gone.
func (s *Server) Kill() {
	if s.process != nil {
		s.process.Process.Kill()
		<-s.exited
	}
}

// running reports whether the server's process is there and wasn't stopped.
func (s *Server) running() bool {
	if s.process == nil || s.stopped {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// Stop freezes the server: its connections stay open and nothing answers.
func (s *Server) Stop() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	s.stopped = true
}

// Continue ends what Stop began.
func (s *Server) Continue() {
	s.t.Helper()
	s.signal(syscall.SIGCONT)
	s.stopped = false
}

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// Restart kills the server and starts it anew on the same port, in the same
// folder and with the same arguments. Meanwhile somebody's connection may have
// the port at its own end: then it waits until that is over.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	err := s.run()
	for deadline := time.Now().Add(startTimeout); err != nil && time.Now().Before(deadline); err = s.run() {
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) port() string {
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		s.t.Fatal(err)
	}
	return port
}

func (s *Server) run() error {
	args := append([]string{
		"--bind", "127.0.0.1", "--port", s.port(), "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no",
	}, s.args...)
	if s.sentinel != "" {
		args = []string{s.sentinel, "--sentinel"}
	}
	s.output, s.stopped = new(bytes.Buffer), false
	s.process = exec.Command(s.binary.path, args...)
	s.process.Env = s.binary.environment()
	s.process.Stdout, s.process.Stderr = s.output, s.output
	s.process.SysProcAttr = child.DieWithParent()
	if err := s.process.Start(); err != nil {
		s.process = nil
		return err
	}
	s.exited = make(chan struct{})
	go func(process *exec.Cmd, exited chan struct{}) {
		process.Wait() // the exit code of a killed server says nothing
		close(exited)
	}(s.process, s.exited)
	return s.awaitAnswer()
}

func (s *Server) awaitAnswer() error {
	deadline := time.After(startTimeout)
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !answers(s.Addr) {
		select {
		case <-s.exited:
			return fmt.Errorf("redis-server ended at once: %s", lastLine(s.output.String()))
		case <-deadline:
			s.Kill()
			return errors.New("redis-server doesn't answer")
		case <-ticker.C:
		}
	}
	return nil
}

// answers reports whether a server is up: it says PONG, or asks for a
// password.
func answers(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	reply := make([]byte, 64)
	n, err := conn.Read(reply)
	if err != nil {
		return false
	}
	text := string(reply[:n])
	return strings.HasPrefix(text, "+PONG") || strings.HasPrefix(text, "-NOAUTH")
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// binary is an executable and the folders of the libraries that came with it.
type binary struct {
	path      string
	libraries []string
}

// environment is this process's own, and where the libraries are.
func (b binary) environment() []string {
	if len(b.libraries) == 0 {
		return os.Environ()
	}
	return append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(b.libraries, ":"))
}
