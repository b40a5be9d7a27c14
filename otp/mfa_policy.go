// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"
)

// FactorMethod is a way to prove a second factor.
type FactorMethod string

// The methods. The channels' are named as those.
const (
	EmailFactor = FactorMethod(Email)
	SMSFactor   = FactorMethod(SMS)
	// TOTPFactor is an authenticator app (RFC 6238).
	TOTPFactor FactorMethod = "totp"
	// RecoveryFactor is a recovery code. It isn't offered, nor can it be left
	// out: it is what is left where the others are lost.
	RecoveryFactor FactorMethod = "recovery_code"
)

// DefaultTrustedDevice is how long a device is trusted where nothing is said
// of it.
const DefaultTrustedDevice = 7 * 24 * time.Hour

// MFAPolicy says which second factors there are, and of whom one is demanded
// besides those of whom the directory does.
type MFAPolicy struct {
	// Off leaves nobody a way to prove one.
	Off bool
	// Methods are those offered, of which each needs its sender; none: all.
	Methods []FactorMethod
	// Required demands one in every session.
	Required bool
	// Distinct takes none of the channel that opened the session.
	Distinct bool
	// UserToggle lets people turn it on for themselves. What they have turned
	// on counts while this holds.
	UserToggle bool
	// TrustedDevice is how long a device is trusted; 0:
	// [DefaultTrustedDevice].
	TrustedDevice time.Duration
	// Issuer is what authenticator apps call the site; empty: its host.
	Issuer string
}

// MFA returns the site's policy of second factors, with the lifetime of trust
// and the issuer filled in.
func (s *Service) MFA() MFAPolicy {
	p := s.mfa
	p.TrustedDevice = cmp.Or(p.TrustedDevice, DefaultTrustedDevice)
	p.Issuer = cmp.Or(p.Issuer, s.publicURL.Hostname()) // apps take what stands before a colon for the name
	return p
}

// FactorMethods returns the methods that the site offers.
func (s *Service) FactorMethods() []FactorMethod {
	var methods []FactorMethod
	for _, m := range []FactorMethod{EmailFactor, SMSFactor, TOTPFactor} {
		if s.offers(m) {
			methods = append(methods, m)
		}
	}
	return methods
}

func (s *Service) offers(m FactorMethod) bool {
	if s.mfa.Off || len(s.mfa.Methods) > 0 && !slices.Contains(s.mfa.Methods, m) {
		return false
	}
	return m == TOTPFactor || s.HasSender(Channel(m))
}

// DemandsFactor reports whether a second factor is demanded of a session
// wherever it is used: of every one, or because the person has turned it on.
// What the directory demands stands in the session's Person.
func (s *Service) DemandsFactor(x Session) bool {
	return s.mfa.Required || s.mfa.UserToggle && x.Enrolled
}

// prepareFactor sets what a session that is to be opened knows of second
// factors: whether its person has turned them on, and the one that a trusted
// device proved before. due says that one is yet to be proved.
func (s *Service) prepareFactor(x *Session, e enrolment, p Presented) (due bool) {
	// A session of a site that lets nobody turn them on may be used at another.
	x.Enrolled = e.Enabled
	demanded := x.Person.MFA || s.DemandsFactor(*x)
	trust, _ := s.trustTags(x.Owner, p.Trust)
	if d, ok := e.trusted(trust, s.now()); demanded && ok && s.stillCounts(d.Method, x.Address) {
		x.MFA, x.MFAMethod = timeOf(d.Proved), string(d.Method)
	}
	return demanded && x.MFA.IsZero()
}

// stillCounts reports whether the method that a device was trusted by would do
// for a session of an address now.
func (s *Service) stillCounts(m FactorMethod, a Address) bool {
	if m == RecoveryFactor {
		return !s.mfa.Off
	}
	return s.offers(m) && (!s.mfa.Distinct || m != FactorMethod(a.channel))
}

// refusePending ends a session that was opened just now.
func (s *Service) refusePending(ctx context.Context, x Session) error {
	s.logger.Info("nobody is signed in", slog.String("because_of", "mfa"), slog.String("realm", s.realm))
	if err := s.SignOut(ctx, x.ID, x.Expires); err != nil {
		return err
	}
	return ErrPending
}
