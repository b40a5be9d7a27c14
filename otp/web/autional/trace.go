// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
)

// trace places a request among others (W3C Trace Context).
type trace struct {
	// parent is a whole traceparent and span its 16 digits of the parent.
	parent, span string
}

// The length of a traceparent of version 00 and where its parts begin.
const (
	traceparentLength = 55
	traceIDAt         = 3
	spanAt            = 36
	flagsAt           = 53
)

// traceOf returns the trace that a request came with, or a new one.
func traceOf(r *http.Request) trace {
	if parent := r.Header.Get("Traceparent"); validTraceparent(parent) {
		return trace{parent: parent, span: parent[spanAt : flagsAt-1]}
	}
	var id [16]byte
	var span [8]byte
	rand.Read(id[:])
	rand.Read(span[:])
	t := trace{span: hex.EncodeToString(span[:])}
	t.parent = "00-" + hex.EncodeToString(id[:]) + "-" + t.span + "-00"
	return t
}

// validTraceparent reports whether s is a traceparent of version 00: three
// dashes between lower-case digits, and neither id all zeros.
func validTraceparent(s string) bool {
	if len(s) != traceparentLength || s[:traceIDAt] != "00-" {
		return false
	}
	id, span, flags := s[traceIDAt:spanAt-1], s[spanAt:flagsAt-1], s[flagsAt:]
	return s[spanAt-1] == '-' && s[flagsAt-1] == '-' &&
		isLowerHex(id+span+flags) && strings.Trim(id, "0") != "" && strings.Trim(span, "0") != ""
}

func isLowerHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}
