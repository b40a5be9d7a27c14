// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

const (
	handoff = DefaultPath + "/handoff"
	origin2 = "https://b.example.org"
	origin3 = "https://c.example.net"

	sessionCookie = "__Host-otp"
	handoffCookie = "__Host-otp-handoff"
)

// atHome has all sites of a realm sign in at the usual site.
func atHome(_ *otp.Config, pages *Config) { pages.Home = webtest.Origin + DefaultPath }

func denying(pattern string) setting {
	return func(c *otp.Config, _ *Config) {
		p, err := otp.ParsePattern(pattern)
		if err != nil {
			panic(err)
		}
		c.Admission.Deny = append(c.Admission.Deny, p)
	}
}

// realm are sites of one realm, by their origins; the usual one is its home.
// Their clock stands still: what lives for seconds would end on a busy machine.
type realm map[string]*site

func newRealm(t testing.TB, settings ...setting) realm {
	t.Helper()
	home := newSiteIn(t, webtest.Options{Frozen: true}, atHome)
	sites := realm{webtest.Origin: home}
	for _, origin := range []string{origin2, origin3} {
		sites[origin] = newSiteIn(t, webtest.Options{Origin: origin, Beside: home.Site}, append(settings, atHome)...)
	}
	return sites
}

func (r realm) home() *site { return r[webtest.Origin] }

// person is one browser at all sites of a realm.
type person struct {
	t  *testing.T
	at map[string]*browser
}

func (r realm) person(t *testing.T) *person {
	p := &person{t, make(map[string]*browser)}
	for origin, s := range r {
		p.at[origin] = s.browser()
	}
	return p
}

// open opens an address and follows redirects to their end, at most ten.
func (p *person) open(address string) (last string, a answer) {
	p.t.Helper()
	for range 10 {
		a = p.step(address)
		next := a.Header.Get("Location")
		if a.Status != http.StatusSeeOther {
			return address, a
		}
		address = p.resolve(address, next)
	}
	p.t.Fatalf("a loop, which is at %s", address)
	return "", a
}

// until opens an address and follows redirects to one that has a text in its
// address, which it returns without opening it.
func (p *person) until(address, text string) string {
	p.t.Helper()
	for range 10 {
		a := p.step(address)
		if a.Status != http.StatusSeeOther {
			break
		}
		if address = p.resolve(address, a.Header.Get("Location")); strings.Contains(address, text) {
			return address
		}
	}
	p.t.Fatalf("no way to %s, but to %s", text, address)
	return ""
}

func (p *person) step(address string) answer {
	p.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	b := p.at[u.Scheme+"://"+u.Host]
	if b == nil {
		p.t.Fatalf("sent to %s", address)
	}
	return b.get(u.RequestURI())
}

func (p *person) resolve(from, to string) string {
	p.t.Helper()
	base, err := url.Parse(from)
	if err != nil {
		p.t.Fatal(err)
	}
	u, err := base.Parse(to)
	if err != nil {
		p.t.Fatal(err)
	}
	return u.String()
}

// post posts a form of a page to a path of its site.
func (p *person) post(origin, path string, form url.Values) answer {
	r := newPost(path, form)
	r.Header.Set("Origin", origin)
	return p.at[origin].do(r)
}

// signInAtHome fills the login form that a page of the home shows, and returns
// where the code leads to.
func (p *person) signInAtHome(page answer, address string) string {
	p.t.Helper()
	form := formOf(p.t, page)
	form.Set("address", address)
	p.post(webtest.Origin, login, form).redirects(p.t, verify)
	a := p.post(webtest.Origin, verify, url.Values{"code": {p.at[webtest.Origin].site.Message().Code}})
	if a.Status != http.StatusSeeOther {
		p.t.Fatalf("%d %s", a.Status, a.alert(p.t))
	}
	return p.resolve(webtest.Origin, a.Header.Get("Location"))
}

