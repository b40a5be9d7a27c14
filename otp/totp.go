// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The parameters of time-based codes (RFC 6238 §4): those that every
// authenticator app takes. SHA-1 is as good as any other hash here (RFC 4226
// appendix B.1); many apps silently take it for the one they are told.
const (
	totpStep   = 30 * time.Second
	totpDigits = 6
	// totpSkew is how many steps a device's clock may be off, to either side.
	totpSkew = 1
	// totpSecretBytes is the length of a new secret: that of the hash
	// (RFC 4226 §4, R6).
	totpSecretBytes = 20
	// Secrets of other lengths than those are none.
	minTOTPSecretBytes = 16
	maxTOTPSecretBytes = 64
)

var totpEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

func newTOTPSecret() []byte {
	secret := make([]byte, totpSecretBytes)
	rand.Read(secret)
	return secret
}

// parseTOTPSecret reads a secret in the form that apps are given.
func parseTOTPSecret(text string) ([]byte, bool) {
	if len(text) > 2*maxTOTPSecretBytes {
		return nil, false
	}
	text = strings.ToUpper(strings.TrimRight(strings.ReplaceAll(text, " ", ""), "="))
	secret, err := totpEncoding.DecodeString(text)
	return secret, err == nil && len(secret) >= minTOTPSecretBytes && len(secret) <= maxTOTPSecretBytes
}

// totpCode is the code of a step (RFC 4226 §5.3).
func totpCode(secret []byte, step int64) string {
	h := hmac.New(sha1.New, secret)
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	h.Write(counter[:])
	sum := h.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	truncated := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, truncated%1_000_000)
}

// TOTPCode is the code that an authenticator app with a secret, in base32, shows
// at a time.
func TOTPCode(secret string, at time.Time) (string, error) {
	key, ok := parseTOTPSecret(secret)
	if !ok {
		return "", errors.New("no secret of an authenticator app")
	}
	return totpCode(key, totpStepAt(at)), nil
}

func totpStepAt(now time.Time) int64 { return now.Unix() / int64(totpStep/time.Second) }

// matchTOTP returns the step of a code that is good now, and was not made in
// the step last used or one before it; 0 where there is none. It takes as long
// whichever step it is.
func matchTOTP(secret []byte, code string, now time.Time, last int64) (step int64) {
	present := totpStepAt(now)
	for candidate := present - totpSkew; candidate <= present+totpSkew; candidate++ {
		equal := subtle.ConstantTimeCompare([]byte(totpCode(secret, candidate)), []byte(code))
		if equal == 1 && candidate > last {
			step = candidate
		}
	}
	return step
}

// totpURL is what apps read out of a picture.
func totpURL(secret []byte, issuer, account string) string {
	escape := func(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") } // not every app reads + as a blank
	return fmt.Sprintf("otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=SHA1&digits=%d&period=%d",
		escape(issuer), escape(account), totpEncoding.EncodeToString(secret), escape(issuer), totpDigits, int(totpStep/time.Second))
}
