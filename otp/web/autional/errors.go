// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// The business codes, all of them. Those of 301010 are the verification
// codes' own; the others begin with their HTTP status. Clients take any that
// begins with 400002 for the reuse of a refresh token, and forget their session.
const (
	codeParameter    = 30101001 // fields, or the body, can't be used
	codeTooFrequent  = 30101002 // codes are asked for too often
	codeWrong        = 30101003 // no live code is the one presented
	codeExpired      = 30101004 // the code presented is too old
	codeExhausted    = 30101005 // too many wrong codes, of this one or of the address
	codeBadRequest   = 40000001 // a renewal without a readable refresh token
	codeReused       = 40000201 // a refresh token was presented twice; its session is over
	codeUnauthorized = 40100001 // no token, or none that is valid
	codeOrigin       = 40300001 // a page of another site calls
	codeNoFactor     = 40300002 // a second factor is needed, and the person has none
	codeNotFound     = 40400001 // no such session
	codeMethod       = 40500001 // another HTTP method is needed
	codeSlow         = 40800001 // the body didn't arrive in time
	codeTooLarge     = 41300001 // the body is over 8 KiB
	codeMediaType    = 41500001 // the body is no application/json
	codeEarlyData    = 42500001 // the request came before the TLS handshake was complete
	codeInternal     = 50000001 // a defect here; the log has its reason
	codeUnavailable  = 50300001 // the store can't be reached
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

// i18nKey is the key under which clients have wordings of their own.
func (k *kind) i18nKey() string { return "problem." + k.name }

// The types of problems.
var (
	invalidParameter = &kind{"invalid-parameter", "Invalid parameter", http.StatusBadRequest, codeParameter, text{
		"The request has invalid fields; errors names them.",
		"Die Anfrage enthält ungültige Felder; errors nennt sie.",
		"请求包含无效字段，详见 errors。",
	}}
	malformedBody = &kind{"malformed-body", "Malformed request body", http.StatusBadRequest, codeParameter, text{
		"The request body must be one JSON object without duplicate keys.",
		"Der Inhalt der Anfrage muss genau ein JSON-Objekt ohne doppelte Schlüssel sein.",
		"请求正文必须是一个 JSON 对象，且不得有重复的键。",
	}}
	tooFrequent = &kind{"too-frequent", "Request too frequent", http.StatusTooManyRequests, codeTooFrequent, text{
		"Asked for too often. Try again in {wait}.",
		"Zu oft angefragt. Bitte in {wait} erneut versuchen.",
		"请求过于频繁，请在 {wait}后重试。",
	}}
	codeInvalid = &kind{"code-invalid", "Invalid verification code", http.StatusBadRequest, codeWrong, text{
		"The verification code is not valid. Check it, or ask for a new one.",
		"Der Bestätigungscode ist ungültig. Bitte prüfen oder einen neuen anfordern.",
		"验证码无效。请核对，或重新获取。",
	}}
	codeTooOld = &kind{"code-expired", "Verification code expired", http.StatusBadRequest, codeExpired, text{
		"The verification code has expired. Ask for a new one.",
		"Der Bestätigungscode ist abgelaufen. Bitte einen neuen anfordern.",
		"验证码已过期，请重新获取。",
	}}
	tooManyAttempts = &kind{"too-many-attempts", "Too many attempts", http.StatusBadRequest, codeExhausted, text{
		"The verification code has had too many wrong attempts. Ask for a new one.",
		"Der Bestätigungscode wurde zu oft falsch eingegeben. Bitte einen neuen anfordern.",
		"该验证码的错误次数过多，请重新获取。",
	}}
	coolingDown = &kind{"cooling-down", "Too many failed logins", http.StatusTooManyRequests, codeExhausted, text{
		"Too many wrong codes. No code is accepted for {wait}.",
		"Zu viele falsche Codes. Es wird noch {wait} lang kein Code angenommen.",
		"验证码错误次数过多，{wait}内不接受任何验证码。",
	}}
	foreignOrigin = &kind{"foreign-origin", "Origin not allowed", http.StatusForbidden, codeOrigin, text{
		"Pages of this origin may not call the API.",
		"Seiten dieses Ursprungs dürfen die API nicht aufrufen.",
		"此来源的页面不得调用该 API。",
	}}
	methodNotAllowed = &kind{"method-not-allowed", "Method not allowed", http.StatusMethodNotAllowed, codeMethod, text{
		"Use a method that the Allow header names.",
		"Bitte eine Methode verwenden, die der Allow-Header nennt.",
		"请使用 Allow 标头列出的方法。",
	}}
	bodyTooSlow = &kind{"request-timeout", "Request timeout", http.StatusRequestTimeout, codeSlow, text{
		"The request body did not arrive in time.",
		"Der Inhalt der Anfrage ist nicht rechtzeitig angekommen.",
		"请求正文未能及时到达。",
	}}
	bodyTooLarge = &kind{"body-too-large", "Request body too large", http.StatusRequestEntityTooLarge, codeTooLarge, text{
		"The request body must not be over 8 KiB.",
		"Der Inhalt der Anfrage darf nicht größer als 8 KiB sein.",
		"请求正文不得超过 8 KiB。",
	}}
	unsupportedMediaType = &kind{"unsupported-media-type", "Unsupported media type", http.StatusUnsupportedMediaType, codeMediaType, text{
		"Send the body as application/json, without an encoding.",
		"Bitte den Inhalt als application/json senden, ohne Kodierung.",
		"请以 application/json 发送正文，且不要使用内容编码。",
	}}
	tooEarly = &kind{"too-early", "Too early", http.StatusTooEarly, codeEarlyData, text{
		"Repeat the request after the TLS handshake.",
		"Bitte die Anfrage nach dem TLS-Handshake wiederholen.",
		"请在 TLS 握手完成后重新发送请求。",
	}}
	internal = &kind{"internal", "Internal error", http.StatusInternalServerError, codeInternal, text{
		"The request failed because of an error of this server.",
		"Die Anfrage ist an einem Fehler dieses Servers gescheitert.",
		"服务器出错，请求失败。",
	}}
	unavailable = &kind{"unavailable", "Service unavailable", http.StatusServiceUnavailable, codeUnavailable, text{
		"Logins can't be served right now. Try again in {wait}.",
		"Anmeldungen sind gerade nicht möglich. Bitte in {wait} erneut versuchen.",
		"目前无法登录，请在 {wait}后重试。",
	}}
	noFactor = &kind{"no-second-factor", "No second factor", http.StatusForbidden, codeNoFactor, text{
		"A second factor is required, and there is no address that a code for it can be sent to. Ask who runs the site.",
		"Ein zweiter Faktor ist nötig, aber es gibt keine Adresse, an die ein Code dafür gesendet werden kann. Bitte an die Betreiber der Site wenden.",
		"需要第二重验证，但没有可以接收验证码的地址。请联系站点管理者。",
	}}
	linkInvalid = &kind{"link-invalid", "Invalid link", http.StatusBadRequest, codeWrong, text{
		"The link is not valid, has expired or was used before. Ask for a new one.",
		"Der Link ist ungültig, abgelaufen oder wurde schon verwendet. Bitte einen neuen anfordern.",
		"链接无效、已过期或已被使用，请重新获取。",
	}}
	linkUnconfirmed = &kind{"link-unconfirmed", "Link not confirmed", http.StatusMethodNotAllowed, codeMethod, text{
		"A link is redeemed by POST, with its token in the body; GET leaves it as it is, since mail scanners follow links.",
		"Ein Link wird per POST eingelöst, mit seinem token im Inhalt; GET lässt ihn unberührt, da Mail-Scanner Links folgen.",
		"链接须以 POST 兑换，并在正文中带上其 token；由于邮件扫描器会打开链接，GET 不会使用它。",
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
