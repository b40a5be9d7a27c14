// SPDX-License-Identifier: Apache-2.0

package redisserver

import (
	"context"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// commandTimeout bounds a command of the rigs' own.
const commandTimeout = 5 * time.Second

// Do runs a command on the server over a connection of its own, as the user
// "default" without a password.
func (s *Server) Do(args ...any) (any, error) {
	client := goredis.NewClient(&goredis.Options{
		Addr: s.Addr, Protocol: 2, MaxRetries: -1, DisableIdentity: true,
		DialTimeout: commandTimeout, ReadTimeout: commandTimeout, WriteTimeout: commandTimeout,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer client.Close()
	answer, err := client.Do(context.Background(), args...).Result()
	if err == goredis.Nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%v at %s: %w", args, s.Addr, err)
	}
	return answer, nil
}

// must is Do for a command that has to work.
func (s *Server) must(args ...any) any {
	s.t.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// info returns a section of the server's INFO, nil where it doesn't answer.
func (s *Server) info(section string) map[string]string {
	answer, err := s.Do("INFO", section)
	if err != nil {
		return nil
	}
	return fields(fmt.Sprint(answer))
}

// fields reads lines of the form "name:value".
func fields(text string) map[string]string {
	values := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			values[name] = value
		}
	}
	return values
}

// await waits until something holds, for as long as a loaded machine may need.
func (s *Server) await(what string, holds func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(readyTimeout)
	for !holds() {
		if time.Now().After(deadline) {
			s.t.Fatalf("redis-servers: waited %v for this: %s", readyTimeout, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// readyTimeout bounds how long several servers may take to find each other.
const readyTimeout = 60 * time.Second
