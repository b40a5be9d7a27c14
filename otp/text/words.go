// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strconv"
	"strings"
	"time"
)

// Words are the wordings of one language, as plain text. {site}, {host},
// {code} and the like stand for what [Fill] puts in.
type Words struct {
	// Language is the BCP 47 tag, for lang attributes.
	Language string
	Mail     MailWords
	SMS      SMSWords
	Page     PageWords
	// The units as they follow a preposition ("in 5 minutes").
	Second, Minute, Hour, Day Unit
}

// Unit is a unit of time after a number: 1 minute, {n} minutes.
type Unit struct{ One, Other string }

// MailWords are those of e-mails. {site} names the site; {host} is its host,
// with the port if it has one; {lifetime} is how long the code and the link
// live. A subject shows on locked screens: it has no {code}.
type MailWords struct {
	SubjectCode, SubjectLink string
	// UseCode, OpenLink and OrOpenLink introduce what follows them.
	UseCode, OpenLink, OrOpenLink string
	Button                        string
	// CopyLink introduces the link as text, below the button.
	CopyLink                          string
	ValidCode, ValidLink, ValidBoth   string
	NotAsked, KeepSecret, KeepPrivate string
	// SubjectConfirm, UseConfirm and NotAskedConfirm are for the code of a
	// second factor: whoever asks for one is signed in already.
	SubjectConfirm, UseConfirm, NotAskedConfirm string
}

// SMSWords are those of SMS, in the characters of GSM 03.38 only. Code and
// ShortCode come before the line that binds the code to the site; Confirm is
// Code for a second factor.
type SMSWords struct {
	Code, ShortCode, Link string
	Confirm               string
}

// PageWords are those of the site's own pages. {address} is the address that
// was typed, {wait} how long until another try, {prefix} a country's, {url}
// the site's address, and {path} where a form goes.
type PageWords struct {
	LoginTitle, Email, Phone, Send string
	EmailOrPhone, Restart          string
	// PhoneHint says that numbers need their country's prefix, AbroadHint
	// that those from abroad do.
	PhoneHint, AbroadHint string

	// SignedInTitle and what follows are for those who needn't sign in.
	SignedInTitle, SignedIn, Continue, SomebodyElse string

	VerifyTitle, Sent, Code, Verify, Resend, OtherAddress string
	// EnterCode, OpenLink and EnterCodeOrOpenLink say what to do with what
	// the message carries.
	EnterCode, OpenLink, EnterCodeOrOpenLink string
	SentAgain, ResendLink                    string

	LinkTitle, LinkLead, LinkConfirm, LinkCaution string

	LogoutTitle, LogoutConfirm, LoggedOut, SignInAgain string
	StaySignedIn, StartPage                            string
	// HalfLoggedOut says that only the browser has forgotten the session.
	HalfLoggedOut, HalfLoggedOutLead string

	EmailInvalid, PhoneInvalid, EmailOrPhoneInvalid string
	// CheckTyping, NeedsPrefix and NeedsPrefixAbroad follow these three.
	CheckTyping, NeedsPrefix, NeedsPrefixAbroad string

	CodeInvalid, CodeWrong, CodeExpired, CodeExhausted, LinkInvalid   string
	Throttled, Busy, CoolDown, Unavailable, NoSender, Foreign, Defect string
	// Error stands before a title, FailTitle above what is no page's own.
	Error, FailTitle, BadRequest, LinkInvalidTitle string
	// CoolDownOpenLink is CoolDown where the message carries a link.
	CoolDownOpenLink string
	// WrongOrigin and OpenSite are for who came by another address than the
	// site's own.
	WrongOrigin, OpenSite string
	// Unchecked says that nobody knows now who is signed in.
	Unchecked, TryAgain     string
	NotFoundTitle, NotFound string
	// Device is ticked by who signs in on a device of their own; DeviceHint
	// says what else to do.
	Device, DeviceHint string
	// FormKept and FormLost say what became of a form that was posted without
	// a session. FormTitle and what follows ask whether to send it, to {path}.
	FormKept, FormLost                      string
	FormTitle, FormLead, FormSend, FormDrop string
	// FormSent, FormGone, FormOther and FormUnsent say why it isn't sent.
	FormSentTitle, FormSent, FormGoneTitle, FormGone, FormOther, FormUnsent string
	// ForbiddenTitle and Forbidden are for who is signed in and may not open
	// a page.
	ForbiddenTitle, Forbidden string

	// MFATitle and what follows are for a second factor; {address} is masked.
	MFATitle, MFALead, MFASend, MFASent, MFAConfirm string
	// MFAChoose is MFALead where there is an authenticator app too, MFAApp the
	// button for it, and MFAAppLead asks for its code.
	MFAChoose, MFAApp, MFAAppLead string
	// NoFactor says that there is nothing to send a code to.
	NoFactor string
	// NotForSiteTitle and NotForSite are for who is signed in at another site
	// and may not sign in at this one.
	NotForSiteTitle, NotForSite string
	// GoOnTo says which {site} people go on to after they have signed in.
	GoOnTo string
	// ClientRefused is for who was sent here by an application with a request
	// that can't be answered.
	ClientRefused string
	// NoCookies is for browsers that don't keep the session of {site}.
	NoCookies string
	// SessionsTitle and what follows are for the list of a person's sessions.
	// LogoutEverywhere ends all, EndSession one; ThisBrowser marks the one
	// that looks at the list.
	SessionsTitle, SessionsLead, ThisBrowser, EndSession, LogoutEverywhere string
	// OpenedByPage and OpenedByApp say how long ago, {time}, a session was
	// opened; {api} is by which API.
	OpenedByPage, OpenedByApp string
	// ProgramOnSystem names the {program} and the {system} that it runs on,
	// ProgramIn what is known only by its programming {language}.
	ProgramOnSystem, ProgramIn, ProgramUnknown string
}

// Fill replaces {name} in a wording by the value that follows the name in
// pairs. Values are never looked at for names again.
func Fill(wording string, pairs ...string) string {
	var filled strings.Builder
	for {
		before, rest, found := strings.Cut(wording, "{")
		filled.WriteString(before)
		if !found {
			return filled.String()
		}
		name, after, closed := strings.Cut(rest, "}")
		if value, known := valueOf(name, pairs); closed && known {
			filled.WriteString(value)
			wording = after
		} else {
			filled.WriteByte('{')
			wording = rest
		}
	}
}

func valueOf(name string, pairs []string) (value string, known bool) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1], true
		}
	}
	return "", false
}

// Lifetime says how long something is good for, never more than it is: whole
// units, rounded down.
func (w *Words) Lifetime(d time.Duration) string { return w.span(d, false) }

// Wait says how long to wait, never less than needed: whole units, rounded
// up.
func (w *Words) Wait(d time.Duration) string { return w.span(d, true) }

func (w *Words) span(d time.Duration, up bool) string {
	d = max(d, time.Second)
	size, unit := time.Second, w.Second
	for _, larger := range []struct {
		size time.Duration
		unit Unit
	}{{time.Minute, w.Minute}, {time.Hour, w.Hour}, {24 * time.Hour, w.Day}} {
		if d >= larger.size {
			size, unit = larger.size, larger.unit
		}
	}
	n := d / size
	if up && d%size != 0 {
		n++
	}
	if n == 1 {
		return unit.One
	}
	return Fill(unit.Other, "n", strconv.FormatInt(int64(n), 10))
}
