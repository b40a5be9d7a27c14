// SPDX-License-Identifier: Apache-2.0

package site

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"
)

// Answer is an answer, read whole.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// JSON returns the body's object.
func (a Answer) JSON(t *testing.T) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(a.Body), &object); err != nil {
		t.Fatalf("not JSON: %v: %d %s", err, a.Status, a.Body)
	}
	return object
}

// Text returns a string of the body's object.
func (a Answer) Text(t *testing.T, key string) string {
	t.Helper()
	text, _ := a.JSON(t)[key].(string)
	return text
}

// transport takes every host for this machine: not every resolver knows the
// names below localhost. Each request has a connection of its own, since a
// server that reloads may close an idle one just as a request is sent on it.
var transport = &http.Transport{
	DisableKeepAlives: true,
	DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	},
}

// Browser is a client with cookies that follows no redirect by itself.
func Browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{
		Transport:     transport,
		Jar:           jar,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Do makes a request with headers given as pairs.
func Do(t *testing.T, client *http.Client, method, url, body string, headers ...string) Answer {
	t.Helper()
	a, err := Try(t, client, method, url, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Try is Do for requests that may fail.
func Try(t *testing.T, client *http.Client, method, url, body string, headers ...string) (Answer, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return Answer{Status: response.StatusCode, Header: response.Header, Body: string(text)}, err
}

// Post sends JSON to a path of the site.
func (r *Rig) Post(path string, body any, headers ...string) Answer {
	r.T.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		r.T.Fatal(err)
	}
	headers = append([]string{"Content-Type", "application/json"}, headers...)
	return r.Ask(http.MethodPost, path, string(encoded), headers...)
}

// Get asks the site for a path.
func (r *Rig) Get(path string, headers ...string) Answer {
	r.T.Helper()
	return r.Ask(http.MethodGet, path, "", headers...)
}

// Ask makes a request as a new client does.
func (r *Rig) Ask(method, path, body string, headers ...string) Answer {
	r.T.Helper()
	for {
		a, err := Try(r.T, Browser(r.T), method, r.URL+path, body, headers...)
		if err == nil {
			return a
		}
		if r.Retries == nil || r.Retries.Add(1) > maxRetries {
			r.T.Fatal(err)
		}
	}
}

// maxRetries is far above what a test can need.
const maxRetries = 1000

// Object is a JSON object.
type Object = map[string]any

// Host is the site's host and port.
func (r *Rig) Host() string { return strings.TrimPrefix(r.URL, "http://") }

// Raw sends bytes to the site and returns all that comes back.
func (r *Rig) Raw(request string) string {
	r.T.Helper()
	host := r.Host()
	conn, err := net.DialTimeout("tcp", host, DeliveryWait)
	if err != nil {
		r.T.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(DeliveryWait)); err != nil {
		r.T.Fatal(err)
	}
	request = strings.ReplaceAll(request, "HOST", host)
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")); err != nil {
		r.T.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		r.T.Fatal(err)
	}
	return string(answer)
}
