// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// secureSite is a site of a realm ("": of its own) over https, with its access
// log on.
func secureSite(t *testing.T, origin, realm, options string, app *site.Upstream, certificate keyPair) string {
	t.Helper()
	return fmt.Sprintf(`%s {
	tls %s %s
	log
	otp %s {
		public_url %s
		protect
		%s
	}
	reverse_proxy %s
}
`, origin, certificate.certificate, certificate.key, realm, origin, options, app.Addr)
}

// realmBlock is the global otp block of a store, with the realm staff.
func realmBlock(store, realm string) string {
	return site.GlobalBlock(store + "\n\t\temail file mails.jsonl insecure" + site.Roomy + "\n\t\trealm staff {\n\t\t\t" + realm + "\n\t\t}")
}

// at is the same server at another of its sites.
func at(r *site.Rig, origin string) *site.Rig {
	other := *r
	other.URL = origin
	return &other
}

// visit opens an address as a person does and follows redirects, at most ten,
// to a page or to an address that has a text in it, which it doesn't open.
func visit(t *testing.T, client *http.Client, address, until string) (string, site.Answer) {
	t.Helper()
	for range 10 {
		a := site.Do(t, client, http.MethodGet, address, "", "Accept", "text/html", "Sec-Fetch-Mode", "navigate")
		if a.Status != http.StatusSeeOther {
			return address, a
		}
		base, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		next, err := base.Parse(a.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if address = next.String(); until != "" && strings.Contains(address, until) {
			return address, a
		}
	}
	t.Fatalf("a loop, which is at %s", address)
	return "", site.Answer{}
}

// signIn signs in at the login page that an address leads to, and returns
// where that leads in the end.
func signInAt(r *site.Rig, client *http.Client, address, email string) (string, site.Answer) {
	r.T.Helper()
	where, page := visit(r.T, client, address, "")
	u, err := url.Parse(where)
	if err != nil || page.Status != http.StatusOK || !strings.Contains(page.Body, `name="address"`) {
		r.T.Fatalf("no login page but %d at %s: %s", page.Status, where, page.Body)
	}
	home := at(r, u.Scheme+"://"+u.Host)
	back := u.Query().Get("return_to")
	if strings.HasSuffix(u.Path, "/handoff") {
		back = u.RequestURI()
	}
	nth := len(r.Messages(email)) + 1
	site.ExpectRedirect(r.T, site.Form(home, client, "/.otp/login", url.Values{"address": {email}, "return_to": {back}}), "/.otp/verify")
	a := site.Form(home, client, "/.otp/verify", url.Values{"code": {r.Message(email, nth).Code}})
	if a.Status != http.StatusSeeOther {
		r.T.Fatalf("verify: %d %s", a.Status, a.Body)
	}
	next, err := u.Parse(a.Header.Get("Location"))
	if err != nil {
		r.T.Fatal(err)
	}
	return visit(r.T, client, next.String(), "")
}

// TestOneDomainOneLogin: with a session domain, a login at one site is one at
// all sites of the realm below it, and at no other.
func TestOneDomainOneLogin(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		w := newTLS(t)
		port := freeport.Take(t)
		origin := func(host string) string { return fmt.Sprintf("https://%s:%d", host, port) }
		a, b, other := origin("a.example.test"), origin("b.example.test"), origin("other.example.test")
		r := &site.Rig{T: t, App: site.NewUpstream(t), Global: realmBlock(store, "session {\n\t\t\t\tdomain example.test\n\t\t\t}")}
		r.Sites = secureSite(t, a, "staff", "", r.App, w.files) +
			secureSite(t, b, "staff", "allow *@example.com", r.App, w.files) +
			secureSite(t, other, "", "session {\n\t\t\tdomain example.test\n\t\t}", r.App, w.files)
		r.Caddy = caddyserver.Start(t, r.Global, r.Sites)

		jane := w.browser(t)
		if where, page := signInAt(r, jane, a+"/page?x=1", "jane@example.com"); where != a+"/page?x=1" || !strings.Contains(page.Body, "Remote-User: jane@example.com") {
			t.Fatalf("%d at %s:\n%s", page.Status, where, page.Body)
		}
		if where, page := visit(t, jane, b+"/page", ""); where != b+"/page" || !strings.Contains(page.Body, "Remote-User: jane@example.com") || strings.Contains(page.Body, "otp=") {
			t.Errorf("%d at %s:\n%s", page.Status, where, page.Body)
		}
		if where, page := visit(t, jane, other+"/page", ""); where == other+"/page" {
			t.Errorf("another realm is open: %d", page.Status)
		}

		// Each site has its own idea of who may come in.
		guest := w.browser(t)
		if where, page := signInAt(r, guest, a+"/page", "guest@example.org"); where != a+"/page" {
			t.Errorf("%d at %s", page.Status, where)
		}
		if where, page := visit(t, guest, b+"/page", ""); where == b+"/page" {
			t.Errorf("who may not sign in there is let in: %d", page.Status)
		}

		// So is an API's token one of the realm.
		client := w.browser(t)
		site.Do(t, client, http.MethodPost, a+"/auth/passwordless/send", `{"identifier":"api@example.com","channel":"email"}`, "Content-Type", "application/json")
		login := site.Do(t, client, http.MethodPost, a+"/auth/login",
			`{"providerName":"passwordless","credentials":{"identifier":"api@example.com","code":"`+r.Message("api@example.com", 1).Code+`","channels":["email"]}}`, "Content-Type", "application/json")
		bearer := []string{"Authorization", "Bearer " + login.Text(t, "accessToken")}
		for origin, status := range map[string]int{a: http.StatusOK, b: http.StatusOK, other: http.StatusUnauthorized} {
			if got := site.Do(t, w.browser(t), http.MethodGet, origin+"/page", "", bearer...); got.Status != status {
				t.Errorf("the token at %s: %d %s", origin, got.Status, got.Body)
			}
		}

		// A logout at one site is one at all.
		if out := site.Form(at(r, b), jane, "/.otp/logout", nil); out.Status >= http.StatusBadRequest {
			t.Fatalf("logout: %d", out.Status)
		}
		if where, page := visit(t, jane, a+"/page", ""); where == a+"/page" {
			t.Errorf("still signed in: %d", page.Status)
		}
	})
}

