// SPDX-License-Identifier: Apache-2.0

package otp

import "context"

// Try tells whether a code is right and leaves it to be redeemed: nil where
// [Service.Verify] would take it now, otherwise its errors. A wrong code is
// counted as it is there. What a request says of the session has no say here.
func (s *Service) Try(ctx context.Context, r VerifyRequest) error {
	err := s.try(ctx, r)
	if err != nil { // else the code is yet to be redeemed
		s.tellVerification(r.Dialect, r.Purpose, ByCode, err)
	}
	return err
}

func (s *Service) try(ctx context.Context, r VerifyRequest) error {
	if r.Purpose == MFA {
		return errOfFactor
	}
	if err := s.breakerRefusal(verifyAction, r.KnownBrowser.ID); err != nil {
		return err
	}
	if err := s.refuseHeldBack(verifyAction, r.ClientIP, r.KnownBrowser.budget()); err != nil {
		return err
	}
	person, refusal, err := s.admit(ctx, r.Address, r.Tenant)
	if err != nil {
		return err
	}
	guess := s.aim(s.guessCode(r, person), r.Address, refusal, r.KnownBrowser.budget())
	ctx, cancel := s.storeContext(ctx)
	defer cancel()
	outcome, err := s.storeVerify(ctx, guess, SessionRecord{}, s.verifyCharges(r.ClientIP, r.KnownBrowser.budget())...)
	switch {
	case err != nil:
		return unavailable(err)
	case outcome.Result == Verified:
		return nil
	}
	s.holdBack(verifyAction, r.ClientIP, outcome)
	return outcome.miss()
}
