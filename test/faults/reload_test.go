// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// caddyfile is a node's whole config.
func (r *rig) caddyfile(n *node) string {
	return fmt.Sprintf("{\n\tadmin %s\n\tpersist_config off\n\tauto_https off\n%s\n}\n%s", n.Admin(), r.global(), r.site(n))
}

// reload loads a node's config anew, as `caddy reload --force` does.
func (r *rig) reload(n *node) error {
	request, err := http.NewRequest(http.MethodPost, "http://"+n.Admin()+"/load", strings.NewReader(r.caddyfile(n)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Header.Set("Cache-Control", "must-revalidate")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("reload: %d %s", response.StatusCode, text)
	}
	return nil
}

// TestReloadsUnderLogins reloads a config that changes, over and over, while
// people log in (F-40): nobody notices, and nothing of old configs stays.
func TestReloadsUnderLogins(t *testing.T) {
	site.SkipShort(t)
	reloads, logins := either(10, 200), either(100, 5000)
	r := newRig(t, 1, standalone(redisserver.Start(t).URL()).lines(patient), spacious)
	n := r.nodes[0]
	configs := []string{r.options, r.options + "\n\t\tdefault_country DE\n\t\tcode {\n\t\t\tlifetime 5m\n\t\t}"}
	swap := func(i int) error {
		r.options = configs[i%2]
		return r.reload(n)
	}
	resets := new(atomic.Int64)
	// login lets so many people in, some at a time.
	var left atomic.Int64
	login := func(count int) {
		left.Store(int64(count))
		var people sync.WaitGroup
		for range 8 {
			people.Go(func() {
				for left.Add(-1) >= 0 {
					r.loginThrough(t, single, resets)
				}
			})
		}
		people.Wait()
	}
	const first = 60 // after these what is made once is there
	login(first)
	if err := swap(0); err != nil {
		t.Fatal(err)
	}
	goroutines, heap := n.goroutines(t), n.heap(t)

	left.Store(int64(logins))
	done := make(chan struct{})
	go func() {
		login(logins)
		close(done)
	}()
	begin, made := time.Now(), 1
	for ; made <= reloads; made++ {
		// Reloads are spread over the logins.
		for left.Load() > int64(logins-logins*(made-1)/reloads) {
			time.Sleep(time.Millisecond)
		}
		if err := swap(made); err != nil {
			t.Error(err)
		}
	}
	<-done
	took := time.Since(begin)
	r.settled(t)
	if err := swap(made); err != nil {
		t.Fatal(err)
	}

	within := func(now, before int) bool { return now <= before+before/10 }
	if !n.calms(t, func() bool { return within(n.goroutines(t), goroutines) }) {
		t.Errorf("%d goroutines, before it were %d", n.goroutines(t), goroutines)
	}
	if !n.calms(t, func() bool { return within(n.heap(t), heap) }) {
		t.Errorf("the heap has %d bytes, before it were %d", n.heap(t), heap)
	}
	report := r.reconciled()
	if report.Messages != first+logins {
		t.Errorf("%d people got %d messages", first+logins, report.Messages)
	}
	row(t, "F-40 %d reloads in %.1f s while %d logged in: %d connections reset by the kernel before they were accepted; goroutines %d, then %d; heap %d KiB, then %d KiB; %s",
		reloads, took.Seconds(), logins, resets.Load(), goroutines, n.goroutines(t), heap>>10, n.heap(t)>>10, report)
}

// loginThrough logs somebody in. Where the kernel doesn't hand connections over
// from a listener that closes to the one that replaces it, Caddy's reload
// resets those that it had not accepted yet: a client connects again.
func (r *rig) loginThrough(t *testing.T, client *http.Client, resets *atomic.Int64) {
	address := newAddress()
	again := func(ask func() answer) answer {
		for {
			a := ask()
			if a.status != 0 || !isReset(a.err) {
				return a
			}
			resets.Add(1)
		}
	}
	if a := again(func() answer { return r.startBy(client, r.nodes[0], address) }); a.status != http.StatusOK {
		t.Errorf("start: %s", a)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), delivery)
	defer cancel()
	code := r.sink.code(ctx, address, 1)
	if a := again(func() answer { return r.verifyBy(client, r.nodes[0], address, code) }); a.status != http.StatusOK {
		t.Errorf("verify: %s", a)
	}
}

// isReset reports whether the other end reset a connection.
func isReset(err error) bool { return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) }