func TestHandoff(t *testing.T) {
	r := newRealm(t)
	p := r.person(t)
	const target = origin2 + "/private?a=1&b=2"
	where, page := p.open(target)
	if !strings.HasPrefix(where, webtest.Origin+handoff+"?request=") || page.Status != http.StatusOK {
		t.Fatalf("%d at %s", page.Status, where)
	}
	where, page = p.open(p.signInAtHome(page, "jane@example.com"))
	if where != target || !page.FromApp() || page.Header.Get("X-Remote-User") != "jane@example.com" {
		t.Fatalf("%d at %s: %s", page.Status, where, page.Body)
	}
	home, there := p.at[webtest.Origin].session(), p.at[origin2].session()
	if home.ID != there.ID || !home.Expires.Equal(there.Expires) || home.Subject != there.Subject {
		t.Errorf("session %+v became %+v", home, there)
	}

	// The next site needs no login: its visitor comes and goes.
	where, page = p.open(origin3 + "/private")
	if where != origin3+"/private" || page.Header.Get("X-Remote-User") != "jane@example.com" {
		t.Errorf("%d at %s: %s", page.Status, where, page.Body)
	}
	p.at[webtest.Origin].site.NoMessage()

	for _, s := range r {
		for _, secret := range []string{"request=", "ticket=", string(home.ID), "jane"} {
			if strings.Contains(s.Logged(), secret) {
				t.Errorf("log holds %q:\n%s", secret, s.Logged())
			}
		}
	}

	// A logout at one site is one at all of them.
	p.post(origin2, logout, nil).redirects(t, logout)
	for origin := range r {
		if a := p.at[origin].get("/private"); a.FromApp() {
			t.Errorf("%s is still open", origin)
		}
	}
	if where, _ := p.open(target); !strings.HasPrefix(where, webtest.Origin+handoff) {
		t.Errorf("after the logout one is led to %s", where)
	}
}

func TestHandoffByLink(t *testing.T) {
	r := newRealm(t)
	p := r.person(t)
	_, page := p.open(origin2 + "/private?a=1")
	form := formOf(t, page)
	form.Set("address", "jane@example.com")
	p.post(webtest.Origin, login, form).redirects(t, verify)
	target, _ := linkTarget(t, r.home().Message())
	a := p.post(webtest.Origin, link, formOf(t, p.step(webtest.Origin+target)))
	if where, page := p.open(p.resolve(webtest.Origin, a.Header.Get("Location"))); where != origin2+"/private?a=1" || !page.FromApp() {
		t.Errorf("%d at %s", page.Status, where)
	}

	other, phone := r.person(t), r.person(t)
	_, page = other.open(origin3 + "/private")
	form = formOf(t, page)
	form.Set("address", "joe@example.com")
	other.post(webtest.Origin, login, form).redirects(t, verify)
	target, _ = linkTarget(t, r.home().Message())
	a = phone.post(webtest.Origin, link, formOf(t, phone.step(webtest.Origin+target)))
	// There it is signed in at the home, and comes in by a hand-off of its own.
	where, page := phone.open(phone.resolve(webtest.Origin, a.Header.Get("Location")))
	if where != origin3+"/private" || page.Header.Get("X-Remote-User") != "joe@example.com" {
		t.Errorf("opened in another browser: %d at %s", page.Status, where)
	}
}

