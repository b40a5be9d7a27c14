// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
)

// Trace places a request among others (W3C Trace Context). The zero Trace is
// none.
type Trace struct {
	// ID are the 32 lower-case hexadecimal digits of the trace, Span the 16 of
	// the span that the request was made in, or that it is answered in where
	// the server in front keeps spans. Flags are 2: 01 where it is sampled.
	ID, Span, Flags string
}

// Traceparent is the trace as the header of that name has it, in version 00.
func (t Trace) Traceparent() string {
	return "00-" + t.ID + "-" + t.Span + "-" + t.Flags
}

// The length of a traceparent of version 00 and where its parts begin.
const (
	traceparentLength = 55
	traceIDAt         = 3
	spanAt            = 36
	flagsAt           = 53
)

// ParseTraceparent reads a traceparent of version 00: three dashes between
// lower-case digits, and neither id all zeros. ok is false for anything else.
func ParseTraceparent(s string) (t Trace, ok bool) {
	if len(s) != traceparentLength || s[:traceIDAt] != "00-" || s[spanAt-1] != '-' || s[flagsAt-1] != '-' {
		return Trace{}, false
	}
	t = Trace{ID: s[traceIDAt : spanAt-1], Span: s[spanAt : flagsAt-1], Flags: s[flagsAt:]}
	if !isLowerHex(t.ID+t.Span+t.Flags) || strings.Trim(t.ID, "0") == "" || strings.Trim(t.Span, "0") == "" {
		return Trace{}, false
	}
	return t, true
}

// TraceOf returns the trace that a request came with, or a new one where its
// header can't be read or there are two.
func TraceOf(r *http.Request) Trace {
	if parents := r.Header["Traceparent"]; len(parents) == 1 {
		if t, ok := ParseTraceparent(parents[0]); ok {
			return t
		}
	}
	var id [16]byte
	var span [8]byte
	rand.Read(id[:])
	rand.Read(span[:])
	return Trace{ID: hex.EncodeToString(id[:]), Span: hex.EncodeToString(span[:]), Flags: "00"}
}

func isLowerHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}
