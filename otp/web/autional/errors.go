// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// The business codes, all of them. Clients take any that begins with 400002
// for the reuse of a refresh token, and forget their session.
const (
	codeParameter    = 30101001
	codeTooFrequent  = 30101002
	codeWrong        = 30101003
	codeExpired      = 30101004
	codeExhausted    = 30101005
	codeBadRequest   = 40000001
	codeReused       = 40000201
	codeUnauthorized = 40100001
	codeOrigin       = 40300001
	codeNoFactor     = 40300002
	codeNotFound     = 40400001
	codeMethod       = 40500001
	codeSlow         = 40800001
	codeTooLarge     = 41300001
	codeMediaType    = 41500001
	codeEarlyData    = 42500001
	codeInternal     = 50000001
	codeUnavailable  = 50300001
)

// kind is a type of problem: all that two problems of it have in common.
type kind struct {
	// name ends the type's address and the i18n key.
	name   string
	title  string
	status int
	code   int
	// detail says what to do, in each language; {wait} is replaced by how
	// long to wait.
	detail text
}

func (k *kind) Error() string { return k.detail.english }

// The types of problems.
var (
	invalidParameter = &kind{"invalid-parameter", "Invalid parameter", http.StatusBadRequest, codeParameter, text{
		"The request has invalid fields; errors names them.",
		"Die Anfrage enthält ungültige Felder; errors nennt sie.",
	}}
	malformedBody = &kind{"malformed-body", "Malformed request body", http.StatusBadRequest, codeParameter, text{
		"The request body must be one JSON object without duplicate keys.",
		"Der Inhalt der Anfrage muss genau ein JSON-Objekt ohne doppelte Schlüssel sein.",
	}}
	tooFrequent = &kind{"too-frequent", "Request too frequent", http.StatusTooManyRequests, codeTooFrequent, text{
		"Asked for too often. Try again in {wait}.",
		"Zu oft angefragt. Bitte in {wait} erneut versuchen.",
	}}
	codeInvalid = &kind{"code-invalid", "Invalid verification code", http.StatusBadRequest, codeWrong, text{
		"The verification code is not valid. Check it, or ask for a new one.",
		"Der Bestätigungscode ist ungültig. Bitte prüfen oder einen neuen anfordern.",
	}}
	codeTooOld = &kind{"code-expired", "Verification code expired", http.StatusBadRequest, codeExpired, text{
		"The verification code has expired. Ask for a new one.",
		"Der Bestätigungscode ist abgelaufen. Bitte einen neuen anfordern.",
	}}
	tooManyAttempts = &kind{"too-many-attempts", "Too many attempts", http.StatusBadRequest, codeExhausted, text{
		"The verification code has had too many wrong attempts. Ask for a new one.",
		"Der Bestätigungscode wurde zu oft falsch eingegeben. Bitte einen neuen anfordern.",
	}}
	coolingDown = &kind{"cooling-down", "Too many failed logins", http.StatusTooManyRequests, codeExhausted, text{
		"Too many wrong codes. No code is accepted for {wait}.",
		"Zu viele falsche Codes. Es wird noch {wait} lang kein Code angenommen.",
	}}
	foreignOrigin = &kind{"foreign-origin", "Origin not allowed", http.StatusForbidden, codeOrigin, text{
		"Pages of this origin may not call the API.",
		"Seiten dieses Ursprungs dürfen die API nicht aufrufen.",
	}}
	methodNotAllowed = &kind{"method-not-allowed", "Method not allowed", http.StatusMethodNotAllowed, codeMethod, text{
		"Use a method that the Allow header names.",
		"Bitte eine Methode verwenden, die der Allow-Header nennt.",
	}}
	bodyTooSlow = &kind{"request-timeout", "Request timeout", http.StatusRequestTimeout, codeSlow, text{
		"The request body did not arrive in time.",
		"Der Inhalt der Anfrage ist nicht rechtzeitig angekommen.",
	}}
	bodyTooLarge = &kind{"body-too-large", "Request body too large", http.StatusRequestEntityTooLarge, codeTooLarge, text{
		"The request body must not be over 8 KiB.",
		"Der Inhalt der Anfrage darf nicht größer als 8 KiB sein.",
	}}
	unsupportedMediaType = &kind{"unsupported-media-type", "Unsupported media type", http.StatusUnsupportedMediaType, codeMediaType, text{
		"Send the body as application/json, without an encoding.",
		"Bitte den Inhalt als application/json senden, ohne Kodierung.",
	}}
	tooEarly = &kind{"too-early", "Too early", http.StatusTooEarly, codeEarlyData, text{
		"Repeat the request after the TLS handshake.",
		"Bitte die Anfrage nach dem TLS-Handshake wiederholen.",
	}}
	internal = &kind{"internal", "Internal error", http.StatusInternalServerError, codeInternal, text{
		"The request failed because of an error of this server.",
		"Die Anfrage ist an einem Fehler dieses Servers gescheitert.",
	}}
	unavailable = &kind{"unavailable", "Service unavailable", http.StatusServiceUnavailable, codeUnavailable, text{
		"Logins can't be served right now. Try again in {wait}.",
		"Anmeldungen sind gerade nicht möglich. Bitte in {wait} erneut versuchen.",
	}}
	noFactor = &kind{"no-second-factor", "No second factor", http.StatusForbidden, codeNoFactor, text{
		"A second factor is required, and there is no address that a code for it can be sent to. Ask who runs the site.",
		"Ein zweiter Faktor ist nötig, aber es gibt keine Adresse, an die ein Code dafür gesendet werden kann. Bitte an die Betreiber der Site wenden.",
	}}
	linkInvalid = &kind{"link-invalid", "Invalid link", http.StatusBadRequest, codeWrong, text{
		"The link is not valid, has expired or was used before. Ask for a new one.",
		"Der Link ist ungültig, abgelaufen oder wurde schon verwendet. Bitte einen neuen anfordern.",
	}}
	linkUnconfirmed = &kind{"link-unconfirmed", "Link not confirmed", http.StatusMethodNotAllowed, codeMethod, text{
		"A link is redeemed by POST, with its token in the body; GET leaves it as it is, since mail scanners follow links.",
		"Ein Link wird per POST eingelöst, mit seinem token im Inhalt; GET lässt ihn unberührt, da Mail-Scanner Links folgen.",
	}}
)

