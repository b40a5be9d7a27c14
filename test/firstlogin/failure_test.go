// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
)

// TestKilledAndRestarted kills the server as a power cut would. What it had
// answered must still hold afterwards.
func TestKilledAndRestarted(t *testing.T) {
	onEachStore(t, func(t *testing.T, store string) {
		r := newRig(t, store, apis+roomy+"\n\t\tprotect")
		token := dialects[0].login(r, "session@example.com", 1).text(t, "accessToken")
		dialects[1].start(r, "code@example.com")
		code := r.message("code@example.com", 1).Code
		for range 4 {
			dialects[1].verify(r, "code@example.com", other(code))
		}
		signedOut := dialects[0].login(r, "gone@example.com", 1).text(t, "accessToken")
		if a := r.post("/auth/logout", object{}, "Authorization", "Bearer "+signedOut); a.status != http.StatusOK {
			t.Fatalf("logout: %d", a.status)
		}

		r.caddy.Kill()
		r.caddy.Run()

		if a := r.get("/", "Authorization", "Bearer "+token); a.status != http.StatusOK {
			t.Errorf("the session is gone: %d %s", a.status, a.body)
		}
		if a := r.get("/", "Authorization", "Bearer "+signedOut); a.status != http.StatusUnauthorized {
			t.Errorf("the signed-out session is back: %d", a.status)
		}
		if a := dialects[1].verify(r, "code@example.com", code); a.status != http.StatusOK {
			t.Errorf("the code is gone: %d %s", a.status, a.body)
		}
	})
}

// provider is an HTTP provider for messages that can be down.
type provider struct {
	mu    sync.Mutex
	up    bool
	taken map[string]int // by idempotency key
	tried chan struct{}
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.tried <- struct{}{}:
	default:
	}
	if !p.up || r.Context().Err() != nil { // of a client that was killed
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	p.taken[r.Header.Get("Idempotency-Key")]++
	w.WriteHeader(http.StatusAccepted)
}

func (p *provider) deliveries() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	copied := make(map[string]int)
	for id, n := range p.taken {
		copied[id] = n
	}
	return copied
}

// TestUndeliveredMessageArrives kills the server between the commit of a
// message and its delivery.
func TestUndeliveredMessageArrives(t *testing.T) {
	onEachStore(t, func(t *testing.T, store string) {
		relay := &provider{taken: make(map[string]int), tried: make(chan struct{}, 1)}
		server := httptest.NewServer(relay)
		t.Cleanup(server.Close)
		app := newUpstream(t)
		r := &rig{t: t, app: app, global: globalBlock(store)}
		r.url = fmt.Sprintf("http://localhost:%d", caddyserver.FreePort(t))
		r.sites = strings.Replace(siteBlock(r.url, apis, "reverse_proxy "+app.addr), "email file mails.jsonl", "email http "+server.URL, 1)
		r.caddy = caddyserver.Start(t, r.global, r.sites)

		const sent = 3
		for i := range sent {
			if a := dialects[1].start(r, fmt.Sprintf("late%d@example.com", i)); a.status != http.StatusOK {
				t.Fatalf("start: %d %s", a.status, a.body)
			}
		}
		<-relay.tried
		r.caddy.Kill()
		relay.mu.Lock()
		relay.up = true
		relay.mu.Unlock()
		r.caddy.Run()

		deadline := time.Now().Add(30 * time.Second)
		for len(relay.deliveries()) < sent {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d messages arrived:\n%s", len(relay.deliveries()), sent, r.caddy.Log())
			}
			time.Sleep(50 * time.Millisecond)
		}
		for id, n := range relay.deliveries() {
			if n != 1 {
				t.Errorf("message %s arrived %d times", id, n)
			}
		}
	})
}

