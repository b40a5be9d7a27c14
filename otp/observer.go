// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"errors"
	"time"
)

// Observer is told what comes of a service's work, for counters and events.
// What it is told is of closed sets or stands in the configuration, but for the
// ids of messages: no address, code, token, person, tenant or client. A dialect
// is what its caller in the code says; whoever counts by it knows those there
// are.
//
// Its methods are called concurrently, by who makes a request too: they return
// at once.
type Observer interface {
	// StartEnded tells of each [Service.Start] and [Service.StartFactor].
	StartEnded(StartEnd)
	// VerificationEnded tells of each [Service.Verify], [Service.VerifyLink],
	// [Service.Elevate], [Service.ElevateTOTP], [Service.ElevateRecovery] and
	// [Service.ResetTOTP]; and of a [Service.Try] that isn't nil: what is right
	// is yet to be redeemed.
	VerificationEnded(VerificationEnd)
	// MessageTried tells of each try to deliver a message, and of one that
	// expired without a last try.
	MessageTried(MessageTry)
	// BreakerTurned tells that the realm's breaker has opened or closed. It
	// closes with the first request after its time.
	BreakerTurned(BreakerTurn)
	// StoreTurned tells that the store doesn't answer, for seconds now, or that
	// it does so again. One service of those that [Watch.Appoint] has appointed
	// last is told.
	StoreTurned(down bool)
}

// StartEnd is the end of a start.
type StartEnd struct {
	Dialect string
	Channel Channel
	Purpose Purpose
	Ending  Ending
}

// VerificationEnd is the end of a verification.
type VerificationEnd struct {
	Dialect string
	Purpose Purpose
	// Method is [ByCode], [ByLink], [ByTOTP] or [ByRecovery].
	Method Method
	Ending Ending
}

// What else than the methods that open a session is verified: second factors.
const (
	ByTOTP     = Method(TOTPFactor)
	ByRecovery = Method(RecoveryFactor)
)

// Ending is how a start or a verification ended.
type Ending int

// The endings.
const (
	// EndedAccepted: a start whose message is on its way.
	EndedAccepted Ending = iota
	// EndedWithheld: a start that was answered like one that is accepted, and
	// nothing is sent: the address may not sign in, or is in a country that
	// isn't offered.
	EndedWithheld
	// EndedNoSender: a start over a channel that isn't set up.
	EndedNoSender
	// EndedVerified: what was presented was right.
	EndedVerified
	EndedWrong
	EndedExpired
	EndedExhausted
	// EndedPending: it was right, and a second factor is demanded that couldn't
	// be asked for.
	EndedPending
	EndedThrottled
	EndedCoolDown
	// EndedBusy: the breaker is open, or the global throttle is used up.
	EndedBusy
	// EndedRefused: of a second factor, for a session that is over or has no
	// such factor.
	EndedRefused
	// EndedUnavailable: the store or the directory couldn't be asked.
	EndedUnavailable
	// EndedError is a defect.
	EndedError
)

var endingNames = [...]string{
	EndedAccepted:    "accepted",
	EndedWithheld:    "withheld",
	EndedNoSender:    "no_sender",
	EndedVerified:    "verified",
	EndedWrong:       "wrong",
	EndedExpired:     "expired",
	EndedExhausted:   "exhausted",
	EndedPending:     "pending",
	EndedThrottled:   "throttled",
	EndedCoolDown:    "cool_down",
	EndedBusy:        "busy",
	EndedRefused:     "refused",
	EndedUnavailable: "unavailable",
	EndedError:       "error",
}

// String returns the ending's name, in lower case.
func (e Ending) String() string { return endingNames[e] }

// Endings are the names of all endings, each at its number.
func Endings() []string { return endingNames[:] }

