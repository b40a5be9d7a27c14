// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"crypto/subtle"
	"slices"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// handle is all that is kept of a handle. Instants are Unix times in
// nanoseconds.
type handle struct {
	// failures are the consecutive wrong guesses up to lastFailure.
	failures    int
	lastFailure int64
	// clocks are the buckets of the throttles by address, by their window.
	clocks map[time.Duration]int64
	// challenges, the oldest first.
	challenges []challenge
	// cleared is when failures were last taken back, or 0.
	cleared int64
}

type challenge struct {
	group      string
	code, link otp.Tag
	expires    int64
	// attempts were counted of the allowed ones.
	attempts, allowed int
	// used is when the browser used it for the session, or 0.
	used    int64
	browser string
	session otp.SessionID
}

// handle loads a handle, as it is now.
func (x *step) handle(name otp.Handle) (*handle, error) {
	h := &handle{clocks: make(map[time.Duration]int64)}
	entry, err := x.get(handles, []byte(name))
	if err != nil || entry == nil {
		return h, err
	}
	if err := h.decode(entry); err != nil {
		return nil, err
	}
	if h.lastFailure+int64(otp.DisabledFor) <= x.now {
		h.failures = 0
	}
	h.challenges = slices.DeleteFunc(h.challenges, func(c challenge) bool {
		return c.expires+int64(otp.Remembered) <= x.now
	})
	return h, nil
}

// saveHandle writes a handle for as long as something of it matters.
func (x *step) saveHandle(name otp.Handle, h *handle) error {
	expires := x.now
	if h.failures > 0 {
		expires = max(expires, h.lastFailure+int64(otp.DisabledFor))
	}
	for window, clock := range h.clocks {
		if clock <= x.now {
			delete(h.clocks, window)
		}
		expires = max(expires, clock)
	}
	for _, c := range h.challenges {
		expires = max(expires, c.expires+int64(otp.Remembered))
	}
	if h.cleared > 0 {
		expires = max(expires, h.cleared+int64(otp.FailuresRemembered))
	}
	if expires == x.now {
		return x.delete(handles, []byte(name))
	}
	return x.put(handles, []byte(name), expires, h.encode())
}

func (h *handle) encode() []byte {
	e := make(encoder, 0, 256)
	e.number(int64(h.failures))
	e.number(h.lastFailure)
	e.number(int64(len(h.clocks)))
	for window, clock := range h.clocks {
		e.number(int64(window))
		e.number(clock)
	}
	e.number(int64(len(h.challenges)))
	for _, c := range h.challenges {
		e.text(c.group)
		e.text(string(c.code))
		e.text(string(c.link))
		e.number(c.expires)
		e.number(int64(c.attempts))
		e.number(int64(c.allowed))
		e.number(c.used)
		e.text(c.browser)
		e.text(string(c.session))
	}
	e.number(h.cleared)
	return e
}

func (h *handle) decode(entry []byte) error {
	d := decoder{rest: entry}
	h.failures = int(d.number())
	h.lastFailure = d.number()
	for range d.count() {
		window := time.Duration(d.number())
		h.clocks[window] = d.number()
	}
	n := d.count()
	for range n {
		h.challenges = append(h.challenges, challenge{
			group:    d.text(),
			code:     otp.Tag(d.text()),
			link:     otp.Tag(d.text()),
			expires:  d.number(),
			attempts: int(d.number()),
			allowed:  int(d.number()),
			used:     d.number(),
			browser:  d.text(),
			session:  otp.SessionID(d.text()),
		})
	}
	if !d.isEmpty() { // older ones end here
		h.cleared = d.number()
	}
	return d.done()
}

// clear takes all failures back.
func (h *handle) clear(now int64) { h.failures, h.lastFailure, h.cleared = 0, 0, now }

// remind has the handle know of failures that were forgotten here.
func (h *handle) remind(known otp.Failures) {
	if at := known.At.UnixNano(); len(h.challenges) > 0 && known.Count > h.failures && at > h.cleared {
		h.failures, h.lastFailure = known.Count, max(h.lastFailure, at)
	}
}

// coolDown returns how long no code is judged: never longer than the failures
// ask for, also where the clock was put back.
func (h *handle) coolDown(now int64) time.Duration {
	wait := otp.CoolDown(h.failures)
	return min(wait, max(0, time.Duration(h.lastFailure-now)+wait))
}

// isLive reports whether any guess may redeem the challenge.
func (c *challenge) isLive(now int64) bool { return c.isCodeLive(now) || c.isLinkLive(now) }

func (c *challenge) isCodeLive(now int64) bool {
	return c.code != "" && c.used == 0 && now < c.expires && c.attempts < c.allowed
}

func (c *challenge) isLinkLive(now int64) bool {
	return c.link != "" && c.used == 0 && now < c.expires
}

// admits reports whether a guess of this kind may redeem the challenge.
func (c *challenge) admits(g otp.Guess, now int64) bool {
	if g.Link {
		return c.isLinkLive(now)
	}
	return c.isCodeLive(now)
}

func (c *challenge) isExhausted() bool {
	return c.code != "" && c.used == 0 && c.attempts >= c.allowed
}

// matches compares in constant time: a code with the code, a link with the
// link, all tags always.
func (c *challenge) matches(g otp.Guess) bool {
	kept := []byte(c.code)
	if g.Link {
		kept = []byte(c.link)
	}
	equal := 0
	for _, tag := range g.Tags {
		equal |= subtle.ConstantTimeCompare(kept, []byte(tag))
	}
	return equal == 1 && len(kept) > 0
}

// add keeps a challenge and forgets those that it displaces.
func (h *handle) add(c otp.Challenge, now int64) {
	others := 0 // the live ones of the group
	for _, old := range h.challenges {
		if old.group == c.Group && old.isLive(now) {
			others++
		}
	}
	h.challenges = slices.DeleteFunc(h.challenges, func(old challenge) bool {
		if old.group != c.Group {
			return false
		}
		if !old.isLive(now) {
			return true
		}
		others--
		return others >= c.Keep-1
	})
	for len(h.challenges) >= otp.MaxChallenges {
		drop := slices.IndexFunc(h.challenges, func(old challenge) bool { return !old.isLive(now) })
		drop = max(drop, 0)
		h.challenges = slices.Delete(h.challenges, drop, drop+1)
	}
	h.challenges = append(h.challenges, challenge{
		group:   c.Group,
		code:    c.Code,
		link:    c.Link,
		expires: now + int64(c.Lifetime),
		allowed: c.Attempts,
	})
}
