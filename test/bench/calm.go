// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// App traffic that is measured while something happens beside it.
const (
	calmConnections = 16
	calmRate        = 400 // requests in a second
	stormRate       = 400 // requests in a second
)

// disturbance is what may not be felt by app traffic.
type disturbance struct {
	name string
	site *caddySite
	// cookie is of somebody who is signed in at the site.
	cookie string
	// begin starts it, and returns what ends it.
	begin func(ctx context.Context) (end func() error, err error)
}

// calm prints the latency of signed-in app traffic before, during and after
// each disturbance.
func calm(ctx context.Context, s *stage, rounds int, phase time.Duration) error {
	all, err := disturbances(ctx, s)
	if err != nil {
		return err
	}
	fmt.Printf("%s; %d requests/s of signed-in app traffic; p99 in ms, median (min–max) of %d rounds of %s each\n\n", setting(s), calmRate, rounds, phase)
	fmt.Print("| beside it | before | during | after | errors |\n|---|---|---|---|---|\n")
	for _, d := range all {
		phases := make([][]float64, 3)
		errors := 0
		for range rounds {
			for i := range phases {
				m, err := d.phase(ctx, i, phase)
				if err != nil {
					return fmt.Errorf("%s: %w", d.name, err)
				}
				phases[i] = append(phases[i], p99Of(m)/float64(time.Millisecond))
				errors += m.Errors
			}
		}
		fmt.Printf("| %s | %s | %s | %s | %d |\n", d.name, spreadOf(phases[0]), spreadOf(phases[1]), spreadOf(phases[2]), errors)
	}
	return nil
}

// phase is one of three: before, during and after.
func (d disturbance) phase(ctx context.Context, which int, lasts time.Duration) (measurement, error) {
	end := func() error { return nil }
	if which == 1 {
		var err error
		if end, err = d.begin(ctx); err != nil {
			return measurement{}, err
		}
	}
	t := pageOf(d.site.host, "Cookie: "+d.cookie+"\r\n")
	t.addr = d.site.addr
	m := load{
		target: t, connections: calmConnections,
		last:    int64(calmRate * lasts.Seconds()),
		longest: 2*lasts + requestTimeout,
		every:   calmConnections * time.Second / calmRate,
	}.run(ctx)
	if m.Requests == 0 {
		return m, ctx.Err()
	}
	return m, end()
}

func disturbances(ctx context.Context, s *stage) ([]disturbance, error) {
	app := start(s, serveApp, "")
	redis := redisserver.Start(s)
	site := guarded(s, app.addr, "store redis "+redis.URL(), toFile)
	cookie, err := site.signInByPage("person@example.com")
	if err != nil {
		return nil, err
	}
	hung := hungRelay(s)
	return []disturbance{
		{name: "nothing", site: site, cookie: cookie, begin: func(context.Context) (func() error, error) {
			return func() error { return nil }, nil
		}},
		// What is due to the machine alone: it has the load on it, too.
		{name: "as many requests for pages", site: site, cookie: cookie, begin: func(ctx context.Context) (func() error, error) {
			pages := pageOf(site.host, "")
			pages.addr = site.addr
			return storm(ctx, pages), nil
		}},
		{name: "a storm of starts", site: site, cookie: cookie, begin: func(ctx context.Context) (func() error, error) {
			return storm(ctx, startsOf(site, http.StatusOK)), nil
		}},
		{name: "a hung Redis, and starts", site: site, cookie: cookie, begin: func(ctx context.Context) (func() error, error) {
			redis.Stop()
			end := storm(ctx, startsOf(site, http.StatusServiceUnavailable))
			return func() error {
				defer redis.Continue()
				return end()
			}, nil
		}},
		{name: "a reload", site: site, cookie: cookie, begin: func(context.Context) (func() error, error) {
			done := make(chan error, 1)
			go func() { done <- site.reload(toFile) }()
			return func() error { return <-done }, nil
		}},
		{name: "a hung relay, and starts", site: site, cookie: cookie, begin: func(ctx context.Context) (func() error, error) {
			if err := site.reload("smtp " + hung + " {\n\t\t\tfrom login@example.com\n\t\t\ttls opportunistic\n\t\t}"); err != nil {
				return nil, err
			}
			end := storm(ctx, startsOf(site, http.StatusOK))
			return func() error {
				if err := end(); err != nil {
					return err
				}
				return site.reload(toFile)
			}, nil
		}},
	}, nil
}

// startsOf are starts that are answered with a status.
func startsOf(c *caddySite, status int) target {
	return target{addr: c.addr, status: status, append: func(buffer []byte, n int64) []byte {
		return appendRequest(buffer, http.MethodPost, startPath, c.host, jsonType, startBody(startAddress(n)))
	}}
}

// storm sends requests until it is ended. An answer other than the expected one
// is an error, but for the first: what hangs isn't known at once.
func storm(ctx context.Context, t target) (end func() error) {
	ctx, cancel := context.WithCancel(ctx)
	first := takeNumbers()
	result := make(chan measurement, 1)
	go func() {
		result <- load{
			target: t, connections: 32, first: first, last: first + numbersOfJob,
			longest: time.Minute, every: 32 * time.Second / stormRate,
		}.run(ctx)
	}()
	return func() error {
		cancel()
		m := <-result
		if m.Errors*10 > m.Requests {
			return fmt.Errorf("%d of %d requests weren't answered with %d, as by: %s", m.Errors, m.Requests, t.status, m.Example)
		}
		return nil
	}
}

// hungRelay accepts connections and says nothing.
func hungRelay(s *stage) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.Cleanup(func() { conn.Close() })
		}
	}()
	s.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}