// TestReloads reloads the config over and over while people log in.
func TestReloads(t *testing.T) {
	onEachStore(t, func(t *testing.T, store string) {
		const reloads, people = 20, 4
		r := newRig(t, store, apis+roomy)
		// Where the kernel doesn't hand connections over from a listener that
		// closes to the one that replaces it, Caddy's reload resets those that
		// it had not accepted yet. A client connects again: nothing was asked.
		patient := *r
		patient.retries = new(atomic.Int64)
		stop := make(chan struct{})
		var logins sync.WaitGroup
		var counts [people]int
		for person := range people {
			logins.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					d := dialects[counts[person]%len(dialects)]
					address := fmt.Sprintf("p%d-%d@example.com", person, counts[person])
					if a := d.start(&patient, address); a.status != http.StatusOK {
						t.Errorf("%s start during a reload: %d %s", d.name, a.status, a.body)
						return
					}
					a := d.verify(&patient, address, r.message(address, 1).Code)
					if a.status != http.StatusOK {
						t.Errorf("%s verify during a reload: %d %s", d.name, a.status, a.body)
						return
					}
					if echo := patient.get("/", "Authorization", "Bearer "+a.text(t, d.token)); !strings.Contains(echo.body, "Remote-User: "+address) {
						t.Errorf("the session didn't survive a reload: %s", echo.body)
					}
					counts[person]++
				}
			})
		}
		for i := range reloads {
			sites := r.sites
			if i%2 == 0 {
				sites = strings.Replace(sites, "sms_countries US DE", "sms_countries DE", 1)
				sites = strings.Replace(sites, "default_country US", "default_country DE", 1)
			}
			if err := r.caddy.Reload(r.global, sites); err != nil {
				t.Errorf("reload %d: %v", i, err)
			}
		}
		close(stop)
		logins.Wait()
		total := 0
		for person, n := range counts {
			total += n
			for i := range n {
				if got := len(r.messages(fmt.Sprintf("p%d-%d@example.com", person, i))); got != 1 {
					t.Errorf("a start made %d messages", got)
				}
			}
		}
		t.Logf("%d logins during %d reloads; %d connections were made again", total, reloads, patient.retries.Load())
		if total < reloads {
			t.Errorf("only %d logins during %d reloads", total, reloads)
		}
	})
}

// TestRejectedReload keeps serving, with the same store, where the new config
// is no good.
func TestRejectedReload(t *testing.T) {
	skipShort(t)
	r := newRig(t, "store bolt otp.db", apis+roomy)
	dialects[0].start(r, "kept@example.com")
	code := r.message("kept@example.com", 1).Code
	err := r.caddy.Reload(r.global, strings.Replace(r.sites, "public_url", "throttle address 1 2m\n\t\tallow *@\n\t\tpublic_url", 1))
	if err == nil || !strings.Contains(err.Error(), "Caddyfile:") {
		t.Errorf("a bad config is taken, or its error names no line: %v", err)
	}
	if a := dialects[0].verify(r, "kept@example.com", code); a.status != http.StatusOK {
		t.Errorf("after a rejected reload: %d %s", a.status, a.body)
	}
}

