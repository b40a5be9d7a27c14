// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/site"
)

func TestEachAPILogsInToTheApp(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		r := site.New(t, store, site.APIs+site.Roomy+"\n\t\tprotect")
		for _, d := range site.Dialects {
			t.Run(d.Name, func(t *testing.T) {
				address := d.Name + "@example.com"
				token := d.Login(r, address, 1).Text(t, d.Token)
				a := r.Get("/page", "Authorization", "Bearer "+token)
				for _, line := range []string{"Remote-User: " + address, "Remote-Email: " + address, "Remote-Subject: ", "Authorization: Bearer " + token} {
					if !strings.Contains(a.Body, line) {
						t.Errorf("the app doesn't get %q:\n%s", line, a.Body)
					}
				}
				if a := r.Get("/page"); a.Status != http.StatusUnauthorized {
					t.Errorf("without the token: %d", a.Status)
				}
			})
		}
	})
}

func TestSMSLogsIn(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		r := site.New(t, store, site.APIs+site.Roomy)
		const phone = "+12025550143"
		for nth, d := range []struct {
			name, start, verify string
			startBody           site.Object
			verifyBody          func(code string) site.Object
			token               string
		}{
			{
				"nestauth", "/auth/passwordless/send", "/auth/login",
				site.Object{"identifier": "(202) 555-0143", "channel": "sms"},
				func(code string) site.Object {
					return site.Object{"providerName": "passwordless", "credentials": site.Object{"identifier": phone, "code": code, "channels": []string{"sms"}}}
				},
				"accessToken",
			},
			{
				"autional", "/auth/send-login-code", "/auth/login/phone-code",
				site.Object{"phone": phone},
				func(code string) site.Object { return site.Object{"phone": phone, "code": code} },
				"access_token",
			},
			{
				"auth0", "/passwordless/start", "/oauth/token",
				site.Object{"client_id": site.PublicClient, "connection": "sms", "phone_number": phone},
				func(code string) site.Object {
					return site.Object{"grant_type": "http://auth0.com/oauth/grant-type/passwordless/otp", "client_id": site.PublicClient, "username": phone, "otp": code, "realm": "sms"}
				},
				"access_token",
			},
		} {
			if a := r.Post(d.start, d.startBody); a.Status != http.StatusOK {
				t.Fatalf("%s start: %d %s", d.name, a.Status, a.Body)
			}
			m := r.Message(phone, nth+1)
			if m.Channel != "sms" || !strings.HasSuffix(m.Text, "@localhost #"+m.Code) {
				t.Errorf("%s: SMS is %+v", d.name, m)
			}
			a := r.Post(d.verify, d.verifyBody(m.Code))
			if a.Status != http.StatusOK {
				t.Fatalf("%s verify: %d %s", d.name, a.Status, a.Body)
			}
			echo := r.Get("/", "Authorization", "Bearer "+a.Text(t, d.token)).Body
			if !strings.Contains(echo, "Remote-Phone: "+phone) || strings.Contains(echo, "Remote-Email") {
				t.Errorf("%s: the app gets\n%s", d.name, echo)
			}
		}
	})
}

// TestPagesLogIn walks the pages as a browser without JavaScript does.
func TestPagesLogIn(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		r := site.New(t, store, site.Roomy+"\n\t\tprotect")
		t.Run("code", func(t *testing.T) {
			visitor := site.Browser(t)
			site.Enter(r, visitor, "code@example.com")
			m := r.Message("code@example.com", 1)
			a := site.Form(r, visitor, "/.otp/verify", url.Values{"code": {m.Code}})
			site.ExpectRedirect(t, a, "/deep/page?x=1")
			if echo := site.Do(t, visitor, http.MethodGet, r.URL+"/deep/page?x=1", "").Body; !strings.Contains(echo, "Remote-User: code@example.com") || strings.Contains(echo, "otp=") {
				t.Errorf("the app gets\n%s", echo)
			}
			signOut(r, visitor)
		})
		t.Run("link", func(t *testing.T) {
			visitor := site.Browser(t)
			site.Enter(r, visitor, "link@example.com")
			link := r.Message("link@example.com", 1).Link
			if !strings.HasPrefix(link, r.URL+"/.otp/link?") {
				t.Fatalf("link is %q", link)
			}
			other := site.Browser(t) // opened on another device, and looked at before by scanners
			for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodGet, http.MethodGet} {
				if a := site.Do(t, other, method, link, ""); a.Status != http.StatusOK || a.Header.Get("Set-Cookie") != "" {
					t.Fatalf("%s of the link: %d %v", method, a.Status, a.Header)
				}
			}
			token := link[strings.Index(link, "=")+1:]
			site.ExpectRedirect(t, site.Form(r, other, "/.otp/link", url.Values{"token": {token}}), "/deep/page?x=1")
			if echo := site.Do(t, other, http.MethodGet, r.URL+"/", "").Body; !strings.Contains(echo, "Remote-User: link@example.com") {
				t.Errorf("the app gets\n%s", echo)
			}
			if a := site.Form(r, site.Browser(t), "/.otp/link", url.Values{"token": {token}}); a.Status == http.StatusSeeOther {
				t.Error("the link works twice")
			}
		})
	})
}