// errorEndings are the endings that errors stand for. An error that is a kind of
// another stands before that one.
var errorEndings = [...]struct {
	err    error
	ending Ending
}{
	{ErrWrong, EndedWrong},
	{ErrExpired, EndedExpired},
	{ErrExhausted, EndedExhausted},
	{ErrBusy, EndedBusy},
	{ErrThrottled, EndedThrottled},
	{ErrCoolDown, EndedCoolDown},
	{ErrPending, EndedPending},
	{ErrNoSession, EndedRefused},
	{ErrNoFactor, EndedRefused},
	{ErrMFAOff, EndedRefused},
	{ErrNoSender, EndedNoSender},
	{ErrUnavailable, EndedUnavailable},
}

// endingOf returns the ending that an error stands for; nil is success's.
func endingOf(err error, success Ending) Ending {
	if err == nil {
		return success
	}
	for _, known := range errorEndings {
		if errors.Is(err, known.err) {
			return known.ending
		}
	}
	return EndedError
}

// MessageTry is a try to deliver a message.
type MessageTry struct {
	// Site is the host of the site that sent it.
	Site string
	// ID is the message's: random, and in the log as well.
	ID string
	// Channel is empty where the message can't be read.
	Channel Channel
	Ending  TryEnding
	// Tries is how many there were, this one included, by whichever node.
	Tries int64
	// Took is how long it took; 0 where the message expired before it.
	Took time.Duration
	// Waited is how long ago the message was queued.
	Waited time.Duration
}

// TryEnding is what came of a try to deliver a message.
type TryEnding int

// The endings of tries.
const (
	TryDelivered TryEnding = iota
	// TryPostponed: it failed, and there will be another.
	TryPostponed
	// TryUndeliverable: another would be useless.
	TryUndeliverable
	// TryExpired: it failed, or wasn't made, and the message is worth no other.
	TryExpired
)

var tryEndingNames = [...]string{
	TryDelivered:     "delivered",
	TryPostponed:     "postponed",
	TryUndeliverable: "undeliverable",
	TryExpired:       "expired",
}

// String returns the ending's name, in lower case.
func (e TryEnding) String() string { return tryEndingNames[e] }

// TryEndings are the names of all endings of tries, each at its number.
func TryEndings() []string { return tryEndingNames[:] }

// BreakerTurn is the opening or closing of a breaker.
type BreakerTurn struct {
	Open bool
	// Reason is why it opened, in fixed words.
	Reason string
}

// noObserver is told everything and does nothing.
type noObserver struct{}

func (noObserver) StartEnded(StartEnd)               {}
func (noObserver) VerificationEnded(VerificationEnd) {}
func (noObserver) MessageTried(MessageTry)           {}
func (noObserver) BreakerTurned(BreakerTurn)         {}
func (noObserver) StoreTurned(bool)                  {}

// tellStart tells the observer of the end of a start.
func (s *Service) tellStart(dialect string, a Address, p Purpose, withheld bool, err error) {
	success := EndedAccepted
	if withheld {
		success = EndedWithheld
	}
	s.observer.StartEnded(StartEnd{Dialect: dialect, Channel: a.channel, Purpose: p, Ending: endingOf(err, success)})
}

// tellVerification tells the observer of the end of a verification.
func (s *Service) tellVerification(dialect string, p Purpose, m Method, err error) {
	s.observer.VerificationEnded(VerificationEnd{Dialect: dialect, Purpose: p, Method: m, Ending: endingOf(err, EndedVerified)})
}

// tellTry tells the observer of a try to deliver a message that it took a time
// to make.
func (s *Service) tellTry(lease Lease, c Channel, e TryEnding, took time.Duration) {
	queued := lease.Expires.Add(-lease.Lifetime)
	s.observer.MessageTried(MessageTry{
		Site:    s.host(),
		ID:      lease.ID,
		Channel: c,
		Ending:  e,
		Tries:   lease.Fence,
		Took:    took,
		Waited:  max(0, time.Since(queued)), // the store's clock may be ahead
	})
}
