// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"bytes"
	"crypto/sha256"
	"html"
	"html/template"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	nethtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

const (
	formPath = DefaultPath + "/form"
	// savePath is where the app's form posts to, editPath the page that it is
	// on, and formBack the page that asks, which knows the way back.
	savePath = "/private/save?draft=1&q='(a)'"
	editPath = "/private/edit?id=7"
	formBack = formPath + "?return_to=%2Fprivate%2Fedit%3Fid%3D7"
)

// newIdle returns a site whose sessions rest for a day at the most, and the
// browser of Alice, whose session has rested for longer.
func newIdle(t *testing.T) (*site, *browser) {
	t.Helper()
	s := newSite(t)
	s.Gate.Cookie.Idle = 24 * time.Hour
	b := s.browser()
	b.signInOn("alice@example.com")
	s.Advance(25 * time.Hour)
	return s, b
}

// signInOn signs in with a code on a device of one's own.
func (b *browser) signInOn(address string) {
	b.site.Helper()
	b.post(verify, url.Values{"code": {b.start(address, "/").Code}, "device": {"1"}}).redirects(b.site, "/")
}

// upload is a form of the app's with a file of a size.
func upload(t testing.TB, size int) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "ü.bin")
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i * i >> 3)
	}
	if _, err = part.Write(content); err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

// submit posts a form of the app's from one of its pages.
func (b *browser) submit(contentType string, body []byte, headers ...string) answer {
	b.site.Helper()
	r := httptest.NewRequest(http.MethodPost, savePath, bytes.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for name, value := range map[string]string{
		"Content-Type": contentType, "Origin": webtest.Origin, "Referer": webtest.Origin + editPath,
		"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Accept": "text/html",
	} {
		if r.Header.Get(name) == "" {
			r.Header.Set(name, value)
		}
	}
	return b.do(r)
}

// submitSmall posts a small form of the app's, which must be kept.
func (b *browser) submitSmall() {
	b.site.Helper()
	a := b.submit("application/x-www-form-urlencoded", []byte("a=1"))
	a.redirects(b.site, login+"?form=kept&return_to="+url.QueryEscape(formBack))
}

// confirm posts the form of the page that asks as a browser does.
func (b *browser) confirm(page answer) answer {
	b.site.Helper()
	target, fields := page.form(b.site)
	r := newPost(target, fields)
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	return b.do(r)
}

// form returns the first form of a page: where it leads, and its fields.
func (a answer) form(t testing.TB) (target string, fields url.Values) {
	t.Helper()
	form := element(a.document(t), "form")
	fields = url.Values{}
	for n := range form.Descendants() {
		if n.DataAtom == atom.Input {
			fields.Set(attribute(n, "name"), attribute(n, "value"))
		}
	}
	return attribute(form, "action"), fields
}

// TestFormSurvivesLogin is the whole way of a form of 1 MiB.
func TestFormSurvivesLogin(t *testing.T) {
	s, b := newIdle(t)
	contentType, body := upload(t, 1<<20)
	a := b.submit(contentType, body)
	a.redirects(t, login+"?form=kept&return_to="+url.QueryEscape(formBack))
	page := b.get(a.Header.Get("Location"))
	if got := textOf(named(page.document(t), "role", "status")); got != "Your session has ended. What you sent has been kept: sign in, then you can send it on." {
		t.Errorf("the login page says %q", got)
	}
	_, fields := page.form(t)
	fields.Set("address", "alice@example.com")
	b.post(login, fields).redirects(t, verify)
	b.post(verify, url.Values{"code": {s.Message().Code}}).redirects(t, formBack)

	page = b.get(formBack)
	page.says(t, http.StatusOK, "Your session ended before you sent a form to /private/save. Nothing has been sent yet.")
	page.says(t, http.StatusOK, "alice@example.com")
	if policy := page.Header.Get("Content-Security-Policy"); strings.Contains(policy, "form-action") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("policy %q", policy)
	}
	if strings.Contains(textOf(element(page.document(t), "main")), "draft") {
		t.Error("it shows the query")
	}
	if target, fields := page.form(t); target != savePath || len(fields) != 1 {
		t.Fatalf("posts %v to %q", fields, target)
	}
	sent := b.confirm(page)
	if !sent.FromApp() || sha256.Sum256([]byte(sent.Body)) != sha256.Sum256(body) || sent.Header.Get("X-Content-Type") != contentType || sent.Header.Get("X-Remote-User") != "alice@example.com" {
		t.Fatalf("%d, %d bytes of %d, %v", sent.Status, len(sent.Body), len(body), sent.Header)
	}
	again := b.confirm(page)
	if again.FromApp() {
		t.Fatal("sent twice")
	}
	again.says(t, http.StatusConflict, "This has been sent already", "/")
	b.confirm(b.get(formBack)).says(t, http.StatusConflict, "This has been sent already", "/")
}

