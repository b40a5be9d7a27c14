// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// promise is within what time a revocation holds on every node.
const promise = time.Second

// nodes runs several Caddys that serve one site, with one store.
func nodes(t *testing.T, n int, options string) []*site.Rig {
	t.Helper()
	app := site.NewUpstream(t)
	global := site.GlobalBlock(site.OnRedis(t))
	var all []*site.Rig
	for range n {
		port := freeport.Take(t)
		r := &site.Rig{T: t, App: app, Global: global, URL: fmt.Sprintf("http://localhost:%d", port)}
		const public = "http://localhost"
		r.Sites = strings.Replace(site.SiteBlock(public, options, "reverse_proxy "+app.Addr), public, fmt.Sprintf("http://:%d", port), 1)
		r.Caddy = caddyserver.Start(t, r.Global, r.Sites)
		all = append(all, r)
	}
	return all
}

// person is somebody who is signed in, and all that goes on in their name.
type person struct {
	address string
	token   string
	streams []*stream
	// out is when the answer to their sign-out arrived.
	out time.Time
}

func signIn(t *testing.T, r *site.Rig, address string) *person {
	t.Helper()
	nestauth := site.Dialects[0]
	return &person{address: address, token: nestauth.Login(r, address, 1).Text(t, nestauth.Token)}
}

func (p *person) header() string { return "Authorization: Bearer " + p.token + "\r\n" }

// signOut ends the person's session, or all of them.
func (p *person) signOut(t *testing.T, r *site.Rig, path string) {
	t.Helper()
	if a := r.Post(path, site.Object{}, "Authorization", "Bearer "+p.token); a.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, a.Status, a.Body)
	}
	p.out = time.Now()
}

// TestRevocationEndsWhatGoesOn has 300 websockets and 100 event streams of 40
// people on three nodes, and signs half of the people out, each on one node.
func TestRevocationEndsWhatGoesOn(t *testing.T) {
	site.SkipShort(t)
	const people, websockets, eventStreams = 40, 300, 100
	all := nodes(t, 3, "\n\t\tprotect"+site.Roomy)
	var everybody []*person
	for i := range people {
		everybody = append(everybody, signIn(t, all[i%len(all)], fmt.Sprintf("p%d@example.com", i)))
	}
	for i := range websockets + eventStreams {
		p, r := everybody[i%people], all[(i/people+i)%len(all)]
		open := upgraded
		if i >= websockets {
			open = events
		}
		p.streams = append(p.streams, open(t, r, p.header()))
	}
	for _, p := range everybody {
		for _, s := range p.streams {
			if !s.lives() {
				t.Fatalf("a %s of %s doesn't begin", s.name, p.address)
			}
		}
	}

	leaving, staying := everybody[:people/2], everybody[people/2:]
	for i, p := range leaving {
		p.signOut(t, all[i%len(all)], []string{"/auth/logout", "/auth/logout-all"}[i/len(all)%2])
	}
	longest, ended := time.Duration(0), 0
	for _, p := range leaving {
		for _, s := range p.streams {
			took, ok := s.endsWithin(promise, p.out)
			if !ok {
				t.Errorf("a %s of %s goes on %v after its session ended", s.name, p.address, took)
				continue
			}
			longest, ended = max(longest, took), ended+1
		}
	}
	time.Sleep(2 * time.Second)
	kept := 0
	for _, p := range staying {
		for _, s := range p.streams {
			if !s.lives() {
				t.Errorf("a %s of %s, who has not signed out, has ended", s.name, p.address)
				continue
			}
			kept++
		}
	}
	t.Logf("%d streams ended, the last one %v after the answer to its sign-out; %d go on", ended, longest.Round(time.Millisecond), kept)
	if ended+kept != websockets+eventStreams {
		t.Errorf("that makes %d of %d", ended+kept, websockets+eventStreams)
	}
}