// simple is an answer that the API documents as {code, message, timestamp}.
type simple struct {
	status  int
	code    int
	message string
}

func (e simple) Error() string { return e.message }

var (
	errUnauthorized   = simple{http.StatusUnauthorized, codeUnauthorized, "invalid or expired token"}
	errReused         = simple{http.StatusBadRequest, codeReused, "refresh token was used before; the session is revoked"}
	errNoRefreshToken = simple{http.StatusBadRequest, codeBadRequest, "refresh_token is required"}
	errNoSuchSession  = simple{http.StatusNotFound, codeNotFound, "no such session"}
	errBadRefresh     = simple{http.StatusBadRequest, codeBadRequest, "request body must be a JSON object with a refresh_token"}
)

// answers are the answers to the errors of other packages: a *kind or a
// simple. What isn't here is a defect.
var answers = []struct{ err, answer error }{
	{otp.ErrWrong, codeInvalid},
	{otp.ErrExpired, codeTooOld},
	{otp.ErrExhausted, tooManyAttempts},
	{otp.ErrThrottled, tooFrequent},
	{otp.ErrCoolDown, coolingDown},
	{otp.ErrUnavailable, unavailable},
	{otp.ErrNoSession, errUnauthorized},
	{otp.ErrReused, errReused},
	{token.ErrInvalid, errUnauthorized},
	{token.ErrExpired, errUnauthorized},
	{wire.ErrMalformed, malformedBody},
	{wire.ErrCrossSite, foreignOrigin},
	{wire.ErrMethod, methodNotAllowed},
	{wire.ErrSlow, bodyTooSlow},
	{wire.ErrTooLarge, bodyTooLarge},
	{wire.ErrMediaType, unsupportedMediaType},
	{wire.ErrEarlyData, tooEarly},
	{otp.ErrNoFactor, noFactor},
}

// answerTo returns the *kind or the simple that answers an error.
func answerTo(err error) error {
	if own, ok := errors.AsType[simple](err); ok {
		return own
	}
	if own, ok := errors.AsType[*kind](err); ok {
		return own
	}
	if _, ok := errors.AsType[fieldErrors](err); ok {
		return invalidParameter
	}
	for _, known := range answers {
		if errors.Is(err, known.err) {
			return known.answer
		}
	}
	return internal
}
