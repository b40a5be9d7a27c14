// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// request has a body that comes a byte at a time.
func request(contentType, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/x", iotest.OneByteReader(strings.NewReader(body)))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func TestBody(t *testing.T) {
	for _, tc := range []struct {
		name string
		body string
		want error
	}{
		{"empty", "", nil},
		{"short", "some text", nil},
		{"of 8 KiB", strings.Repeat("x", MaxBody), nil},
		{"of 8 KiB and one", strings.Repeat("x", MaxBody+1), ErrTooLarge},
		{"of 1 MiB", strings.Repeat("0123456789abcdef", 1<<16), ErrTooLarge},
	} {
		r := request("", tc.body)
		for look := range 3 { // it can be looked at as often as one likes
			got, err := Body(r)
			if !errors.Is(err, tc.want) || err == nil && string(got) != tc.body || err != nil && got != nil {
				t.Errorf("%s: look %d: %d bytes, %v", tc.name, look+1, len(got), err)
			}
		}
		left, err := io.ReadAll(r.Body)
		if err != nil || string(left) != tc.body {
			t.Errorf("%s: the app gets %d bytes of %d, %v", tc.name, len(left), len(tc.body), err)
		}
	}
}

func TestNoBody(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	if got, err := Body(r); got != nil || err != nil || r.Body != http.NoBody {
		t.Errorf("%q, %v", got, err)
	}
	r.Body = nil // as clients make them
	if got, err := Body(r); got != nil || err != nil || r.Body != nil {
		t.Errorf("%q, %v", got, err)
	}
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

func TestBodyIsClosed(t *testing.T) {
	original := &closeRecorder{Reader: strings.NewReader("x")}
	r := httptest.NewRequest(http.MethodPost, "/x", nil)
	r.Body = original
	if _, err := Body(r); err != nil || original.closed {
		t.Fatal(err, original.closed)
	}
	if err := r.Body.Close(); err != nil || !original.closed {
		t.Fatal(err, original.closed)
	}
}

func TestBodyThatBreaksOff(t *testing.T) {
	for _, tc := range []struct {
		cause, want error
	}{
		{fmt.Errorf("read: %w", os.ErrDeadlineExceeded), ErrSlow},
		{io.ErrUnexpectedEOF, ErrMalformed},
		{&http.MaxBytesError{Limit: 5}, ErrMalformed},
	} {
		r := httptest.NewRequest(http.MethodPost, "/x", io.MultiReader(strings.NewReader("begun"), iotest.ErrReader(tc.cause)))
		for range 2 {
			if got, err := Body(r); !errors.Is(err, tc.want) || got != nil {
				t.Errorf("%v: %q, %v", tc.cause, got, err)
			}
		}
		left, err := io.ReadAll(r.Body)
		if string(left) != "begun" || !errors.Is(err, tc.cause) {
			t.Errorf("%v: the app gets %q, %v", tc.cause, left, err)
		}
	}
}

func TestEncodedBody(t *testing.T) {
	for encoding, want := range map[string]error{"": nil, "identity": nil, "Identity": nil, "gzip": ErrMediaType, "br": ErrMediaType, "identity, gzip": ErrMediaType, "x": ErrMediaType} {
		r := request("application/json", "{}", "Content-Encoding", encoding)
		if _, err := Body(r); !errors.Is(err, want) {
			t.Errorf("%q: %v", encoding, err)
		}
		if left, err := io.ReadAll(r.Body); err != nil || string(left) != "{}" {
			t.Errorf("%q: the app gets %q, %v", encoding, left, err)
		}
	}
}

// TestBodyOverTheWire passes a large chunked body on to an app whose part of
// it was read ahead.
func TestBodyOverTheWire(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := Body(r); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v", err)
		}
		got, err := io.ReadAll(r.Body) // before the answer begins, which ends the body
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(got)
	}))
	defer server.Close()
	answer, err := http.Post(server.URL, "text/plain", io.MultiReader(bytes.NewReader(sent))) // of no known length
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes of %d came through, %v", len(got), len(sent), err)
	}
}

