// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/test/faults/ledger"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// keepAlive is how programs call, with connections that are used again.
var keepAlive = &http.Client{
	Timeout:   20 * time.Second,
	Transport: &http.Transport{DialContext: toLoopback, MaxIdleConnsPerHost: 512, MaxIdleConns: 2048},
}

// single has a connection for each request: a server that reloads may close an
// idle one just as a request is sent on it.
var single = &http.Client{
	Timeout:   20 * time.Second,
	Transport: &http.Transport{DialContext: toLoopback, DisableKeepAlives: true},
}

// toLoopback asks no resolver.
func toLoopback(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

// answer is an answer of autional's API; status is 0 where there was none.
type answer struct {
	status     int
	err        error
	retryAfter string
	fields     struct {
		Code         int    `json:"code"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		// Data is what the answer is about.
		Data json.RawMessage `json:"data"`
	}
}

// The codes of autional's answers that a guess gets.
const (
	codeWrong     = 30101003
	codeExhausted = 30101005
)

// result is what the client knows of its request's effect.
func (a answer) result() ledger.Result {
	switch {
	case a.status == http.StatusOK:
		return ledger.Done
	case a.status == 0 || a.status >= 500:
		return ledger.Unknown
	}
	return ledger.Refused
}

// outage reports whether the answer is one that is documented for a store that
// is down.
func (a answer) outage() bool {
	wait, err := strconv.Atoi(a.retryAfter)
	return a.status == http.StatusServiceUnavailable && err == nil && wait >= 1
}

func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("%d (%d)", a.status, a.fields.Code)
}

// session names the session that a verification opened, or "".
func (a answer) session() string {
	id, _, err := token.ParseRefresh(a.fields.RefreshToken)
	if err != nil {
		return ""
	}
	return string(id)
}

// post sends JSON to a node, with headers given as pairs.
func post(client *http.Client, n *node, path string, body any, headers ...string) answer {
	encoded, err := json.Marshal(body)
	if err != nil {
		return answer{err: err}
	}
	return ask(client, http.MethodPost, n.url+path, bytes.NewReader(encoded), append(headers, "Content-Type", "application/json")...)
}

func ask(client *http.Client, method, url string, body io.Reader, headers ...string) (a answer) {
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		return answer{err: err}
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{err: err}
	}
	a.status, a.retryAfter = response.StatusCode, response.Header.Get("Retry-After")
	a.err = json.Unmarshal(text, &a.fields)
	return a
}

// insist asks until the answer is none of an outage: a busy machine has short
// ones of its own.
func insist(ask func() answer) answer {
	begin := time.Now()
	for {
		a := ask()
		if !a.outage() || time.Since(begin) > delivery {
			return a
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// sessions returns the names of somebody's sessions.
func sessions(n *node, access string) ([]string, answer) {
	a := insist(func() answer {
		return ask(keepAlive, http.MethodGet, n.url+"/auth/me/sessions", nil, "Authorization", "Bearer "+access)
	})
	var all []struct{ ID string }
	if a.status == http.StatusOK && a.err == nil {
		a.err = json.Unmarshal(a.fields.Data, &all)
	}
	var names []string
	for _, each := range all {
		names = append(names, each.ID)
	}
	return names, a
}

// start asks a node for a code.
func (r *rig) start(n *node, address string) answer { return r.startBy(keepAlive, n, address) }

func (r *rig) startBy(client *http.Client, n *node, address string) answer {
	a := post(client, n, "/auth/send-login-code", site.Object{"email": address})
	r.ledger.Started(address, a.result())
	return a
}

// verify presents the right code of an address.
func (r *rig) verify(n *node, address, code string) answer {
	return r.verifyBy(keepAlive, n, address, code)
}

func (r *rig) verifyBy(client *http.Client, n *node, address, code string) answer {
	a := post(client, n, "/auth/login/email-code", site.Object{"email": address, "code": code})
	r.ledger.Verified(address, code, a.session(), a.result())
	return a
}

// guess presents a wrong code of an address whose right one isn't known to be
// dead.
func (r *rig) guess(n *node, address, wrong string) answer {
	a := post(keepAlive, n, "/auth/login/email-code", site.Object{"email": address, "code": wrong})
	switch {
	case a.status == http.StatusBadRequest && a.fields.Code == codeExhausted:
		r.ledger.Guessed(address, ledger.Done)
		r.ledger.Died(address)
	case a.status == http.StatusBadRequest && a.fields.Code == codeWrong:
		r.ledger.Guessed(address, ledger.Done)
	default:
		r.ledger.Guessed(address, a.result())
	}
	return a
}

// renew renews a session.
func renew(n *node, refresh string) answer {
	return post(keepAlive, n, "/auth/refresh", site.Object{"refresh_token": refresh})
}

// app asks for something of the app, signed in with a token unless it is
// empty.
func app(n *node, token string) (status int, body string, err error) {
	request, err := http.NewRequest(http.MethodGet, n.url+"/app", nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := keepAlive.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// addresses counts the people of all tests.
var addresses atomic.Int64

// newAddress is of somebody who was never here.
func newAddress() string { return fmt.Sprintf("p%d@example.com", addresses.Add(1)) }
