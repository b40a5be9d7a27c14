// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"fmt"
	"time"
)

// What can come of a start or a verification besides success. The web
// dialects map each to their documented answer.
var (
	// ErrThrottled: asked for too often. Comes as a [RetryError].
	ErrThrottled = errors.New("asked for too often")
	// ErrBusy is an [ErrThrottled] that the caller has no part in: the realm
	// as a whole is asked too often, or its [Breaker] is open. Comes as a
	// [RetryError].
	ErrBusy = fmt.Errorf("%w by all together", ErrThrottled)
	// ErrCoolDown: too many wrong guesses at this address; no code is judged
	// for a while. Comes as a [RetryError].
	ErrCoolDown = errors.New("too many wrong guesses")
	// ErrWrong: no live code or link of this address is the one presented.
	ErrWrong = errors.New("wrong code")
	// ErrExpired: the code or link presented was right, and is too old.
	ErrExpired = errors.New("code has expired")
	// ErrExhausted: the code died of wrong guesses; a new one is needed.
	ErrExhausted = errors.New("code has had too many wrong guesses")
	// ErrNoSender: messages can't be sent over this channel.
	ErrNoSender = errors.New("no sender for this channel")
	// ErrUnavailable: the store can't be reached or takes no writes. Nothing
	// was judged and nothing was sent. Comes as a [RetryError].
	ErrUnavailable = errors.New("store is unavailable")
	// ErrReused: a refresh secret was presented a second time; its session is
	// revoked.
	ErrReused = errors.New("refresh token was used before")
	// ErrNoSession: no such session, or not any more.
	ErrNoSession = errors.New("no such session")
	// ErrNoFactor: a session has no such second factor.
	ErrNoFactor = errors.New("no such second factor")
	// ErrPending: the session opens nothing until a second factor is proved.
	// It is an [ErrNoSession] too, so that nobody takes it for one by mistake.
	ErrPending = fmt.Errorf("%w: its second factor is yet to be proved", ErrNoSession)
	// ErrUndeliverable: a sender reports with it that trying again is useless.
	ErrUndeliverable = errors.New("undeliverable")
)

// RetryError says when to try again.
type RetryError struct {
	Err   error
	After time.Duration
	// Limit is how many events the limit that refused allows, or 0 where none
	// did.
	Limit int
}

func (e *RetryError) Error() string { return e.Err.Error() }
func (e *RetryError) Unwrap() error { return e.Err }

// RetryAfter returns the wait that err asks for in whole seconds, rounded up
// and at least one (RFC 9110 §10.2.3), or 0 where it asks for none.
func RetryAfter(err error) int {
	retry, ok := errors.AsType[*RetryError](err)
	if !ok {
		return 0
	}
	return max(1, int((retry.After+time.Second-1)/time.Second))
}
