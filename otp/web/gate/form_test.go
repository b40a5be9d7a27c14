// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const (
	formURI  = "/admin/save?a=b&c=(%2Fd)"
	formBody = "a=1&b=%00"
)

// formPost is a form that a browser posts from one of the site's pages, with
// cookies.
func formPost(uri, body string, cookies ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, uri, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Referer", "https://app.example.com/admin/edit?id=1")
	r.Header.Set("Cookie", strings.Join(cookies, "; "))
	return r
}

// idle is the cookie of a session that has rested for too long.
func (h *house) idle(x otp.Session) string {
	return h.Cookie.Name + "=" + h.Cookie.Sealed.Seal(x, h.Cookie.Now().Add(-25*time.Hour))
}

// keep has a request's form kept, and returns the browser's cookie and what it
// says.
func (h *house) keep(r *http.Request) (cookie string, form Form) {
	h.t.Helper()
	w := h.do(r)
	set, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	if err != nil || w.Code != http.StatusSeeOther {
		h.t.Fatalf("%d %v, %v", w.Code, w.Header(), err)
	}
	cookie = set.Name + "=" + set.Value
	form, ok := h.Forms.Read(formPost("/", "", cookie))
	if !ok {
		h.t.Fatal("the cookie says nothing")
	}
	return cookie, form
}

// confirm is the post of our page that asks.
func (h *house) confirm(x otp.Session, cookie, secret string) *http.Request {
	return formPost(formURI, FormField+"="+secret, h.Cookie.Name+"="+h.sealed(x), cookie)
}

