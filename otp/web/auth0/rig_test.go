// SPDX-License-Identifier: Apache-2.0

package auth0

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/portal"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const (
	testLinkPath = "/.otp/link?token="
	spaOrigin    = "https://spa.example.com"
	callback     = "https://spa.example.com/callback"
)

// The clients of every rig.
var (
	regular = Client{ID: "web", Secret: "correct horse", Callbacks: []string{callback, callback + "?from=mail"}, Origins: []string{spaOrigin}, LogoutURLs: []string{"https://spa.example.com/bye"}}
	native  = Client{ID: "phone", Callbacks: []string{"com.example.app://callback"}}
	other   = Client{ID: "other"}
	spa     = Client{ID: "page", Type: SPA, Callbacks: []string{callback}}
)

// rig is a site with the dialect.
type rig struct {
	*webtest.Site
	dialect *Dialect
	people  int
}

// newRig runs a site with the dialect, on paths that it shares with the app
// and with the clients of every rig unless edit says otherwise.
func newRig(t testing.TB, o webtest.Options, edit ...func(*Config)) *rig {
	t.Helper()
	r := new(rig)
	r.Site = webtest.New(t, o, func(s *webtest.Site) wire.API {
		c := Config{
			Dialect:  s.Dialect(),
			Clients:  []Client{spaWithOrigin, regular, native, other, spa},
			LinkPath: testLinkPath,
		}
		c.Exclusive = false
		c.Code.Lifetime, c.Code.SMSLifetime, c.Code.Attempts = 3*time.Minute, 3*time.Minute, 3
		c.AccessLifetime, c.RefreshLifetime = 24*time.Hour, 30*24*time.Hour
		finish := make(map[string]func(http.ResponseWriter, *http.Request, otp.Link, otp.Verification))
		c.SessionLifetime = 7 * 24 * time.Hour
		c.Pages = portal.NewPages(portal.Config{
			Gate:            s.Gate,
			Path:            webtest.PagesPath,
			SiteName:        "app.example.com",
			Send:            otp.FormBoth,
			Code:            webtest.CodePolicy(),
			SessionLifetime: c.SessionLifetime,
			FinishLink:      finish,
			Logger:          s.Logger,
		})
		for _, e := range edit {
			e(&c)
		}
		r.dialect = New(c)
		finish[Name] = r.dialect.FinishLink
		api := r.dialect.API()
		api.Endpoints = append(api.Endpoints, c.Pages.API().Endpoints...)
		return api
	})
	return r
}

// withClients returns an edit that replaces the clients.
func withClients(clients ...Client) func(*Config) { return func(c *Config) { c.Clients = clients } }

// newEmail and newPhone return an address that nobody has used yet.
func (r *rig) newEmail() string {
	r.people++
	return fmt.Sprintf("person%d@example.org", r.people)
}

func (r *rig) newPhone() string {
	r.people++
	return fmt.Sprintf("+4915123456%03d", r.people)
}

// answer is what came back.
type answer struct{ webtest.Answer }

// aDay reports whether a lifetime in seconds is that of a session of a day, less
// the moments since it began.
func aDay(seconds float64) bool {
	const day = 24 * 60 * 60
	return seconds > day-60 && seconds <= day
}

// text is a field, or "" where it isn't there.
func (a answer) text(name string) string {
	text, _ := a.Fields[name].(string)
	return text
}

// wantRefusal checks a refusal's status and texts.
func (a answer) wantRefusal(t *testing.T, status int, code, description string) {
	t.Helper()
	if a.Status != status || a.text("error") != code || a.text("error_description") != description {
		t.Errorf("got %d %s\nwant %d %s %q", a.Status, a.Body, status, code, description)
	}
	if _, ok := a.Fields["statusCode"]; ok {
		t.Error("a statusCode in the body overrides the status in go-auth0")
	}
	if a.Header.Get("Cache-Control") != "no-store" {
		t.Error("answer can be stored")
	}
}

// do makes a request with headers in pairs of name and value.
func (r *rig) do(t *testing.T, method, path, contentType, body string, headers ...string) answer {
	t.Helper()
	request := webtest.Request(method, path, body, headers...)
	request.Header.Set("Content-Type", contentType)
	if contentType == "" {
		request.Header.Del("Content-Type")
	}
	return answer{r.In(t).Do(request)}
}

type fields map[string]any

// with returns the fields with one more, or without one where it is nil.
func (f fields) with(name string, value any) fields {
	changed := make(fields, len(f)+1)
	for k, v := range f {
		changed[k] = v
	}
	if changed[name] = value; value == nil {
		delete(changed, name)
	}
	return changed
}

func (f fields) json(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (f fields) form() string {
	values := make(url.Values)
	for name, value := range f {
		values.Set(name, fmt.Sprint(value))
	}
	return values.Encode()
}

func (r *rig) post(t *testing.T, path string, f fields, headers ...string) answer {
	t.Helper()
	return r.do(t, http.MethodPost, path, "application/json", f.json(t), headers...)
}

func startEmail(c Client, email string) fields {
	f := fields{"client_id": c.ID, "connection": "email", "email": email, "send": "code"}
	if c.Secret != "" {
		f["client_secret"] = c.Secret
	}
	return f
}

func startSMS(c Client, phone string) fields {
	return startEmail(c, "").with("email", nil).with("send", nil).with("connection", "sms").with("phone_number", phone)
}

func redeem(c Client, connection, username, code string) fields {
	f := fields{"grant_type": grantOTP, "client_id": c.ID, "username": username, "otp": code, "realm": connection}
	if c.Secret != "" {
		f["client_secret"] = c.Secret
	}
	return f
}

// emailCode has a code sent and returns it.
func (r *rig) emailCode(t *testing.T, c Client, email string) string {
	t.Helper()
	r.post(t, startPath, startEmail(c, email)).Want(http.StatusOK)
	return r.In(t).Message().Code
}

func (r *rig) smsCode(t *testing.T, c Client, phone string) string {
	t.Helper()
	r.post(t, startPath, startSMS(c, phone)).Want(http.StatusOK)
	return r.In(t).Message().Code
}

// login signs somebody new in and returns the answer of /oauth/token.
func (r *rig) login(t *testing.T, c Client, scope string) answer {
	t.Helper()
	email := r.newEmail()
	code := r.emailCode(t, c, email)
	a := r.post(t, tokenPath, redeem(c, "email", email, code).with("scope", scope))
	a.Want(http.StatusOK)
	return a
}

func refresh(c Client, refreshToken string) fields {
	f := fields{"grant_type": grantRefresh, "client_id": c.ID, "refresh_token": refreshToken}
	if c.Secret != "" {
		f["client_secret"] = c.Secret
	}
	return f
}

func bearer(a answer) []string { return webtest.Bearer(a.text("access_token")) }
