// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// told is an observer that writes down what it is told, a line for each.
type told struct {
	mu    sync.Mutex
	lines []string
	tries []MessageTry
}

func (o *told) add(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, line)
}

// take returns the lines since the last time.
func (o *told) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := o.lines
	o.lines = nil
	return lines
}

func (o *told) StartEnded(e StartEnd) {
	o.add(fmt.Sprintf("start %s %s %s %s", e.Dialect, e.Channel, e.Purpose, e.Ending))
}

func (o *told) VerificationEnded(e VerificationEnd) {
	o.add(fmt.Sprintf("verification %s %s %s %s", e.Dialect, e.Purpose, e.Method, e.Ending))
}

func (o *told) MessageTried(t MessageTry) {
	o.add(fmt.Sprintf("try %d %s %s", t.Tries, t.Channel, t.Ending))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tries = append(o.tries, t)
}

func (o *told) BreakerTurned(t BreakerTurn) { o.add(fmt.Sprintf("breaker %t %s", t.Open, t.Reason)) }
func (o *told) StoreTurned(down bool)       { o.add(fmt.Sprintf("down %t", down)) }

// expect fails the test unless the lines, and no others, were told since the
// last time.
func (o *told) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := o.take(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// observed is a change of a house that has everything told.
func observed(o *told, change func(*Config)) func(*Config) {
	return func(c *Config) {
		c.Observer = o
		if change != nil {
			change(c)
		}
	}
}

func TestStartsAreTold(t *testing.T) {
	denied := func(c *Config) { c.Admission.Deny = patterns(t, "jane@example.com") }
	for _, test := range []struct {
		name   string
		change func(*Config)
		result Result
		scope  Scope
		err    error
		want   string
	}{
		{name: "accepted", want: "accepted"},
		{name: "denied", change: denied, want: "withheld"},
		{name: "throttled", result: Throttled, scope: ScopeAddress, want: "throttled"},
		{name: "throttled, and denied", change: denied, result: Throttled, scope: ScopeAddress, want: "throttled"},
		{name: "all together", result: Throttled, scope: ScopeGlobal, want: "busy"},
		{name: "cooling down", result: CoolingDown, want: "cool_down"},
		{name: "no sender", change: func(c *Config) { delete(c.Senders, Email) }, want: "no_sender"},
		{name: "the store is away", err: fmt.Errorf("dial: %w", ErrUnavailable), want: "unavailable"},
		{name: "the directory is away", change: func(c *Config) { c.Directory = oneDirectory{err: errors.New("no answer")} }, want: "unavailable"},
		{name: "a defect", err: errDefect, want: "error"},
		{name: "nonsense", result: 99, want: "error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := new(told)
			h := newHouse(t, observed(o, test.change))
			h.store.result, h.store.scope, h.store.err = test.result, test.scope, test.err
			_, _ = h.Start(t.Context(), startRequest(t, "jane@example.com"))
			o.expect(t, "start portal email login "+test.want)
		})
	}
	t.Run("a country that isn't offered", func(t *testing.T) {
		o := new(told)
		h := newHouse(t, observed(o, func(c *Config) {
			c.Senders[SMS], c.Countries = c.Senders[Email], []string{"DE"}
		}))
		for _, number := range []string{"+12025550143", "+491701234567"} {
			_, _ = h.Start(t.Context(), startRequest(t, number))
		}
		o.expect(t, "start portal sms login withheld", "start portal sms login accepted")
	})
	t.Run("a second factor's purpose", func(t *testing.T) {
		o := new(told)
		r := startRequest(t, "jane@example.com")
		r.Purpose = MFA
		_, _ = newHouse(t, observed(o, nil)).Start(t.Context(), r)
		o.expect(t, "start portal email mfa error")
	})
}

// guesses are what a store may make of a guess, and what is told then.
var guesses = []struct {
	outcome Outcome
	err     error
	want    string
}{
	{Outcome{Result: Wrong}, nil, "wrong"},
	{Outcome{Result: Expired}, nil, "expired"},
	{Outcome{Result: Exhausted}, nil, "exhausted"},
	{Outcome{Result: CoolingDown}, nil, "cool_down"},
	{Outcome{Result: Throttled, Scope: ScopeClientIP}, nil, "throttled"},
	{Outcome{}, fmt.Errorf("dial: %w", ErrUnavailable), "unavailable"},
	{Outcome{}, errDefect, "error"},
}

func TestVerificationsAreTold(t *testing.T) {
	o := new(told)
	h := newHouse(t, observed(o, nil))
	r := verifyRequest(t, "jane@example.com", "123456")
	link := Link{Dialect: "portal", Address: r.Address, Purpose: Login, secret: "s"}
	verify := func() { _, _ = h.Verify(t.Context(), r) }
	try := func() { _ = h.Try(t.Context(), r) }
	follow := func() { _, _ = h.VerifyLink(t.Context(), link, Presented{Lifetime: time.Hour}) }

	verify()
	o.expect(t, "verification portal login code verified")
	follow()
	o.expect(t, "verification portal login link verified")
	try()
	o.expect(t) // the code is yet to be redeemed
	for _, guess := range guesses {
		h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return guess.outcome, guess.err }
		verify()
		o.expect(t, "verification portal login code "+guess.want)
		try()
		o.expect(t, "verification portal login code "+guess.want)
		if guess.want != "throttled" { // which links aren't
			follow()
			o.expect(t, "verification portal login link "+guess.want)
		}
	}
}

