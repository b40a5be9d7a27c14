// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"errors"
	"slices"
	"time"
)

// What can come of managing second factors besides success.
var (
	// ErrMFAOff: the site has no second factors.
	ErrMFAOff = errors.New("second factors are off")
	// ErrToggle: whether a second factor is demanded isn't the person's choice.
	ErrToggle = errors.New("second factors can't be turned on or off")
	// ErrFull: there are as many as there may be.
	ErrFull = errors.New("no more can be added")
)

// Enrolment is what somebody has of second factors.
type Enrolment struct {
	// Enabled says that one is demanded of the person: by the site, by the
	// directory, or because they have turned it on.
	Enabled bool
	// Required says that they have no choice.
	Required bool
	// Verified are the methods that they have proved.
	Verified []FactorMethod
	// Apps are their authenticator apps.
	Apps []AuthenticatorApp
	// HasRecovery says that a recovery code is left.
	HasRecovery bool
}

// AuthenticatorApp makes time-based codes.
type AuthenticatorApp struct {
	ID, Name string
	// Used is zero where it wasn't yet.
	Created, Used time.Time
}

// Enrolment returns what the person of a session has of second factors. It
// returns [ErrUnavailable] in a [RetryError].
func (s *Service) Enrolment(ctx context.Context, x Session) (Enrolment, error) {
	kept, err := s.enrolment(ctx, x.Owner)
	if err != nil {
		return Enrolment{}, err
	}
	e := Enrolment{
		Required:    s.mfa.Required || x.Person.MFA,
		Verified:    kept.methods(),
		HasRecovery: len(kept.Recovery) > 0,
	}
	e.Enabled = e.Required || s.mfa.UserToggle && kept.Enabled
	for _, d := range kept.TOTP {
		e.Apps = append(e.Apps, AuthenticatorApp{ID: d.ID, Name: d.Name, Created: timeOf(d.Created), Used: timeOf(d.Used)})
	}
	return e, nil
}

// SetMFA turns second factors on or off for the person of a session. To turn
// them off needs one; no device is trusted afterwards.
//
// It returns [ErrMFAOff], [ErrToggle], [ErrPending], [ErrNoFactor] where the
// person would have nothing to prove one by, or [ErrUnavailable] in a
// [RetryError].
func (s *Service) SetMFA(ctx context.Context, x Session, on bool) error {
	switch {
	case s.mfa.Off:
		return ErrMFAOff
	case !s.mfa.UserToggle || s.mfa.Required || x.Person.MFA:
		return ErrToggle
	}
	if on {
		factors, err := s.Factors(ctx, x)
		if err != nil {
			return err
		}
		usable := len(factors.Methods()) > 0
		return s.changeEnrolment(ctx, x.Owner, func(e *enrolment) (bool, error) {
			if !usable && !(s.offers(TOTPFactor) && len(e.TOTP) > 0) { // an app of this session proves those to come
				return false, ErrNoFactor
			}
			changed := !e.Enabled
			e.Enabled = true
			return changed, nil
		})
	}
	return s.changeEnrolment(ctx, x.Owner, func(e *enrolment) (bool, error) {
		if !e.Enabled {
			return false, nil
		}
		if x.MFA.IsZero() {
			return false, ErrPending
		}
		e.Enabled, e.Devices = false, nil
		return true, nil
	})
}

// mayAdd returns [ErrPending] for a session without a second factor whose person
// has one to prove, or has turned them on: whoever has got hold of the first one
// alone would give themselves the second for their next login.
func (s *Service) mayAdd(ctx context.Context, x Session) error {
	if !x.MFA.IsZero() {
		return nil
	}
	factors, err := s.Factors(ctx, x)
	if err != nil {
		return err
	}
	isOther := func(a Address) bool { return !sameMailbox(a, x.Address) }
	if factors.TOTP || slices.ContainsFunc(factors.Addresses, isOther) {
		return ErrPending
	}
	if !s.mfa.UserToggle {
		return nil
	}
	e, err := s.enrolment(ctx, x.Owner)
	if err == nil && e.Enabled {
		err = ErrPending // the session may be older than their choice
	}
	return err
}

// Recovery codes: ten, each of 160 random bits.
const (
	recoveryCodes = 10
	recoveryBytes = 20
	recoveryTag   = "recovery"
)

// IsRecoveryCode reports whether a text has the form of a recovery code.
func IsRecoveryCode(text string) bool {
	return len(text) == (recoveryBytes*8+5)/6 && isBase64URL(text)
}

