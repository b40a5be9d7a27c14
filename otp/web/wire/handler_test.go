// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestOrFail(t *testing.T) {
	for _, want := range []error{nil, ErrSlow} {
		var failed error
		serve := Handler(func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusAccepted)
			return want
		}).OrFail(func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err })
		w := httptest.NewRecorder()
		serve(w, httptest.NewRequest(http.MethodPost, "/auth/login", nil))
		if w.Code != http.StatusAccepted || failed != want {
			t.Errorf("%d, failed with %v, want %v", w.Code, failed, want)
		}
	}
}

func TestLogDefect(t *testing.T) {
	var log bytes.Buffer
	r := httptest.NewRequest(http.MethodGet, "/link?token=secret", nil)
	LogDefect(slog.New(slog.NewTextHandler(&log, nil)), "portal", WithCaller(r, Caller{
		RequestID: func() string { return "r1" },
		Trace:     func() Trace { return Trace{} },
	}), errors.New("disk"))
	for _, want := range []string{"level=ERROR", "api=portal", "path=/link ", "request_id=r1", "error=disk"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log lacks %q: %s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("log holds the query: %s", log.String())
	}
}