// TestPendingIsTold: the right code of somebody of whom a second factor is
// demanded, by a way that has none.
func TestPendingIsTold(t *testing.T) {
	o := new(told)
	h := newHouse(t, observed(o, func(c *Config) { c.MFA.Required = true }))
	if _, err := h.Verify(t.Context(), verifyRequest(t, "jane@example.com", "123456")); !errors.Is(err, ErrPending) {
		t.Fatal(err)
	}
	o.expect(t, "verification portal login code pending")
}

func TestFactorsAreTold(t *testing.T) {
	o := new(told)
	h, x, phone := newPhoneHouse(t)
	h.observer = o
	elevate := ElevateRequest{Address: phone, Code: "123456"}
	ways := map[string]func(){
		"code":          func() { _, _ = h.Elevate(t.Context(), x, elevate) },
		"totp":          func() { _, _ = h.ElevateTOTP(t.Context(), x, elevate) },
		"recovery_code": func() { _, _ = h.ElevateRecovery(t.Context(), x, elevate) },
		"reset":         func() { _ = h.ResetTOTP(t.Context(), x, "code", netip.Addr{}) },
	}
	each := func(want string) {
		t.Helper()
		for way, run := range ways {
			run()
			o.expect(t, "verification nestauth mfa "+strings.Replace(way, "reset", "recovery_code", 1)+" "+want)
		}
	}

	_, _ = h.StartFactor(t.Context(), x, FactorRequest{Address: phone, Code: startRequest(t, "jane@example.com").Code})
	o.expect(t, "start nestauth sms mfa accepted")
	_, _ = h.StartFactor(t.Context(), x, FactorRequest{Address: anyAddress(t, "joe@example.com")})
	o.expect(t, "start nestauth email mfa refused")
	for _, guess := range guesses {
		switch guess.want {
		case "expired", "exhausted": // which a record's guess doesn't tell
			continue
		}
		h.store.verify = func(Guess, SessionRecord) (Outcome, error) { return guess.outcome, guess.err }
		each(guess.want)
	}
	h.store.verify = nil
	ways["code"]()
	o.expect(t, "verification nestauth mfa code verified")
	h.mfa.Off = true
	delete(ways, "code") // its address is what decides
	each("refused")
	h.mfa.Off = false
	x.Expires = time.Now()
	each("refused")
	_, _ = h.StartFactor(t.Context(), x, FactorRequest{Address: phone})
	o.expect(t, "start nestauth sms mfa refused")
}

// TestEveryErrorHasAnEnding: what is documented to come of a start or a
// verification is no defect.
func TestEveryErrorHasAnEnding(t *testing.T) {
	for _, known := range errorEndings {
		for _, err := range []error{known.err, &RetryError{Err: known.err}, fmt.Errorf("of a store: %w", known.err)} {
			if got := endingOf(err, EndedAccepted); got != known.ending {
				t.Errorf("%v ends as %v, want %v", err, got, known.ending)
			}
		}
	}
	for _, names := range [][]string{Endings(), TryEndings()} {
		for i, name := range names {
			if name == "" || slices.Index(names, name) != i {
				t.Errorf("ending %d is called %q", i, name)
			}
		}
	}
}

func TestMessagesAreTold(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(ctx context.Context, try int) error
		want   []string
		waited time.Duration // of the last try, about
	}{
		{"delivered", nil, []string{"try 1 email delivered"}, 0},
		{"delivered on another try", func(_ context.Context, try int) error {
			if try < 3 {
				return errBusy
			}
			return nil
		}, []string{"try 1 email postponed", "try 2 email postponed", "try 3 email delivered"}, 15 * time.Second},
		{"undeliverable", func(context.Context, int) error { return ErrUndeliverable }, []string{"try 1 email undeliverable"}, 0},
		{"never taken", func(context.Context, int) error { return errBusy }, append(slices.Collect(func(yield func(string) bool) {
			for i := range 7 {
				yield(fmt.Sprintf("try %d email postponed", i+1))
			}
		}), "try 8 email expired"), 480 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := new(told)
				h := newHouse(t, observed(o, nil))
				h.sender.answer = test.answer
				h.courier.pause = deliveryPause // the start is told first
				h.courier.Start()
				defer h.courier.Stop()
				h.mustStart(t, "jane@example.com")
				time.Sleep(20 * time.Minute)
				o.expect(t, append([]string{"start portal email login accepted"}, test.want...)...)
				last := o.tries[len(o.tries)-1]
				if off := last.Waited - test.waited; off < -test.waited/10 || off > test.waited/10+10*claimInterval {
					t.Errorf("waited %v, want about %v", last.Waited, test.waited)
				}
				if last.Site != "app.example.com" || last.ID != h.sender.all()[0].ID {
					t.Errorf("told %+v", last)
				}
			})
		})
	}
}