func TestFormIsKept(t *testing.T) {
	jane := session(t, "jane@example.com")
	const (
		page   = "return_to=%2Fadmin%2Fedit%3Fid%3D1"
		kept   = "/.otp/login?form=kept&return_to=%2F.otp%2Fform%3Freturn_to%3D%252Fadmin%252Fedit%253Fid%253D1"
		lost   = "/.otp/login?form=lost&" + page
		unsaid = "/.otp/login?" + page
	)
	for _, tc := range []struct {
		name string
		// as are the cookies; nil: an idle session.
		as   func(h *house) string
		uri  string
		body string
		with func(r *http.Request)
		// want is where it leads to; "": a 401.
		want string
	}{
		{name: "with an idle session", want: kept},
		{name: "with a session that has expired", want: kept, as: func(h *house) string {
			x := jane
			x.Expires = time.Now().Add(-time.Minute)
			return h.Cookie.Name + "=" + h.sealed(x)
		}},
		{name: "with one that expired long ago", want: lost, as: func(h *house) string {
			x := jane
			x.Expires = time.Now().Add(-91 * 24 * time.Hour)
			return h.Cookie.Name + "=" + h.sealed(x)
		}},
		{name: "with a known browser", want: kept, as: func(h *house) string {
			return "__Host-otp-browser=" + h.remember("", "jane@example.com")
		}},
		{name: "with a browser that isn't known any more", want: lost, as: func(h *house) string {
			value := h.remember("", "jane@example.com")
			h.ahead = 91 * 24 * time.Hour
			return "__Host-otp-browser=" + value
		}},
		{name: "with nothing", want: lost, as: func(*house) string { return "" }},
		{name: "with a session that was ended, and idle", want: lost, as: func(h *house) string {
			if err := h.Service.SignOut(t.Context(), jane.ID, jane.Expires); err != nil {
				t.Fatal(err)
			}
			return h.idle(jane)
		}},
		{name: "with a session that was ended, and expired", want: lost, as: func(h *house) string {
			x := jane
			x.Expires = time.Now().Add(time.Hour)
			if err := h.Service.SignOut(t.Context(), x.ID, x.Expires); err != nil {
				t.Fatal(err)
			}
			h.ahead = 2 * time.Hour
			return h.Cookie.Name + "=" + h.sealed(x)
		}},
		{name: "with a session that was ended", want: lost, as: func(h *house) string {
			if err := h.Service.SignOut(t.Context(), jane.ID, jane.Expires); err != nil {
				t.Fatal(err)
			}
			return h.Cookie.Name + "=" + h.sealed(jane)
		}},
		{name: "by who may no longer sign in, idle", want: lost, as: func(h *house) string { return h.idle(session(t, "bad@example.com")) }},
		{name: "by who may no longer sign in, expired", want: lost, as: func(h *house) string {
			x := session(t, "bad@example.com")
			x.Expires = time.Now().Add(-time.Minute)
			return h.Cookie.Name + "=" + h.sealed(x)
		}},
		{name: "with another realm's session", want: lost, as: func(*house) string {
			return newHouse(t, func(_ *Config, oc *otp.Config) { oc.Realm = "other.example.com" }).idle(jane)
		}},
		{name: "with a forged session", want: lost, as: func(*house) string {
			return newHouse(t, func(_ *Config, oc *otp.Config) { oc.Keys = testKeys(t, "another") }).idle(jane)
		}},
		{name: "with two sessions", want: lost, as: func(h *house) string { return h.idle(jane) + "; " + h.idle(jane) }},
		{name: "from another site", want: unsaid, with: func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}},
		{name: "from a sister site", want: unsaid, with: func(r *http.Request) {
			r.Header.Set("Origin", "https://blog.example.com")
			r.Header.Set("Sec-Fetch-Site", "same-site")
		}},
		{name: "from another site, without Fetch metadata", want: unsaid, with: func(r *http.Request) {
			withoutMetadata(r)
			r.Header.Set("Origin", "https://evil.example")
		}},
		{name: "from a hidden origin", want: unsaid, with: func(r *http.Request) {
			withoutMetadata(r)
			r.Header.Set("Origin", "null")
		}},
		{name: "from no browser", want: lost, with: func(r *http.Request) {
			withoutMetadata(r)
			r.Header.Del("Origin")
		}},
		{name: "without Fetch metadata", want: kept, with: withoutMetadata},
		{name: "by fetch", with: func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors") }},
		{name: "by htmx", with: func(r *http.Request) { r.Header.Set("Hx-Request", "true") }},
		{name: "of files", want: kept, with: func(r *http.Request) { r.Header.Set("Content-Type", "multipart/form-data; boundary=x") }},
		{name: "of text", want: kept, with: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain; charset=UTF-8") }},
		{name: "of JSON", want: unsaid, with: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }},
		{name: "of nothing", want: unsaid, with: func(r *http.Request) { r.Header.Del("Content-Type") }},
		{name: "put", want: unsaid, with: func(r *http.Request) { r.Method = http.MethodPut }},
		{name: "encoded", want: lost, with: func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }},
		{name: "with a long type", want: lost, with: func(r *http.Request) {
			r.Header.Set("Content-Type", "text/plain; x="+strings.Repeat("y", maxFormType))
		}},
		{name: "as early data", want: lost, with: func(r *http.Request) { r.TLS = &tls.ConnectionState{} }},
		{name: "to an ambiguous path", uri: "/admin/x%2Fy", want: lost},
		{name: "to what a browser takes for another host", uri: "//evil.example/admin", want: lost},
		{name: "to a long address", uri: "/admin/?" + strings.Repeat("x", maxFormURI), want: lost},
		{name: "to an address that is none", uri: "/admin/?ü", want: lost},
		{name: "from no page", want: "/.otp/login?form=kept&return_to=%2F.otp%2Fform%3Freturn_to%3D%252F", with: func(r *http.Request) { r.Header.Del("Referer") }},
		{name: "from a page of a name like ours", want: "/.otp/login?form=kept&return_to=%2F.otp%2Fform%3Freturn_to%3D%252F", with: func(r *http.Request) {
			r.Header.Set("Referer", "https://app.example.com.evil.example/x")
		}},
		{name: "from a page with a long address", want: "/.otp/login?form=kept&return_to=%2F.otp%2Fform", with: func(r *http.Request) {
			r.Header.Set("Referer", "https://app.example.com/"+strings.Repeat("a", MaxReturnPath))
		}},
		{name: "of nothing at all", want: kept, with: func(r *http.Request) { r.Body, r.ContentLength = http.NoBody, 0 }},
		{name: "of the largest size", body: strings.Repeat("x", MaxForm), want: kept},
		{name: "of a size too large", body: strings.Repeat("x", MaxForm+1), want: lost},
		{name: "of the largest size, in chunks", body: strings.Repeat("x", MaxForm), want: kept, with: inChunks},
		{name: "of a size too large, in chunks", body: strings.Repeat("x", MaxForm+1), want: lost, with: inChunks},
		{name: "that breaks off", want: lost, with: func(r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("a=1"), brokenReader{}))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, func(_ *Config, oc *otp.Config) {
				deny, err := otp.ParsePattern("bad@example.com")
				if err != nil {
					t.Fatal(err)
				}
				oc.Admission.Deny = []otp.Pattern{deny}
			})
			cookies := h.idle(jane)
			if tc.as != nil {
				cookies = tc.as(h)
			}
			uri, body := formURI, formBody
			if tc.uri != "" {
				uri = tc.uri
			}
			if tc.body != "" {
				body = tc.body
			}
			r := formPost("/", body, cookies)
			u, err := url.ParseRequestURI(uri)
			if err != nil {
				t.Fatal(err)
			}
			r.URL = u
			if strings.HasPrefix(uri, "//") {
				r.URL = &url.URL{Path: uri}
			}
			if tc.with != nil {
				tc.with(r)
			}
			w := h.do(r)
			if h.passed != nil {
				t.Fatal("it got to the app")
			}
			if got := w.Header().Get("Location"); got != tc.want || (tc.want == "") != (w.Code == http.StatusUnauthorized) {
				t.Errorf("%d to %q, want %q", w.Code, got, tc.want)
			}
			keeps := strings.Contains(tc.want, "form=kept")
			line := w.Header().Get("Set-Cookie")
			if (len(h.store.records) == 1) != keeps || (line != "") != keeps || len(line) > 4096 {
				t.Errorf("%d records, cookie %q", len(h.store.records), line)
			}
			if keeps && (!strings.HasPrefix(line, "__Host-otp-form=") || !strings.HasSuffix(line, "; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax")) {
				t.Error(line)
			}
			for name, record := range h.store.records {
				if strings.Contains(name, string(jane.ID)) || bytes.Contains(record, []byte(body)) {
					t.Errorf("readable in the store: %q", name)
				}
			}
		})
	}
}

