// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// A second factor that the person's record proves is judged by the store like
// any other code, so that it is counted before it is compared, and under the
// same failure budget, of a handle of the person's own: a challenge is started
// with a random secret, and the guess presents that secret where the record
// has what was typed.

// redemption takes what was typed from a record, and reports whether it was
// there. now is the store's time.
type redemption func(e *enrolment, now time.Time) bool

func (s *Service) redeemTOTP(x Session, code string) redemption {
	return func(e *enrolment, now time.Time) bool {
		found := false
		for i := range e.TOTP {
			d := &e.TOTP[i]
			step := matchTOTP(d.Secret, code, now, d.Step)
			if step == 0 || found || !mayProve(d.Bound, x) {
				continue
			}
			d.Step, d.Used = step, now.UnixMilli()
			found = true
		}
		return found
	}
}

func (s *Service) redeemRecovery(x Session, code string) redemption {
	return func(e *enrolment, _ time.Time) bool { return s.takeRecovery(e, x, code) }
}

// ElevateTOTP is [Service.Elevate] with a code of the person's authenticator
// app, each of which is taken once. r's Address has no say.
func (s *Service) ElevateTOTP(ctx context.Context, x Session, r ElevateRequest) (v Verification, err error) {
	err = ErrNoFactor
	if s.hasTOTP() == nil {
		v, err = s.elevateByRecord(ctx, x, r, TOTPFactor, s.redeemTOTP)
	}
	s.tellVerification(x.Dialect, MFA, ByTOTP, err)
	return v, err
}

// ElevateRecovery is [Service.Elevate] with a recovery code, each of which is
// taken once. r's Address has no say.
func (s *Service) ElevateRecovery(ctx context.Context, x Session, r ElevateRequest) (v Verification, err error) {
	err = ErrNoFactor
	if !s.mfa.Off {
		v, err = s.elevateByRecord(ctx, x, r, RecoveryFactor, s.redeemRecovery)
	}
	s.tellVerification(x.Dialect, MFA, ByRecovery, err)
	return v, err
}

func (s *Service) elevateByRecord(ctx context.Context, x Session, r ElevateRequest, m FactorMethod, redeem func(Session, string) redemption) (Verification, error) {
	x, err := s.CurrentOrPending(ctx, x)
	if err != nil {
		return Verification{}, err
	}
	budget := s.factorBudget(x.Owner, r.Known)
	guess, e, err := s.presentToRecord(ctx, x, s.startRefunds(r.ClientIP, budget), redeem(x, r.Code))
	if err != nil {
		return Verification{}, err
	}
	elevated := s.continued(x, guess.Handle, m, r)
	elevated.Enrolled = e.Enabled
	v, err := s.judgeRecord(ctx, r.presented(x), budget, guess, elevated)
	if err != nil {
		return Verification{}, err
	}
	if err := s.replace(ctx, x, v.Session); err != nil {
		return Verification{}, err
	}
	s.enrol(ctx, &v, r)
	return v, nil
}

// ResetTOTP removes all authenticator apps of the person of a session for a
// recovery code, which is used up. No device is trusted afterwards.
//
// It returns [ErrMFAOff], or an error of [Service.ElevateRecovery].
func (s *Service) ResetTOTP(ctx context.Context, x Session, code string, ip netip.Addr) error {
	err := s.resetTOTP(ctx, x, code, ip)
	s.tellVerification(x.Dialect, MFA, ByRecovery, err)
	return err
}

func (s *Service) resetTOTP(ctx context.Context, x Session, code string, ip netip.Addr) error {
	if s.mfa.Off {
		return ErrMFAOff
	}
	x, err := s.CurrentOrPending(ctx, x)
	if err != nil {
		return err
	}
	guess, _, err := s.presentToRecord(ctx, x, s.startRefunds(ip, ""), func(e *enrolment, _ time.Time) bool {
		found := s.takeRecovery(e, x, code)
		if found {
			e.TOTP, e.Devices = nil, nil
		}
		return found
	})
	if err != nil {
		return err
	}
	judged := s.continued(x, guess.Handle, RecoveryFactor, ElevateRequest{})
	judged.Owner = "" // a session that isn't listed, and that nobody gets
	v, err := s.judgeRecord(ctx, Presented{ClientIP: ip, Lifetime: time.Second}, "", guess, judged)
	if err != nil {
		return err
	}
	return s.SignOut(ctx, v.Session.ID, v.Session.Expires)
}

// presentToRecord starts the challenge, takes what was typed from the record,
// and returns the guess that the store is to judge. The charges are given back
// where that is right.
func (s *Service) presentToRecord(ctx context.Context, x Session, charges []Charge, redeem redemption) (Guess, enrolment, error) {
	handle := s.recordHandle(x.Owner)
	guess := Guess{
		Handle:  handle,
		Group:   s.keys.name("group", s.realm, enrolmentUse, x.Owner)[:8],
		Account: handle.Shard() + s.keys.name("account", s.realm, enrolmentUse, x.Owner),
	}
	secret := s.keys.tag(codeTag, s.realm, enrolmentUse, x.Owner, randomText(16))
	started, err := s.startRecordGuess(ctx, guess, secret, charges)
	if err != nil {
		return Guess{}, enrolment{}, err
	}
	var kept enrolment
	err = s.changeEnrolment(ctx, x.Owner, func(e *enrolment) (bool, error) {
		found := redeem(e, started)
		kept, guess.Tags = *e, nil
		if found {
			guess.Tags = []Tag{secret}
		}
		return found, nil
	})
	return guess, kept, err
}

// recordHandle is what guesses at the second factors in a person's record count
// on.
func (s *Service) recordHandle(owner string) Handle {
	return Handle(sharded(s.keys.name("handle", s.realm, enrolmentUse, owner)))
}

func (s *Service) startRecordGuess(ctx context.Context, g Guess, secret Tag, charges []Charge) (now time.Time, err error) {
	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	outcome, err := s.store.Start(ctx, Challenge{
		Handle:   g.Handle,
		Group:    g.Group,
		Code:     secret,
		Lifetime: time.Minute,
		Attempts: MaxAttempts,
		Keep:     MaxChallenges, // so many may be judged at once
	}, nil, charges...)
	switch {
	case err != nil:
		return now, unavailable(err)
	case outcome.Result != Accepted:
		return now, outcome.refusal()
	}
	return outcome.Now, nil
}

// judgeRecord is judge for a secret that no message carried: it doesn't tell
// why it is wrong.
func (s *Service) judgeRecord(ctx context.Context, p Presented, ownBudget string, g Guess, x Session) (Verification, error) {
	p.Browser = ""
	v, err := s.judge(ctx, p, ownBudget, g, x)
	if errors.Is(err, ErrExhausted) || errors.Is(err, ErrExpired) {
		err = ErrWrong
	}
	v.Session.New = false
	return v, err
}
