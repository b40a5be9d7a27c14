// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

func email(t testing.TB, typed string) otp.Address {
	t.Helper()
	a, err := otp.ParseEmail(typed)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func phone(t testing.TB, typed string) otp.Address {
	t.Helper()
	a, err := otp.ParsePhone(typed, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFacts(t *testing.T) {
	mail, number := email(t, "Jane@Example.com"), phone(t, "+491701234567")
	main, second := email(t, "jane.doe@example.com"), phone(t, "+491701234568")
	listed := otp.Person{Addresses: []otp.Address{main, mail, second, number}, Groups: []string{"staff", "admins"}}
	for _, tc := range []struct {
		name    string
		session otp.Session
		want    string
	}{
		{"by e-mail", otp.Session{Address: mail, Subject: "s", Method: otp.ByCode}, "jane@example.com|jane@example.com|||s|code|"},
		{"by phone", otp.Session{Address: number, Subject: "s", Method: otp.ByLink}, "+491701234567||+491701234567||s|link|"},
		{"somebody of a directory, by e-mail", otp.Session{Address: mail, Subject: "s", Person: listed}, "jane.doe@example.com|jane@example.com|+491701234568|staff,admins|s||"},
		{"somebody of a directory, by phone", otp.Session{Address: number, Subject: "s", Person: listed}, "jane.doe@example.com|jane.doe@example.com|+491701234567|staff,admins|s||"},
		{"somebody without a phone", otp.Session{Address: main, Person: otp.Person{Addresses: []otp.Address{main}, Groups: []string{"a"}}}, "jane.doe@example.com|jane.doe@example.com||a|||"},
		{"with a second factor", otp.Session{Address: mail, MFA: time.Now(), MFAMethod: "sms"}, "jane@example.com|jane@example.com|||||sms"},
		{"a method that proved nothing", otp.Session{Address: mail, MFAMethod: "sms"}, "jane@example.com|jane@example.com|||||"},
		{"nobody", otp.Session{}, "||||||"},
	} {
		var got []string
		for _, fact := range Facts {
			got = append(got, fact.Of(&tc.session))
		}
		if text := strings.Join(got, "|"); text != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, text, tc.want)
		}
	}
	if Fact("other").Of(&otp.Session{Subject: "s"}) != "" {
		t.Error("an unknown fact is something")
	}
}

func TestSetIdentity(t *testing.T) {
	mail, number := email(t, "Jane@Example.com"), phone(t, "+491701234567")
	for _, tc := range []struct {
		headers []IdentityHeader
		session otp.Session
		want    http.Header
	}{
		{nil, otp.Session{Address: mail, Subject: "s"}, http.Header{RemoteUser: {"jane@example.com"}, RemoteEmail: {"jane@example.com"}, RemoteSubject: {"s"}}},
		{nil, otp.Session{Address: number, Subject: "s"}, http.Header{RemoteUser: {"+491701234567"}, RemotePhone: {"+491701234567"}, RemoteSubject: {"s"}}},
		{nil, otp.Session{Address: mail, Subject: "a\r\nRemote-Groups: admins"}, http.Header{RemoteUser: {"jane@example.com"}, RemoteEmail: {"jane@example.com"}}},
		{
			[]IdentityHeader{{"x-webauth-USER", Subject}, {"X-By", Method}, {"X-Phone", Phone}, {"X-Mail", Email}, {"X-Mail-Too", Email}},
			otp.Session{Address: mail, Subject: "s", Method: otp.ByLink},
			http.Header{"X-Webauth-User": {"s"}, "X-By": {"link"}, "X-Mail": {"jane@example.com"}, "X-Mail-Too": {"jane@example.com"}},
		},
	} {
		i := NewIdentity(tc.headers, "")
		h, other := http.Header{}, http.Header{}
		i.set(h, &tc.session)
		i.set(other, &tc.session)
		if fmt.Sprint(h) != fmt.Sprint(tc.want) {
			t.Errorf("%v, want %v", h, tc.want)
		}
		for name := range h { // later handlers edit the slices in place, or append to them
			h[name][0] = "edited"
			h[name] = append(h[name], "more")
		}
		for name, values := range h {
			if !slices.Equal(values, []string{"edited", "more"}) {
				t.Errorf("%s is %q: two headers share their values", name, values)
			}
		}
		if fmt.Sprint(other) != fmt.Sprint(tc.want) {
			t.Error("two requests share a value")
		}
		for name := range tc.want {
			if name != http.CanonicalHeaderKey(name) || !i.names.has(name) {
				t.Errorf("%s isn't stripped, or not canonical", name)
			}
		}
	}
}

// TestStripOwnNames: a site with headers of its own strips these and the
// default ones.
func TestStripOwnNames(t *testing.T) {
	long := "X-" + strings.Repeat("Long-", 12) + "Q"
	i := NewIdentity([]IdentityHeader{{"X-Webauth-User", User}, {"x_groups", Groups}, {long, Subject}}, "x-proof")
	forged := []string{
		"X-Webauth-User", "x-webauth-user", "X_WEBAUTH_USER", "X.Webauth-User", "x_webauth_user", "X Webauth User",
		"X-Proof", "x_proof", "X.PROOF", "X-Groups", "x_groups", "X.GROUPS", long, strings.ReplaceAll(strings.ToLower(long), "-", "_"),
		"Remote-User", "remote_user", "Remote-Email", "Remote-Phone", "Remote-Groups", "Remote.Subject",
	}
	kept := []string{"X-Webauth-Users", "Y-Webauth-User", "X-Webauth-Usee", "Xgroups", "X-Group", "", long + "x", long[:len(long)-1], "User-Agent", strings.Repeat("y", len(long))}
	for _, list := range []string{"Connection", "Trailer"} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("x"))
		r.Trailer = make(http.Header)
		for _, name := range slices.Concat(forged, kept) {
			r.Header[name] = []string{"admin"}
			r.Trailer[name] = []string{"admin"}
			r.Header.Add(list, name)
		}
		i.Strip(r)
		listed := strings.Join(r.Header.Values(list), ",")
		for _, name := range forged {
			if r.Header[name] != nil || r.Trailer[name] != nil || slices.Contains(strings.Split(listed, ","), name) {
				t.Errorf("%q is left", name)
			}
		}
		for _, name := range kept {
			if r.Header[name] == nil || r.Trailer[name] == nil || !slices.Contains(strings.Split(listed, ","), name) {
				t.Errorf("%q is gone", name)
			}
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{
		"Remote-User", "X-Webauth-User", "x_user", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username",
		"Remote-Host-Name", "Users", "X-Authorization-User", "Acceptance", "A", "X-" + strings.Repeat("a", 62), "Ifs",
	} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, why := range map[string]string{
		"": "can't be the name", "A B": "can't be the name", "A:": "can't be the name", "Ä": "can't be the name", "A\n": "can't be the name",
		"---": "no letter", "X-" + strings.Repeat("a", 63): "more than 64",
		"Host": "HTTP itself", "HOST": "HTTP itself", "connection": "HTTP itself", "Content-Length": "HTTP itself", "content_type": "HTTP itself",
		"Transfer-Encoding": "HTTP itself", "Upgrade": "HTTP itself", "TE": "HTTP itself", "Trailer": "HTTP itself",
		"Accept": "client asks", "Accept-Language": "client asks", "If-None-Match": "client asks", "Hx-Request": "client asks", "X-Http-Method": "client asks",
		"Cookie": "prove themselves", "Authorization": "prove themselves", "Origin": "prove themselves", "Sec-Fetch-Site": "prove themselves", "nest_auth_device_trust": "prove themselves",
		"Forwarded": "proxies", "X-Forwarded-For": "proxies", "X_Forwarded.Host": "proxies", "Proxy-Authorization": "proxies", "Proxy": "proxies",
		"Set-Cookie": "on an answer", "Location": "on an answer", "Refresh": "on an answer",
	} {
		if err := CheckName(name); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, not %q", name, err, why)
		}
	}
}

// TestStripAllocations: a request without identity headers costs nothing.
func TestStripAllocations(t *testing.T) {
	i := NewIdentity(nil, "")
	r := browserRequest()
	if n := testing.AllocsPerRun(100, func() { i.Strip(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// browserRequest has the headers that browsers send.
func browserRequest() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Connection", "Cookie", "Priority", "Referer", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile",
		"Sec-Ch-Ua-Platform", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Upgrade-Insecure-Requests", "User-Agent",
	} {
		r.Header.Set(name, "keep-alive")
	}
	return r
}

func BenchmarkStrip(b *testing.B) {
	i := NewIdentity(nil, "")
	r := browserRequest()
	b.ReportAllocs()
	for b.Loop() {
		i.Strip(r)
	}
}

// directory has people by the addresses that sign them in.
type directory map[string]otp.Person

func (d directory) Find(_ context.Context, a otp.Address) (otp.Person, error) {
	p, ok := d[a.String()]
	if !ok {
		return otp.Person{}, otp.ErrNobody
	}
	return p, nil
}