func TestParse(t *testing.T) {
	const all = JSON | Form | PlainJSON
	want := Object{"a": "b"}
	for _, tc := range []struct {
		name        string
		contentType string
		body        string
		accepts     Accepts
		headers     []string
		want        Object
		err         error
	}{
		{name: "JSON", contentType: "application/json", body: `{"a":"b"}`, accepts: JSON, want: want},
		{name: "JSON with a charset", contentType: "Application/JSON; charset=utf-8", body: `{"a":"b"}`, accepts: JSON, want: want},
		{name: "a form", contentType: "application/x-www-form-urlencoded", body: "a=b", accepts: Form, want: want},
		{name: "a form, encoded", contentType: "application/x-www-form-urlencoded", body: "%61=%62&c=+%2B", accepts: Form, want: Object{"a": "b", "c": " +"}},
		{name: "an empty form", contentType: "application/x-www-form-urlencoded", accepts: Form, want: Object{}},
		{name: "plain", contentType: "text/plain;charset=UTF-8", body: `{"a":"b"}`, accepts: PlainJSON, want: want},
		{name: "without a type", body: `{"a":"b"}`, accepts: PlainJSON, want: want},
		{name: "plain, of the same site", contentType: "text/plain", body: `{"a":"b"}`, accepts: PlainJSON, headers: []string{"Sec-Fetch-Site", "same-origin"}, want: want},

		{name: "JSON where a form is wanted", contentType: "application/json", body: `{"a":"b"}`, accepts: Form, err: ErrMediaType},
		{name: "a form where JSON is wanted", contentType: "application/x-www-form-urlencoded", body: "a=b", accepts: JSON, err: ErrMediaType},
		{name: "plain where JSON is wanted", contentType: "text/plain", body: `{"a":"b"}`, accepts: JSON, err: ErrMediaType},
		{name: "no type where JSON is wanted", body: `{"a":"b"}`, accepts: JSON | Form, err: ErrMediaType},
		{name: "plain from another site", contentType: "text/plain", body: `{"a":"b"}`, accepts: all, headers: []string{"Sec-Fetch-Site", "cross-site"}, err: ErrMediaType},
		{name: "no type from another site", body: `{"a":"b"}`, accepts: all, headers: []string{"Sec-Fetch-Site", "cross-site"}, err: ErrMediaType},
		{name: "multipart", contentType: "multipart/form-data; boundary=x", body: "--x--", accepts: all, err: ErrMediaType},
		{name: "a type that only ends so", contentType: "application/problem+json", body: `{"a":"b"}`, accepts: all, err: ErrMediaType},
		{name: "two types", contentType: "text/plain, application/json", body: `{"a":"b"}`, accepts: all, err: ErrMediaType},
		{name: "no type at all", contentType: ";", body: `{"a":"b"}`, accepts: all, err: ErrMediaType},
		{name: "encoded", contentType: "application/json", body: `{"a":"b"}`, accepts: all, headers: []string{"Content-Encoding", "gzip"}, err: ErrMediaType},

		{name: "empty JSON", contentType: "application/json", accepts: JSON, err: ErrMalformed},
		{name: "broken JSON", contentType: "application/json", body: `{"a":"b"`, accepts: JSON, err: ErrMalformed},
		{name: "a key twice", contentType: "application/json", body: `{"a":"b","a":"c"}`, accepts: JSON, err: ErrMalformed},
		{name: "a field twice", contentType: "application/x-www-form-urlencoded", body: "a=b&a=c", accepts: Form, err: ErrMalformed},
		{name: "a field twice, once encoded", contentType: "application/x-www-form-urlencoded", body: "a=b&%61=c", accepts: Form, err: ErrMalformed},
		{name: "a semicolon", contentType: "application/x-www-form-urlencoded", body: "a=b;c=d", accepts: Form, err: ErrMalformed},
		{name: "a torn escape", contentType: "application/x-www-form-urlencoded", body: "a=%f", accepts: Form, err: ErrMalformed},
		{name: "no UTF-8", contentType: "application/x-www-form-urlencoded", body: "a=%ff", accepts: Form, err: ErrMalformed},
		{name: "no UTF-8 in a name", contentType: "application/x-www-form-urlencoded", body: "%ff=a", accepts: Form, err: ErrMalformed},
		{name: "too large", contentType: "application/json", body: `{"a":"` + strings.Repeat("b", MaxBody) + `"}`, accepts: JSON, err: ErrTooLarge},
	} {
		got, err := Parse(request(tc.contentType, tc.body, tc.headers...), tc.accepts)
		if !errors.Is(err, tc.err) || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %v, %v; want %v, %v", tc.name, got, err, tc.want, tc.err)
		}
	}
}

func TestParseOptional(t *testing.T) {
	for _, tc := range []struct {
		contentType, body string
		want              Object
		err               error
	}{
		{"", "", nil, nil},
		{"text/html", "", nil, nil},
		{"application/json", "", nil, nil},
		{"application/json", `{"a":"b"}`, Object{"a": "b"}, nil},
		{"text/html", "x", nil, ErrMediaType},
		{"application/json", " ", nil, ErrMalformed},
		{"", strings.Repeat("x", MaxBody+1), nil, ErrTooLarge},
	} {
		got, err := ParseOptional(request(tc.contentType, tc.body), JSON)
		if !errors.Is(err, tc.err) || !reflect.DeepEqual(got, tc.want) || got.Has("a") != (tc.want != nil) {
			t.Errorf("%q as %q: %v, %v", tc.body, tc.contentType, got, err)
		}
	}
}