// TestTwoDomainsOneLogin: sites that share no domain sign in at the realm's
// home, and whoever captures the address of a hand-off has nothing of it.
func TestTwoDomainsOneLogin(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		w := newTLS(t)
		port := freeport.Take(t)
		origin := func(host string) string { return fmt.Sprintf("https://%s:%d", host, port) }
		home, b, c := origin("login.example.test"), origin("www.example.org"), origin("www.example.net")
		r := &site.Rig{T: t, App: site.NewUpstream(t), Global: realmBlock(store, "public_url "+home)}
		r.Sites = secureSite(t, home, "staff", "", r.App, w.files) +
			secureSite(t, b, "staff", "", r.App, w.files) +
			secureSite(t, c, "staff", "deny jane@example.com", r.App, w.files)
		r.Caddy = caddyserver.Start(t, r.Global, r.Sites)
		handOff(t, r, w, home, b)

		jane := w.browser(t)
		if where, page := signInAt(r, jane, b+"/page", "jane@example.com"); where != b+"/page" {
			t.Fatalf("%d at %s", page.Status, where)
		}
		where, page := visit(t, jane, c+"/page", "")
		if page.Status != http.StatusForbidden || !strings.HasPrefix(where, c+"/.otp/handoff") || !strings.Contains(page.Body, "not for this site") {
			t.Errorf("who may not sign in there gets %d at %s:\n%s", page.Status, where, page.Body)
		}
		if a := site.Do(t, w.browser(t), http.MethodGet, b+"/page", ""); a.Status != http.StatusUnauthorized || !strings.HasPrefix(a.Text(t, "login_url"), b+"/.otp/login") {
			t.Errorf("a program gets %d %s", a.Status, a.Body)
		}
	})
}

