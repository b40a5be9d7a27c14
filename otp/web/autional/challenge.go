// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"slices"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// mfaMethods are the documented values of mfa_method.
var mfaMethods = []string{"totp", "sms", "email", "push"}

// checkChallengeAnswer returns what is wrong with the fields of POST
// /auth/mfa/verify-challenge.
func checkChallengeAnswer(body wire.Object) error {
	f := reader{body: body}
	f.requiredText("challenge_token")
	f.requiredText("code")
	if method := f.text("mfa_method"); method != "" && !slices.Contains(mfaMethods, method) {
		f.refuse("mfa_method", "format")
	}
	f.only("challenge_token", "code", "mfa_method")
	return f.err()
}

// verifyChallenge refuses a code for a second factor. No login asks for one in
// this version, so every challenge_token is somebody's invention and gets the
// answer of a wrong code. The path is ours all the same: the codes that
// clients send there are not for the app.
func verifyChallenge(_ http.ResponseWriter, r *http.Request) error {
	body, err := wire.Parse(r, wire.JSON)
	if err != nil {
		return err
	}
	if err := checkChallengeAnswer(body); err != nil {
		return err
	}
	return otp.ErrWrong
}
