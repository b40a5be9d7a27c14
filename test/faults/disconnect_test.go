// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/faults/ledger"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// hangUp sends the first bytes of a request, all of them where part is 0, and
// hangs up without waiting for an answer.
func hangUp(t *testing.T, n *node, path string, body any, part int) {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(n.url, "http://")
	request := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, host, len(encoded), encoded)
	if part > 0 {
		request = request[:len(request)-part]
	}
	conn, err := net.DialTimeout("tcp", "127.0.0.1:"+host[strings.LastIndexByte(host, ':')+1:], 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
}

// TestDisconnects has clients hang up at each stage (F-43): a start happens
// once or not at all, every guess counts, a right code opens one session at
// the most, and the browser that asked may ask again.
func TestDisconnects(t *testing.T) {
	site.SkipShort(t)
	times := either(20, 2000)
	guessers := min(times, 50) // more wrong guesses in a minute would open the breaker
	r := newRig(t, 1, standalone(redisserver.Start(t).URL()).lines(patient), spacious+"\n\t\tprotect")
	n := r.nodes[0]
	r.login() // until there is a key to sign with nothing is judged

	// Within the body: nothing happens.
	for range times {
		address := newAddress()
		hangUp(t, n, "/auth/send-login-code", site.Object{"email": address}, 3)
		r.ledger.Started(address, ledger.Refused)
	}
	// Before the answer to a start: it happens once at the most.
	asked := make([]string, times)
	for i := range times {
		asked[i] = newAddress()
		hangUp(t, n, "/auth/send-login-code", site.Object{"email": asked[i]}, 0)
		r.ledger.Started(asked[i], ledger.Unknown)
	}
	// Before the answer to a guess: it counts all the same.
	guessed := make([]*visitor, guessers)
	for i := range guessed {
		v := &visitor{address: newAddress()}
		v.code = r.issued(n, v.address, 1)
		for range attempts {
			hangUp(t, n, "/auth/login/email-code", site.Object{"email": v.address, "code": site.OtherCode(v.code)}, 0)
			r.ledger.Guessed(v.address, ledger.Unknown)
		}
		guessed[i] = v
	}
	// Before the answer to a right code: it opens one session at the most,
	// which nobody has.
	for range times {
		address := newAddress()
		code := r.issued(n, address, 1)
		hangUp(t, n, "/auth/login/email-code", site.Object{"email": address, "code": code}, 0)
		r.ledger.Verified(address, code, "", ledger.Unknown)
		r.verify(n, address, code)
	}
	answered := func() int { return strings.Count(n.Log(), `"path":"/auth/login/email-code"`) }
	for deadline := time.Now().Add(delivery); answered() < 1+guessers*attempts+times*2 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	for _, v := range guessed {
		if a := r.verify(n, v.address, v.code); a.fields.Code != codeExhausted {
			t.Errorf("after %d guesses of clients that hung up, the right code gets %s", attempts, a)
		}
	}
	happened := 0
	for _, address := range asked {
		r.sink.mu.Lock()
		happened += len(r.sink.box(address).codes)
		r.sink.mu.Unlock()
	}
	repeated := either(3, 200)
	for range repeated {
		r.repeats(t)
	}
	row(t, "F-43 %d times each, clients hung up within a start's body, after it (%d happened), after a right code, and %d times after each of %d guesses (all counted); %d browsers repeated; %s",
		times, happened, guessers, attempts, repeated, r.reconciled())
}

// repeats has a browser send its code twice, the first time without waiting
// for the answer: it is signed in, in one session.
func (r *rig) repeats(t *testing.T) {
	t.Helper()
	s := &site.Rig{T: t, URL: r.nodes[0].url, Caddy: r.nodes[0].Server}
	visitor := site.Browser(t)
	address := newAddress()
	site.Enter(s, visitor, address)
	r.ledger.Started(address, ledger.Done)
	code := r.sink.code(t.Context(), address, 1)

	impatient := *visitor
	impatient.Timeout = time.Millisecond
	form := url.Values{"code": {code}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/.otp/verify", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "Origin": s.URL, "Sec-Fetch-Site": "same-origin",
	} {
		request.Header.Set(name, value)
	}
	impatient.Jar = readOnly{visitor.Jar}
	if response, err := impatient.Do(request); err == nil {
		response.Body.Close() // it was quick enough; the answer is lost all the same
	}
	if a := site.Form(s, visitor, "/.otp/verify", form); a.Status != http.StatusSeeOther {
		t.Errorf("the browser that repeats its code gets %d", a.Status)
	}
	if a := site.Do(t, visitor, http.MethodGet, s.URL+"/", ""); a.Body != "app "+address {
		t.Errorf("the browser that repeated its code gets %d %q", a.Status, a.Body)
	}
	sessions := site.Do(t, visitor, http.MethodGet, s.URL+"/.otp/sessions", "", "Accept", "text/html")
	if count := strings.Count(sessions.Body, "<li>"); count != 1 {
		t.Errorf("%d sessions are listed:\n%s", count, sessions.Body)
	}
}

// readOnly is a jar that a lost answer leaves as it is.
type readOnly struct{ http.CookieJar }

func (readOnly) SetCookies(*url.URL, []*http.Cookie) {}
