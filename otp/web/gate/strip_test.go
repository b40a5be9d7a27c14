// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestStrip(t *testing.T) {
	forged := []string{
		"Remote-User", "remote-user", "REMOTE-USER", "rEmOtE-uSeR", "Remote_User", "remote_user", "Remote.User", "REMOTE.USER",
		"Remote-Email", "remote_email", "Remote-Phone", "Remote.Phone", "Remote-Groups", "REMOTE_GROUPS", "Remote-Subject", "remote.subject",
	}
	kept := []string{"Remote-Users", "X-Remote-User", "Remoteuser", "Remote--User", "Remote-Addr", "Remote-Use", "User-Agent", "Accept"}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, name := range slices.Concat(forged, kept) {
		r.Header[name] = []string{"admin", "root"} // as a server that doesn't canonicalize has it
	}
	NewIdentity(nil, "").Strip(r)
	for _, name := range forged {
		if values, ok := r.Header[name]; ok {
			t.Errorf("%s: %q", name, values)
		}
	}
	for _, name := range kept {
		if len(r.Header[name]) != 2 {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestStripLists(t *testing.T) {
	for _, tc := range []struct{ sent, want []string }{
		{nil, nil},
		{[]string{"close"}, []string{"close"}},
		{[]string{"keep-alive, X-Hop ,Upgrade"}, []string{"keep-alive, X-Hop ,Upgrade"}},
		{[]string{"Remote-User"}, nil},
		{[]string{"close, remote-user"}, []string{"close"}},
		{[]string{"Remote_User , Upgrade,\tREMOTE.EMAIL\t, x"}, []string{"Upgrade, x"}},
		{[]string{"Remote-Groups", "Upgrade"}, []string{"Upgrade"}},
		{[]string{"Remote-Subject", "Remote-Phone"}, nil},
	} {
		for _, list := range []string{"Connection", "Trailer"} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if tc.sent != nil {
				r.Header[list] = slices.Clone(tc.sent)
			}
			NewIdentity(nil, "").Strip(r)
			got, ok := r.Header[list]
			if !slices.Equal(got, tc.want) || ok != (tc.want != nil) {
				t.Errorf("%s %q becomes %q, want %q", list, tc.sent, got, tc.want)
			}
		}
	}
}

func TestStripTrailer(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x"))
	r.Trailer = http.Header{"Remote-User": nil, "Remote_email": {"a"}, "X-Checksum": nil}
	NewIdentity(nil, "").Strip(r)
	if names := slices.Sorted(maps.Keys(r.Trailer)); !slices.Equal(names, []string{"X-Checksum"}) {
		t.Errorf("left are %q", names)
	}
}

// TestBodiesStayTheirs wraps no body that can't end in trailers.
func TestBodiesStayTheirs(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x"))
	body := r.Body
	NewIdentity(nil, "").Strip(r)
	if r.Body != body {
		t.Error("a body of known length was wrapped")
	}
	r = httptest.NewRequest(http.MethodGet, "/", nil)
	r.ContentLength = -1
	NewIdentity(nil, "").Strip(r)
	if r.Body != http.NoBody {
		t.Error("no body was wrapped")
	}
}

// TestTrailers sends forged trailers from a raw client through proxies to a
// raw upstream.
func TestTrailers(t *testing.T) {
	for proxy, pass := range map[string]func(t *testing.T, upstream *url.URL) http.Handler{
		"httputil": func(_ *testing.T, upstream *url.URL) http.Handler {
			return httputil.NewSingleHostReverseProxy(upstream)
		},
		"one that passes trailers on": trailerProxy,
	} {
		for name, declared := range map[string]string{
			"declared":           "Trailer: Remote-User, X-Checksum\r\n",
			"declared otherwise": "Trailer: remote_user\r\nTrailer: X-Checksum\r\n",
			"another declared":   "Trailer: X-Checksum\r\n",
			"undeclared":         "",
		} {
			for _, shared := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/copied %v", proxy, name, shared), func(t *testing.T) {
					upstream, received := rawUpstream(t)
					behind := pass(t, upstream)
					front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if shared { // as servers do that put something into the context
							r = r.WithContext(r.Context())
						}
						NewIdentity(nil, "").Strip(r)
						r.Header[RemoteUser] = []string{"jane@example.com"}
						behind.ServeHTTP(w, r)
						for name := range r.Trailer {
							if NewIdentity(nil, "").names.has(name) {
								t.Errorf("the request has the trailer %s: %q", name, r.Trailer[name])
							}
						}
					}))
					defer front.Close()
					sendRaw(t, front.Listener.Addr(), "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, Remote-User\r\nTransfer-Encoding: chunked\r\n"+declared+
						"Remote-User: admin\r\n\r\n5\r\nhello\r\n0\r\nRemote-User: admin\r\nremote_user: admin\r\nREMOTE-EMAIL: admin\r\nX-Checksum: 1\r\n\r\n")
					got := <-received
					if strings.Contains(got, "admin") || strings.Count(strings.ToLower(got), "remote-user: ") != 1 || !strings.Contains(got, "Remote-User: jane@example.com\r\n") ||
						!strings.Contains(got, "hello") {
						t.Errorf("the app received\n%s", got)
					}
					if proxy != "httputil" && declared != "" && !strings.Contains(got, "X-Checksum: 1") {
						t.Errorf("a harmless trailer is lost:\n%s", got)
					}
				})
			}
		}
	}
}

// trailerProxy takes the trailers from the request that it was given when it
// has read its body.
func trailerProxy(t *testing.T, upstream *url.URL) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := r.Clone(r.Context())
		out.RequestURI, out.URL.Scheme, out.URL.Host, out.Close = "", upstream.Scheme, upstream.Host, true
		if out.Trailer == nil {
			out.Trailer = make(http.Header)
		}
		out.Body = &trailerBody{r.Body, r, out.Trailer}
		answer, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			t.Error(err)
			return
		}
		_ = answer.Body.Close()
	})
}

type trailerBody struct {
	io.ReadCloser
	in  *http.Request
	out http.Header
}

func (b *trailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		clear(b.out)
		maps.Copy(b.out, b.in.Trailer)
	}
	return n, err
}

// rawUpstream takes one request and tells what it was, byte for byte.
func rawUpstream(t *testing.T) (*url.URL, <-chan string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	received := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			received <- err.Error()
			return
		}
		defer conn.Close()
		var seen bytes.Buffer
		r, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &seen)))
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		if err != nil {
			received <- err.Error()
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
		received <- seen.String()
	}()
	return &url.URL{Scheme: "http", Host: listener.Addr().String()}, received
}

// sendRaw sends bytes to a server and returns all that it answers.
func sendRaw(t *testing.T, to net.Addr, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
