// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"log/slog"
	"net/http"
)

// Handler answers a request, or returns an error and has answered nothing but
// headers.
type Handler func(w http.ResponseWriter, r *http.Request) error

// OrFail returns the handler with its errors answered by a dialect's fail.
func (h Handler) OrFail(fail func(http.ResponseWriter, *http.Request, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			fail(w, r, err)
		}
	}
}

// LogDefect tells the log of an error that a dialect has no documented answer
// for. The caller hears nothing of it but the status.
func LogDefect(logger *slog.Logger, api string, r *http.Request, err error) {
	logger.Error("request failed",
		slog.String("api", api),
		slog.String("path", r.URL.Path),
		slog.String("request_id", CallerOf(r).RequestID()),
		slog.String("trace_id", CallerOf(r).Trace().ID),
		slog.Any("error", err),
	)
}
