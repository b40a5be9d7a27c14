// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profile runs a job's own side for a while and writes where its CPU time went
// and what it allocated into a folder, in the form of go tool pprof.
func (j job) profile(ctx context.Context, admin, dir string, lasts time.Duration) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	j.ours.rate = 0
	for range 2 { // to learn the rate, and to be warm
		if _, err := j.ours.slice(ctx, j.connections, lasts/2); err != nil {
			return err
		}
	}
	name := strings.NewReplacer(" ", "-", ",", "").Replace(j.name)
	written := make(chan error, 1)
	var prepared func() // the profile begins when the requests are ready
	next := j.ours.next
	j.ours.next = func(first, count int64) (target, error) {
		t, err := next(first, count)
		prepared()
		return t, err
	}
	defer func() { j.ours.next = next }()
	prepared = func() {
		go func() {
			seconds := max(1, int(lasts.Seconds()))
			written <- fetchProfile(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", admin, seconds), filepath.Join(dir, name+".cpu"))
		}()
	}
	if _, err := j.ours.slice(ctx, j.connections, lasts); err != nil {
		return err
	}
	if err := <-written; err != nil {
		return err
	}
	return fetchProfile(ctx, "http://"+admin+"/debug/pprof/allocs", filepath.Join(dir, name+".allocs"))
}

func fetchProfile(ctx context.Context, url, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d: %s", url, answer.StatusCode, text)
	}
	return os.WriteFile(file, text, 0o644)
}