// TestEveryKindOfStreamEnds over both versions of HTTP, by the session of a
// token and that of a cookie.
func TestEveryKindOfStreamEnds(t *testing.T) {
	site.SkipShort(t)
	app := httptest.NewUnstartedServer(http.HandlerFunc(echoLines))
	app.Config.Protocols = http2Only()
	app.Start()
	t.Cleanup(app.Close)
	r := &site.Rig{T: t, App: site.NewUpstream(t), Global: site.GlobalBlock("store bolt otp.db") + "\n\tservers {\n\t\tprotocols h1 h2c\n\t}"}
	r.URL = fmt.Sprintf("http://localhost:%d", freeport.Take(t))
	r.Sites = site.SiteBlock(r.URL, "\n\t\tprotect"+site.Roomy,
		"reverse_proxy /call h2c://"+app.Listener.Addr().String()+"\n\treverse_proxy "+r.App.Addr)
	r.Caddy = caddyserver.Start(t, r.Global, r.Sites)

	for _, tc := range []struct {
		name string
		open func(name, value string) *stream
	}{
		{"upgrade", func(name, value string) *stream { return upgraded(t, r, name+": "+value+"\r\n") }},
		{"event stream", func(name, value string) *stream { return events(t, r, name+": "+value+"\r\n") }},
		{"event stream that nobody asked for", func(name, value string) *stream { return unaskedEvents(t, r, name+": "+value+"\r\n") }},
		{"event stream over HTTP/2", func(name, value string) *stream {
			return call(t, r, "event stream over HTTP/2", http.MethodGet, "/ticks", "Accept", "text/event-stream", name, value)
		}},
		{"gRPC", func(name, value string) *stream {
			return call(t, r, "gRPC", http.MethodPost, "/call", "Content-Type", "application/grpc", "Te", "trailers", name, value)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			address := strings.ToLower(strings.NewReplacer(" ", "-", "/", "-").Replace(tc.name)) + "@example.com"
			p := signIn(t, r, address)
			byToken := tc.open("Authorization", "Bearer "+p.token)

			visitor := signInByPage(r, "c-"+address)
			var cookies []string
			for _, cookie := range visitor.Jar.Cookies(&url.URL{Scheme: "http", Host: r.Host(), Path: "/"}) {
				cookies = append(cookies, cookie.Name+"="+cookie.Value)
			}
			byCookie := tc.open("Cookie", strings.Join(cookies, "; "))

			if !byToken.lives() || !byCookie.lives() {
				t.Fatal("it doesn't begin")
			}
			p.signOut(t, r, "/auth/logout")
			took, ok := byToken.endsWithin(promise, p.out)
			if !ok {
				t.Error("it goes on after its session ended")
			}
			if !byCookie.lives() {
				t.Error("somebody else's has ended as well")
			}
			if a := site.Form(r, visitor.Client, "/.otp/logout", nil); a.Status >= http.StatusBadRequest {
				t.Fatalf("logout: %d %s", a.Status, a.Body)
			}
			tookCookie, ok := byCookie.endsWithin(promise, time.Now())
			if !ok {
				t.Error("a cookie's goes on after its session ended")
			}
			t.Logf("ended %v and %v after the answer to the sign-out", took, tookCookie)
		})
	}
}

// echoLines answers each line of a body with itself, at once.
func echoLines(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.Header().Set("Trailer", "Grpc-Status")
	flusher := http.NewResponseController(w)
	if flusher.Flush() != nil {
		return
	}
	lines := bufio.NewScanner(r.Body)
	for lines.Scan() {
		fmt.Fprintln(w, lines.Text())
		if flusher.Flush() != nil {
			return
		}
	}
}

// TestRevocationAfterReload: what came in under a config that no longer runs
// still ends with its session, and follows the rules of the one that runs.
func TestRevocationAfterReload(t *testing.T) {
	site.SkipShort(t)
	r := &site.Rig{T: t, App: site.NewUpstream(t), Global: site.GlobalBlock("store bolt otp.db")}
	r.URL = fmt.Sprintf("http://localhost:%d", freeport.Take(t))
	r.Sites = site.SiteBlock(r.URL, "\n\t\tprotect"+site.Roomy, "reverse_proxy "+r.App.Addr+" {\n\t\tstream_close_delay 1h\n\t}")
	r.Caddy = caddyserver.Start(t, r.Global, r.Sites)
	var everybody []*person
	for _, name := range []string{"out", "denied", "stays"} {
		p := signIn(t, r, name+"@example.com")
		p.streams = []*stream{upgraded(t, r, p.header()), events(t, r, p.header())}
		everybody = append(everybody, p)
	}
	out, denied, stays := everybody[0], everybody[1], everybody[2]
	for range 2 {
		if err := r.Caddy.Reload(r.Global, r.Sites); err != nil {
			t.Fatal(err)
		}
	}
	lives := func(when string, people ...*person) {
		t.Helper()
		for _, p := range people {
			for _, s := range p.streams {
				if !s.lives() {
					t.Fatalf("%s: the %s of %s has ended:\n%s", when, s.name, p.address, r.Caddy.Log())
				}
			}
		}
	}
	end := func(limit time.Duration, p *person) {
		t.Helper()
		for _, s := range p.streams {
			took, ok := s.endsWithin(limit, p.out)
			if !ok {
				t.Errorf("the %s of %s goes on after %v", s.name, p.address, took)
			}
			t.Logf("the %s of %s ended after %v", s.name, p.address, took)
		}
	}
	lives("after two reloads", everybody...)
	out.signOut(t, r, "/auth/logout-all")
	end(promise, out)
	lives("after somebody else's sign-out", denied, stays)

	if err := r.Caddy.Reload(r.Global, strings.Replace(r.Sites, "public_url", "deny denied@example.com\n\t\tpublic_url", 1)); err != nil {
		t.Fatal(err)
	}
	denied.out = time.Now()
	end(10*time.Second, denied)
	lives("after somebody else was denied", stays)

	// Without the store nobody could end them any more.
	if err := r.Caddy.Reload("", r.URL+" {\n\treverse_proxy "+r.App.Addr+"\n}"); err != nil {
		t.Fatal(err)
	}
	stays.out = time.Now()
	end(promise, stays)
}
