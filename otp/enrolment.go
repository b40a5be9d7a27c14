// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

const (
	enrolmentUse = "mfa"
	// maxTOTPDevices and maxTrustedDevices keep a record small. Of trusted
	// ones the oldest go.
	maxTOTPDevices    = 10
	maxTrustedDevices = 20
)

// enrolment is what an account's record holds of somebody's second factors.
// What the site or the directory demands doesn't depend on it.
type enrolment struct {
	// Enabled says that the person has turned them on.
	Enabled bool `json:"on,omitempty"`
	// Verified are the channels that were proved.
	Verified []FactorMethod  `json:"v,omitempty"`
	TOTP     []totpDevice    `json:"totp,omitempty"`
	Recovery []Tag           `json:"rec,omitempty"`
	Devices  []trustedDevice `json:"dev,omitempty"`
	// RecoveryBound is to the recovery codes what totpDevice.Bound is.
	RecoveryBound int64 `json:"recb,omitempty"`
}

// totpDevice is an authenticator app.
type totpDevice struct {
	ID      string `json:"id"`
	Name    string `json:"n"`
	Secret  []byte `json:"s"`
	Created int64  `json:"c"` // Unix ms
	// Step is that of the last code taken: no code is taken twice
	// (RFC 6238 §5.2).
	Step int64 `json:"l"`
	// Used is in Unix ms; 0: never.
	Used int64 `json:"u,omitempty"`
	// Bound, in Unix ms, is set where the device was added in a session
	// without a second factor: it proves none for sessions that began before.
	// Otherwise whoever has got hold of a session could elevate it with a
	// device of their own.
	Bound int64 `json:"b,omitempty"`
}

// mayProve reports whether what was bound then can prove a factor for a
// session.
func mayProve(bound int64, x Session) bool { return bound == 0 || x.Created.UnixMilli() > bound }

// bound returns the time to bind something to that is added in a session.
func (s *Service) bound(x Session) int64 {
	if !x.MFA.IsZero() {
		return 0
	}
	return max(s.now().UnixMilli(), x.Created.UnixMilli())
}

func (e *enrolment) hasTOTP(x Session) bool {
	return slices.ContainsFunc(e.TOTP, func(d totpDevice) bool { return mayProve(d.Bound, x) })
}

// methods are those that the person has proved.
func (e *enrolment) methods() []FactorMethod {
	methods := slices.Clone(e.Verified)
	if len(e.TOTP) > 0 {
		methods = append(methods, TOTPFactor)
	}
	return methods
}

// note keeps that a method was proved, and reports whether that is news.
func (e *enrolment) note(m FactorMethod) bool {
	if m == TOTPFactor || m == RecoveryFactor || slices.Contains(e.Verified, m) {
		return false
	}
	e.Verified = append(e.Verified, m)
	return true
}

// decodeEnrolment reads a record's value. One that no secret opens any more
// leaves turned on what may have been.
func decodeEnrolment(value []byte, exists bool) (e enrolment, err error) {
	switch {
	case value != nil:
		if err := json.Unmarshal(value, &e); err != nil {
			return e, fmt.Errorf("record of second factors: %w", err)
		}
	case exists:
		e.Enabled = true
	}
	return e, nil
}

// enrolment returns what is kept of a person's second factors.
func (s *Service) enrolment(ctx context.Context, owner string) (enrolment, error) {
	value, exists, err := s.recordOf(enrolmentUse, owner).load(ctx)
	if err != nil {
		return enrolment{}, err
	}
	return decodeEnrolment(value, exists)
}

// changeEnrolment changes what is kept of a person's second factors, where
// change says that it has changed something. It may be called several times.
func (s *Service) changeEnrolment(ctx context.Context, owner string, change func(*enrolment) (bool, error)) error {
	return s.recordOf(enrolmentUse, owner).change(ctx, func(value []byte, exists bool) ([]byte, error) {
		e, err := decodeEnrolment(value, exists)
		if err != nil {
			return nil, err
		}
		if changed, err := change(&e); err != nil || !changed {
			return nil, err
		}
		return json.Marshal(e)
	})
}

