// SPDX-License-Identifier: Apache-2.0

package text

var english = Words{
	Language: "en",
	Mail: MailWords{
		SubjectCode: "Your sign-in code for {site}",
		SubjectLink: "Your sign-in link for {site}",
		UseCode:     "Use this code to sign in to {site}:",
		OpenLink:    "Open this link to sign in to {site}:",
		OrOpenLink:  "Or open this link:",
		Button:      "Sign in",
		CopyLink:    "If the button doesn't work, copy this address into your browser:",
		ValidCode:   "The code is valid for {lifetime} and works once.",
		ValidLink:   "The link is valid for {lifetime} and works once.",
		ValidBoth:   "The code and the link are valid for {lifetime}. Once you have used one of them, neither works again.",
		NotAsked:    "If you didn't ask for this, ignore this e-mail: without it nobody can sign in as you.",
		KeepSecret:  "Nobody will ever ask you for this code. Enter it on {host} only.",
		KeepPrivate: "Don't forward this e-mail: whoever has the link can sign in as you.",
	},
	SMS: SMSWords{
		Code:      "{code} is your sign-in code for {site}, valid for {lifetime}. Never tell it to anybody.",
		ShortCode: "Code: {code}",
		Link:      "Sign in to {site} with this link, valid for {lifetime}: {link}",
	},
	Page: PageWords{
		LoginTitle: "Sign in to {site}",
		Email:      "E-mail address",
		Phone:      "Phone number",
		Send:       "Continue",

		EmailOrPhone: "E-mail address or phone number",
		PhoneHint:    "Phone numbers with the country's prefix, such as +49.",
		Restart:      "Please start again: signing in took too long, or your browser didn't keep our cookie.",

		VerifyTitle:  "Check your messages",
		Sent:         "If {address} may sign in here, a message is on its way to it. It can take a minute.",
		Code:         "Code",
		Verify:       "Sign in",
		Resend:       "Send a new code",
		OtherAddress: "Use another address",

		EnterCode:           "Enter the code from the message.",
		OpenLink:            "Open the link in the message to sign in.",
		EnterCodeOrOpenLink: "Enter the code from the message, or open its link.",
		SentAgain:           "You have asked for another message.",
		ResendLink:          "Send a new link",

		LinkTitle:   "Sign in to {site}",
		LinkLead:    "You are about to sign in as {address}.",
		LinkConfirm: "Sign in",
		LinkCaution: "If you didn't ask for this link, close this page.",

		LogoutTitle:   "Sign out of {site}",
		LogoutLead:    "You are signed in as {address}.",
		LogoutConfirm: "Sign out",
		LoggedOut:     "You are signed out.",
		SignInAgain:   "Sign in again",
		StaySignedIn:  "Stay signed in",

		HalfLoggedOut:     "You are signed out in this browser only",
		HalfLoggedOutLead: "The end of your session couldn't be stored. This browser has forgotten it, but a copy of its cookie could still be used until the session expires.",

		AddressInvalid: "This isn't a valid address. Check it for typing errors.",
		CodeInvalid:    "The code consists of digits only. Copy it from the message.",
		CodeWrong:      "This code is wrong.",
		CodeExpired:    "This code has expired. Ask for a new one.",
		CodeExhausted:  "There were too many wrong tries of this code. Ask for a new one.",
		LinkInvalid:    "This link isn't valid any more. Ask for a new one.",
		Throttled:      "You have asked too often. Try again in {wait}.",
		CoolDown:       "There were too many wrong codes for this address. Try again in {wait}.",
		Unavailable:    "Signing in isn't possible right now. Try again in {wait}.",
		NoSender:       "This site doesn't send messages to addresses of this kind.",
		Foreign:        "This request came from another site and was refused. Start again here.",
		Defect:         "Something went wrong. Try again.",

		Error:            "Error",
		FailTitle:        "That didn't work",
		BadRequest:       "This request can't be understood. Start again here.",
		LinkInvalidTitle: "This link can't be used",
		CoolDownOpenLink: "There were too many wrong codes for this address. Open the link in the message, or try again in {wait}.",
	},
	Second: Unit{"1 second", "{n} seconds"},
	Minute: Unit{"1 minute", "{n} minutes"},
	Hour:   Unit{"1 hour", "{n} hours"},
	Day:    Unit{"1 day", "{n} days"},
}