// withoutMetadata makes it a request of an older browser.
func withoutMetadata(r *http.Request) {
	r.Header.Del("Sec-Fetch-Mode")
	r.Header.Del("Sec-Fetch-Site")
	r.Header.Set("Accept", "text/html,*/*")
}

func inChunks(r *http.Request) { r.ContentLength, r.TransferEncoding = -1, []string{"chunked"} }

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestFormPassesOn: who is signed in, or posts to a public path, sees none of
// all this.
func TestFormPassesOn(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	for name, r := range map[string]*http.Request{
		"signed in": formPost(formURI, formBody, h.Cookie.Name+"="+h.sealed(jane)),
		"public":    formPost("/admin/open/x", formBody, h.idle(jane)),
	} {
		h.do(r)
		if h.passed == nil || len(h.store.records) != 0 {
			t.Errorf("%s: passed %v, %d records", name, h.passed != nil, len(h.store.records))
		} else if body, err := io.ReadAll(h.passed.Body); string(body) != formBody || err != nil {
			t.Errorf("%s: the app got %q, %v", name, body, err)
		}
	}
}

func TestFormStoreFails(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	value := h.remember("", "jane@example.com")
	h.store.err = otp.ErrUnavailable
	w := h.do(formPost(formURI, formBody, "__Host-otp-browser="+value))
	if w.Code != http.StatusSeeOther || !strings.Contains(w.Header().Get("Location"), "form=lost") || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	h.store.err = nil
	cookie, form := h.keep(formPost(formURI, formBody, h.idle(jane)))
	if err := h.Service.Watch().Fresh(t.Context()); !err { // so that only the form's record fails
		t.Fatal("not fresh")
	}
	h.store.err = otp.ErrUnavailable
	h.FailPage = func(w http.ResponseWriter, _ *http.Request, err error) {
		if !errors.Is(err, ErrFormUnsent) || otp.RetryAfter(err) != 1 {
			t.Errorf("%v", err)
		}
		w.WriteHeader(wire.Status(err))
	}
	if w = h.do(h.confirm(jane, cookie, form.Secret)); w.Code != http.StatusServiceUnavailable || h.passed != nil {
		t.Errorf("%d", w.Code)
	}
	h.store.err = nil
	if h.do(h.confirm(jane, cookie, form.Secret)); h.passed == nil {
		t.Error("not sent once the store works again")
	}
}