// NewRecoveryCodes returns new recovery codes for the person of a session, each
// good once. Those from before are worth nothing any more. Made in a session
// without a second factor they prove none for sessions that began before.
//
// It returns [ErrMFAOff], [ErrPending] where the person has a second factor that
// the session lacks, or [ErrUnavailable] in a [RetryError].
func (s *Service) NewRecoveryCodes(ctx context.Context, x Session) ([]string, error) {
	if s.mfa.Off {
		return nil, ErrMFAOff
	}
	if err := s.mayAdd(ctx, x); err != nil {
		return nil, err
	}
	codes, tags := make([]string, recoveryCodes), make([]Tag, recoveryCodes)
	for i := range codes {
		codes[i] = randomText(recoveryBytes)
		tags[i] = s.keys.tag(recoveryTag, s.realm, x.Owner, codes[i])
	}
	err := s.changeEnrolment(ctx, x.Owner, func(e *enrolment) (bool, error) {
		e.Recovery, e.RecoveryBound = tags, s.bound(x)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// takeRecovery uses a recovery code up, and reports whether it was one for a
// session.
func (s *Service) takeRecovery(e *enrolment, x Session, code string) bool {
	if !mayProve(e.RecoveryBound, x) {
		return false
	}
	for _, tag := range s.keys.candidates(recoveryTag, s.realm, x.Owner, code) {
		if i := indexOfTag(e.Recovery, tag); i >= 0 {
			e.Recovery = slices.Delete(e.Recovery, i, i+1)
			return true
		}
	}
	return false
}

// TOTPSetup is what an authenticator app is told.
type TOTPSetup struct {
	// Secret is in base32, URL for a picture of it.
	Secret, URL string
	// Issuer and Account are what the app shows.
	Issuer, Account string
}

// setups are secrets that were given out and whose app hasn't shown yet that
// it has them, with the app's name.
func (s *Service) setups() Once { return s.Once("totp set-up", 10*time.Minute) }

func setupSlot(x Session, secret []byte) string {
	return x.Owner + "\x00" + totpEncoding.EncodeToString(secret)
}

// StartTOTP returns a new secret for an authenticator app of the person of a
// session. label is what the app shows; empty: their address. name is what the
// person calls the app. Nothing comes of it before [Service.ConfirmTOTP].
//
// It returns [ErrMFAOff], [ErrNoFactor] where the site has no such method,
// [ErrPending] where the person has a second factor that the session lacks, or
// [ErrUnavailable] in a [RetryError].
func (s *Service) StartTOTP(ctx context.Context, x Session, label, name string) (TOTPSetup, error) {
	if err := s.hasTOTP(); err != nil {
		return TOTPSetup{}, err
	}
	if err := s.mayAdd(ctx, x); err != nil {
		return TOTPSetup{}, err
	}
	secret := newTOTPSecret()
	if err := s.setups().Put(ctx, setupSlot(x, secret), "", []byte(name)); err != nil {
		return TOTPSetup{}, err
	}
	if label == "" {
		label = x.Address.String()
	}
	issuer := s.MFA().Issuer
	return TOTPSetup{
		Secret:  totpEncoding.EncodeToString(secret),
		URL:     totpURL(secret, issuer, label),
		Issuer:  issuer,
		Account: label,
	}, nil
}

func (s *Service) hasTOTP() error {
	switch {
	case s.mfa.Off:
		return ErrMFAOff
	case !s.offers(TOTPFactor):
		return ErrNoFactor
	}
	return nil
}

// ConfirmTOTP adds the authenticator app of a secret of [Service.StartTOTP],
// which has shown by a code that it has it. Added in a session without a second
// factor it proves none for sessions that began before.
//
// It returns [ErrMFAOff], [ErrNoFactor], [ErrPending], [ErrWrong], [ErrFull], or
// [ErrUnavailable] in a [RetryError].
func (s *Service) ConfirmTOTP(ctx context.Context, x Session, secretText, code string) error {
	if err := s.hasTOTP(); err != nil {
		return err
	}
	if err := s.mayAdd(ctx, x); err != nil {
		return err
	}
	now := s.now()
	secret, ok := parseTOTPSecret(secretText)
	step := int64(0)
	if ok {
		step = matchTOTP(secret, code, now, 0)
	}
	if step == 0 {
		return ErrWrong // who asks knows the secret: there is nothing to guess
	}
	kept, err := s.enrolment(ctx, x.Owner)
	switch {
	case err != nil:
		return err
	case len(kept.TOTP) >= maxTOTPDevices:
		return ErrFull
	}
	name, err := s.setups().Take(ctx, setupSlot(x, secret), "")
	switch {
	case errors.Is(err, ErrNotKept), errors.Is(err, ErrTaken):
		return ErrWrong
	case err != nil:
		return err
	}
	device := totpDevice{
		ID:      randomText(12),
		Name:    string(name),
		Secret:  secret,
		Created: now.UnixMilli(),
		Step:    step,
		Bound:   s.bound(x),
	}
	return s.changeEnrolment(ctx, x.Owner, func(e *enrolment) (bool, error) {
		if len(e.TOTP) >= maxTOTPDevices {
			return false, ErrFull
		}
		e.TOTP = append(e.TOTP, device)
		return true, nil
	})
}

// RemoveTOTP removes an authenticator app of the person of a session, which
// must have a second factor. No device that an app's code was typed on is
// trusted afterwards: the app's may be the lost one.
//
// It returns [ErrMFAOff], [ErrPending], [ErrNoFactor] for none of theirs, or
// [ErrUnavailable] in a [RetryError].
func (s *Service) RemoveTOTP(ctx context.Context, x Session, id string) error {
	if s.mfa.Off {
		return ErrMFAOff
	}
	return s.changeEnrolment(ctx, x.Owner, func(e *enrolment) (bool, error) {
		i := slices.IndexFunc(e.TOTP, func(d totpDevice) bool { return d.ID == id })
		switch {
		case i < 0:
			return false, ErrNoFactor
		case x.MFA.IsZero():
			return false, ErrPending
		}
		e.TOTP = slices.Delete(e.TOTP, i, i+1)
		e.Devices = slices.DeleteFunc(e.Devices, func(d trustedDevice) bool { return d.Method == TOTPFactor })
		return true, nil
	})
}
