// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"crypto/rand"
	"encoding/base64"
	"time"
)

// The bounds of a [CodePolicy]. NIST SP 800-63B-4 §3.1.3.2 asks for at least
// six digits and at most ten minutes.
const (
	MinCodeLength   = 6
	MaxCodeLength   = 12
	MaxCodeLifetime = 10 * time.Minute
	MaxAttempts     = 10
	MaxKeep         = 3
)

// CodePolicy says what a code looks like and how long it can be used.
type CodePolicy struct {
	// Length is the number of decimal digits, from 6 to 12.
	Length int
	// Lifetime of codes and links sent by e-mail, at most 10 minutes.
	Lifetime time.Duration
	// SMSLifetime of codes sent by SMS, at most 10 minutes.
	SMSLifetime time.Duration
	// Attempts is how many wrong guesses a code survives less one: it dies
	// with the last of them. From 1 to 10.
	Attempts int
	// Keep is how many of the codes last asked for stay valid, from 1 to 3.
	Keep int
}

// LifetimeOn returns how long a code sent over the channel lives.
func (p CodePolicy) LifetimeOn(c Channel) time.Duration {
	if c == SMS {
		return p.SMSLifetime
	}
	return p.Lifetime
}

// newCode returns length decimal digits, each uniform: bytes from 250 on are
// drawn again, since 256 is no multiple of ten.
func newCode(length int) string {
	code := make([]byte, 0, length)
	var random [16]byte
	for {
		rand.Read(random[:])
		for _, b := range random {
			if b >= 250 {
				continue
			}
			code = append(code, '0'+b%10)
			if len(code) == length {
				return string(code)
			}
		}
	}
}

// randomText returns n random bytes (8n bits) as unpadded base64url.
func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// IsCode reports whether s can be a code: [MinCodeLength] to [MaxCodeLength]
// decimal digits. Anything else is noise that no work need be done for.
func IsCode(s string) bool {
	return len(s) >= MinCodeLength && len(s) <= MaxCodeLength && isDigits(s)
}
