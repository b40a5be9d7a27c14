// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"
)

// errOfFactor is the defect of a caller that would have a second factor's code
// open a session by itself.
var errOfFactor = errors.New("a second factor's code is no login's: use StartFactor and Elevate")

// Factors are what can prove a second factor for a session.
type Factors struct {
	// Addresses are those that a code can be sent to, the best first.
	Addresses []Address
	// TOTP says that an authenticator app can.
	TOTP bool
}

// Methods are the factors' methods, the best first.
func (f Factors) Methods() []FactorMethod {
	var methods []FactorMethod
	if f.TOTP {
		methods = append(methods, TOTPFactor)
	}
	for _, a := range f.Addresses {
		if m := FactorMethod(a.channel); !slices.Contains(methods, m) {
			methods = append(methods, m)
		}
	}
	return methods
}

// First returns the best address of a channel, or false.
func (f Factors) First(c Channel) (Address, bool) {
	for _, a := range f.Addresses {
		if a.channel == c {
			return a, true
		}
	}
	return Address{}, false
}

// Factors returns what can prove a second factor for a session, of the site's
// methods: the person's addresses of the other channel, then their other ones,
// by what the directory says now, and their authenticator app. Only where there
// is none of these, nor an app that proves later sessions alone, it is the
// address of the session itself. Where factors must be distinct, none is of the
// session's channel. Addresses that no message can be sent to, or that are
// denied, are none; an address needn't be allowed to sign in. Where nothing is
// left it returns none. It returns [ErrUnavailable] in a [RetryError] where the
// directory or the store can't tell.
func (s *Service) Factors(ctx context.Context, x Session) (Factors, error) {
	var person Person
	if s.directory != nil {
		p, err := s.directory.Find(ctx, x.Address)
		switch {
		case errors.Is(err, ErrNobody):
			return Factors{}, nil
		case err != nil:
			return Factors{}, directoryUnavailable(err)
		}
		person = p
	}
	var f Factors
	hasApp := false
	if s.offers(TOTPFactor) {
		e, err := s.enrolment(ctx, x.Owner)
		if err != nil {
			return Factors{}, err
		}
		f.TOTP, hasApp = e.hasTOTP(x), len(e.TOTP) > 0
	}
	var same []Address
	for _, a := range person.Addresses {
		switch {
		case sameMailbox(a, x.Address) || !s.mayProve(a, x, person.Groups):
		case a.channel != x.Address.channel:
			f.Addresses = append(f.Addresses, a)
		default:
			same = append(same, a)
		}
	}
	f.Addresses = append(f.Addresses, same...)
	if len(f.Addresses) == 0 && !hasApp && s.mayProve(x.Address, x, person.Groups) {
		f.Addresses = []Address{x.Address}
	}
	return f, nil
}

// mayProve reports whether an address of somebody in groups can prove a second
// factor for a session, whatever others they have.
func (s *Service) mayProve(a Address, x Session, groups []string) bool {
	return s.offers(FactorMethod(a.channel)) && (!s.mfa.Distinct || a.channel != x.Address.channel) && s.reaches(a, groups)
}

// reaches reports whether messages can be sent to an address of somebody in
// groups.
func (s *Service) reaches(a Address, groups []string) bool {
	return s.HasSender(a.channel) && s.isOffered(a) && !s.admission.denies(a, groups)
}

// sameMailbox reports whether two addresses are read by whoever reads one.
func sameMailbox(a, b Address) bool {
	return a.channel == b.channel && a.throttleForm() == b.throttleForm()
}

// isFactor returns [ErrNoFactor] for an address that can't prove a second
// factor for a session.
func (s *Service) isFactor(ctx context.Context, x Session, a Address) error {
	factors, err := s.Factors(ctx, x)
	if err != nil {
		return err
	}
	isSame := func(f Address) bool { return f.channel == a.channel && f.canonical == a.canonical }
	if !slices.ContainsFunc(factors.Addresses, isSame) {
		return ErrNoFactor
	}
	return nil
}

// boundTo binds a code to the session that it is asked for in, where a login's
// is bound to a tenant: it elevates no other one, not even of the same person
// (OWASP ASVS 5.0 §6.6.2).
func boundTo(id SessionID) boundTenant { return boundTenant{string(id)} }

