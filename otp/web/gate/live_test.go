// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TestFollowed says which requests end with their session.
func TestFollowed(t *testing.T) {
	for _, tc := range []struct {
		name, method, path string
		headers            http.Header
		anonymous          bool
		followed           bool
	}{
		{name: "a page", headers: http.Header{"Accept": {"text/html,*/*;q=0.8"}}},
		{name: "a form", method: http.MethodPost, headers: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}},
		{name: "a websocket", headers: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, followed: true},
		{name: "another protocol", headers: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}, followed: true},
		{name: "a websocket over HTTP/2", method: http.MethodConnect, followed: true},
		{name: "another HTTP version", headers: http.Header{"Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABkAAQCAAAAAAIAAAAA"}}},
		{name: "an event stream", headers: http.Header{"Accept": {"text/event-stream"}}, followed: true},
		{name: "an event stream among others", headers: http.Header{"Accept": {"application/json", "text/plain, text/event-stream;q=0.5"}}, followed: true},
		{name: "a call of gRPC", method: http.MethodPost, headers: http.Header{"Content-Type": {"application/grpc+proto"}}, followed: true},
		{name: "a call of gRPC-Web", method: http.MethodPost, headers: http.Header{"Content-Type": {"application/grpc-web-text"}}, followed: true},
		{name: "an event stream of nobody", headers: http.Header{"Accept": {"text/event-stream"}}, anonymous: true},
		{name: "a websocket on a protected path", path: "/admin/socket", headers: http.Header{"Upgrade": {"websocket"}}, followed: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, nil)
				jane := session(t, "jane@example.com")
				h.app = func(_ http.ResponseWriter, r *http.Request) error {
					if _, bounded := r.Context().Deadline(); bounded != tc.followed {
						t.Errorf("bounded by its session's end: %v", bounded)
					}
					if err := h.Service.SignOut(r.Context(), jane.ID, jane.Expires); err != nil {
						t.Fatal(err)
					}
					if ended := r.Context().Err() != nil; ended != tc.followed {
						t.Errorf("ended with its session: %v", ended)
					}
					return nil
				}
				method, path := tc.method, tc.path
				if method == "" {
					method = http.MethodGet
				}
				if path == "" {
					path = "/"
				}
				r := httptest.NewRequest(method, "http://app.example.com"+path, nil)
				if !tc.anonymous {
					r.Header.Set("Cookie", h.Cookie.Name+"="+h.sealed(jane))
				}
				for name, values := range tc.headers {
					r.Header[name] = values
				}
				h.do(r)
				if h.passed == nil {
					t.Error("it doesn't pass")
				}
			})
		})
	}
}

