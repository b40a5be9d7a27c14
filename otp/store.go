// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"time"
)

// Store keeps what must outlive a process: throttles, challenges, the failure
// budget, the outbox, sessions. Each method is one atomic step; the store
// reads the time, and only it. A store sees tags and sealed bytes alone.
//
// Every method returns an error that wraps [ErrUnavailable] where the store
// can't be reached in time or takes no writes; any other error is a defect.
// After an error nothing is known of the operation's effect, except that an
// operation never half happens.
//
// Package storetest holds what every implementation must do.
type Store interface {
	// Start charges all of the charges, keeps the challenge and puts the
	// message into the outbox, leased to the caller for the message's Lease.
	// A nil message is the same work with nothing queued.
	//
	// Where charges are refused the outcome is Throttled, with the longest
	// wait of all those refused; else, where the handle cools down and the
	// challenge has no link, it is CoolingDown. Either changes nothing.
	//
	// A challenge's code is live until the challenge is used or expires, or
	// Attempts guesses were counted on it; its link lives on after those. A
	// challenge is live while its code or its link is, and dead afterwards.
	//
	// Of the handle's challenges it forgets those of the same group that are
	// dead, the live ones of that group but for the
	// newest Keep-1, and those that expired over [Remembered] ago; then, where
	// more than [MaxChallenges] are left with the new one, the dead first,
	// then the oldest.
	Start(ctx context.Context, c Challenge, m *Envelope, charges ...Charge) (Outcome, error)

	// Verify judges a guess and opens the session in the same step:
	//
	//  0. Takes the guess's Failures for the handle's where they are more and
	//     later than the last success, and it has a challenge. Nothing is
	//     written because of that.
	//  1. Charges the charges; a refusal is Throttled and changes nothing.
	//     Once charged they stay so, but for 6.
	//  2. A guess with the tag of a challenge that the same non-empty Browser
	//     used within [RepeatWindow], and whose session is still kept, is
	//     Repeated: the outcome carries that session as it is kept now, and
	//     nothing else changes.
	//  3. A guess at a code (not a link) during the handle's cool-down is
	//     CoolingDown.
	//  4. With no live code on the handle, or no live link for a guess at one,
	//     nothing more is written: the outcome is Expired where the guess's tag
	//     is that of an expired and unused challenge, Exhausted for a guess at
	//     a code where that of the newest challenge of the guess's group died
	//     of wrong guesses, else Wrong. A challenge that expired over
	//     [Remembered] ago is as if it had never been.
	//  5. One attempt is counted on every live code and one failure on the
	//     handle, which may begin a cool-down; only then tags are compared. A
	//     guess at a link during the handle's cool-down isn't counted: whoever
	//     presents one that is dead would prolong it without a wait. A
	//     link is compared with links, a code with codes, here and above; an
	//     empty tag is equal to none.
	//  6. On a match with a live code or link (live before this guess), and if
	//     Known is set, with an account that exists already: the attempt (on
	//     every code) and all failures are taken back, the challenge is
	//     used up, code and link, the account is recorded if it is new, the
	//     charges and the guess's refunds get one event back, never below
	//     empty, and the session is kept for its Lifetime. The outcome is
	//     Verified.
	//     A session without an ID is none to open: the guess is only tried. Then
	//     its own attempt and failure are taken back and the charges get their
	//     event back, and nothing else of this happens. The same becomes of a
	//     session to open where the guess's Expect isn't met, but the outcome is
	//     Changed, with the record as it is: a guess that isn't right learns
	//     nothing of it.
	//  7. Otherwise as in 4: Expired, Exhausted (the guess that kills a code
	//     too) or Wrong.
	//
	// An address that was never started costs no space: nothing is kept for
	// its handle.
	Verify(ctx context.Context, g Guess, s SessionRecord, charges ...Charge) (Outcome, error)

	// Unlock takes all failures of a handle back and ends its cool-down, as a
	// success does, also those that only callers of Verify still know of. Codes
	// that died of wrong guesses stay dead.
	Unlock(ctx context.Context, h Handle) error

	// Claim leases up to limit messages of the realms that are due: in the
	// outbox with no lease, or with one that ran out. Each claim of a message
	// raises its fence and its tries. Messages are kept for [Overdue] past
	// their lifetime, so that somebody can report them.
	Claim(ctx context.Context, realms []string, limit int, lease time.Duration) ([]Lease, error)

	// Settle ends leases. Where a message was claimed anew since, the fence
	// is stale and nothing happens to it. After an error each may have ended
	// or not; ending one again does no harm.
	Settle(ctx context.Context, ends ...Settlement) error

	// Renew replaces a session's refresh tag. It returns [ErrNoSession] where
	// there is none or it was kept without a refresh tag, and [ErrReused],
	// with the session that it was, where none of old is the session's present
	// tag: then the session is revoked in the same step, for the rest of its
	// lifetime. Renewing doesn't
	// prolong a session.
	Renew(ctx context.Context, id SessionID, old []Tag, next Tag) (SessionRecord, error)

	// Revoke ends a session before its time: its record, where there is one,
	// is deleted and the revocation is told by Revocations until its Lifetime
	// is over. The records of an owner's sessions stay: some may be opened at
	// the same moment.
	Revoke(ctx context.Context, r Revocation) error

	// Sessions returns the sessions of an owner that Verify kept and that
	// have neither expired nor been revoked one by one, the newest first, at
	// most [MaxSessions].
	Sessions(ctx context.Context, owner string) ([]SessionRecord, error)

	// Revocations returns those since a cursor that this method returned
	// before (the zero Cursor: all), with some overlap, and a new cursor.
	Revocations(ctx context.Context, since Cursor) ([]Revocation, Cursor, error)

	// Get returns the record of a key, or nil where there is none.
	Get(ctx context.Context, key string) ([]byte, error)

	// Swap replaces a record if it still is old (nil: none) by next, which
	// must not be empty (an error, and a defect), and reports whether it did.
	// A ttl of zero keeps it for ever.
	Swap(ctx context.Context, key string, old, next []byte, ttl time.Duration) (bool, error)
}