// TestCapturedHandoff: whoever sees the address of a hand-off can't use it.
func TestCapturedHandoff(t *testing.T) {
	signedIn := func(t *testing.T) (realm, *person) {
		t.Helper()
		r := newRealm(t)
		p := r.person(t)
		p.at[webtest.Origin].signIn("jane@example.com")
		return r, p
	}
	refused := func(t *testing.T, p *person, address string) {
		t.Helper()
		a := p.step(address)
		if a.Status != http.StatusBadRequest || p.at[origin2].hasSession() || p.at[origin3].hasSession() {
			t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
		}
	}
	// sentBack: no session, and a login of its own instead.
	sentBack := func(t *testing.T, p *person, address string) {
		t.Helper()
		a := p.step(address)
		if want := login + "?once_more=1&return_to=%2Fprivate"; a.Status != http.StatusSeeOther || a.Header.Get("Location") != want ||
			p.at[origin2].hasSession() || p.at[origin3].hasSession() {
			t.Errorf("%d to %s", a.Status, a.Header.Get("Location"))
		}
	}
	t.Run("by another browser", func(t *testing.T) {
		r, p := signedIn(t)
		captured := p.until(origin2+"/private", "ticket=")
		thief := r.person(t)
		sentBack(t, thief, captured)
		if _, page := thief.open(origin2 + "/private"); page.FromApp() || !strings.Contains(page.Body, "Then you go on to b.example.org.") {
			t.Errorf("the thief is in, or isn't asked for a login: %d", page.Status)
		}
		refused(t, p, captured) // and now it is used up
	})
	t.Run("by another browser with a secret of its own", func(t *testing.T) {
		r, p := signedIn(t)
		captured := p.until(origin2+"/private", "ticket=")
		thief := r.person(t)
		thief.until(origin2+"/private", "request=")
		sentBack(t, thief, captured)
	})
	t.Run("a second time", func(t *testing.T) {
		r, p := signedIn(t)
		captured := p.until(origin2+"/private", "ticket=")
		thief := r.person(t)
		thief.at[origin2] = p.at[origin2].copy() // even with all its cookies
		p.step(captured).redirects(t, "/private")
		refused(t, thief, captured)
		if a := p.step(captured); a.Header.Get("Location") != "/" { // a reload by who is signed in
			t.Errorf("%d to %q", a.Status, a.Header.Get("Location"))
		}
	})
	t.Run("too late", func(t *testing.T) {
		r, p := signedIn(t)
		captured := p.until(origin2+"/private", "ticket=")
		r.home().Advance(ticketLifetime + time.Second)
		refused(t, p, captured)
	})
	t.Run("just in time", func(t *testing.T) {
		r, p := signedIn(t)
		captured := p.until(origin2+"/private", "ticket=")
		r.home().Advance(ticketLifetime - 2*time.Second)
		p.step(captured).redirects(t, "/private")
	})
	t.Run("at another site", func(t *testing.T) {
		_, p := signedIn(t)
		captured := p.until(origin2+"/private", "ticket=")
		p.at[origin3].cookies[handoffCookie] = p.at[origin2].cookies[handoffCookie]
		refused(t, p, strings.Replace(captured, origin2, origin3, 1))
		refused(t, p, captured)
	})
	t.Run("at the home", func(t *testing.T) {
		_, p := signedIn(t)
		captured := p.until(origin2+"/private", "ticket=")
		refused(t, p, strings.Replace(captured, origin2, webtest.Origin, 1))
	})
	t.Run("the request, by another browser", func(t *testing.T) {
		r, p := signedIn(t)
		captured := p.until(origin2+"/private", "request=")
		thief := r.person(t)
		thief.at[webtest.Origin].signIn("mallory@example.com")
		// Signed in as somebody else by the thief: the victim's browser, which
		// would be with the thief's ticket, is asked for a secret.
		ticket := thief.until(captured, "ticket=")
		victim := r.person(t)
		sentBack(t, victim, ticket)
	})
	t.Run("the request, too late", func(t *testing.T) {
		r, p := signedIn(t)
		captured := p.until(origin2+"/private?a=1", "request=")
		r.home().Advance(requestLifetime + time.Second)
		a := p.step(captured)
		if got := attribute(element(element(a.document(t), "main"), "a"), "href"); a.Status != http.StatusBadRequest || got != origin2+login+"?return_to=%2Fprivate%3Fa%3D1" {
			t.Errorf("%d, leads to %q", a.Status, got)
		}
	})
	t.Run("the request, at a site that isn't the home", func(t *testing.T) {
		_, p := signedIn(t)
		captured := p.until(origin2+"/private", "request=")
		refused(t, p, strings.Replace(captured, webtest.Origin, origin3, 1))
	})
	t.Run("after the session's end", func(t *testing.T) {
		r, p := signedIn(t)
		captured := p.until(origin2+"/private", "ticket=")
		p.post(webtest.Origin, logout, nil).redirects(t, logout)
		refused(t, p, captured)
		if !strings.Contains(r[origin2].Logged(), "the session has ended meanwhile") {
			t.Error("the log doesn't say why")
		}
	})
	t.Run("by a look at it", func(t *testing.T) {
		_, p := signedIn(t)
		captured := p.until(origin2+"/private", "ticket=")
		u, _ := url.Parse(captured)
		if a := p.at[origin2].do(httptest.NewRequest(http.MethodHead, u.RequestURI(), nil)); a.Status != http.StatusMethodNotAllowed {
			t.Errorf("HEAD: %d", a.Status)
		}
		p.step(captured).redirects(t, "/private")
	})
}