// TestFollowedByToken: sessions of access tokens end their requests as well.
func TestFollowedByToken(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	raw, err := h.Issuer.SignAccess(t.Context(), jane, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.app = func(_ http.ResponseWriter, r *http.Request) error {
		if end, _ := r.Context().Deadline(); !end.Equal(jane.Expires.Truncate(time.Millisecond)) {
			t.Errorf("it ends at %v, its session at %v", end, jane.Expires)
		}
		if err := h.Service.SignOut(r.Context(), jane.ID, jane.Expires); err != nil {
			t.Fatal(err)
		}
		if r.Context().Err() == nil {
			t.Error("it goes on")
		}
		return nil
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+raw)
	r.Header.Set("Accept", "text/event-stream")
	if h.do(r); h.passed == nil {
		t.Error("it doesn't pass")
	}
}

// TestFollowedPerson ends a stream of a path whose group its person has left, or
// whose person needs a second factor by now.
func TestFollowedPerson(t *testing.T) {
	for name, changed := range map[string]otp.Person{"left": {}, "needs a factor": {Groups: []string{"admins"}, MFA: true}} {
		t.Run(name, func(t *testing.T) { testFollowedPerson(t, changed) })
	}
}

func testFollowedPerson(t *testing.T, changed otp.Person) {
	synctest.Test(t, func(t *testing.T) {
		person := make(chan otp.Person, 1)
		h := newHouse(t, func(c *Config, oc *otp.Config) {
			c.Rules = NewRules([]Protection{{Paths: []string{"/admin"}, Groups: []string{"admins"}}}, nil, nil)
			oc.Directory = lastPerson(person)
			oc.Watch.Start()
			t.Cleanup(oc.Watch.Stop)
		})
		person <- otp.Person{Groups: []string{"admins"}}
		h.app = func(_ http.ResponseWriter, r *http.Request) error {
			time.Sleep(time.Minute)
			if r.Context().Err() != nil {
				t.Error("it ends before its time")
			}
			<-person
			person <- changed
			time.Sleep(6 * time.Second)
			if r.Context().Err() == nil {
				t.Error("it goes on")
			}
			return nil
		}
		r := h.as(session(t, "jane@example.com"), http.MethodGet, "/admin/events")
		r.Header.Set("Accept", "text/event-stream")
		if h.do(r); h.passed == nil {
			t.Error("it doesn't pass")
		}
	})
}

// lastPerson is a directory in which everybody is the person in a channel.
type lastPerson chan otp.Person

func (p lastPerson) Find(context.Context, otp.Address) (otp.Person, error) {
	person := <-p
	p <- person
	return person, nil
}

// TestMayLastCostsNothing to requests that don't.
func TestMayLastCostsNothing(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Accept", "text/html,application/json,*/*;q=0.8")
	r.Header.Set("Content-Type", "application/json")
	if n := testing.AllocsPerRun(100, func() {
		if mayLast(r) {
			t.Error("it may last")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestCutOff ends streams of an app that doesn't look at the context, nor at
// whether it can write.
func TestCutOff(t *testing.T) {
	for _, tc := range []struct {
		name    string
		http2   bool
		upgrade bool
		unasked bool
	}{
		{name: "HTTP/1.1"}, {name: "HTTP/2", http2: true}, {name: "upgrade", upgrade: true},
		{name: "HTTP/1.1, unasked", unasked: true}, {name: "HTTP/2, unasked", http2: true, unasked: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, nil)
			jane := session(t, "jane@example.com")
			signedOut, ended := make(chan struct{}), make(chan error, 1)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				err := h.Serve(w, r, func(w http.ResponseWriter, r *http.Request) error {
					var stream io.Writer = flusher{w}
					if tc.upgrade {
						conn, _, err := http.NewResponseController(w).Hijack()
						if err != nil {
							return err
						}
						defer conn.Close()
						stream = conn
						fmt.Fprint(stream, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
					} else {
						w.Header().Set("Content-Type", "text/event-stream")
					}
					if _, err := fmt.Fprint(stream, "data: first\n"); err != nil {
						return err
					}
					<-signedOut
					var err error
					for err == nil {
						_, err = fmt.Fprint(stream, "data: more\n")
					}
					ended <- err
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}))
			server.EnableHTTP2 = tc.http2
			server.StartTLS()
			defer server.Close()
			server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/admin/events", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Cookie", h.Cookie.Name+"="+h.sealed(jane))
			if !tc.unasked {
				r.Header.Set("Accept", "text/event-stream")
			}
			if tc.upgrade {
				r.Header.Set("Connection", "Upgrade")
				r.Header.Set("Upgrade", "echo")
			}
			answer, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if tc.http2 != (answer.ProtoMajor == 2) {
				t.Fatalf("it is %s", answer.Proto)
			}
			lines := bufio.NewReader(answer.Body)
			if line, err := lines.ReadString('\n'); err != nil || line != "data: first\n" {
				t.Fatalf("%q, %v", line, err)
			}
			if err := h.Service.SignOut(t.Context(), jane.ID, jane.Expires); err != nil {
				t.Fatal(err)
			}
			close(signedOut)
			select {
			case err := <-ended:
				if network := net.Error(nil); !tc.http2 && (!errors.As(err, &network) || !network.Timeout()) {
					t.Errorf("the app can't write because of %v", err)
				}
			case <-time.After(30 * time.Second):
				answer.Body.Close()
				server.CloseClientConnections()
				t.Fatal("the app can still write")
			}
			if _, err := io.Copy(io.Discard, lines); err == nil && !tc.upgrade {
				t.Error("the client takes the stream for complete")
			}
		})
	}
}

// flusher sends at once what it is given.
type flusher struct{ http.ResponseWriter }

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	if err == nil {
		err = http.NewResponseController(f.ResponseWriter).Flush()
	}
	return n, err
}
