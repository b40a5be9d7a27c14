// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// wantLimit checks what an answer tells of a limit; reset is how long it has
// to go at least.
func (a answer) wantLimit(t *testing.T, limit, remaining string, reset time.Duration) {
	t.Helper()
	if got := a.Header.Get(limitHeader); got != limit {
		t.Errorf("%d: limit %q, want %q", a.Status, got, limit)
	}
	if got := a.Header.Get(remainingHeader); got != remaining {
		t.Errorf("%d: remaining %q, want %q", a.Status, got, remaining)
	}
	text := a.Header.Get(resetHeader)
	if remaining == "" {
		if text != "" {
			t.Errorf("%d: reset %q", a.Status, text)
		}
		return
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if left := time.Until(time.Unix(at, 0)); err != nil || left < reset-time.Minute || left > reset+2*time.Second {
		t.Errorf("%d: reset %q is %v off, want %v", a.Status, text, left, reset)
	}
}

func TestRateLimit(t *testing.T) { // A36
	r := newRig(t, webtest.Options{Frozen: true, ClientIP: otp.DefaultThrottles().ClientIP})
	const interval = time.Hour / 50
	for n := range 50 {
		a := r.post(t, startPath, startEmail(regular, r.newEmail()))
		a.Want(http.StatusOK)
		a.wantLimit(t, "50", strconv.Itoa(49-n), time.Duration(n+1)*interval)
	}
	for range 3 { // go-auth0 tries each refused request three times
		a := r.post(t, startPath, startEmail(regular, r.newEmail()))
		a.wantRefusal(t, 429, "too_many_requests", "Rate limit exceeded")
		a.wantLimit(t, "50", "0", interval)
		if got := a.Header.Get("Retry-After"); got != "72" {
			t.Errorf("Retry-After %q", got)
		}
	}
	r.Advance(interval)
	a := r.post(t, startPath, startEmail(regular, r.newEmail()))
	a.Want(http.StatusOK)
	a.wantLimit(t, "50", "0", time.Hour)
}

// TestRateLimitOfOtherAnswers: what is refused before the store is asked tells
// the limit, which it uses nothing of.
func TestRateLimitOfOtherAnswers(t *testing.T) {
	r := newRig(t, webtest.Options{Frozen: true, ClientIP: otp.DefaultThrottles().ClientIP})
	for range 3 {
		r.post(t, startPath, fields{}).wantLimit(t, "50", "", 0)
		r.post(t, startPath, startEmail(regular, "a@example.org").with("client_secret", "x")).wantLimit(t, "50", "", 0)
		r.do(t, http.MethodGet, startPath, "", "").wantLimit(t, "50", "", 0)
	}
	email := r.newEmail()
	for n := range 3 {
		r.post(t, startPath, startEmail(regular, email)).wantLimit(t, "50", strconv.Itoa(49-n), time.Duration(n+1)*time.Hour/50)
	}
	// It is the mailbox that has had enough.
	a := r.post(t, startPath, startEmail(regular, email))
	a.wantRefusal(t, 429, "too_many_requests", "Rate limit exceeded")
	a.wantLimit(t, "3", "0", 20*time.Second)
	if got := a.Header.Get("Retry-After"); got != "20" {
		t.Errorf("Retry-After %q", got)
	}

	unlimited := newRig(t, webtest.Options{NoKey: true})
	unlimited.post(t, startPath, startEmail(regular, unlimited.newEmail())).wantLimit(t, "", "", 0)
}

// TestGlobalRateLimit: the headers tell what the caller's network address has
// left, not what others have left it.
func TestGlobalRateLimit(t *testing.T) {
	r := newRig(t, webtest.Options{
		Frozen:   true,
		ClientIP: otp.DefaultThrottles().ClientIP,
		Domain:   func(c *otp.Config) { c.Throttles.Global = []otp.Throttle{{Events: 2, Window: time.Hour}} },
	})
	for n := range 2 {
		a := r.post(t, startPath, startEmail(regular, r.newEmail()))
		a.Want(http.StatusOK)
		a.wantLimit(t, "50", strconv.Itoa(49-n), time.Duration(n+1)*time.Hour/50)
	}
	a := r.post(t, startPath, startEmail(regular, r.newEmail()))
	a.wantRefusal(t, 429, "too_many_requests", "Rate limit exceeded")
	a.wantLimit(t, "50", "0", time.Hour/2)
	if got := a.Header.Get("Retry-After"); got != "1800" {
		t.Errorf("Retry-After %q", got)
	}
}