// TestHomeOfAnotherServer has a realm's home in one Caddy and another of its
// sites in a second one, with the same store and secret.
func TestHomeOfAnotherServer(t *testing.T) {
	store := site.OnRedis(t)
	w := newTLS(t)
	home := fmt.Sprintf("https://login.example.test:%d", freeport.Take(t))
	b := fmt.Sprintf("https://www.example.org:%d", freeport.Take(t))
	global := realmBlock(store, "public_url "+home)
	r := &site.Rig{T: t, App: site.NewUpstream(t)}
	other := caddyserver.Start(t, global, secureSite(t, b, "staff", "", r.App, w.files))
	if !strings.Contains(other.Log(), "sign in at a site of another server") {
		t.Error("the log doesn't say where the home is")
	}
	r.Caddy = caddyserver.Start(t, global, secureSite(t, home, "staff", "", r.App, w.files))
	handOff(t, r, w, home, b)
}

// handOff signs in at b, by way of the home, and uses what others may see of
// that.
func handOff(t *testing.T, r *site.Rig, w *trust, home, b string) {
	t.Helper()
	joe := w.browser(t)
	target := b + "/page?x=1&y=%2F"
	where, page := signInAt(r, joe, target, "joe@example.com")
	if where != target || !strings.Contains(page.Body, "Remote-User: joe@example.com") || strings.Contains(page.Body, "otp") {
		t.Fatalf("%d at %s:\n%s", page.Status, where, page.Body)
	}
	// Signed in at the home, one needs no code elsewhere. Each captured address
	// is of a new browser there.
	again := func() (*http.Client, string) {
		client := w.browser(t)
		u, err := url.Parse(home)
		if err != nil {
			t.Fatal(err)
		}
		client.Jar.SetCookies(u, joe.Jar.Cookies(u))
		captured, _ := visit(t, client, target, "ticket=")
		if !strings.HasPrefix(captured, b+"/.otp/handoff?ticket=") {
			t.Fatalf("no ticket but %s", captured)
		}
		return client, captured
	}
	refused := func(what string, client *http.Client, captured string) {
		t.Helper()
		if where, page := visit(t, client, captured, ""); page.Status != http.StatusBadRequest || where != captured {
			t.Errorf("%s: %d at %s", what, page.Status, where)
		}
		if where, _ := visit(t, client, b+"/page", "/.otp/login"); where == b+"/page" {
			t.Errorf("%s: is signed in", what)
		}
	}
	// Another browser than the one that asked may sign in itself, by the home.
	elsewhere := func(what string, client *http.Client, captured string) {
		t.Helper()
		if where, page := visit(t, client, captured, ""); !strings.HasPrefix(where, home+"/.otp/handoff?request=") || !strings.Contains(page.Body, `name="address"`) {
			t.Errorf("%s: %d at %s", what, page.Status, where)
		}
		if where, _ := visit(t, client, b+"/page", "/.otp/login"); where == b+"/page" {
			t.Errorf("%s: is signed in", what)
		}
	}
	client, captured := again()
	if where, page := visit(t, client, captured, ""); where != target {
		t.Errorf("%d at %s", page.Status, where)
	}
	refused("used before", w.browser(t), captured)
	client, captured = again()
	elsewhere("another browser", w.browser(t), captured)
	refused("used up by another browser", client, captured)
	_, captured = again()
	thief := w.browser(t)
	visit(t, thief, target, "request=") // which gives it a secret of its own
	elsewhere("another browser with a hand-off of its own", thief, captured)
	_, captured = again()
	refusedAt := strings.Replace(captured, b, home, 1)
	if where, page := visit(t, w.browser(t), refusedAt, ""); page.Status != http.StatusBadRequest {
		t.Errorf("at another site: %d at %s", page.Status, where)
	}

	for _, secret := range []string{"ticket=", "request=", strings.SplitAfter(captured, "ticket=")[1]} {
		if strings.Contains(r.Caddy.Log(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}

	// A logout at one site is one at all, on every server.
	if out := site.Form(at(r, b), joe, "/.otp/logout", nil); out.Status >= http.StatusBadRequest {
		t.Fatalf("logout: %d %s", out.Status, out.Body)
	}
	deadline := time.Now().Add(recovery)
	for {
		where, page := visit(t, joe, home+"/page", "/.otp/login")
		if where != home+"/page" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still signed in at the home: %d", page.Status)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if where, page := visit(t, joe, target, ""); page.Status != http.StatusOK || !strings.HasPrefix(where, home) {
		t.Errorf("after the logout: %d at %s", page.Status, where)
	}
}
