// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// visitor is a browser with cookies that follows no redirect by itself.
type visitor struct {
	*testing.T
	rig     *rig
	cookies map[string]string
}

func (r *rig) visitor(t *testing.T) *visitor {
	return &visitor{t, r, make(map[string]string)}
}

// ask makes a request with headers in pairs of name and value.
func (v *visitor) ask(method, path, contentType, body string, headers ...string) answer {
	v.Helper()
	request := httptest.NewRequest(method, webtest.Origin+path, strings.NewReader(body))
	request.Header.Set("Accept", "text/html")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	for name, value := range v.cookies {
		request.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	a := answer{v.rig.In(v.T).Do(request)}
	for _, cookie := range a.Cookies() {
		if cookie.MaxAge < 0 {
			delete(v.cookies, cookie.Name)
		} else {
			v.cookies[cookie.Name] = cookie.Value
		}
	}
	return a
}

func (v *visitor) get(path string, headers ...string) answer {
	v.Helper()
	return v.ask(http.MethodGet, path, "", "", headers...)
}

// submit posts a form as a page of the site does.
func (v *visitor) submit(path string, form url.Values) answer {
	v.Helper()
	return v.ask(http.MethodPost, path, formBody, form.Encode(), "Origin", webtest.Origin, "Sec-Fetch-Site", "same-origin")
}

var (
	inputs  = regexp.MustCompile(`<input[^>]* name="([^"]*)"[^>]* value="([^"]*)"`)
	actions = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
)

// formOf are the fields of a page's form, and where it is posted to.
func (a answer) formOf(t *testing.T) (action string, form url.Values) {
	t.Helper()
	found := actions.FindStringSubmatch(a.Body)
	if found == nil {
		t.Fatalf("no form: %d %s", a.Status, a.Body)
	}
	form = make(url.Values)
	for _, input := range inputs.FindAllStringSubmatch(a.Body, -1) {
		form.Set(html.UnescapeString(input[1]), html.UnescapeString(input[2]))
	}
	return html.UnescapeString(found[1]), form
}

// confirm presses the button of a page.
func (v *visitor) confirm(page answer) answer {
	v.Helper()
	action, form := page.formOf(v.T)
	return v.submit(action, form)
}

// signedIn reports whether the browser has a session of the site's.
func (v *visitor) signedIn() bool {
	v.Helper()
	return v.get(webtest.PagesPath+"/session").Status == http.StatusOK
}

// signIn goes through the site's login page, from where an answer leads, and
// returns the path that the login leads to.
func (v *visitor) signIn(from answer, email string) string {
	v.Helper()
	location := from.Header.Get("Location")
	if !strings.HasPrefix(location, webtest.PagesPath+"/login?") {
		v.Fatalf("%d to %q, want the login page", from.Status, location)
	}
	action, form := v.get(location).formOf(v.T)
	form.Set("address", email)
	sent := v.submit(action, form)
	if sent.Status != http.StatusSeeOther {
		v.Fatalf("login: %d %s", sent.Status, sent.Body)
	}
	page := v.get(sent.Header.Get("Location"))
	action, form = page.formOf(v.T)
	form.Set("code", v.rig.In(v.T).Code())
	verified := v.submit(action, form)
	if verified.Status != http.StatusSeeOther {
		v.Fatalf("verify: %d %s", verified.Status, verified.Body)
	}
	return verified.Header.Get("Location")
}

// answered returns what came to the client: the values behind the separator of
// the address that the browser was sent to.
func (a answer) answered(t *testing.T, callback, separator string) url.Values {
	t.Helper()
	address, text, found := strings.Cut(a.Header.Get("Location"), separator)
	if !found || address != callback {
		t.Fatalf("%d to %q, want %s%s…: %s", a.Status, a.Header.Get("Location"), callback, separator, a.Body)
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return values
}
