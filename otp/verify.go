// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// Presented is what every verification says, whatever was presented.
type Presented struct {
	ClientIP netip.Addr
	// Browser names the browser that asks, where that is known: it may
	// repeat the request within [RepeatWindow] and gets the same session.
	Browser string
	// Lifetime is how long the session lasts.
	Lifetime time.Duration
	// Renewable asks for a refresh secret.
	Renewable bool
	// Pending is how long the session waits for a second factor where one is
	// demanded of the person: then the session is [Session.Pending] for that
	// long, and neither Lifetime nor Renewable holds. Zero: by Due.
	Pending time.Duration
	// Scope is kept in the session.
	Scope string
	// Audience is kept in the session.
	Audience string
	// Device is kept in the session: a short label of the caller's program,
	// made of words of ours, never of the request's.
	Device string
	// Due is what becomes of the session of somebody who must prove a second
	// factor first, unless Pending says it.
	Due PendingRule
	// Trust is a token of [ElevateRequest].Trust that the device kept, or
	// empty.
	Trust string
}

// PendingRule is what becomes of a session at its opening whose person must
// prove a second factor: the site demands one of everybody, the directory of
// them, or they have turned it on themselves.
type PendingRule int

const (
	// RefusePending opens none: what signs in has no way to prove a second
	// factor. One that the directory alone demands is left to the gate.
	RefusePending PendingRule = iota
	// KeepPending opens it as pending.
	KeepPending
	// LeavePending opens it: the gate asks for the second factor.
	LeavePending
)

// VerifyRequest presents a code. Dialect, Client, Address and Purpose must be
// those that it was asked for with; [Service.Elevate] is for those of [MFA].
type VerifyRequest struct {
	Presented
	Dialect, Client string
	Address         Address
	Purpose         Purpose
	Code            string
	// Tenant is echoed in the session.
	Tenant string
	// Known refuses addresses that have never verified before, as wrong.
	Known bool
	// KnownBrowser is that of [StartRequest].
	KnownBrowser KnownBrowser
}

// Verification is a success.
type Verification struct {
	Session Session
	// Refresh renews the session, once; empty unless it was asked for, and
	// where the request was a repeated one: the first answer has it.
	Refresh string
	// Trust is the token that [ElevateRequest].Trust asks for; empty where it
	// can't be kept.
	Trust string
}

// Verify redeems a code for a session, in one step of the store: the attempt
// is counted before the code is compared. It goes on when ctx is cancelled.
//
// It returns [ErrWrong], [ErrExpired], [ErrExhausted], [ErrThrottled],
// [ErrCoolDown] or [ErrUnavailable], the last three in a [RetryError]; or, by
// [RefusePending], [ErrPending] for the right code; any other error is a defect.
func (s *Service) Verify(ctx context.Context, r VerifyRequest) (Verification, error) {
	v, err := s.verify(ctx, r)
	s.tellVerification(r.Dialect, r.Purpose, ByCode, err)
	return v, err
}

func (s *Service) verify(ctx context.Context, r VerifyRequest) (Verification, error) {
	if r.Purpose == MFA {
		return Verification{}, errOfFactor
	}
	if err := s.breakerRefusal(verifyAction, r.KnownBrowser.ID); err != nil {
		return Verification{}, err
	}
	if err := s.refuseHeldBack(verifyAction, r.ClientIP, r.KnownBrowser.budget()); err != nil {
		return Verification{}, err
	}
	person, refusal, err := s.admit(ctx, r.Address, r.Tenant)
	if err != nil {
		return Verification{}, err
	}
	return s.redeem(ctx, r.Presented, r.KnownBrowser, refusal, s.guessCode(r, person), Session{
		Address: r.Address,
		Method:  ByCode,
		Dialect: r.Dialect,
		Client:  r.Client,
		Tenant:  person.tenant(r.Tenant),
		Person:  person,
	})
}

// guessCode returns the guess that a code of a person's is.
func (s *Service) guessCode(r VerifyRequest, person Person) Guess {
	guess := Guess{
		Group: s.group(r.Dialect, r.Client, r.Address, r.Purpose),
		Known: r.Known,
	}
	if IsCode(r.Code) {
		guess.Tags = s.keys.candidates(s.tagParts(codeTag, r.Dialect, r.Client, r.Address, r.Purpose, person.bound(r.Tenant), r.Code)...)
	}
	return guess
}

// VerifyLink redeems a link for a session, with the errors of
// [Service.Verify] but [ErrBusy]. A link works during a cool-down, and while
// the breaker is open.
func (s *Service) VerifyLink(ctx context.Context, l Link, p Presented) (Verification, error) {
	v, err := s.verifyLink(ctx, l, p)
	s.tellVerification(l.Dialect, l.Purpose, ByLink, err)
	return v, err
}