func TestFormIsSentOnce(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	body := strings.Repeat("\x00\r\n--x\xff", 1<<17)
	post := formPost(formURI, body, h.idle(jane))
	post.Header.Set("Content-Type", `multipart/form-data; boundary="x y"`)
	cookie, form := h.keep(post)
	if form.URI != formURI || form.Path() != "/admin/save" || form.Subject != jane.Subject || form.Handles != nil || len(form.Secret) != 26 {
		t.Fatalf("%+v", form)
	}
	jane.ID = "08" + jane.ID[2:] // signed in anew
	r := h.confirm(jane, cookie, form.Secret)
	r.Header.Set("X-Other", "stays")
	if w := h.do(r); h.passed == nil {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	got, err := io.ReadAll(h.passed.Body)
	if err != nil || string(got) != body {
		t.Errorf("the app got %d bytes, %v", len(got), err)
	}
	want := http.Header{
		"Content-Type": {`multipart/form-data; boundary="x y"`}, "Content-Length": {"917504"},
		"Origin": {"https://app.example.com"}, "X-Other": {"stays"}, "Cookie": nil, RemoteUser: {"jane@example.com"},
	}
	for name, values := range want {
		if got := h.passed.Header[name]; strings.Join(got, ",") != strings.Join(values, ",") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if h.passed.Method != http.MethodPost || h.passed.URL.RequestURI() != formURI || h.passed.ContentLength != int64(len(body)) {
		t.Errorf("%s %s of %d bytes", h.passed.Method, h.passed.URL, h.passed.ContentLength)
	}
	h.refuses("again", h.confirm(jane, cookie, form.Secret), http.StatusConflict, ErrFormSent)
}

// refuses fails unless a request is refused with a page.
func (h *house) refuses(name string, r *http.Request, status int, want error) {
	h.t.Helper()
	h.FailPage = func(w http.ResponseWriter, _ *http.Request, err error) {
		if !errors.Is(err, want) {
			h.t.Errorf("%s: %v, want %v", name, err, want)
		}
		w.WriteHeader(wire.Status(err))
	}
	if w := h.do(r); h.passed != nil || w.Code != status || w.Header().Get("Cache-Control") != "no-store" {
		h.t.Errorf("%s: passed %v, %d %v", name, h.passed != nil, w.Code, w.Header())
	}
}

func TestFormConfirmationRefused(t *testing.T) {
	h := newHouse(t, nil)
	jane, joe := session(t, "jane@example.com"), session(t, "joe@example.com")
	cookie, form := h.keep(formPost(formURI, formBody, h.idle(jane)))
	elsewhere := newHouse(t, func(_ *Config, oc *otp.Config) { oc.PublicURL = &url.URL{Scheme: "https", Host: "sister.example.com"} })
	atSister := formPost(formURI, formBody, elsewhere.idle(jane))
	atSister.Header.Set("Origin", "https://sister.example.com")
	sisters, sistersForm := elsewhere.keep(atSister)
	other := strings.Repeat("A", len(form.Secret))

	// What isn't a confirmation is the app's, as it is.
	for name, r := range map[string]*http.Request{
		"a secret without the cookie":       h.confirm(jane, "a=1", form.Secret),
		"with an altered cookie":            h.confirm(jane, cookie[:len(cookie)-5]+"AAAAA", form.Secret),
		"with the cookie of a sister site":  h.confirm(jane, sisters, sistersForm.Secret),
		"with two cookies":                  h.confirm(jane, cookie+"; "+cookie, form.Secret),
		"a form of that length":             formPost(formURI, "otp_farm="+form.Secret, h.Cookie.Name+"="+h.sealed(jane), cookie),
		"of another length":                 formPost(formURI, FormField+"="+form.Secret+"&a=1", h.Cookie.Name+"="+h.sealed(jane), cookie),
		"from another site":                 with(h.confirm(jane, cookie, form.Secret), "Sec-Fetch-Site", "cross-site"),
		"from a sister site":                with(h.confirm(jane, cookie, form.Secret), "Sec-Fetch-Site", "same-site", "Origin", "https://blog.example.com"),
		"from nowhere":                      with(h.confirm(jane, cookie, form.Secret), "Sec-Fetch-Site", "", "Origin", ""),
		"as text":                           with(h.confirm(jane, cookie, form.Secret), "Content-Type", "text/plain"),
		"encoded":                           with(h.confirm(jane, cookie, form.Secret), "Content-Encoding", "gzip"),
		"the secret in capitals of another": formPost(formURI, "OTP_FORM="+form.Secret, h.Cookie.Name+"="+h.sealed(jane), cookie),
	} {
		sent := r.ContentLength
		if w := h.do(r); h.passed == nil {
			t.Errorf("%s: %d", name, w.Code)
			continue
		}
		body, err := io.ReadAll(h.passed.Body)
		if err != nil || int64(len(body)) != sent || string(body) == formBody || h.passed.ContentLength != sent {
			t.Errorf("%s: the app got %q, %v", name, body, err)
		}
	}
	put := h.confirm(jane, cookie, form.Secret)
	put.Method = http.MethodPut
	if h.do(put); h.passed == nil || h.passed.ContentLength != confirmationLength {
		t.Error("a PUT confirms")
	}

	h.refuses("another secret", h.confirm(jane, cookie, other), http.StatusGone, ErrFormGone)
	h.refuses("by somebody else", h.confirm(joe, cookie, form.Secret), http.StatusForbidden, ErrFormOther)
	early := h.confirm(jane, cookie, form.Secret)
	early.TLS = &tls.ConnectionState{}
	h.refuses("early", early, http.StatusTooEarly, wire.ErrEarlyData)
	elsewhereURI := h.confirm(jane, cookie, form.Secret)
	elsewhereURI.URL = &url.URL{Path: "/admin/delete"}
	h.refuses("to another address", elsewhereURI, http.StatusGone, ErrFormGone)
	h.ahead = FormLifetime
	h.refuses("too late", h.confirm(jane, cookie, form.Secret), http.StatusGone, ErrFormGone)
	h.ahead = 0

	// A form whose session ends again while we ask stays kept.
	records := len(h.store.records)
	w := h.do(formPost(formURI, FormField+"="+form.Secret, h.idle(jane), cookie))
	if got := w.Header().Get("Location"); got != "/.otp/login?form=kept&return_to=%2F.otp%2Fform" || len(h.store.records) != records {
		t.Errorf("the session ended again: %q, %d records", got, len(h.store.records))
	}
	if h.do(h.confirm(jane, cookie, form.Secret)); h.passed == nil {
		t.Error("after all that, it isn't sent")
	}
}

func with(r *http.Request, pairs ...string) *http.Request {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			r.Header.Del(pairs[i])
		} else {
			r.Header.Set(pairs[i], pairs[i+1])
		}
	}
	return r
}

