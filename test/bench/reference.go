// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/test/child"
	"github.com/caddy-otp/caddy-otp/test/freeport"
)

// The servers that ours is held against run as processes of this program, so
// that each one's CPU time is its own.
const (
	serveApp             = "app"
	serveReference       = "reference"
	serveReferenceInside = "reference in Caddy"
)

// serve runs such a server until its end.
func serve(what, addr, redis string) error {
	var handler http.Handler
	switch what {
	case serveApp:
		handler = http.HandlerFunc(app)
	case serveReference:
		options, err := goredis.ParseURL(redis)
		if err != nil {
			return err
		}
		handler = reference{goredis.NewClient(options)}
	case serveReferenceInside:
		return serveCaddyReference(addr, redis)
	default:
		return fmt.Errorf("nothing is called %q", what)
	}
	server := http.Server{Addr: addr, Handler: handler, ReadHeaderTimeout: requestTimeout}
	return server.ListenAndServe()
}

// app is what stands behind a proxy: a page of 1 KiB.
func app(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1024")
	io.WriteString(w, page)
}

var page = strings.Repeat("0123456789abcde\n", 1024/16)

// reference is the least that an API with a store in Redis does: it reads a
// small body, makes one EVALSHA that writes a key with a TTL, and answers with
// a small JSON object.
type reference struct {
	client *goredis.Client
}

var referenceScript = goredis.NewScript(`
local seen = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', 600000)
return seen and 1 or 0`)

const maxReferenceBody = 8 << 10

func (s reference) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxReferenceBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := "reference:" + string(body)
	if err := referenceScript.Run(r.Context(), s.client, []string{key}, body).Err(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"message":"a code was sent"}`)
}

// process is a running server.
type process struct {
	addr string
	pid  int
	// admin is a Caddy's admin endpoint.
	admin string
}

// start runs this program as a server on a free port and waits until it
// answers.
func start(s *stage, what, redis string) process {
	program, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	addr := freeport.Addr(s)
	command := exec.Command(program, "-serve", what, "-addr", addr, "-redis", redis)
	command.Stderr = os.Stderr
	dir := s.TempDir() // a Caddy keeps things at home
	command.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	command.SysProcAttr = child.DieWithParent()
	if err := command.Start(); err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	awaitListener(s, addr)
	return process{addr: addr, pid: command.Process.Pid}
}

func awaitListener(s *stage, addr string) {
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			conn.Close()
			return
		}
		if ctx.Err() != nil {
			s.Fatalf("nothing listens on %s: %v", addr, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