func TestFormNotKept(t *testing.T) {
	s, b := newIdle(t)
	// One byte more than 2 MiB, all in all.
	_, empty := upload(t, 0)
	contentType, body := upload(t, gate.MaxForm+1-len(empty))
	if len(body) != gate.MaxForm+1 {
		t.Fatal(len(body))
	}
	a := b.submit(contentType, body)
	a.redirects(t, login+"?form=lost&return_to="+url.QueryEscape(editPath))
	page := b.get(a.Header.Get("Location"))
	if got := textOf(named(page.document(t), "role", "status")); !strings.Contains(got, "couldn't be kept") {
		t.Errorf("the login page says %q", got)
	}
	_, fields := page.form(t)
	fields.Set("address", "alice@example.com")
	b.post(login, fields).redirects(t, verify)
	b.post(verify, url.Values{"code": {s.Message().Code}}).redirects(t, editPath)
	b.get(formPath).redirects(t, "/")
}

func TestFormOfAnotherSite(t *testing.T) {
	_, b := newIdle(t)
	contentType, body := upload(t, 1<<20)
	a := b.submit(contentType, body, "Origin", "https://evil.example", "Referer", "https://evil.example/x", "Sec-Fetch-Site", "cross-site")
	a.redirects(t, login+"?return_to=%2F")
	if b.cookies["__Host-otp-form"] != "" {
		t.Fatal("kept")
	}
	b.signIn("alice@example.com")
	b.get(formBack).redirects(t, editPath)
}

