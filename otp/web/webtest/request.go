// SPDX-License-Identifier: Apache-2.0

package webtest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/gate"
)

// Request makes a request with a JSON body, which may be empty, and headers
// in pairs of name and value.
func Request(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, Origin+path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// Bearer are the headers of a request with a bearer token.
func Bearer(raw string) []string { return []string{"Authorization", "Bearer " + raw} }

// Do makes a request of the site.
func (s *Site) Do(r *http.Request) Answer {
	s.Helper()
	recorder := httptest.NewRecorder()
	if err := s.web.ServeHTTP(recorder, r, app); err != nil {
		s.Fatal(err)
	}
	a := Answer{TB: s.TB, Status: recorder.Code, Header: recorder.Header(), Body: recorder.Body.String()}
	_ = json.Unmarshal([]byte(a.Body), &a.Fields) // what isn't JSON has no fields
	return a
}

// Post posts a JSON body with further headers, in pairs of name and value.
func (s *Site) Post(path, body string, headers ...string) Answer {
	s.Helper()
	return s.Do(Request(http.MethodPost, path, body, headers...))
}

// Get gets a path, with headers in pairs of name and value.
func (s *Site) Get(path string, headers ...string) Answer {
	s.Helper()
	return s.Do(Request(http.MethodGet, path, "", headers...))
}

// app repeats the body that it gets, its type, and who it is told is signed in.
func app(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("X-App", "yes")
	w.Header().Set("X-Content-Type", r.Header.Get("Content-Type"))
	w.Header().Set("X-Remote-User", r.Header.Get(gate.RemoteUser))
	_, err := io.Copy(w, r.Body)
	return err
}

// Answer is what came of a request.
type Answer struct {
	testing.TB
	Status int
	Header http.Header
	Body   string
	// Fields is the body where it is a JSON object.
	Fields map[string]any
}

// Text returns a field that must be a string.
func (a Answer) Text(field string) string {
	a.Helper()
	text, ok := a.Fields[field].(string)
	if !ok {
		a.Fatalf("field %s is %v in %d %s", field, a.Fields[field], a.Status, a.Body)
	}
	return text
}

// Want fails unless the answer has a status.
func (a Answer) Want(status int) Answer {
	a.Helper()
	if a.Status != status {
		a.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

// FromApp reports whether the app answered.
func (a Answer) FromApp() bool { return a.Header.Get("X-App") != "" }

// WantOurs fails unless the answer to a request with a body is ours, or else
// the app's, who must have got the body as it was.
func (a Answer) WantOurs(ours bool, body string) {
	a.Helper()
	if a.FromApp() == ours {
		a.Fatalf("answered by the app: %v; %d %s", a.FromApp(), a.Status, a.Body)
	}
	if !ours && a.Body != body {
		a.Errorf("the app got %q, want %q", a.Body, body)
	}
}

// Cookies are those that the answer sets.
func (a Answer) Cookies() []*http.Cookie {
	return (&http.Response{Header: a.Header}).Cookies()
}

// Cookie returns the cookie of a name that the answer sets.
func (a Answer) Cookie(name string) *http.Cookie {
	a.Helper()
	for _, cookie := range a.Cookies() {
		if cookie.Name == name {
			return cookie
		}
	}
	a.Fatalf("no cookie %s in %v", name, a.Header["Set-Cookie"])
	return nil
}