// FactorRequest asks for a code that proves a second factor.
type FactorRequest struct {
	// Address is one of [Service.Factors].
	Address  Address
	Code     CodePolicy
	ClientIP netip.Addr
	// Locale is the BCP 47 tag of the message's language, or empty.
	Locale string
	// Known says that a browser asks that is known for the session's address
	// ([KnownBrowser]). Its code can be redeemed only by who says the same.
	Known bool
}

// factorBudget names the budget that a person's known browsers have for their
// second factors, or is "" for others.
//
// It is one for all of them: whoever reads somebody's mail makes as many browsers
// known as they like.
func (s *Service) factorBudget(owner string, known bool) string {
	if !known {
		return ""
	}
	return string(MFA) + " " + owner
}

// StartFactor sends a code that proves a second factor for a session: the code
// is good for that session alone and through its dialect and client alone.
// Throttles and the failure budget are those that logins with the address have;
// for known browsers, those that they share for the person's second factors, so
// that nobody who can't sign in as that person locks them out.
//
// It returns [ErrNoSession], [ErrNoFactor], or an error of [Service.Start].
func (s *Service) StartFactor(ctx context.Context, x Session, r FactorRequest) (Started, error) {
	started, withheld, err := s.startFactor(ctx, x, r)
	s.tellStart(x.Dialect, r.Address, MFA, withheld, err)
	return started, err
}

func (s *Service) startFactor(ctx context.Context, x Session, r FactorRequest) (_ Started, withheld bool, _ error) {
	x, err := s.CurrentOrPending(ctx, x)
	if err != nil {
		return Started{}, false, err
	}
	if err := s.isFactor(ctx, x, r.Address); err != nil {
		return Started{}, false, err
	}
	return s.issue(ctx, StartRequest{
		Dialect:  x.Dialect,
		Client:   x.Client,
		Address:  r.Address,
		Purpose:  MFA,
		Form:     FormCode,
		Code:     r.Code,
		ClientIP: r.ClientIP,
		Locale:   r.Locale,
		Tenant:   x.Tenant,

		KnownBrowser: KnownBrowser{ID: s.factorBudget(x.Owner, r.Known), OwnBudget: true},
	}, boundTo(x.ID), "")
}

// ElevateRequest presents a code that proves a second factor.
type ElevateRequest struct {
	// Address is the one that the code was sent to, where it was sent.
	Address  Address
	Code     string
	ClientIP netip.Addr
	// Browser names the browser that asks, where that is known: it may
	// repeat the request within [RepeatWindow] and gets the same session.
	Browser string
	// Known is that of [FactorRequest]. Whose it is isn't counted by their network
	// address.
	Known bool
	// Renewable asks for a refresh secret.
	Renewable bool
	// Device is kept in the session, as [Presented] has it; empty: as before.
	Device string
	// Enrol notes in the person's account that they have proved this method.
	Enrol bool
	// Trust asks for a token by which the person's next logins from the same
	// device need no second factor.
	Trust bool
	// Lifetime is how long the session lasts that continues a
	// [Session.Pending] one. Any other ends when the one before would have.
	Lifetime time.Duration
}

// Elevate redeems a code of [Service.StartFactor]: in one step of the store,
// as for a login, it counts the attempt, compares, and opens a session that
// continues x under a new id (OWASP ASVS 5.0 §7.2.4), with the second factor
// proved now. The new one is the same person's, of the same dialect, client and
// scope, and ends when x would have, unless x was pending. Then x is revoked.
//
// The address doesn't become one that has signed in: what the store records of
// it is under another name ([Guess.Account]).
//
// It returns [ErrNoSession], [ErrNoFactor], or an error of [Service.Verify]. It
// goes on when ctx is cancelled.
func (s *Service) Elevate(ctx context.Context, x Session, r ElevateRequest) (Verification, error) {
	v, err := s.elevate(ctx, x, r)
	s.tellVerification(x.Dialect, MFA, ByCode, err)
	return v, err
}

