// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"crypto/sha256"
	"encoding/base64"
)

// challengeS256 is the only method of a code challenge: plain would give the
// verifier away to whoever sees the request (RFC 7636 §7.2).
const challengeS256 = "S256"

// challengeLength is the length of a SHA-256 digest in base64url.
const challengeLength = 43

// checkChallenge judges the code challenge of a request for a code. A client
// that can't prove itself needs one (RFC 9700 §2.1.1): nothing else tells it
// from who has seen its code.
func (a authorization) checkChallenge() error {
	switch {
	case a.CodeChallenge == "" && a.CodeChallengeMethod != "":
		return badRequest("invalid_request", "Missing required parameter: code_challenge")
	case a.CodeChallenge == "" && !a.client.isConfidential():
		return badRequest("invalid_request", "Missing required parameter: code_challenge (the client has no secret)")
	case a.CodeChallenge == "":
		return nil
	case a.CodeChallengeMethod != challengeS256:
		return badRequest("invalid_request", "code_challenge_method must be S256")
	}
	sum, err := base64.RawURLEncoding.DecodeString(a.CodeChallenge)
	if err != nil || len(a.CodeChallenge) != challengeLength || len(sum) != sha256.Size {
		return badRequest("invalid_request", "code_challenge must be a SHA-256 digest in base64url")
	}
	return nil
}

// verifies reports whether a code verifier is that of a challenge (RFC 7636
// §4.6). Without a challenge there must be none: somebody may have taken it out
// of the request (RFC 9700 §4.8).
func verifies(challenge, verifier string) bool {
	if challenge == "" || verifier == "" {
		return challenge == verifier
	}
	sum := sha256.Sum256([]byte(verifier))
	return equalSecrets(base64.RawURLEncoding.EncodeToString(sum[:]), challenge)
}
