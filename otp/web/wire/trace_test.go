// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func traced(parents ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header["Traceparent"] = parents
	return r
}

func TestTraceOf(t *testing.T) {
	if got := TraceOf(traced(parent)); got.Traceparent() != parent || got.Span != "00f067aa0ba902b7" || got.ID != parent[3:35] {
		t.Errorf("%+v", got)
	}
	for _, bad := range [][]string{
		nil,
		{""},
		{"x"},
		{parent, parent},
		{"01" + parent[2:]},
		{strings.ToUpper(parent)},
		{"00-00000000000000000000000000000000-00f067aa0ba902b7-01"},
		{"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"},
		{"00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01"},
		{parent + "-x"},
	} {
		got := TraceOf(traced(bad...))
		again := TraceOf(traced(bad...))
		if _, ok := ParseTraceparent(got.Traceparent()); !ok || got.ID == parent[3:35] || got.ID == again.ID || got.Span == again.Span {
			t.Errorf("%q gives %+v, then %+v", bad, got, again)
		}
	}
}

func FuzzTraceparent(f *testing.F) {
	f.Add(parent)
	f.Add("00-")
	f.Fuzz(func(t *testing.T, text string) {
		got := TraceOf(traced(text))
		if len(got.ID) != 32 || len(got.Span) != 16 || len(got.Flags) != 2 {
			t.Fatalf("%q gives %+v", text, got)
		}
		if _, ok := ParseTraceparent(text); ok != (got.Traceparent() == text) {
			t.Fatalf("%q gives %+v", text, got)
		}
	})
}
