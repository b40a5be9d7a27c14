// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// side is one of the two that a job compares.
type side struct {
	process
	name string
	// next has the side prepare so many requests, and returns what they are.
	// The numbers go on from round to round.
	next func(first, count int64) (target, error)
	// sent is how many requests were sent so far, and rate how many in a
	// second.
	sent int64
	rate float64
}

// fixed is a side whose requests need no preparation.
func fixed(p process, name string, t target) *side {
	t.addr = p.addr
	return &side{process: p, name: name, next: func(int64, int64) (target, error) { return t, nil }}
}

// job is a row of the table: ours against another.
type job struct {
	name, against string
	connections   int
	// goal is the ratio of the rates to reach, latencyGoal that of the p99 not
	// to exceed; zero: none.
	goal, latencyGoal float64
	ours, theirs      *side
}

// calibration is how many requests are sent to learn a side's rate, which
// warms it up too.
const calibration = 2000

// slice is one turn of a side: as many requests as it takes in about so long.
func (s *side) slice(ctx context.Context, connections int, lasts time.Duration) (measurement, error) {
	count := int64(calibration)
	if s.rate > 0 {
		count = max(int64(connections), int64(s.rate*lasts.Seconds()))
	}
	t, err := s.next(s.sent, count)
	if err != nil {
		return measurement{}, fmt.Errorf("%s: %w", s.name, err)
	}
	before, err := cpuTime(s.pid)
	if err != nil {
		return measurement{}, err
	}
	m := load{target: t, connections: connections, first: s.sent, last: s.sent + count, longest: 4*lasts + requestTimeout}.run(ctx)
	after, err := cpuTime(s.pid)
	if err != nil {
		return measurement{}, err
	}
	m.CPU = after - before
	s.sent += count
	s.rate = m.rate()
	if m.Errors > 0 {
		return m, fmt.Errorf("%s: %d of %d requests failed, as by: %s", s.name, m.Errors, m.Requests, m.Example)
	}
	return m, ctx.Err()
}

// comparison is what a job came to: one measurement of each side for each
// round.
type comparison struct {
	job
	Ours, Theirs []measurement
}

// run measures a job: rounds in which each side has a slice, the order turned
// around each time.
func (j job) run(ctx context.Context, rounds int, slice time.Duration) (comparison, error) {
	c := comparison{job: j}
	for _, s := range []*side{j.ours, j.theirs} {
		s.rate = 0
		if _, err := s.slice(ctx, j.connections, slice); err != nil {
			return c, err
		}
	}
	for round := range rounds {
		order := []*side{j.ours, j.theirs}
		if round%2 == 1 {
			order = []*side{j.theirs, j.ours}
		}
		for _, s := range order {
			m, err := s.slice(ctx, j.connections, slice)
			if err != nil {
				return c, err
			}
			if s == j.ours {
				c.Ours = append(c.Ours, m)
			} else {
				c.Theirs = append(c.Theirs, m)
			}
		}
	}
	return c, nil
}

// startsAt are starts of a site, each for a new address.
func startsAt(c *caddySite) func(first, count int64) (target, error) {
	return func(int64, int64) (target, error) {
		// What was delivered for earlier ones isn't wanted.
		return target{addr: c.addr, status: http.StatusOK, append: func(buffer []byte, n int64) []byte {
			return appendRequest(buffer, http.MethodPost, startPath, c.host, jsonType, startBody(startAddress(n)))
		}}, c.forgetMessages()
	}
}

func startAddress(n int64) string { return fmt.Sprintf("start%d@example.com", n) }

func verifyAddress(n int64) string { return fmt.Sprintf("verify%d@example.com", n) }

// verifiesAt are verifications with the right codes, which were asked for
// before.
func verifiesAt(ctx context.Context, c *caddySite, connections int) func(first, count int64) (target, error) {
	return func(first, count int64) (target, error) {
		if err := c.forgetMessages(); err != nil {
			return target{}, err
		}
		prepared := load{target: target{addr: c.addr, status: http.StatusOK, append: func(buffer []byte, n int64) []byte {
			return appendRequest(buffer, http.MethodPost, startPath, c.host, jsonType, startBody(verifyAddress(n)))
		}}, connections: connections, first: first, last: first + count, longest: time.Minute}.run(ctx)
		if prepared.Errors > 0 {
			return target{}, fmt.Errorf("%d starts failed, as by: %s", prepared.Errors, prepared.Example)
		}
		bodies := make([]string, count)
		for i := range bodies {
			address := verifyAddress(first + int64(i))
			code, err := c.code(address)
			if err != nil {
				return target{}, err
			}
			bodies[i] = verifyBody(address, code)
		}
		return target{addr: c.addr, status: http.StatusOK, append: func(buffer []byte, n int64) []byte {
			return appendRequest(buffer, http.MethodPost, verifyPath, c.host, jsonType, bodies[n-first])
		}}, nil
	}
}

// signInsAt are verifications on the site's pages, with the right codes: they
// open the session of a browser, which needs no signature.
func signInsAt(ctx context.Context, c *caddySite, connections int) func(first, count int64) (target, error) {
	headers := formType + "Origin: " + c.url() + "\r\nSec-Fetch-Site: same-origin\r\n"
	return func(first, count int64) (target, error) {
		if err := c.forgetMessages(); err != nil {
			return target{}, err
		}
		cookies := make([]string, count)
		prepared := load{target: target{addr: c.addr, status: http.StatusSeeOther, append: func(buffer []byte, n int64) []byte {
			return appendRequest(buffer, http.MethodPost, loginPath, c.host, headers, "address="+verifyAddress(n))
		}, answered: func(n int64, answer *client) { cookies[n-first] = answer.cookies() }}, connections: connections, first: first, last: first + count, longest: time.Minute}.run(ctx)
		if prepared.Errors > 0 {
			return target{}, fmt.Errorf("%d starts failed, as by: %s", prepared.Errors, prepared.Example)
		}
		codes := make([]string, count)
		for i := range codes {
			var err error
			if codes[i], err = c.code(verifyAddress(first + int64(i))); err != nil {
				return target{}, err
			}
		}
		return target{addr: c.addr, status: http.StatusSeeOther, append: func(buffer []byte, n int64) []byte {
			return appendRequest(buffer, http.MethodPost, confirmPath, c.host, headers+"Cookie: "+cookies[n-first]+"\r\n", "code="+codes[n-first])
		}}, nil
	}
}

// pageOf is a page of the app behind a site.
func pageOf(host, headers string) target {
	return target{status: http.StatusOK, append: func(buffer []byte, _ int64) []byte {
		return appendRequest(buffer, http.MethodGet, "/", host, headers, "")
	}}
}

// storesOf are requests of the reference handler, with bodies like a start's.
func storesOf(host string) target {
	return target{status: http.StatusOK, append: func(buffer []byte, n int64) []byte {
		return appendRequest(buffer, http.MethodPost, "/", host, jsonType, startBody(startAddress(n)))
	}}
}
