// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// stage stands in for a test where the rigs of tests start servers: it keeps
// what must be undone at the end. What a rig fails with is a panic of the
// stage's own, which [onStage] returns as an error.
type stage struct {
	testing.TB // nil: rigs use nothing else of it

	ctx context.Context

	mu       sync.Mutex
	cleanups []func()
}

// failure is what a stage panics with.
type failure struct{ text string }

// onStage runs something with a stage, and undoes afterwards what was built on
// it.
func onStage(ctx context.Context, run func(*stage) error) (err error) {
	s := &stage{ctx: ctx}
	defer func() {
		if reason := recover(); reason != nil {
			failed, ok := reason.(failure)
			if !ok {
				s.clear()
				panic(reason)
			}
			err = errors.New(failed.text)
		}
		s.clear()
	}()
	return run(s)
}

func (s *stage) clear() {
	s.mu.Lock()
	cleanups := s.cleanups
	s.cleanups = nil
	s.mu.Unlock()
	for _, cleanup := range slices.Backward(cleanups) {
		cleanup()
	}
}

func (s *stage) Helper() {}

func (s *stage) Context() context.Context { return s.ctx }

func (s *stage) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

func (s *stage) TempDir() string {
	dir, err := os.MkdirTemp("", "caddy-otp-bench-")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (s *stage) Fatal(args ...any) { panic(failure{fmt.Sprint(args...)}) }

func (s *stage) Fatalf(format string, args ...any) { panic(failure{fmt.Sprintf(format, args...)}) }
