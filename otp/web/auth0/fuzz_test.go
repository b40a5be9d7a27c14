// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

var targetOfMessage = regexp.MustCompile(`data-target="([^"]*)"`)

// leadsNowhereElse checks that an answer leads a browser to this site's pages, or
// to one of the client's callbacks, and nowhere else.
func (a answer) leadsNowhereElse(t *testing.T, client Client) {
	t.Helper()
	if location := a.Header.Get("Location"); location != "" {
		own := strings.HasPrefix(location, webtest.PagesPath+"/") || strings.HasPrefix(location, authorizePath+"?")
		registered := slices.ContainsFunc(client.Callbacks, func(callback string) bool {
			rest, found := strings.CutPrefix(location, callback)
			return found && (rest == "" || rest[0] == '?' || rest[0] == '#' || rest[0] == '&' && strings.Contains(callback, "?"))
		})
		if !own && !registered {
			t.Errorf("%d to %q", a.Status, location)
		}
	}
	if found := actions.FindStringSubmatch(a.Body); found != nil {
		action := html.UnescapeString(found[1])
		if !strings.HasPrefix(action, webtest.PagesPath+"/") && !slices.Contains(client.Callbacks, action) {
			t.Errorf("a form to %q", action)
		}
	}
	if found := targetOfMessage.FindStringSubmatch(a.Body); found != nil {
		target := html.UnescapeString(found[1])
		if !slices.ContainsFunc(client.Callbacks, func(callback string) bool { return strings.HasPrefix(callback, target+"/") }) {
			t.Errorf("a message to %q", target)
		}
	}
	if a.Status >= http.StatusInternalServerError {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// FuzzAuthorize looks for addresses of /authorize that lead whoever is signed in,
// or isn't, to where no client has a callback.
func FuzzAuthorize(f *testing.F) {
	for _, client := range []Client{pkceSPA, regular, native} {
		request := codeRequest(client)
		f.Add(request.Encode())
		for _, uri := range hostileURIs {
			f.Add(with(request, "redirect_uri", uri).Encode())
		}
		for _, mode := range responseModes {
			f.Add(with(with(request, "response_mode", mode), "response_type", "code id_token token").Encode())
		}
		f.Add(with(with(request, "prompt", "none"), "max_age", "1").Encode())
		f.Add(with(with(request, "login_hint", "a@example.org"), "ui_locales", "de en").Encode())
		f.Add(with(request, "login_ticket", "x").Encode())
		f.Add(with(request, "asked", "AAAA").Encode())
		f.Add(with(request, "resume", "x").Encode())
	}
	r := newRig(f, webtest.Options{})
	var cookies map[string]string
	f.Fuzz(func(t *testing.T, query string) {
		if cookies == nil {
			cookies = r.signedInVisitor(t, r.newEmail()).cookies
		}
		values, _ := url.ParseQuery(query)
		client, _ := r.dialect.client(values.Get("client_id"))
		for _, v := range []*visitor{{t, r, nil}, {t, r, cookies}} {
			request := v.request(t)
			request.Header.Set("Accept", "text/html")
			request.URL.RawQuery = query
			a := answer{r.In(t).Do(request)}
			if !r.dialect.namesClient(request) {
				continue // the app's
			}
			a.leadsNowhereElse(t, client)

			// The same by POST leads to that address alone.
			post := webtest.Request(http.MethodPost, authorizePath, query, "Content-Type", formBody)
			if a := (answer{r.In(t).Do(post)}); a.Status == http.StatusSeeOther && !strings.HasPrefix(a.Header.Get("Location"), authorizePath+"?") {
				t.Errorf("POST: %s", a.said())
			}
		}
	})
}

// FuzzCode looks for codes, tickets and refresh tokens that were never given out
// and are worth something all the same, or break the server.
func FuzzCode(f *testing.F) {
	f.Add("code", verifier, callback)
	f.Add("", "", "")
	f.Add("0", "0", "\xff")
	f.Add(strings.Repeat("A", 200), "x", "https://evil.example")
	// Exclusive: what is malformed would be the app's otherwise.
	r := newRig(f, webtest.Options{}, func(c *Config) { c.Exclusive = true })
	var real string
	f.Fuzz(func(t *testing.T, code, verifier, redirectURI string) {
		if real == "" {
			real = r.signedInVisitor(t, r.newEmail()).code(codeRequest(pkceSPA))
		}
		grant := codeGrant(pkceSPA, code).with("code_verifier", verifier).with("redirect_uri", redirectURI)
		// Most are near to one that was given out.
		near := real[:len(real)/2] + code + real[len(real)/2:]
		for _, f := range []fields{grant, grant.with("code", near), grant.with("code", real+code).with("client_id", regular.ID), refresh(pkceSPA, code), refresh(pkceSPA, near)} {
			if f["code"] == real {
				continue
			}
			if a := r.post(t, tokenPath, f); a.Status < 400 || a.Status >= 500 {
				t.Errorf("%v: %d %s", f, a.Status, a.Body)
			}
		}
		values := with(with(codeRequest(pkceSPA), "login_ticket", code), "resume", "")
		a := (&visitor{t, r, map[string]string{}}).get(authorizeURL(values))
		if location := a.Header.Get("Location"); strings.Contains(location, "code=") {
			t.Errorf("a ticket %q yields %s", code, location)
		}
	})
}

// FuzzLinkPayload has links carry anything: where they lead is a callback.
func FuzzLinkPayload(f *testing.F) {
	for _, uri := range append(hostileURIs, callback, "") {
		payload, err := json.Marshal(authParams{RedirectURI: uri, State: "s", ResponseType: "code"})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Add([]byte(`{"redirect_uri":["x"]}`))
	r := newRig(f, webtest.Options{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		a, err := r.dialect.linkAuthorization(otp.Link{Dialect: Name, Client: regular.ID, Payload: payload})
		if err != nil {
			return
		}
		if !slices.Contains(regular.Callbacks, a.target.String()) {
			t.Errorf("leads to %q", a.target)
		}
		_ = a.check(r.dialect)
	})
}