func (s *Service) verifyLink(ctx context.Context, l Link, p Presented) (Verification, error) {
	person, refusal, err := s.admit(ctx, l.Address, l.Tenant)
	if err != nil {
		return Verification{}, err
	}
	guess := Guess{
		Group: s.group(l.Dialect, l.Client, l.Address, l.Purpose),
		Tags:  s.keys.candidates(s.tagParts(linkTag, l.Dialect, l.Client, l.Address, l.Purpose, person.bound(l.Tenant), l.secret)...),
		Link:  true,
	}
	return s.redeem(ctx, p, l.asker, refusal, guess, Session{
		Address: l.Address,
		Method:  ByLink,
		Dialect: l.Dialect,
		Client:  l.Client,
		Tenant:  person.tenant(l.Tenant),
		Person:  person,
	})
}

// redeem has the store judge a guess at what a browser asked for. Somebody who
// may not sign in, because of refusal unless that is empty, is answered like
// anybody who guesses wrong.
func (s *Service) redeem(ctx context.Context, p Presented, known KnownBrowser, refusal string, guess Guess, session Session) (Verification, error) {
	guess = s.aim(guess, session.Address, refusal, known.budget())
	session.ID = s.newSessionID(guess.Handle)
	session.Subject = s.subject(session.Person, session.Address)
	session.Owner = s.owner(session.Subject)
	session.Scope, session.Audience, session.Device = p.Scope, p.Audience, p.Device
	session.Directory = s.directoryName
	v, err := s.judgeEnrolled(ctx, session.Owner, func(ctx context.Context, e enrolment, expect *ExpectedRecord) (Verification, error) {
		session, p, guess := session, p, guess
		guess.Expect = expect
		due := s.prepareFactor(&session, e, p)
		switch {
		case due && p.Pending > 0:
			session.Pending = true
			p.Lifetime, p.Renewable = p.Pending, false
		case due:
			session.Pending = p.Due == KeepPending
		}
		return s.judge(ctx, p, known.budget(), guess, session)
	})
	if err != nil {
		return Verification{}, err
	}
	if v.Session.ID == session.ID { // else a repeated request
		s.tell(s.breaker.verified(known.ID != ""))
	}
	if p.Due == RefusePending && p.Pending == 0 && v.Session.MFA.IsZero() && s.DemandsFactor(v.Session) {
		if err := s.refusePending(ctx, v.Session); err != nil {
			return Verification{}, err
		}
	}
	return v, nil
}

// aim has a guess be one at what an address was sent, or a known browser for it
// that has a budget of its own. Where refusal isn't empty it can't be right.
func (s *Service) aim(guess Guess, a Address, refusal, ownBudget string) Guess {
	guess.Handle = s.handleFor(a, ownBudget)
	guess.Account = s.account(guess.Handle, a)
	if refusal != "" {
		guess.Tags = nil
		s.logger.Info("nobody is signed in", slog.String("because_of", refusal), slog.String("realm", s.realm), slog.String("site", s.host()))
	}
	return guess
}

// judge has the store judge a guess and open the session in the same step.
// Scope, audience and device of p have no say here.
func (s *Service) judge(ctx context.Context, p Presented, ownBudget string, guess Guess, session Session) (Verification, error) {
	guess.Browser = p.Browser
	guess.Refunds = s.startRefunds(p.ClientIP, ownBudget)
	return s.open(ctx, p, guess, session, s.verifyCharges(p.ClientIP, ownBudget)...)
}

// open is judge with charges of the caller's choice, and nothing given back but
// those.
func (s *Service) open(ctx context.Context, p Presented, guess Guess, session Session, charges ...Charge) (Verification, error) {
	var refresh string
	var kept Tag
	if p.Renewable {
		refresh, kept = s.newRefresh(session.Dialect, session.ID)
	}
	record, err := s.sealSession(session, p.Lifetime, kept)
	if err != nil {
		return Verification{}, err
	}

	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	outcome, err := s.storeVerify(ctx, guess, record, charges...)
	if err != nil {
		return Verification{}, unavailable(err)
	}
	switch outcome.Result {
	case Verified:
		s.heldBack.drop(startAction, p.ClientIP)
	case Changed:
		return Verification{}, &changedRecord{outcome.Record}
	case Repeated:
		refresh = "" // its tag isn't kept: presenting it would look like a theft
	default:
		s.holdBack(verifyAction, p.ClientIP, outcome)
		return Verification{}, outcome.miss()
	}
	session, err = s.unsealSession(outcome.Session)
	if err != nil {
		return Verification{}, err
	}
	session.New = outcome.New
	return Verification{Session: session, Refresh: refresh}, nil
}

// miss is the error of a guess that redeemed nothing.
func (o Outcome) miss() error {
	switch o.Result {
	case Wrong:
		return ErrWrong
	case Expired:
		return ErrExpired
	case Exhausted:
		return ErrExhausted
	}
	return o.refusal()
}
