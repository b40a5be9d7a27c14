// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// tracedSpan returns the span that Caddy's tracing directive has opened around
// a request, which access logs show as traceID and spanID, or none where
// there is no such directive. The flags are those of the request's
// traceparent, which the directive writes anew, unless it was told to
// propagate in another form (OTEL_PROPAGATORS).
func tracedSpan(r *http.Request) wire.Trace {
	id, _ := caddyhttp.GetVar(r.Context(), "trace_id").(string)
	span, _ := caddyhttp.GetVar(r.Context(), "span_id").(string)
	opened := wire.Trace{ID: id, Span: span, Flags: "00"}
	if parent, ok := wire.ParseTraceparent(r.Header.Get("Traceparent")); ok && parent.ID == id && parent.Span == span {
		return parent
	}
	// The vars directive can set variables of these names to anything.
	opened, _ = wire.ParseTraceparent(opened.Traceparent())
	return opened
}