// Bounds that every store keeps.
const (
	// MaxChallenges is how many challenges a handle has at the most.
	MaxChallenges = 3
	// MaxSessions is how many sessions are listed at the most.
	MaxSessions = 100
	// Remembered is how long after its end a challenge can still be told
	// from one that never was.
	Remembered = time.Hour
	// RepeatWindow is how long the browser that used a challenge may repeat
	// the request, in case the answer was lost.
	RepeatWindow = 10 * time.Second
	// Overdue is how long a message stays in the outbox past its lifetime.
	Overdue = time.Hour
	// FailuresRemembered is for how long after a success a store tells failures
	// before it from those after it.
	FailuresRemembered = 15 * time.Minute
	// RevocationOverlap is how far before its cursor Revocations begins, at
	// least: commits may become visible out of order.
	RevocationOverlap = 5 * time.Second
)

// Challenge is an issued code, link or both, as a store keeps it.
type Challenge struct {
	Handle Handle
	// Group is what Keep counts by: one client of one address.
	Group string
	// Code and Link are the tags; at least one isn't empty.
	Code, Link Tag
	Lifetime   time.Duration
	// Attempts is the wrong guess that kills the code. The link can't be
	// guessed, and nobody may spoil it by guessing codes.
	Attempts int
	Keep     int
}

// Envelope is a sealed message in the outbox.
type Envelope struct {
	// ID is unique and printable ASCII without blanks.
	ID     string
	Realm  string
	Sealed []byte
	// Lifetime is how long the message is worth delivering.
	Lifetime time.Duration
	// Lease is how long the node that started has to deliver it before
	// others may.
	Lease time.Duration
}

