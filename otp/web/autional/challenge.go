// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// challengeUse is what challenge tokens are sealed for: one of them is no
// cookie, and no access token.
const challengeUse = "autional challenge"

// challengeLifetime is how long a login waits for its second factor: as long
// as the code for it lives, by whichever channel that is sent.
func (d *dialect) challengeLifetime() time.Duration {
	return max(d.Code.Lifetime, d.Code.SMSLifetime)
}

// lacksFactor reports whether a second factor is demanded of a session, or of
// its person, that the session hasn't proved.
func (d *dialect) lacksFactor(x otp.Session) bool {
	return x.MFA.IsZero() && (x.Person.MFA || d.Service.DemandsFactor(x))
}

// challenge is the answer to a login that a second factor is demanded of. It
// has no tokens, and says nothing of who it is.
type challenge struct {
	RequiresMFA        bool          `json:"requires_mfa"`
	ChallengeToken     string        `json:"challenge_token"`
	RequiredMFAMethods []otp.Channel `json:"required_mfa_methods"`
}

// demandFactor has a code sent to the best second factor of a pending
// session, and answers with the challenge that the code is for.
func (d *dialect) demandFactor(w http.ResponseWriter, r *http.Request, x otp.Session) error {
	factor, err := d.factor(r, x)
	if err != nil {
		return err
	}
	_, err = d.Service.StartFactor(r.Context(), x, otp.FactorRequest{
		Address:  factor,
		Code:     d.Code,
		ClientIP: wire.CallerOf(r).IP,
		Locale:   wire.Languages(r),
	})
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, challenge{
		RequiresMFA:        true,
		ChallengeToken:     d.challenges.Seal(x, d.Issuer.Now()),
		RequiredMFAMethods: []otp.Channel{factor.Channel()},
	})
	return nil
}

// factor is the address that a session's second factor is proved by.
func (d *dialect) factor(r *http.Request, x otp.Session) (otp.Address, error) {
	factors, err := d.Service.Factors(r.Context(), x)
	if err != nil {
		return otp.Address{}, err
	}
	if len(factors.Addresses) == 0 {
		return otp.Address{}, otp.ErrNoFactor
	}
	return factors.Addresses[0], nil
}

// The documented values of mfa_method. A code is sent for those that are
// channels; there is nothing yet that answers for the others.
var (
	mfaMethods = []string{"totp", "sms", "email", "push"}
	answerless = []string{"totp", "push"}
)

// challengeAnswer is the body of POST /auth/mfa/verify-challenge.
type challengeAnswer struct {
	token, code string
	// method is by what the code came; empty: by what it was sent.
	method otp.Channel
}

// decodeChallengeAnswer reads a code for a second factor.
func decodeChallengeAnswer(body wire.Object) (challengeAnswer, error) {
	f := reader{body: body}
	in := challengeAnswer{
		token:  f.requiredText("challenge_token"),
		code:   f.requiredText("code"),
		method: otp.Channel(f.text("mfa_method")),
	}
	switch method := string(in.method); {
	case method == "":
	case !slices.Contains(mfaMethods, method):
		f.refuse("mfa_method", "format")
	case slices.Contains(answerless, method):
		f.refuse("mfa_method", "unsupported")
	}
	f.only("challenge_token", "code", "mfa_method")
	return in, f.err()
}

// verifyChallenge redeems a code for the second factor that a login was asked
// for, and answers with the session's tokens. A challenge that is none of
// ours, too old or used before gets the answer of a wrong code.
func (d *dialect) verifyChallenge(w http.ResponseWriter, r *http.Request) error {
	body, err := wire.Parse(r, wire.JSON)
	if err != nil {
		return err
	}
	in, err := decodeChallengeAnswer(body)
	if err != nil {
		return err
	}
	v, err := d.elevate(r, in)
	if errors.Is(err, otp.ErrNoSession) || errors.Is(err, otp.ErrNoFactor) {
		return otp.ErrWrong
	}
	if err != nil {
		return err
	}
	return d.answerTokens(w, r, v)
}

// elevate returns the session that continues a challenge's. It returns
// [otp.ErrNoSession] or [otp.ErrNoFactor] for a challenge that nothing can
// come of, or an error of [otp.Service.Elevate].
func (d *dialect) elevate(r *http.Request, in challengeAnswer) (otp.Verification, error) {
	x, _, _, err := d.challenges.Open(in.token)
	if err != nil {
		return otp.Verification{}, otp.ErrNoSession
	}
	x.Pending = true // as all are that are sealed for this use
	factor, err := d.factor(r, x)
	if err != nil {
		return otp.Verification{}, err
	}
	if in.method != "" && in.method != factor.Channel() {
		return otp.Verification{}, otp.ErrNoFactor
	}
	if err := d.Issuer.Prepare(r.Context()); err != nil { // or the code would be lost
		return otp.Verification{}, err
	}
	return d.Service.Elevate(r.Context(), x, otp.ElevateRequest{
		Address:   factor,
		Code:      in.code,
		ClientIP:  wire.CallerOf(r).IP,
		Renewable: true,
		Device:    wire.Device(r.UserAgent()),
		Lifetime:  d.RefreshLifetime,
	})
}
