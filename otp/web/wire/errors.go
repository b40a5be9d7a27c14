// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
)

// What can be wrong with a request before its meaning is looked at.
var (
	ErrMethod    = errors.New("method not allowed")
	ErrTooLarge  = errors.New("request body is over 8 KiB")
	ErrMediaType = errors.New("unsupported content type or encoding")
	ErrMalformed = errors.New("request body can't be parsed")
	ErrSlow      = errors.New("request body did not arrive in time")
	ErrEarlyData = errors.New("request came as early data")
	ErrCrossSite = errors.New("request comes from a foreign origin")
	ErrPath      = errors.New("ambiguous path")
	ErrNotFound  = errors.New("no such path")
	ErrForbidden = errors.New("not permitted")

	// ErrOtherAddress is an [ErrCrossSite] of a page that is this site's all
	// the same: the visitor came by another address than the public URL.
	ErrOtherAddress = fmt.Errorf("%w: the site was opened at another address than its public URL", ErrCrossSite)
)

// Status returns the HTTP status of an error of this package or of package
// otp that dialects don't document otherwise. Errors of neither are 500.
func Status(err error) int {
	for _, known := range []struct {
		err    error
		status int
	}{
		{ErrMethod, http.StatusMethodNotAllowed},
		{ErrTooLarge, http.StatusRequestEntityTooLarge},
		{ErrMediaType, http.StatusUnsupportedMediaType},
		{ErrMalformed, http.StatusBadRequest},
		{ErrSlow, http.StatusRequestTimeout},
		{ErrEarlyData, http.StatusTooEarly},
		{ErrCrossSite, http.StatusForbidden},
		{ErrPath, http.StatusBadRequest},
		{ErrNotFound, http.StatusNotFound},
		{ErrForbidden, http.StatusForbidden},
		{otp.ErrPending, http.StatusForbidden},
		{otp.ErrTaken, http.StatusConflict},
		{otp.ErrNotKept, http.StatusGone},
		{otp.ErrThrottled, http.StatusTooManyRequests},
		{otp.ErrCoolDown, http.StatusTooManyRequests},
		{otp.ErrUnavailable, http.StatusServiceUnavailable},
	} {
		if errors.Is(err, known.err) {
			return known.status
		}
	}
	return http.StatusInternalServerError
}