// Lease is a message that the holder may deliver until the lease ends.
type Lease struct {
	Envelope
	Handle Handle
	// Fence tells this lease from earlier and later ones; the first is 1.
	Fence int64
	// Expires is when the message is no longer worth delivering.
	Expires time.Time
}

// Settlement is the end of a lease: the message leaves the outbox or, with
// Again above zero, is due after that time.
type Settlement struct {
	Lease
	Again time.Duration
}

// Guess is a presented code or link, as a store judges it.
type Guess struct {
	Handle Handle
	Group  string
	// Account names the record of the identity.
	Account string
	// Tags are those that the secret may have been kept as.
	Tags []Tag
	// Link says that the secret is a link's.
	Link bool
	// Browser names the browser, so that it may repeat; empty: unknown.
	Browser string
	// Known demands that the account exists already.
	Known bool
	// Refunds get an event back on a match, besides the charges.
	Refunds []Charge
	// Failures are those of the handle that the caller was told of last, by
	// Outcome.Failures, or zero. A store that has forgotten some since, as it
	// may at a failover, takes these, unless a success has cleared them.
	Failures Failures
	// Expect is what the session was made for, or nil. No session is opened
	// while the record is another.
	Expect *ExpectedRecord
}

// ExpectedRecord is a record as it was when something was made that depends on
// it. Where the record and the handle are on different servers, it is compared
// just before the guess is judged, otherwise in the same step.
type ExpectedRecord struct {
	// Key is that of Get and Swap.
	Key string
	// Value is what Get returned; empty: there was none.
	Value []byte
}

// Failures are consecutive wrong guesses at a handle.
type Failures struct {
	Count int
	// At is when the last of them was, by the store's clock.
	At time.Time
}

// SessionRecord is a session as a store keeps it.
type SessionRecord struct {
	ID SessionID
	// Owner names whose session it is: printable ASCII without blanks, or
	// empty for one that isn't listed. Renew needn't return it.
	Owner  string
	Sealed []byte
	// Refresh is the tag of the secret that renews the session; empty: none.
	Refresh  Tag
	Lifetime time.Duration
	// Created, Since (when the account was first verified), and Used (when the
	// session was opened or last renewed) are set by the store.
	Created, Since, Used time.Time
}

// Result is what came of a start or a guess.
type Result int

// The results.
const (
	Accepted Result = iota + 1
	Throttled
	CoolingDown
	Wrong
	Expired
	Exhausted
	Verified
	Repeated
	Changed
)

// Outcome is what a store answers to a start or a guess.
type Outcome struct {
	Result Result
	// Now is the store's time, whatever the result.
	Now time.Time
	// RetryAfter is the wait of Throttled and CoolingDown.
	RetryAfter time.Duration
	// Scope is what refused, where Throttled, and Limit how many events it
	// allows.
	Scope Scope
	Limit int
	// Levels are, of a start that is Accepted, how long the bucket of each
	// charge takes to be as good as new, this event included; in the order of
	// the charges.
	Levels []time.Duration
	// Failures is how many consecutive wrong guesses the handle has, where this
	// was one that was counted; else 0.
	Failures int
	// Session is the session as it is kept: the one opened now, where
	// Verified, or the one opened before, where Repeated.
	Session SessionRecord
	// New says that the account was first verified when Session was opened.
	New bool
	// Record is the record that the guess expected otherwise, as it is, where
	// Changed; nil: there is none.
	Record []byte
}

// Revocation ends one session, or all of an owner that began before it.
type Revocation struct {
	// Session is the one to end, or empty.
	Session SessionID
	// Owner is whose sessions to end where Session is empty.
	Owner string
	// At is when it was revoked, set by the store.
	At time.Time
	// Lifetime is how long the revocation must be remembered: until the last
	// session that it ends would have ended by itself.
	Lifetime time.Duration
}

// Cursor is a place in the stream of revocations.
type Cursor int64