// TestLateMessagesAreTold: one that expired while no node was there to try it,
// and one that a relay took its time for.
func TestLateMessagesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(told)
		h := newHouse(t, observed(o, nil))
		h.courier.Stop() // it has the outbox alone
		h.mustStart(t, "jane@example.com")
		o.take()
		time.Sleep(11 * time.Minute)
		next := newHouseOn(t, h.store, observed(o, nil))
		next.courier.Start()
		defer next.courier.Stop()
		time.Sleep(2 * claimInterval)
		o.expect(t, "try 2 email expired")
		if last := o.tries[0]; last.Took != 0 || last.Waited < 11*time.Minute {
			t.Errorf("told %+v", last)
		}

		next.sender.answer = func(context.Context, int) error { time.Sleep(3 * time.Second); return nil }
		next.mustStart(t, "jane@example.com")
		time.Sleep(time.Minute)
		o.expect(t, "start portal email login accepted", "try 1 email delivered")
		if last := o.tries[1]; last.Took != 3*time.Second || last.Waited != 3*time.Second {
			t.Errorf("told %+v", last)
		}
	})
}

// TestBreakerIsTold once, by whichever site of the realm it turns.
func TestBreakerIsTold(t *testing.T) {
	r, o := newBreakerRig(t), new(told)
	shared := observed(o, func(c *Config) { c.Breaker = r.Breaker })
	h, beside := newHouse(t, shared), newHouse(t, shared)
	for range 301 {
		h.tell(r.missed())
	}
	o.expect(t, "breaker true wrong guesses in a minute")
	if !r.Open() {
		t.Error("it isn't open")
	}
	_, _ = beside.Start(t.Context(), startRequest(t, "jane@example.com"))
	o.expect(t, "start portal email login busy")
	_, _ = beside.Verify(t.Context(), verifyRequest(t, "jane@example.com", "123456"))
	o.expect(t, "verification portal login code busy")
	r.pass(time.Minute)
	if r.Open() {
		t.Error("it is still open")
	}
	_, _ = beside.Start(t.Context(), startRequest(t, "jane@example.com"))
	o.expect(t, "breaker false wrong guesses in a minute", "start portal email login accepted")
}

// TestStoreIsTold: the first service of who was appointed last hears of an
// outage that is no hiccup, once of its begin and once of its end.
func TestStoreIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, o, beside := new(told), new(told), new(told)
		h := newHouse(t, observed(o, nil))
		other := newHouseOn(t, h.store, observed(beside, nil))
		earlier := newHouseOn(t, h.store, observed(before, nil))
		defer h.watch.Appoint(h.logger, earlier.Service)()
		dismiss := h.watch.Appoint(h.logger, h.Service, other.Service)
		h.watch.Start()
		defer h.watch.Stop()
		outageOf := func(d time.Duration) {
			h.store.setErr(ErrUnavailable)
			time.Sleep(d)
			h.store.setErr(nil)
			time.Sleep(2 * watchInterval)
		}
		outageOf(hiccup / 2)
		o.expect(t)
		outageOf(time.Minute)
		o.expect(t, "down true", "down false")
		dismiss()
		outageOf(time.Minute)
		o.expect(t)
		before.expect(t, "down true", "down false")
		beside.expect(t)
	})
}

// TestStoreIsToldLater: who is appointed in the midst of an outage hears of its
// begin then, and of its end only after that.
func TestStoreIsToldLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, next := new(told), new(told)
		h := newHouse(t, observed(o, nil))
		other := newHouseOn(t, h.store, observed(next, nil))
		h.store.setErr(ErrUnavailable)
		h.watch.Start()
		defer h.watch.Stop()
		time.Sleep(time.Minute)
		dismiss := h.watch.Appoint(h.logger, h.Service)
		o.expect(t)
		time.Sleep(2 * watchInterval)
		o.expect(t, "down true")
		dismiss()
		h.store.setErr(nil)
		time.Sleep(time.Minute)
		defer h.watch.Appoint(h.logger, other.Service)()
		time.Sleep(2 * watchInterval)
		next.expect(t, "down false")
		o.expect(t)
	})
}

// TestAge is how old the news of revocations are.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		time.Sleep(time.Minute)
		if age := h.watch.Age(); age != time.Minute {
			t.Errorf("%v where it never heard any", age)
		}
		h.watch.Start()
		synctest.Wait()
		if age := h.watch.Age(); age != 0 {
			t.Errorf("%v just after an answer", age)
		}
		h.watch.Stop()
		time.Sleep(time.Hour)
		if age := h.watch.Age(); age != time.Hour {
			t.Errorf("%v an hour later", age)
		}
	})
}

// TestTellingAllocatesNothing on the way of a request.
func TestTellingAllocatesNothing(t *testing.T) {
	h := newHouse(t, nil)
	a, err := email(t, "jane@example.com"), error(&RetryError{Err: ErrThrottled})
	if n := testing.AllocsPerRun(100, func() {
		h.tellStart("portal", a, Login, false, err)
		h.tellVerification("portal", Login, ByCode, err)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
