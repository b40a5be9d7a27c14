// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// refusal is one of the dialect's error answers.
type refusal struct {
	status  int
	code    string
	message string
}

func (e refusal) Error() string { return e.message }

// invalid is the refusal of a field; the message is class-validator's.
func invalid(message string) error {
	return refusal{http.StatusBadRequest, "INVALID_INPUT", message}
}

// What the endpoints refuse by themselves.
var (
	errBlankIdentifier  = refusal{http.StatusBadRequest, "MISSING_REQUIRED_FIELD", "Identifier is required"}
	errMissingFields    = refusal{http.StatusBadRequest, "MISSING_REQUIRED_FIELDS", "Missing identifier, code, channels required fields"}
	errNoEmail          = refusal{http.StatusBadRequest, "PROVIDER_NOT_FOUND", "Email authentication is not enabled"}
	errNoPhone          = refusal{http.StatusBadRequest, "PROVIDER_NOT_FOUND", "Phone authentication is not enabled"}
	errProvider         = refusal{http.StatusUnauthorized, "INVALID_PROVIDER", "Invalid authentication providerName or provider is not enabled"}
	errNoAuthentication = refusal{http.StatusUnauthorized, "NO_AUTH_PROVIDED", "No authentication provided"}
	errNoRefreshToken   = refusal{http.StatusUnauthorized, "REFRESH_TOKEN_INVALID", "refreshToken is required"}
	errRefreshUsedUp    = refusal{http.StatusUnauthorized, "REFRESH_TOKEN_INVALID", "Refresh token is no longer valid (rotated or replayed)"}
	errRefreshForeign   = refusal{http.StatusUnauthorized, "REFRESH_TOKEN_EXPIRED", "Invalid or expired refresh token"}
	errWrongCode        = refusal{http.StatusBadRequest, "VERIFICATION_CODE_INVALID", "Invalid verification code"}
	errDeadCode         = refusal{http.StatusBadRequest, "VERIFICATION_CODE_INVALID", "Too many invalid attempts. Please request a new verification code."}
	errExpiredCode      = refusal{http.StatusBadRequest, "VERIFICATION_CODE_EXPIRED", "Verification code has expired"}
	errAppCode          = refusal{http.StatusUnauthorized, "MFA_CODE_INVALID", "Invalid MFA code"}
	errRecoveryCode     = refusal{http.StatusUnauthorized, "MFA_RECOVERY_CODE_INVALID", "Invalid recovery code"}
	errNoDevice         = refusal{http.StatusNotFound, "NOT_FOUND", "MFA device not found"}
	errNoMethod         = refusal{http.StatusBadRequest, "MFA_CANNOT_ENABLE_WITHOUT_METHOD", "MFA cannot be enabled without a method"}
	errMFAOff           = refusal{http.StatusForbidden, "MFA_NOT_ENABLED", "MFA is not enabled for the application"}
)

// refusals are the answers to the errors of other packages. What isn't here
// is a defect.
var refusals = []struct {
	err error
	refusal
}{
	// A code that is wrong, used, replaced, expired or dead answers the same.
	{otp.ErrWrong, refusal{http.StatusBadRequest, "VERIFICATION_CODE_INVALID", "Invalid or expired code"}},
	{otp.ErrExpired, refusal{http.StatusBadRequest, "VERIFICATION_CODE_INVALID", "Invalid or expired code"}},
	{otp.ErrExhausted, refusal{http.StatusBadRequest, "VERIFICATION_CODE_INVALID", "Invalid or expired code"}},
	{otp.ErrThrottled, refusal{http.StatusTooManyRequests, "RATE_LIMITED", "Too many requests. Please try again later."}},
	{otp.ErrCoolDown, refusal{http.StatusTooManyRequests, "ACCOUNT_LOCKED", "Account temporarily locked after too many failed attempts. Please try again later."}},
	{otp.ErrUnavailable, refusal{http.StatusServiceUnavailable, "SERVICE_UNAVAILABLE", "Service temporarily unavailable. Please try again later."}},

	{token.ErrInvalid, refusal{http.StatusUnauthorized, "INVALID_TOKEN", "Invalid or expired token"}},
	{token.ErrExpired, refusal{http.StatusUnauthorized, "INVALID_TOKEN", "Invalid or expired token"}},
	{otp.ErrPending, refusal{http.StatusUnauthorized, "MFA_REQUIRED", "Multi-factor authentication is required"}}, // an ErrNoSession too
	{otp.ErrNoSession, refusal{http.StatusUnauthorized, "INVALID_TOKEN", "Session not found"}},

	{otp.ErrMFAOff, errMFAOff},
	{otp.ErrToggle, refusal{http.StatusForbidden, "MFA_TOGGLING_NOT_ALLOWED", "MFA toggle is not allowed"}},
	{otp.ErrNoFactor, refusal{http.StatusForbidden, "MFA_METHOD_NOT_AVAILABLE", "MFA method is not available"}},
	{otp.ErrFull, refusal{http.StatusBadRequest, "INVALID_INPUT", "Too many MFA devices"}},

	{wire.ErrMalformed, refusal{http.StatusBadRequest, "INVALID_INPUT", "Request body must be one JSON object without duplicate keys"}},
	{wire.ErrCrossSite, refusal{http.StatusForbidden, "CSRF_ORIGIN_REJECTED", "Request origin is not allowed"}},
	{wire.ErrMethod, refusal{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "Method not allowed"}},
	{wire.ErrSlow, refusal{http.StatusRequestTimeout, "REQUEST_TIMEOUT", "Request body did not arrive in time"}},
	{wire.ErrTooLarge, refusal{http.StatusRequestEntityTooLarge, "PAYLOAD_TOO_LARGE", "Request body must not be over 8 KiB"}},
	{wire.ErrMediaType, refusal{http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json, without an encoding"}},
	{wire.ErrEarlyData, refusal{http.StatusTooEarly, "TOO_EARLY", "Repeat the request after the TLS handshake"}},
}

// defect is the answer to every other error.
var defect = refusal{http.StatusInternalServerError, "INTERNAL_SERVER_ERROR", "Internal server error"}

func refusalOf(err error) refusal {
	if own, ok := errors.AsType[refusal](err); ok {
		return own
	}
	for _, known := range refusals {
		if errors.Is(err, known.err) {
			return known.refusal
		}
	}
	return defect
}

// fail answers with the documented error body, all of its fields set.
func (d *dialect) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := refusalOf(err)
	if e == defect {
		wire.LogDefect(d.Logger, Name, r, err)
	}
	wire.SetRetryAfter(w.Header(), err)
	wire.WriteJSON(w, e.status, struct {
		StatusCode int    `json:"statusCode"`
		Error      string `json:"error"`
		Message    string `json:"message"`
		Code       string `json:"code"`
	}{e.status, http.StatusText(e.status), e.message, e.code})
}
