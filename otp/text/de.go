// SPDX-License-Identifier: Apache-2.0

package text

var german = Words{
	Language: "de",
	Mail: MailWords{
		SubjectCode: "Ihr Anmeldecode für {site}",
		SubjectLink: "Ihr Anmeldelink für {site}",
		UseCode:     "Mit diesem Code melden Sie sich bei {site} an:",
		OpenLink:    "Mit diesem Link melden Sie sich bei {site} an:",
		OrOpenLink:  "Oder öffnen Sie diesen Link:",
		Button:      "Anmelden",
		CopyLink:    "Falls die Schaltfläche nicht funktioniert, kopieren Sie diese Adresse in Ihren Browser:",
		ValidCode:   "Der Code gilt {lifetime} lang und nur einmal.",
		ValidLink:   "Der Link gilt {lifetime} lang und nur einmal.",
		ValidBoth:   "Code und Link gelten {lifetime} lang. Sobald Sie eines davon verwendet haben, gilt keines von beiden mehr.",
		NotAsked:    "Wenn Sie das nicht angefordert haben, ignorieren Sie diese E-Mail: Ohne sie kann sich niemand als Sie anmelden.",
		KeepSecret:  "Niemand wird Sie je nach diesem Code fragen. Geben Sie ihn nur auf {host} ein.",
		KeepPrivate: "Leiten Sie diese E-Mail nicht weiter: Wer den Link hat, kann sich als Sie anmelden.",
	},
	SMS: SMSWords{
		Code:      "{code} ist Ihr Anmeldecode für {site}, gültig für {lifetime}. Sagen Sie ihn niemandem.",
		ShortCode: "Code: {code}",
		Link:      "Mit diesem Link melden Sie sich bei {site} an, gültig für {lifetime}: {link}",
	},
	Page: PageWords{
		LoginTitle: "Bei {site} anmelden",
		Email:      "E-Mail-Adresse",
		Phone:      "Telefonnummer",
		Send:       "Weiter",

		EmailOrPhone: "E-Mail-Adresse oder Telefonnummer",
		PhoneHint:    "Telefonnummern mit Landesvorwahl, zum Beispiel +49.",
		Restart:      "Bitte beginnen Sie von vorn: Die Anmeldung hat zu lange gedauert, oder Ihr Browser hat unser Cookie nicht behalten.",

		VerifyTitle:  "Sehen Sie in Ihren Nachrichten nach",
		Sent:         "Wenn sich {address} hier anmelden darf, ist eine Nachricht unterwegs. Das kann eine Minute dauern.",
		Code:         "Code",
		Verify:       "Anmelden",
		Resend:       "Neuen Code senden",
		OtherAddress: "Andere Adresse verwenden",

		EnterCode:           "Geben Sie den Code aus der Nachricht ein.",
		OpenLink:            "Öffnen Sie den Link in der Nachricht, um sich anzumelden.",
		EnterCodeOrOpenLink: "Geben Sie den Code aus der Nachricht ein oder öffnen Sie ihren Link.",
		SentAgain:           "Sie haben eine weitere Nachricht angefordert.",
		ResendLink:          "Neuen Link senden",

		LinkTitle:   "Bei {site} anmelden",
		LinkLead:    "Sie melden sich gleich als {address} an.",
		LinkConfirm: "Anmelden",
		LinkCaution: "Wenn Sie diesen Link nicht angefordert haben, schließen Sie diese Seite.",

		LogoutTitle:   "Von {site} abmelden",
		LogoutLead:    "Sie sind als {address} angemeldet.",
		LogoutConfirm: "Abmelden",
		LoggedOut:     "Sie sind abgemeldet.",
		SignInAgain:   "Wieder anmelden",
		StaySignedIn:  "Angemeldet bleiben",

		HalfLoggedOut:     "Sie sind nur in diesem Browser abgemeldet",
		HalfLoggedOutLead: "Das Ende Ihrer Sitzung konnte nicht gespeichert werden. Dieser Browser hat sie vergessen, aber eine Kopie seines Cookies wäre noch gültig, bis die Sitzung abläuft.",

		AddressInvalid: "Das ist keine gültige Adresse. Prüfen Sie sie auf Tippfehler.",
		CodeInvalid:    "Der Code besteht nur aus Ziffern. Kopieren Sie ihn aus der Nachricht.",
		CodeWrong:      "Dieser Code ist falsch.",
		CodeExpired:    "Dieser Code ist abgelaufen. Fordern Sie einen neuen an.",
		CodeExhausted:  "Dieser Code wurde zu oft falsch eingegeben. Fordern Sie einen neuen an.",
		LinkInvalid:    "Dieser Link gilt nicht mehr. Fordern Sie einen neuen an.",
		Throttled:      "Sie haben zu oft angefragt. Versuchen Sie es in {wait} wieder.",
		CoolDown:       "Für diese Adresse wurden zu viele falsche Codes eingegeben. Versuchen Sie es in {wait} wieder.",
		Unavailable:    "Die Anmeldung ist gerade nicht möglich. Versuchen Sie es in {wait} wieder.",
		NoSender:       "An Adressen dieser Art verschickt diese Website keine Nachrichten.",
		Foreign:        "Diese Anfrage kam von einer anderen Website und wurde abgelehnt. Beginnen Sie hier von vorn.",
		Defect:         "Etwas ist schiefgegangen. Versuchen Sie es noch einmal.",

		Error:            "Fehler",
		FailTitle:        "Das hat nicht geklappt",
		BadRequest:       "Diese Anfrage ist nicht zu verstehen. Beginnen Sie hier von vorn.",
		LinkInvalidTitle: "Dieser Link ist nicht verwendbar",
		CoolDownOpenLink: "Für diese Adresse wurden zu viele falsche Codes eingegeben. Öffnen Sie den Link in der Nachricht, oder versuchen Sie es in {wait} wieder.",
	},
	Second: Unit{"1 Sekunde", "{n} Sekunden"},
	Minute: Unit{"1 Minute", "{n} Minuten"},
	Hour:   Unit{"1 Stunde", "{n} Stunden"},
	Day:    Unit{"1 Tag", "{n} Tagen"},
}