// TestRedisDown answers at once and lets the app's traffic through, and
// recovers by itself.
func TestRedisDown(t *testing.T) {
	skipShort(t)
	server := redisserver.Start(t)
	r := newRig(t, "store redis "+server.URL()+"\n\t\tsecret a-secret-of-more-than-thirty-two-bytes", apis+roomy+"\n\t\tprotect /private")
	token := dialects[0].login(r, "before@example.com", 1).text(t, "accessToken")
	for _, fault := range []struct {
		name       string
		begin, end func()
	}{
		{"hung", server.Stop, server.Continue},
		{"killed", server.Kill, server.Restart},
	} {
		t.Run(fault.name, func(t *testing.T) {
			fault.begin()
			for _, d := range dialects {
				for what, ask := range map[string]func() answer{
					"start":  func() answer { return d.start(r, "down@example.com") },
					"verify": func() answer { return d.verify(r, "down@example.com", "123456") },
				} {
					a, took := fastest(ask)
					if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || took > 300*time.Millisecond {
						t.Errorf("%s %s: %d after %v, Retry-After %q: %s", d.name, what, a.status, took, a.header.Get("Retry-After"), a.body)
					}
				}
			}
			if a := r.get("/page"); a.status != http.StatusOK {
				t.Errorf("other traffic: %d", a.status)
			}
			if a := r.get("/private", "Authorization", "Bearer "+token); a.status != http.StatusOK {
				t.Errorf("signed-in traffic: %d %s", a.status, a.body)
			}
			if a := r.get("/private"); a.status != http.StatusUnauthorized {
				t.Errorf("anonymous on a protected path: %d", a.status)
			}
			fault.end()
			recovered := time.Now().Add(5 * time.Second)
			for nth := 0; dialects[1].start(r, fmt.Sprintf("after%d-%s@example.com", nth, fault.name)).status != http.StatusOK; nth++ {
				if time.Now().After(recovered) {
					t.Fatal("it doesn't recover")
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
}

// fastest asks up to five times for an answer within 300 ms and returns the one
// that came soonest: the machine that tests may be busy with something else.
func fastest(ask func() answer) (best answer, took time.Duration) {
	for try := range 5 {
		began := time.Now()
		a := ask()
		if t := time.Since(began); try == 0 || t < took {
			best, took = a, t
		}
		if took <= 300*time.Millisecond {
			break
		}
	}
	return best, took
}

// TestRedisAbsentAtStart starts all the same, and works once Redis is there.
func TestRedisAbsentAtStart(t *testing.T) {
	skipShort(t)
	server := redisserver.Start(t)
	server.Kill()
	r := newRig(t, "store redis "+server.URL()+"\n\t\tsecret a-secret-of-more-than-thirty-two-bytes", apis+roomy)
	if a := dialects[0].start(r, "early@example.com"); a.status != http.StatusServiceUnavailable {
		t.Errorf("without redis: %d %s", a.status, a.body)
	}
	if a := r.get("/page"); a.status != http.StatusOK {
		t.Errorf("other traffic: %d", a.status)
	}
	server.Restart()
	deadline := time.Now().Add(5 * time.Second)
	for nth := 0; dialects[0].start(r, fmt.Sprintf("late%d@example.com", nth)).status != http.StatusOK; nth++ {
		if time.Now().After(deadline) {
			t.Fatalf("it doesn't work once redis is there:\n%s", r.caddy.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestNothingSecretInTheLog runs logins of every kind with the log at debug
// and looks for codes, links, tokens and addresses in it.
func TestNothingSecretInTheLog(t *testing.T) {
	skipShort(t)
	r := &rig{t: t, app: newUpstream(t), global: globalBlock("store bolt otp.db") + "\n\tdebug"}
	r.url = fmt.Sprintf("http://localhost:%d", caddyserver.FreePort(t))
	r.sites = siteBlock(r.url, apis+roomy+"\n\t\tprotect", "log\n\treverse_proxy "+r.app.addr)
	r.caddy = caddyserver.Start(t, r.global, r.sites)
	var secrets []string
	for _, d := range dialects {
		address := "private-" + d.name + "@secret.example"
		token := d.login(r, address, 1).text(t, d.token)
		secrets = append(secrets, address, r.message(address, 1).Code, token)
		d.start(r, address)
		d.verify(r, address, "not-a-code")
	}
	visitor := browser(t)
	enter(r, visitor, "private-link@secret.example")
	m := r.message("private-link@secret.example", 1)
	token := m.Link[strings.Index(m.Link, "=")+1:]
	do(t, visitor, http.MethodGet, m.Link, "")
	form(r, visitor, "/.otp/link", url.Values{"token": {token}})
	secrets = append(secrets, m.To, m.Code, token)
	site, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range visitor.Jar.Cookies(site) {
		secrets = append(secrets, cookie.Value)
	}
	do(t, visitor, http.MethodGet, r.url+"/page", "")
	r.caddy.Stop()
	log := withoutProxyDebug(r.caddy.Log())
	if !strings.Contains(log, "handled request") || !strings.Contains(log, `"answered"`) {
		t.Fatalf("the log lacks what is looked through:\n%s", log)
	}
	for _, secret := range secrets {
		if i := strings.Index(log, secret); i >= 0 {
			t.Errorf("the log has %q: …%s…", secret, log[max(0, i-300):min(len(log), i+100)])
		}
	}
}

// withoutProxyDebug drops the lines in which Caddy's own reverse_proxy shows,
// at debug level only, the headers that an app gets.
func withoutProxyDebug(log string) string {
	var kept strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"msg":"upstream roundtrip"`) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
