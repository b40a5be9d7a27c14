// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"errors"
	"net/http"
	"strconv"

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

func badRequest(code, description string) *refusal {
	return &refusal{status: http.StatusBadRequest, Code: code, Description: description}
}

func invalidGrant(description string) *refusal {
	return &refusal{status: http.StatusForbidden, Code: "invalid_grant", Description: description}
}

var (
	errInvalidClient = &refusal{
		status: http.StatusUnauthorized, Code: "invalid_client", Description: "Invalid client credentials",
	}
	errUnauthorized = &refusal{
		status: http.StatusUnauthorized, Code: "unauthorized", Description: "Unauthorized",
	}
	errRateLimit = &refusal{
		status: http.StatusTooManyRequests, Code: "too_many_requests", Description: "Rate limit exceeded",
	}
	errUnavailable = &refusal{
		status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: "The service is temporarily unavailable. Please try again.",
	}
	errMethod = &refusal{
		status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Description: "Method not allowed",
	}
	errForeignOrigin = &refusal{
		status: http.StatusForbidden, Code: "access_denied", Description: "The origin is not allowed",
	}
	errInternal = &refusal{
		status: http.StatusInternalServerError, Code: "server_error", Description: "Internal error",
	}
	errExpired     = invalidGrant("The verification code has expired. Please try to login again.")
	errMaxAttempts = invalidGrant(maxAttempts)
	errBadRefresh  = invalidGrant("Unknown or invalid refresh token.")
)

const maxAttempts = "You've reached the maximum number of attempts. Please try to login again."

// errStartCoolDown is a start's form of [errMaxAttempts]: it has no grant.
var errStartCoolDown = &refusal{
	status: http.StatusForbidden, Code: "too_many_attempts", Description: maxAttempts,
}

// fail answers with the documented error for err.
func (d *Dialect) fail(w http.ResponseWriter, r *http.Request, err error) {
	answer := refusalFor(r.URL.Path, err)
	if answer == errInternal {
		wire.LogDefect(d.Logger, Name, r, err)
	}
	h := w.Header()
	wire.SetRetryAfter(h, err)
	if answer.status == http.StatusTooManyRequests {
		reset := d.Issuer.Now().Unix() + int64(otp.RetryAfter(err))
		h.Set("X-RateLimit-Remaining", "0")
		h.Set("X-RateLimit-Reset", strconv.FormatInt(reset, 10))
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
	answer := &refusal{status: status, Code: "invalid_request", Description: err.Error()}
	if path == startPath {
		answer.Code = "bad.request"
	}
	return answer
}
