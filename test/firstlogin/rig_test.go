// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// deliveryWait bounds how long a message may take to arrive.
const deliveryWait = 10 * time.Second

const (
	clientID     = "web-app"
	clientSecret = "a-client-secret-that-is-for-tests-only"
	publicClient = "mobile-app"
)

// apis are all three, with a client of each kind.
const apis = `
		api nestauth
		api autional
		api auth0 {
			client ` + clientID + ` {
				secret ` + clientSecret + `
				callback https://app.example.com/callback
				origin https://spa.example.com
			}
			client ` + publicClient + ` {
				type native
			}
		}`

// roomy are throttles that a test can't run into by the number of its
// requests; the address's stay at their defaults.
const roomy = `
		throttle client_ip 100000 1h`

// rig is a site with an app behind it.
type rig struct {
	t      *testing.T
	caddy  *caddyserver.Server
	global string
	sites  string
	url    string
	app    *upstream
	// retries counts the requests made again because their connection was
	// reset before an answer; nil: there must be none.
	retries *atomic.Int64
}

// stores are the lines of the global block for each kind of store.
var stores = map[string]func(t *testing.T) string{
	"bolt": func(*testing.T) string { return "store bolt otp.db" },
	"redis": func(t *testing.T) string {
		return "store redis " + redisserver.Start(t).URL() + "\n\t\tsecret a-secret-of-more-than-thirty-two-bytes"
	},
}

// onEachStore runs a test on every kind of store.
func onEachStore(t *testing.T, test func(t *testing.T, store string)) {
	skipShort(t)
	for name, lines := range stores {
		t.Run(name, func(t *testing.T) { test(t, lines(t)) })
	}
}

func skipShort(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the real server; left out by -short")
	}
}

// newRig runs a site with the options given.
func newRig(t *testing.T, store, options string) *rig {
	t.Helper()
	app := newUpstream(t)
	r := &rig{t: t, app: app, global: globalBlock(store)}
	port := caddyserver.FreePort(t)
	r.url = fmt.Sprintf("http://localhost:%d", port)
	r.sites = siteBlock(r.url, options, "reverse_proxy "+app.addr)
	r.caddy = caddyserver.Start(t, r.global, r.sites)
	return r
}

func globalBlock(store string) string {
	return "\totp {\n\t\t" + store + "\n\t}"
}

func siteBlock(url, options, app string) string {
	return fmt.Sprintf(`%s {
	otp {
		public_url %s
		email file mails.jsonl
		sms file mails.jsonl
		sms_countries US DE
		default_country US
%s
	}
	%s
}
`, url, url, options, app)
}

// message is a line of the file sender.
type message struct {
	Channel   string `json:"channel"`
	To        string `json:"to"`
	Code      string `json:"code"`
	Link      string `json:"link"`
	Subject   string `json:"subject"`
	Text      string `json:"text"`
	Dialect   string `json:"dialect"`
	MessageID string `json:"message_id"`
}

// messages returns what was delivered to an address so far.
func (r *rig) messages(to string) []message {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.caddy.Dir, "mails.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	var found []message
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			r.t.Fatalf("line of the file sender: %v: %s", err, lines.Text())
		}
		if m.To == to {
			found = append(found, m)
		}
	}
	return found
}

// message waits for the nth message (from 1) to an address.
func (r *rig) message(to string, nth int) message {
	r.t.Helper()
	deadline := time.Now().Add(deliveryWait)
	for {
		if found := r.messages(to); len(found) >= nth {
			return found[nth-1]
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("message %d to %s did not arrive:\n%s", nth, to, r.caddy.Log())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// answer is an answer, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// json returns the body's object.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(a.body), &object); err != nil {
		t.Fatalf("not JSON: %v: %d %s", err, a.status, a.body)
	}
	return object
}

// text returns a string of the body's object.
func (a answer) text(t *testing.T, key string) string {
	t.Helper()
	text, _ := a.json(t)[key].(string)
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

// browser is a client with cookies that follows no redirect by itself.
func browser(t *testing.T) *http.Client {
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

// do makes a request with headers given as pairs.
func do(t *testing.T, client *http.Client, method, url, body string, headers ...string) answer {
	t.Helper()
	a, err := try(t, client, method, url, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try is do for requests that may fail.
func try(t *testing.T, client *http.Client, method, url, body string, headers ...string) (answer, error) {
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
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: string(text)}, err
}

// post sends JSON to a path of the site.
func (r *rig) post(path string, body any, headers ...string) answer {
	r.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	headers = append([]string{"Content-Type", "application/json"}, headers...)
	return r.ask(http.MethodPost, path, string(encoded), headers...)
}

// get asks the site for a path.
func (r *rig) get(path string, headers ...string) answer {
	r.t.Helper()
	return r.ask(http.MethodGet, path, "", headers...)
}

// ask makes a request as a new client does.
func (r *rig) ask(method, path, body string, headers ...string) answer {
	r.t.Helper()
	for {
		a, err := try(r.t, browser(r.t), method, r.url+path, body, headers...)
		if err == nil {
			return a
		}
		if r.retries == nil || r.retries.Add(1) > maxRetries {
			r.t.Fatal(err)
		}
	}
}

// maxRetries is far above what a test can need.
const maxRetries = 1000

// object is a JSON object.
type object = map[string]any
