// SPDX-License-Identifier: Apache-2.0

// Package caddyserver builds the project's Caddy and runs it for tests, as a
// process of its own with its own admin port and data folder.
package caddyserver

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/child"
	"github.com/caddy-otp/caddy-otp/test/freeport"
)

// startTimeout bounds how long Caddy may take until it serves: a small machine
// that compiles beside it needs its time.
const startTimeout = time.Minute

// Server is a running Caddy.
type Server struct {
	// Dir is the server's folder; relative paths in its config are below it.
	Dir string

	t       testing.TB
	binary  string
	admin   string
	process *exec.Cmd
	exited  chan struct{}
	log     output
}

// output collects what the server prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Command returns a caddy command, such as adapt or validate, in a folder.
func Command(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	return command
}

// Start runs Caddy with a Caddyfile and waits until it serves. global are
// lines for the global options; sites is the rest. It is killed when the test
// ends.
func Start(t testing.TB, global, sites string) *Server {
	t.Helper()
	s := &Server{Dir: t.TempDir(), t: t, admin: fmt.Sprintf("localhost:%d", freeport.Take(t))}
	s.write(global, sites)
	t.Cleanup(s.Kill)
	s.Run()
	return s
}

// StartFile runs Caddy with a whole Caddyfile, whose admin address is replaced
// by one of the server's own, and waits until it serves.
func StartFile(t testing.TB, caddyfile, admin string) *Server {
	t.Helper()
	s := &Server{Dir: t.TempDir(), t: t, admin: fmt.Sprintf("localhost:%d", freeport.Take(t))}
	s.writeText(strings.Replace(caddyfile, "admin "+admin, "admin "+s.admin, 1))
	t.Cleanup(s.Kill)
	s.Run()
	return s
}

// write makes the Caddyfile.
func (s *Server) write(global, sites string) {
	s.t.Helper()
	s.writeText(fmt.Sprintf("{\n\tadmin %s\n\tpersist_config off\n\tauto_https off\n\tstorage file_system storage\n%s\n}\n%s\n", s.admin, global, sites))
}

func (s *Server) writeText(text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, "Caddyfile"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Run starts the process, which must not be running, and waits until it
// serves.
func (s *Server) Run() {
	s.t.Helper()
	s.process = Command(s.t, s.Dir, "run", "--config", "Caddyfile")
	s.process.Stdout, s.process.Stderr = &s.log, &s.log
	s.process.SysProcAttr = child.DieWithParent()
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.exited = make(chan struct{})
	go func() {
		_ = s.process.Wait()
		close(s.exited)
	}()
	s.await()
}

// await waits until the config is loaded: the admin endpoint is there before.
func (s *Server) await() {
	s.t.Helper()
	deadline := time.Now().Add(startTimeout)
	for {
		select {
		case <-s.exited:
			s.t.Fatalf("caddy ended:\n%s", s.Log())
		default:
		}
		answer, err := http.Get("http://" + s.admin + "/config/apps/http")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK && strings.Contains(s.Log(), "serving initial configuration") {
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("caddy does not serve:\n%s", s.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Reload loads another Caddyfile as `caddy reload` does, and returns its
// output where it failed.
func (s *Server) Reload(global, sites string) error {
	s.t.Helper()
	s.write(global, sites)
	output, err := Command(s.t, s.Dir, "reload", "--config", "Caddyfile", "--address", s.admin, "--force").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	return nil
}

// Kill ends the process as a power cut would.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the process in order.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(signal syscall.Signal) {
	if s.process == nil || s.process.Process == nil {
		return
	}
	_ = s.process.Process.Signal(signal)
	<-s.exited
}

// Admin returns the host and port of the admin endpoint.
func (s *Server) Admin() string { return s.admin }

// PID returns the number of the process.
func (s *Server) PID() int { return s.process.Process.Pid }

// Log returns all that the server has printed.
func (s *Server) Log() string { return s.log.String() }