// TestForgedHandoffRequests: nobody but the realm's own sites can have the
// home send a browser anywhere.
func TestForgedHandoffRequests(t *testing.T) {
	r := newRealm(t)
	p := r.person(t)
	p.at[webtest.Origin].signIn("jane@example.com")
	good := p.until(origin2+"/private", "request=")
	_, request, _ := strings.Cut(good, "request=")
	foreign := newRealm(t).person(t).until(origin2+"/private", "request=")
	_, foreign, _ = strings.Cut(foreign, "request=")
	for name, text := range map[string]string{
		"none": "", "noise": "x", "altered": altered(request), "another deployment's": foreign,
		"a cookie": p.at[webtest.Origin].cookies[sessionCookie], "an address": "https%3A%2F%2Fevil.example",
	} {
		a := p.step(webtest.Origin + handoff + "?request=" + text)
		if a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" {
			t.Errorf("%s: %d to %q", name, a.Status, a.Header.Get("Location"))
		}
	}
	for _, text := range []string{"", "x", "ticket", strings.Repeat("A", 43), request} {
		if a := p.step(origin2 + handoff + "?ticket=" + text); a.Status != http.StatusBadRequest || p.at[origin2].hasSession() {
			t.Errorf("ticket %q: %d", text, a.Status)
		}
	}
}

// TestHandoffReturns: where it leads is a path of the site that asked.
func TestHandoffReturns(t *testing.T) {
	r := newRealm(t)
	for back, want := range map[string]string{
		"/private?a=1&b=%2F":           "/private?a=1&b=%2F",
		"//evil.example":               "/",
		"/\\evil.example":              "/",
		"https://evil.example":         "/",
		"javascript:alert(1)":          "/",
		"/\t/evil.example":             "/",
		"/" + strings.Repeat("x", 400): "/" + strings.Repeat("x", 400),
		// What is too long to be carried along is given up, not the login.
		"/" + strings.Repeat("x", 1000): "/",
	} {
		p := r.person(t)
		p.at[webtest.Origin].signIn(strings.ToLower("a" + otp.Subject("x", otp.RestoreAddress(otp.Email, back))[:6] + "@example.com"))
		ticket := p.until(origin2+login+"?"+url.Values{"return_to": {back}}.Encode(), "ticket=")
		p.step(ticket).redirects(t, want)
	}
}

// TestLongHandoffFitsItsCookie: also with the longest of all addresses, a
// browser keeps a login for another site.
func TestLongHandoffFitsItsCookie(t *testing.T) {
	p := newRealm(t).person(t)
	_, page := p.open(origin2 + "/private?" + strings.Repeat("&", 400))
	form := formOf(t, page)
	if back := form.Get("return_to"); returnPath(back) != back {
		t.Fatalf("the login can't return to %d characters", len(back))
	}
	form.Set("address", strings.Repeat("a", 64)+"@"+strings.Repeat(strings.Repeat("b", 61)+".", 2)+"example.com")
	a := p.post(webtest.Origin, login, form)
	a.redirects(t, verify)
	if cookie := a.Header.Get("Set-Cookie"); len(cookie) > 4096 {
		t.Errorf("%d bytes", len(cookie))
	}
}

func TestHandoffToWhereOneMayNotSignIn(t *testing.T) {
	r := newRealm(t, denying("jane@example.com"))
	p := r.person(t)
	p.at[webtest.Origin].signIn("jane@example.com")
	where, page := p.open(origin2 + "/private?a=1")
	if page.Status != http.StatusForbidden || !strings.HasPrefix(where, origin2+handoff) || p.at[origin2].hasSession() {
		t.Fatalf("%d at %s", page.Status, where)
	}
	if text := textOf(element(page.document(t), "main")); !strings.Contains(text, "You are signed in as jane@example.com, but not for this site.") {
		t.Errorf("page says %s", text)
	}

	// As somebody else: the home asks first, since it would go on as Jane.
	where, page = p.open(p.resolve(where, attribute(element(element(page.document(t), "main"), "a"), "href")))
	if !strings.HasPrefix(where, webtest.Origin+handoff) || page.Status != http.StatusOK {
		t.Fatalf("%d at %s", page.Status, where)
	}
	main := element(page.document(t), "main")
	if !strings.Contains(textOf(main), "You are signed in as jane@example.com.") {
		t.Errorf("page says %s", textOf(main))
	}
	if where, again := p.open(p.resolve(where, attribute(element(main, "a"), "href"))); again.Status != http.StatusForbidden {
		t.Errorf("going on as Jane: %d at %s", again.Status, where)
	}
	a := p.post(webtest.Origin, attribute(element(main, "form"), "action"), nil)
	_, page = p.open(p.resolve(webtest.Origin, a.Header.Get("Location")))
	// Going on as Jane has used the secret of this request up, so it starts anew.
	where, page = p.open(p.signInAtHome(page, "joe@example.com"))
	if where != origin2+"/private?a=1" || page.Header.Get("X-Remote-User") != "joe@example.com" {
		t.Errorf("%d at %s as %q", page.Status, where, page.Header.Get("X-Remote-User"))
	}
}