func TestFormOfProgram(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	cookie, form := h.keep(formPost(formURI, formBody, h.idle(jane)))
	r := with(h.confirm(jane, cookie, strings.Repeat("A", len(form.Secret))), "Sec-Fetch-Mode", "cors")
	if w := h.do(r); w.Code != http.StatusGone || w.Header().Get("Content-Type") != "application/problem+json; charset=utf-8" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestFormReplacesOlder(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	first, firstForm := h.keep(formPost(formURI, "a=1", h.idle(jane)))
	second, secondForm := h.keep(formPost(formURI, "a=2", h.idle(jane)))
	if len(h.store.records) != 1 {
		t.Fatalf("%d records", len(h.store.records))
	}
	h.refuses("the older", h.confirm(jane, first, firstForm.Secret), http.StatusGone, ErrFormGone)
	h.refuses("the older's secret", h.confirm(jane, second, firstForm.Secret), http.StatusGone, ErrFormGone)
	h.do(h.confirm(jane, second, secondForm.Secret))
	if h.passed == nil {
		t.Fatal("the newer isn't sent")
	}
	if body, _ := io.ReadAll(h.passed.Body); string(body) != "a=2" {
		t.Errorf("the app got %q", body)
	}
}

// TestFormOfKnownBrowser binds to the addresses that the browser was known for
// when the form was kept, or to whose session was over.
func TestFormOfKnownBrowser(t *testing.T) {
	jane, joe, jim := session(t, "jane@example.com"), session(t, "joe@example.com"), session(t, "jim@example.com")
	for _, tc := range []struct {
		name    string
		session bool
		as      otp.Session
		refused bool
	}{
		{name: "the newest", as: joe},
		{name: "an older", as: jane},
		{name: "a stranger", as: jim, refused: true},
		{name: "whose session it was", session: true, as: jane},
		{name: "another whom the browser knows", session: true, as: joe, refused: true},
	} {
		h := newHouse(t, nil)
		browser := "__Host-otp-browser=" + h.remember(h.remember("", "jane@example.com"), "joe@example.com")
		cookies := []string{browser}
		if tc.session {
			cookies = append(cookies, h.idle(jane))
		}
		cookie, form := h.keep(formPost(formURI, formBody, cookies...))
		r := h.confirm(tc.as, cookie, form.Secret)
		r.Header.Set("Cookie", r.Header.Get("Cookie")+"; __Host-otp-browser="+h.remember("", "jim@example.com"))
		if tc.refused {
			h.refuses(tc.name, r, http.StatusForbidden, ErrFormOther)
		} else if w := h.do(r); h.passed == nil {
			t.Errorf("%s: %d", tc.name, w.Code)
		}
	}
}

func TestFormDropped(t *testing.T) {
	h := newHouse(t, nil)
	jane := session(t, "jane@example.com")
	cookie, form := h.keep(formPost(formURI, formBody, h.idle(jane)))
	header := http.Header{}
	if err := h.Forms.Drop(t.Context(), header, form); err != nil {
		t.Fatal(err)
	}
	dropped, err := http.ParseSetCookie(header.Get("Set-Cookie"))
	if err != nil {
		t.Fatal(err)
	}
	h.refuses("with the cookie of then", h.confirm(jane, cookie, form.Secret), http.StatusConflict, ErrFormSent)
	h.refuses("with the cookie of now", h.confirm(jane, dropped.Name+"="+dropped.Value, form.Secret), http.StatusGone, ErrFormGone)
	if form, ok := h.Forms.Read(formPost("/", "", dropped.Name+"="+dropped.Value)); !ok || !errors.Is(h.Forms.Check(form, jane), ErrFormGone) {
		t.Errorf("%+v, %v", form, ok)
	}
	if err := h.Forms.Drop(t.Context(), header, form); err != nil {
		t.Errorf("twice: %v", err)
	}
}

// slowWriter notes how long a body may take.
type slowWriter struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (w *slowWriter) SetReadDeadline(t time.Time) error { w.deadline = t; return nil }

func TestFormHasItsTime(t *testing.T) {
	h := newHouse(t, nil)
	w := &slowWriter{ResponseRecorder: httptest.NewRecorder()}
	if err := h.Serve(w, formPost(formURI, formBody, h.idle(session(t, "jane@example.com"))), nil); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(w.deadline); left > formDeadline || left < formDeadline-10*time.Second {
		t.Errorf("%v left", left)
	}
}

func TestFormsAtOnce(t *testing.T) {
	h := newHouse(t, nil)
	begun := 0
	for range maxArriving {
		if h.Forms.begin("one") {
			begun++
		}
	}
	if begun != maxArrivingOfOne {
		t.Fatalf("%d of one browser", begun)
	}
	for i := range maxArriving {
		if h.Forms.begin(string(rune('a' + i))) {
			begun++
		}
	}
	if begun != maxArriving || h.Forms.begin("one more") {
		t.Fatalf("%d at once", begun)
	}
	r := formPost(formURI, formBody, h.idle(session(t, "jane@example.com")))
	if w := h.do(r); !strings.Contains(w.Header().Get("Location"), "form=lost") {
		t.Errorf("%v", w.Header())
	}
	h.Forms.end("one")
	h.keep(formPost(formURI, formBody, h.idle(session(t, "jane@example.com"))))
	h.keep(formPost(formURI, formBody, h.idle(session(t, "jane@example.com"))))
}
