// SPDX-License-Identifier: Apache-2.0

package otp

// Channel is the way that a message reaches a person.
type Channel string

// The channels.
const (
	Email Channel = "email"
	SMS   Channel = "sms"
)

// Purpose is what a challenge is for. A code issued for one purpose is
// worthless for any other.
type Purpose string

// The purposes.
const (
	Login Purpose = "login"
	// MFA is a second factor of a session.
	MFA Purpose = "mfa"
)

// Form says what a message carries: a code to type, a link to open, or both.
type Form string

// The forms.
const (
	FormCode Form = "code"
	FormLink Form = "link"
	FormBoth Form = "both"
)

func (f Form) code() bool { return f != FormLink }
func (f Form) link() bool { return f == FormLink || f == FormBoth }
