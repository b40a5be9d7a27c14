// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

func TestWriteJSON(t *testing.T) {
	w := httptest.NewRecorder()
	WriteJSON(w, http.StatusTeapot, map[string]any{"link": "https://a/?b&c=<d>"})
	if w.Code != http.StatusTeapot || w.Header().Get("Content-Type") != "application/json; charset=utf-8" || w.Header().Get("Content-Length") != "30" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if want := `{"link":"https://a/?b&c=<d>"}` + "\n"; w.Body.String() != want {
		t.Errorf("%q, want %q", w.Body, want)
	}
	w = httptest.NewRecorder()
	WriteJSONAs(w, "application/problem+json", http.StatusOK, nil)
	if w.Header().Get("Content-Type") != "application/problem+json" || w.Body.String() != "null\n" {
		t.Errorf("%v %q", w.Header(), w.Body)
	}
}

func TestSetPrivate(t *testing.T) {
	h := http.Header{"Cache-Control": {"public"}}
	SetPrivate(h)
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestStatus(t *testing.T) {
	for err, want := range map[error]int{
		ErrMethod:          405,
		ErrTooLarge:        413,
		ErrMediaType:       415,
		ErrMalformed:       400,
		ErrSlow:            408,
		ErrEarlyData:       425,
		ErrCrossSite:       403,
		ErrPath:            400,
		ErrNotFound:        404,
		otp.ErrThrottled:   429,
		otp.ErrCoolDown:    429,
		otp.ErrUnavailable: 503,
		otp.ErrWrong:       500,
		errors.New("x"):    500,
	} {
		if got := Status(fmt.Errorf("context: %w", err)); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
	if got := Status(&otp.RetryError{Err: otp.ErrUnavailable}); got != 503 {
		t.Errorf("behind a wait: %d", got)
	}
}

func TestSetRetryAfter(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{&otp.RetryError{Err: otp.ErrThrottled, After: 1500 * time.Millisecond}, "2"},
		{&otp.RetryError{Err: otp.ErrUnavailable, After: time.Millisecond}, "1"},
		{otp.ErrWrong, ""},
		{nil, ""},
	} {
		h := http.Header{}
		SetRetryAfter(h, tc.err)
		if got := h.Get("Retry-After"); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.err, got, tc.want)
		}
	}
}

// TestAnswersShareNothing answers many at once, each with a body of its own
// length, from the same buffers.
func TestAnswersShareNothing(t *testing.T) {
	var answering sync.WaitGroup
	for n := range 64 {
		answering.Go(func() {
			want := strings.Repeat(string(rune('a'+n%26)), 1+n*400)
			for range 50 {
				w := httptest.NewRecorder()
				WriteJSON(w, http.StatusOK, map[string]string{"text": want})
				if got := w.Body.String(); got != `{"text":"`+want+`"}`+"\n" || w.Header().Get("Content-Length") != strconv.Itoa(len(got)) {
					t.Errorf("an answer of %d bytes has %d, and others' in it", len(want), len(got))
					return
				}
			}
		})
	}
	answering.Wait()
}