func TestHandoffAsSomebodyElse(t *testing.T) {
	r := newRealm(t, denying("jane@example.com"))
	p := r.person(t)
	p.at[webtest.Origin].signIn("jane@example.com")
	_, page := p.open(origin2 + "/private?a=1")
	_, page = p.open(p.resolve(origin2, attribute(element(element(page.document(t), "main"), "a"), "href")))
	a := p.post(webtest.Origin, attribute(element(page.document(t), "form"), "action"), nil)
	_, page = p.open(p.resolve(webtest.Origin, a.Header.Get("Location")))
	where, page := p.open(p.signInAtHome(page, "joe@example.com"))
	if where != origin2+"/private?a=1" || page.Header.Get("X-Remote-User") != "joe@example.com" {
		t.Errorf("%d at %s as %q", page.Status, where, page.Header.Get("X-Remote-User"))
	}
}

// TestHandoffAfterLogoutElsewhere: who was signed out at another site just after
// a hand-off has cookies all right, and signs in again.
func TestHandoffAfterLogoutElsewhere(t *testing.T) {
	r := newRealm(t)
	p := r.person(t)
	p.at[webtest.Origin].signIn("jane@example.com")
	if _, page := p.open(origin2 + "/private"); !page.FromApp() {
		t.Fatalf("%d", page.Status)
	}
	p.post(webtest.Origin, logout, nil)
	if where, page := p.open(origin2 + "/private"); page.Status != http.StatusOK || !strings.HasPrefix(where, webtest.Origin+handoff) {
		t.Errorf("%d at %s", page.Status, where)
	}
}

// TestHandoffNeverLoops: a browser that keeps no cookies, or not all of them,
// is told so.
func TestHandoffNeverLoops(t *testing.T) {
	for name, lost := range map[string][]string{
		"none":               {sessionCookie, handoffCookie},
		"not the hand-off's": {handoffCookie},
		"not the session's":  {sessionCookie},
	} {
		t.Run(name, func(t *testing.T) {
			p := newRealm(t).person(t)
			p.at[webtest.Origin].signIn("jane@example.com")
			address := origin2 + "/private"
			var a answer
			for hops := 0; ; hops++ {
				if hops > 12 {
					t.Fatal("a loop")
				}
				if a = p.step(address); a.Status != http.StatusSeeOther {
					break
				}
				address = p.resolve(address, a.Header.Get("Location"))
				for _, cookie := range lost {
					delete(p.at[origin2].cookies, cookie)
				}
			}
			if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "cookie") {
				t.Errorf("%d at %s: %s", a.Status, address, a.Body)
			}
		})
	}
}

// TestHandoffAgainAfterLogout: who signs out at once may sign in again at
// once.
func TestHandoffAgainAfterLogout(t *testing.T) {
	p := newRealm(t).person(t)
	p.at[webtest.Origin].signIn("jane@example.com")
	p.open(origin2 + "/private")
	p.post(origin2, logout+"?return_to=%2Fprivate", nil).redirects(t, login+"?return_to=%2Fprivate")
	where, page := p.open(origin2 + login + "?return_to=%2Fprivate")
	if !strings.HasPrefix(where, webtest.Origin+handoff) || page.Status != http.StatusOK {
		t.Errorf("%d at %s: %s", page.Status, where, page.Body)
	}
}