// signOut ends the session; a copy of its cookie is worthless afterwards.
func signOut(r *site.Rig, visitor *http.Client) {
	r.T.Helper()
	address, err := url.Parse(r.URL)
	if err != nil {
		r.T.Fatal(err)
	}
	var stolen []string
	for _, cookie := range visitor.Jar.Cookies(address) {
		stolen = append(stolen, "Cookie", cookie.Name+"="+cookie.Value)
	}
	if a := site.Form(r, visitor, "/.otp/logout", nil); a.Status >= http.StatusBadRequest {
		r.T.Fatalf("logout: %d %s", a.Status, a.Body)
	}
	if a := r.Get("/", stolen...); a.Status != http.StatusUnauthorized {
		r.T.Errorf("a signed-out session's cookie still opens the app: %d", a.Status)
	}
}

func TestRefusals(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		r := site.New(t, store, site.APIs+site.Roomy)
		for _, d := range site.Dialects {
			t.Run(d.Name, func(t *testing.T) {
				address := "refused-" + d.Name + "@example.com"
				d.Start(r, address)
				code := r.Message(address, 1).Code
				d.Verify(r, address, site.OtherCode(code)).Expect(t, "a wrong code", d.Wrong)
				if a := d.Verify(r, address, code); a.Status != http.StatusOK {
					t.Fatalf("the right code: %d %s", a.Status, a.Body)
				}
				d.Verify(r, address, code).Expect(t, "the same code twice", d.Wrong)
				d.Verify(r, "nobody-"+address, code).Expect(t, "an address that asked for nothing", d.Wrong)
				for range 2 {
					d.Start(r, address)
				}
				d.Start(r, address).Expect(t, "the fourth start in a minute", d.Throttled)
				if got := len(r.Messages(address)); got > 3 {
					t.Errorf("%d messages were sent", got)
				}
			})
		}
	})
}

// TestOneBudget guesses through all three APIs at one address: after five
// guesses in all the codes of each are dead.
func TestOneBudget(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		r := site.New(t, store, site.APIs+site.Roomy+"\n\t\tthrottle address 100 1m")
		const address = "victim@example.com"
		codes := make(map[string]string)
		for _, d := range site.Dialects {
			d.Start(r, address)
			codes[d.Name] = r.Message(address, len(codes)+1).Code
		}
		for guess := range 5 {
			d := site.Dialects[guess%len(site.Dialects)]
			want := d.Wrong
			// auth0's code dies of the third guess, the others' of the fifth,
			// whoever made the ones before.
			if d.Name == "auth0" && guess >= 2 || guess == 4 {
				want = d.Exhausted
			}
			d.Verify(r, address, site.OtherCode(codes[d.Name])).Expect(t, d.Name+"'s guess", want)
		}
		for _, d := range site.Dialects {
			d.Verify(r, address, codes[d.Name]).Expect(t, d.Name+"'s right code after five guesses", d.Exhausted)
		}
	})
}

func TestExpiredCode(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		r := site.New(t, store, site.APIs+site.Roomy+"\n\t\tcode {\n\t\t\tlifetime 3s\n\t\t}")
		expired := map[string]site.Refusal{
			"nestauth": site.Refused(400, "code", "VERIFICATION_CODE_INVALID"),
			"autional": site.Refused(400, "code", 30101004.0),
			"auth0":    site.Refused(403, "error_description", "The verification code has expired. Please try to login again."),
		}
		codes := make(map[string]string)
		for _, d := range site.Dialects {
			d.Start(r, d.Name+"@example.com")
			codes[d.Name] = r.Message(d.Name+"@example.com", 1).Code
		}
		time.Sleep(3100 * time.Millisecond) // the real server's clock can't be moved
		for _, d := range site.Dialects {
			d.Verify(r, d.Name+"@example.com", codes[d.Name]).Expect(t, d.Name, expired[d.Name])
		}
	})
}