// enrol notes in the account what a request that proved a factor asks for. The
// factor is proved whatever becomes of that.
func (s *Service) enrol(ctx context.Context, v *Verification, r ElevateRequest) {
	if !r.Enrol && !r.Trust {
		return
	}
	token := ""
	err := s.changeEnrolment(ctx, v.Session.Owner, func(e *enrolment) (bool, error) {
		changed := r.Enrol && e.note(FactorMethod(v.Session.MFAMethod))
		if r.Trust {
			token, changed = s.trust(e, v.Session), true
		}
		return changed, nil
	})
	if err != nil {
		s.logger.Warn("what a second factor's proof asks for can't be kept", slog.Any("error", err))
		return
	}
	v.Trust = token
}

// trustedDevice is one whose logins need no second factor.
type trustedDevice struct {
	Tag Tag `json:"t"`
	// Proved is when, in Unix ms, and Method by what the factor was proved
	// that it is trusted for.
	Proved  int64        `json:"p"`
	Method  FactorMethod `json:"m"`
	Expires int64        `json:"e"` // Unix ms
}

// A token of a trusted device is 256 random bits and a proof that this realm
// made them: what isn't ours costs no look at the store.
const (
	trustTag         = "trust"
	trustProofTag    = "trust proof"
	trustRandom      = 32
	trustProofLength = 11
)

var trustLength = (trustRandom*8 + 5) / 6

// trust adds a device and returns its token.
func (s *Service) trust(e *enrolment, x Session) string {
	now := s.now()
	random := randomText(trustRandom)
	token := random + string(s.keys.tag(trustProofTag, s.realm, random)[:trustProofLength])
	e.Devices = slices.DeleteFunc(e.Devices, func(d trustedDevice) bool { return d.isOver(now) })
	if extra := len(e.Devices) + 1 - maxTrustedDevices; extra > 0 {
		e.Devices = slices.Delete(e.Devices, 0, extra)
	}
	e.Devices = append(e.Devices, trustedDevice{
		Tag:     s.keys.tag(trustTag, s.realm, x.Owner, token),
		Proved:  x.MFA.UnixMilli(),
		Method:  FactorMethod(x.MFAMethod),
		Expires: now.Add(s.MFA().TrustedDevice).UnixMilli(),
	})
	return token
}

func (d trustedDevice) isOver(now time.Time) bool { return now.UnixMilli() >= d.Expires }

// IsTrust reports whether a text is a token of a trusted device of this realm,
// whether or not it still holds.
func (s *Service) IsTrust(token string) bool {
	if len(token) != trustLength+trustProofLength {
		return false
	}
	for _, candidate := range s.keys.candidates(trustProofTag, s.realm, token[:trustLength]) {
		if hmac.Equal([]byte(candidate[:trustProofLength]), []byte(token[trustLength:])) {
			return true
		}
	}
	return false
}

// trustTags returns the tags that a person's token may have been kept as.
func (s *Service) trustTags(owner, token string) (tags []Tag, plausible bool) {
	if s.mfa.Off || !s.IsTrust(token) {
		return nil, false
	}
	return s.keys.candidates(trustTag, s.realm, owner, token), true
}

// trusted returns the device of one of the tags, if it is still trusted.
func (e *enrolment) trusted(tags []Tag, now time.Time) (found trustedDevice, ok bool) {
	for _, d := range e.Devices {
		if indexOfTag(tags, d.Tag) >= 0 && !d.isOver(now) {
			found, ok = d, true
		}
	}
	return found, ok
}

// indexOfTag returns where a tag is among others, or -1. Its time doesn't tell
// how much of it is right.
func indexOfTag(tags []Tag, tag Tag) int {
	found := -1
	for i, t := range tags {
		if hmac.Equal([]byte(t), []byte(tag)) {
			found = i
		}
	}
	return found
}

// forgetDevices has none of a person's devices trusted any more.
func (s *Service) forgetDevices(ctx context.Context, owner string) error {
	return s.changeEnrolment(ctx, owner, func(e *enrolment) (bool, error) {
		trusts := len(e.Devices) > 0
		e.Devices = nil
		return trusts, nil
	})
}