// TestFormByLink signs in with the link: in the same browser, in another tab of
// it, and in another browser.
func TestFormByLink(t *testing.T) {
	s, b := newIdle(t)
	b.submitSmall()
	_, token := linkTarget(t, b.start("alice@example.com", formBack))
	other := s.browser()
	b.post(link, url.Values{"token": {token}, "browser": {"x"}, "device": {"1"}}).redirects(t, formBack)
	other.post(link, url.Values{"token": {token}, "browser": {"x"}}).redirects(t, formBack) // a repeated request
	other.get(formBack).redirects(t, editPath)
	if a := b.confirm(b.get(formBack)); !a.FromApp() || a.Body != "a=1" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestFormAfterLoginElsewhere comes to the page that asks from a tab that waits.
func TestFormAfterLoginElsewhere(t *testing.T) {
	_, b := newIdle(t)
	b.submitSmall()
	b.get(formBack).redirects(t, login+"?return_to="+url.QueryEscape(formBack))
	m := b.start("alice@example.com", formBack)
	b.copySession(m)
	b.get(verify).redirects(t, formBack)
	b.get(login+"?form=kept&return_to="+url.QueryEscape(formBack)).redirects(t, formBack)
	if a := b.confirm(b.get(formBack)); !a.FromApp() || a.Body != "a=1" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// copySession signs in by a message in another tab, where the attempt of this
// one stays.
func (b *browser) copySession(m otp.Message) {
	b.site.Helper()
	tab := b.copy()
	tab.post(verify, url.Values{"code": {m.Code}}).redirects(b.site, formBack)
	b.cookies["__Host-otp"] = tab.cookies["__Host-otp"]
}

func TestFormOfSomebodyElse(t *testing.T) {
	_, b := newIdle(t)
	b.submitSmall()
	page := func() answer { b.site.Helper(); return b.get(formBack) }
	b.post(verify, url.Values{"code": {b.start("bob@example.com", formBack).Code}}).redirects(t, formBack)
	page().says(t, http.StatusForbidden, "Somebody else filled in this form", DefaultPath+"/login?return_to=%2F.otp%2Fform", "/")
	b.signInOn("alice@example.com")
	if a := b.confirm(page()); !a.FromApp() {
		t.Errorf("not sent by who filled it in: %d", a.Status)
	}
}

func TestFormDropped(t *testing.T) {
	s, b := newIdle(t)
	b.submitSmall()
	b.signInOn("alice@example.com")
	page := b.get(formBack)
	forms := page.document(t)
	drop := attribute(find(forms, func(n *nethtml.Node) bool {
		return n.DataAtom == atom.Form && strings.HasPrefix(attribute(n, "action"), formPath)
	}), "action")
	foreign := newPost(drop, nil)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := b.do(foreign); a.Status != http.StatusForbidden {
		t.Errorf("dropped from another site: %d", a.Status)
	}
	b.post(drop, nil).redirects(t, editPath)
	if a := b.confirm(page); a.FromApp() {
		t.Error("sent after it was dropped")
	} else {
		a.says(t, http.StatusGone, "This can't be sent any more", "/")
	}
	s.browser().post(drop, nil).redirects(t, editPath)
}

func TestFormTooLate(t *testing.T) {
	s, b := newIdle(t)
	b.submitSmall()
	b.signInOn("alice@example.com")
	page := b.get(formBack)
	s.Advance(gate.FormLifetime)
	b.confirm(page).says(t, http.StatusGone, "This can't be sent any more", "/")
	b.get(formBack).says(t, http.StatusGone, "This can't be sent any more", "/")
}

// TestFormStoreFails: what can't be sent for a moment isn't lost.
func TestFormStoreFails(t *testing.T) {
	s, b := newIdle(t)
	s.FailStore(otp.ErrUnavailable)
	b.submit("text/plain", []byte("a=1")).redirects(t, login+"?form=lost&return_to="+url.QueryEscape(editPath))
	s.FailStore(nil)
	b.submitSmall()
	b.signInOn("alice@example.com")
	page := b.get(formBack)
	s.FailStore(otp.ErrUnavailable)
	b.confirm(page).says(t, http.StatusServiceUnavailable, "Your form can't be sent right now. Try again in 1 second.", formPath)
	s.FailStore(nil)
	if a := b.confirm(b.get(formPath)); !a.FromApp() || a.Body != "a=1" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// TestFormAfterSessionsEnd: a browser that is known needs no session's cookie,
// which browsers drop at its end.
func TestFormAfterSessionsEnd(t *testing.T) {
	b := newSite(t).browser()
	b.signInOn("alice@example.com")
	delete(b.cookies, "__Host-otp")
	b.submitSmall()
	b.signInOn("alice@example.com")
	if a := b.confirm(b.get(formBack)); !a.FromApp() {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestDevice(t *testing.T) {
	s := newSite(t)
	for _, tc := range []struct {
		name string
		by   func(b *browser, device url.Values) answer
	}{
		{"code", func(b *browser, device url.Values) answer {
			device.Set("code", b.start("alice@example.com", "/").Code)
			return b.post(verify, device)
		}},
		{"link", func(b *browser, device url.Values) answer {
			_, token := linkTarget(t, b.start("alice@example.com", "/"))
			device.Set("token", token)
			device.Set("browser", "x")
			return b.post(link, device)
		}},
	} {
		b := s.browser()
		a := tc.by(b, url.Values{})
		a.redirects(t, "/")
		if c := a.Cookie("__Host-otp"); c.MaxAge != 0 || !c.Expires.IsZero() || b.cookies["__Host-otp-browser"] != "" || !b.session().Temporary {
			t.Errorf("%s: somebody else's device keeps %v", tc.name, a.Header["Set-Cookie"])
		}
		s.Advance(time.Hour)
		a = tc.by(b, url.Values{"device": {"1"}})
		known := a.Cookie("__Host-otp-browser")
		if c := a.Cookie("__Host-otp"); c.MaxAge < 600_000 || known.MaxAge != 90*24*60*60 || !known.HttpOnly || !known.Secure || b.session().Temporary {
			t.Errorf("%s: a device of one's own keeps %v", tc.name, a.Header["Set-Cookie"])
		}
		b.post(logout, nil).redirects(t, logout)
		if b.hasSession() || b.cookies["__Host-otp-browser"] != known.Value {
			t.Errorf("%s: signed out, it keeps %v", tc.name, b.cookies)
		}
		s.Advance(time.Hour)
		tc.by(b, url.Values{}).redirects(t, "/")
		if b.cookies["__Host-otp-browser"] != known.Value {
			t.Errorf("%s: prolonged without being asked", tc.name)
		}
		s.Advance(time.Hour)
	}
}

// TestDeviceTick is about the box: ticked at first, then as it was.
func TestDeviceTick(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	ticked := func(a answer) bool {
		box := named(a.document(t), "name", "device")
		if attribute(box, "type") != "checkbox" || attribute(box, "value") != "1" {
			t.Fatalf("no box in %s", a.Body)
		}
		for _, each := range box.Attr {
			if each.Key == "checked" {
				return true
			}
		}
		return false
	}
	m := b.start("alice@example.com", "/")
	target, token := linkTarget(t, m)
	wrong := webtest.OtherCode(m.Code)
	for name, tc := range map[string]struct {
		answer answer
		want   bool
	}{
		"verify":               {b.get(verify), true},
		"link":                 {b.get(target), true},
		"wrong code, left off": {b.post(verify, url.Values{"code": {wrong}}), false},
		"wrong code, ticked":   {b.post(verify, url.Values{"code": {wrong}, "device": {"1"}}), true},
		"no code, left off":    {b.post(verify, url.Values{"code": {"x"}}), false},
		"no code, ticked":      {b.post(verify, url.Values{"code": {"x"}, "device": {"1"}}), true},
	} {
		if got := ticked(tc.answer); got != tc.want {
			t.Errorf("%s: ticked %v", name, got)
		}
	}
	s.FailStore(otp.ErrUnavailable)
	if ticked(b.post(link, url.Values{"token": {token}})) || !ticked(b.post(link, url.Values{"token": {token}, "device": {"1"}})) {
		t.Error("the link's page forgets the tick")
	}
}

// FuzzFormAction looks for an address that a form could be kept for and that our
// page would send elsewhere.
func FuzzFormAction(f *testing.F) {
	for _, seed := range []string{savePath, "/", "/a?b=\"><script>", "/a?&amp;&quot", "/a'b", "/&#47;evil", "//evil", `/\evil`, "/a#b", "/%2f"} {
		f.Add(seed)
	}
	base, err := url.Parse(webtest.Origin + formPath)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		for _, c := range uri {
			if c >= 0x7f {
				return // as package gate refuses
			}
		}
		if gate.ReturnPath(uri) != uri {
			return
		}
		var page bytes.Buffer
		body := formBody{Action: template.HTMLAttr(`action="` + html.EscapeString(uri) + `"`), Field: gate.FormField}
		if err := templates[formKind].ExecuteTemplate(&page, "body", struct {
			Body  any
			Words any
		}{body, map[string]any{"Page": map[string]string{}}}); err != nil {
			t.Fatal(err)
		}
		target, _ := answer{webtest.Answer{Body: page.String()}}.form(t)
		u, err := base.Parse(target)
		if target != uri || err != nil || u.Host != base.Host || u.Scheme != base.Scheme {
			t.Fatalf("%q posts to %q, %v", uri, target, err)
		}
	})
}
