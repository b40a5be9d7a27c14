// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"errors"
	"net/http"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// DefaultServiceName is the documented name of the service that this API
// stands in for.
const DefaultServiceName = "identity-service"

// problem is the documented error body (RFC 9457 with extensions). Message
// repeats Detail: the API's own client reads only code and message.
type problem struct {
	Type       string         `json:"type"`
	Title      string         `json:"title"`
	Status     int            `json:"status"`
	Detail     string         `json:"detail"`
	Instance   string         `json:"instance"`
	Code       int            `json:"code"`
	Message    string         `json:"message"`
	Errors     []fieldProblem `json:"errors,omitempty"`
	I18nKey    string         `json:"i18n_key"`
	I18nArgs   map[string]any `json:"i18n_args"`
	RequestID  string         `json:"request_id"`
	TraceID    string         `json:"trace_id"`
	SpanID     string         `json:"span_id"`
	Service    string         `json:"service"`
	Timestamp  string         `json:"timestamp"`
	RetryAfter int            `json:"retry_after,omitempty"`
}

// fieldProblem is one field of a problem.
type fieldProblem struct {
	Field       string `json:"field"`
	Code        string `json:"code"`
	Description string `json:"description"`
	// Value is what the caller sent, as far as it is shown.
	Value any `json:"value,omitempty"`
}

// fail answers with the documented error for err.
func (d *dialect) fail(w http.ResponseWriter, r *http.Request, err error) {
	answer := answerTo(err)
	if answer == error(internal) {
		wire.LogDefect(d.Logger, Name, r, err)
	}
	wire.SetRetryAfter(w.Header(), err)
	switch answer := answer.(type) {
	case simple:
		wire.WriteJSON(w, answer.status, envelope{Code: answer.code, Message: answer.message, Timestamp: d.now()})
	case *kind:
		wire.WriteJSONAs(w, "application/problem+json; charset=utf-8", answer.status, d.problem(r, answer, err))
	}
}

func (d *dialect) problem(r *http.Request, k *kind, err error) problem {
	caller := wire.CallerOf(r)
	trace := caller.Trace()
	p := problem{
		Type:       d.typeOf(k),
		Title:      k.title,
		Status:     k.status,
		Detail:     k.detail.withWait(r, otp.RetryAfter(err)),
		Instance:   r.URL.RequestURI(),
		Code:       k.code,
		I18nKey:    k.i18nKey(),
		I18nArgs:   map[string]any{},
		RequestID:  "req_" + caller.RequestID(),
		TraceID:    trace.Traceparent(),
		SpanID:     trace.Span,
		Service:    d.ServiceName,
		Timestamp:  d.now(),
		RetryAfter: otp.RetryAfter(err),
	}
	if p.RetryAfter > 0 {
		p.I18nArgs["retry_after"] = p.RetryAfter
	}
	if fields, ok := errors.AsType[fieldErrors](err); ok {
		language := languageOf(r) // once: a body has room for a thousand unknown fields
		for _, f := range fields {
			problem := fieldProblem{Field: f.field, Code: f.code, Description: fieldCodes[f.code].as(language)}
			if d.Development {
				problem.Value = shown(f.value)
			}
			p.Errors = append(p.Errors, problem)
		}
	}
	p.Message = p.Detail
	return p
}