func (s *Service) elevate(ctx context.Context, x Session, r ElevateRequest) (Verification, error) {
	budget := s.factorBudget(x.Owner, r.Known)
	handle := s.handleFor(r.Address, budget)
	guess := Guess{
		Handle:  handle,
		Group:   s.group(x.Dialect, x.Client, r.Address, MFA),
		Account: s.factorAccount(handle, r.Address),
	}
	if IsCode(r.Code) {
		guess.Tags = s.keys.candidates(s.tagParts(codeTag, x.Dialect, x.Client, r.Address, MFA, boundTo(x.ID), r.Code)...)
	}
	current, err := s.CurrentOrPending(ctx, x)
	switch {
	case err == nil:
		x = current
		if err := s.isFactor(ctx, x, r.Address); err != nil {
			return Verification{}, err
		}
	case errors.Is(err, ErrNoSession) && r.Browser != "" && s.watch.Revoked(x.ID, x.Owner, x.Created):
		return s.repeatElevation(ctx, x, r, budget, guess)
	default:
		return Verification{}, err
	}

	elevated := s.continued(x, handle, FactorMethod(r.Address.channel), r)
	judge := func(ctx context.Context) (Verification, error) {
		return s.judge(ctx, r.presented(x), budget, guess, elevated)
	}
	var v Verification
	if r.Enrol {
		v, err = s.judgeEnrolled(ctx, x.Owner, func(ctx context.Context, e enrolment, expect *ExpectedRecord) (Verification, error) {
			elevated.Enrolled, guess.Expect = e.Enabled, expect
			return judge(ctx)
		})
	} else {
		v, err = judge(ctx)
	}
	if err != nil {
		return Verification{}, err
	}
	v.Session.New = false
	if v.Session.ID != elevated.ID {
		return v, nil // a repeated request; the first one ends x
	}
	if err := s.replace(ctx, x, v.Session); err != nil {
		return Verification{}, err
	}
	s.enrol(ctx, &v, r)
	return v, nil
}

// continued returns the session that continues x under a new id, in the shard
// of handle, once a second factor is proved.
func (s *Service) continued(x Session, handle Handle, method FactorMethod, r ElevateRequest) Session {
	x.ID = s.newSessionID(handle)
	x.Device = cmp.Or(r.Device, x.Device)
	if x.Pending {
		x.Pending, x.Expires = false, time.Time{}
	}
	x.MFA, x.MFAMethod = time.Time{}, string(method) // when, the store says
	return x
}

// presented is what the guess that elevates x presents.
func (r ElevateRequest) presented(x Session) Presented {
	lifetime := time.Until(x.Expires)
	if x.Pending {
		lifetime = r.Lifetime
	}
	return Presented{ClientIP: r.ClientIP, Browser: r.Browser, Lifetime: lifetime, Renewable: r.Renewable}
}

// replace ends a session that another one continues. Whoever has ended it
// meanwhile, on any node, has ended both: then it returns [ErrNoSession].
func (s *Service) replace(ctx context.Context, old, next Session) error {
	if err := s.outlives(ctx, old, next); err != nil {
		return err
	}
	if err := s.SignOut(ctx, old.ID, old.Expires); err != nil {
		s.logger.Warn("the session before its second factor can't be ended", slog.Any("error", err))
	}
	return nil
}

// repeatElevation returns the session that continues x where the same browser
// opened it just now with the same code, and lost the answer. The guess is
// made for an account that nobody has, so that it opens nothing.
func (s *Service) repeatElevation(ctx context.Context, x Session, r ElevateRequest, budget string, guess Guess) (Verification, error) {
	guess.Known = true
	guess.Account = guess.Handle.Shard() + s.keys.name("account", s.realm, "nobody's")
	next := x
	next.ID = s.newSessionID(guess.Handle)
	v, err := s.judge(ctx, Presented{ClientIP: r.ClientIP, Browser: r.Browser, Lifetime: time.Second}, budget, guess, next)
	switch {
	case errors.Is(err, ErrWrong), errors.Is(err, ErrExpired), errors.Is(err, ErrExhausted):
		return Verification{}, ErrNoSession
	case err != nil:
		return Verification{}, err
	}
	v.Session, err = s.CurrentOrPending(ctx, v.Session)
	v.Session.New = false
	return v, err
}