// TestTwoTabsHandOff: two hand-offs of one browser don't spoil each other.
func TestTwoTabsHandOff(t *testing.T) {
	p := newRealm(t).person(t)
	p.at[webtest.Origin].signIn("jane@example.com")
	one := p.until(origin2+"/private?tab=1", "request=")
	other := p.until(origin2+"/private?tab=2", "request=")
	p.step(p.until(one, "ticket=")).redirects(t, "/private?tab=1")
	where, page := p.open(other)
	if !page.FromApp() || !strings.HasPrefix(where, origin2+"/") {
		t.Errorf("%d at %s", page.Status, where)
	}
}

// TestHandoffOfATokenIsNone: an access token in a cookie opens pages for an
// hour; it must not become a session of weeks.
func TestHandoffOfATokenIsNone(t *testing.T) {
	r := newRealm(t)
	_, access := r.home().SignInBy("nestauth", "jane@example.com")
	r.home().Gate.TokenCookies = []string{"access_token"}
	p := r.person(t)
	p.at[webtest.Origin].cookies["access_token"] = access
	where, page := p.open(origin2 + "/private")
	if page.Status != http.StatusOK || !strings.HasPrefix(where, webtest.Origin+handoff) || element(page.document(t), "form") == nil {
		t.Errorf("%d at %s", page.Status, where)
	}
}

func TestHandoffWithoutStore(t *testing.T) {
	r := newRealm(t)
	p := r.person(t)
	p.at[webtest.Origin].signIn("jane@example.com")
	request := p.until(origin2+"/private", "request=")
	ticket := p.until(request, "ticket=")
	r.home().FailStore(otp.ErrUnavailable)
	for _, address := range []string{request, ticket} {
		if a := p.step(address); a.Status != http.StatusServiceUnavailable || p.at[origin2].hasSession() {
			t.Errorf("%s: %d", address[:40], a.Status)
		}
	}
	r.home().FailStore(nil)
	p.step(ticket).redirects(t, "/private")
}

// TestProgramsAreNotHandedOff: they get what they know how to read, and the
// login page of the site that they asked.
func TestProgramsAreNotHandedOff(t *testing.T) {
	r := newRealm(t)
	request := httptest.NewRequest(http.MethodGet, "/private", nil)
	a := r[origin2].browser().do(request)
	if a.Status != http.StatusUnauthorized || !strings.HasPrefix(a.Text("login_url"), origin2+login) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestHandoffHeaders(t *testing.T) {
	p := newRealm(t).person(t)
	p.at[webtest.Origin].signIn("jane@example.com")
	address := origin2 + login
	for range 3 {
		a := p.step(address)
		if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", address, a.Header)
		}
		for _, cookie := range a.Cookies() {
			if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure || !cookie.HttpOnly || cookie.Domain != "" || cookie.SameSite != http.SameSiteLaxMode {
				t.Errorf("cookie %v", cookie)
			}
		}
		address = p.resolve(address, a.Header.Get("Location"))
	}
	// Chromium holds a form-action against redirects too, and this page's form
	// leads to the home.
	page := p.step(origin2 + login)
	if policy := page.Header.Get("Content-Security-Policy"); page.Status != http.StatusOK || strings.Contains(policy, "form-action") {
		t.Errorf("%d, policy is %q", page.Status, policy)
	}
}

// TestNoHomeNoHandoff: where each site signs in by itself, nothing is handed
// off.
func TestNoHomeNoHandoff(t *testing.T) {
	s := newSite(t)
	if a := s.browser().get(handoff + "?request=x"); a.Status != http.StatusNotFound {
		t.Errorf("%d", a.Status)
	}
}

// FuzzHandoff gives both ends whatever a browser may send.
func FuzzHandoff(f *testing.F) {
	f.Add("", "", "")
	f.Add("AAAA", strings.Repeat("A", 43), handoffDone)
	f.Add("%00", "a;b", "\"")
	r := newRealm(f)
	f.Fuzz(func(t *testing.T, request, ticket, secret string) {
		for origin, query := range map[string]url.Values{webtest.Origin: {"request": {request}}, origin2: {"ticket": {ticket}}} {
			s := *r[origin]
			s.Site = s.In(t)
			b := s.browser()
			b.cookies[handoffCookie] = secret
			a := b.get(handoff + "?" + query.Encode())
			if a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" || b.hasSession() {
				t.Fatalf("%s: %d to %q", origin, a.Status, a.Header.Get("Location"))
			}
		}
	})
}
