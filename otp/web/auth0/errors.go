// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// refusal is a documented error answer. It has no statusCode: go-auth0 would
// take that for the HTTP status.
type refusal struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
	URI         string `json:"error_uri,omitempty"`
}

func (e *refusal) Error() string { return e.Code + ": " + e.Description }

func refuse(status int, code, description string) *refusal {
	return &refusal{status: status, Code: code, Description: description}
}

func badRequest(code, description string) *refusal {
	return refuse(http.StatusBadRequest, code, description)
}

func invalidGrant(description string) *refusal {
	return refuse(http.StatusForbidden, "invalid_grant", description)
}

var (
	errInvalidClient = refuse(http.StatusUnauthorized, "invalid_client", "Invalid client credentials")
	errUnauthorized  = refuse(http.StatusUnauthorized, "unauthorized", "Unauthorized")
	errRateLimit     = refuse(http.StatusTooManyRequests, "too_many_requests", "Rate limit exceeded")
	errUnavailable   = refuse(http.StatusServiceUnavailable, "temporarily_unavailable", "The service is temporarily unavailable. Please try again.")
	errMethod        = refuse(http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed")
	errForeignOrigin = refuse(http.StatusForbidden, "access_denied", "The origin is not allowed")
	errInternal      = refuse(http.StatusInternalServerError, "server_error", "Internal error")
	errExpired       = invalidGrant("The verification code has expired. Please try to login again.")
	errMaxAttempts   = invalidGrant(maxAttempts)
	errBadRefresh    = invalidGrant("Unknown or invalid refresh token")
)

const maxAttempts = "You've reached the maximum number of attempts. Please try to login again."

// errStartCoolDown is a start's form of [errMaxAttempts]: it has no grant.
var errStartCoolDown = refuse(http.StatusForbidden, "too_many_attempts", maxAttempts)

// fail answers with the documented error for err.
func (d *Dialect) fail(w http.ResponseWriter, r *http.Request, err error) {
	answer := refusalFor(r.URL.Path, err)
	if answer == errInternal {
		wire.LogDefect(d.Logger, Name, r, err)
	}
	h := w.Header()
	wire.SetRetryAfter(h, err)
	if _, _, byBasic := r.BasicAuth(); byBasic && answer == errInvalidClient {
		h.Set("WWW-Authenticate", `Basic realm="`+Name+`"`) // RFC 6749 §5.2
	}
	if r.URL.Path == startPath {
		d.tellStartLimit(h)
	}
	if answer.status == http.StatusTooManyRequests {
		d.tellRefusal(h, err)
	}
	wire.WriteJSON(w, answer.status, answer)
}

func refusalFor(path string, err error) *refusal {
	if answer, ok := errors.AsType[*refusal](err); ok {
		return answer
	}
	switch {
	case errors.Is(err, otp.ErrThrottled):
		return errRateLimit
	case errors.Is(err, otp.ErrUnavailable):
		return errUnavailable
	case errors.Is(err, otp.ErrCoolDown) && path == startPath:
		return errStartCoolDown
	case errors.Is(err, otp.ErrCoolDown), errors.Is(err, otp.ErrExhausted):
		return errMaxAttempts
	case errors.Is(err, otp.ErrExpired):
		return errExpired
	case errors.Is(err, wire.ErrMethod):
		return errMethod
	case errors.Is(err, wire.ErrCrossSite):
		return errForeignOrigin
	}
	status := wire.Status(err)
	if status == http.StatusInternalServerError {
		return errInternal
	}
	answer := refuse(status, "invalid_request", err.Error())
	if path == startPath {
		answer.Code = "bad.request"
	}
	return answer
}
