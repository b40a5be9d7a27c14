// SPDX-License-Identifier: Apache-2.0

package text

import (
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/caddy-otp/caddy-otp/otp"
)

var update = flag.Bool("update", false, "write the goldens anew")

const (
	testCode = "048151"
	testLink = "https://app.example.com/.otp/link?t=aB3_-x"
)

func newComposer(t *testing.T, o Options) *Composer {
	t.Helper()
	c, err := NewComposer(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compose(t *testing.T, c *Composer, channel otp.Channel, form otp.Form, locale string) otp.Message {
	t.Helper()
	m := otp.Message{
		ID: "m1", Channel: channel, Purpose: otp.Login, To: "ada@example.com", Locale: locale,
		Dialect: "portal", Tenant: "tenant-free-text", Lifetime: 10 * time.Minute,
	}
	if channel == otp.SMS {
		m.To, m.Lifetime = "+4930123456", 5*time.Minute
	}
	if form != otp.FormLink {
		m.Code = testCode
	}
	if form != otp.FormCode {
		m.Link = testLink
	}
	composed, err := c.Compose(m)
	if err != nil {
		t.Fatal(err)
	}
	return composed
}

var (
	channels = []otp.Channel{otp.Email, otp.SMS}
	forms    = []otp.Form{otp.FormCode, otp.FormLink, otp.FormBoth}
)

func TestGoldens(t *testing.T) {
	c := newComposer(t, Options{SiteName: "Acme", Host: "app.example.com"})
	for _, channel := range channels {
		for _, form := range forms {
			for _, locale := range NewCatalogue().Languages() {
				name := string(channel) + "-" + string(form) + "-" + locale
				t.Run(name, func(t *testing.T) {
					m := compose(t, c, channel, form, locale)
					if m.Locale != locale {
						t.Errorf("locale %q", m.Locale)
					}
					if channel == otp.SMS {
						if m.Subject != "" || m.HTML != "" {
							t.Errorf("an SMS has the subject %q and HTML %q", m.Subject, m.HTML)
						}
						golden(t, name+".txt", m.Text)
						return
					}
					golden(t, name+".txt", "Subject: "+m.Subject+"\n\n"+m.Text)
					golden(t, name+".html", m.HTML)
				})
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; if it should, run go test -update\ngot:\n%s\nwant:\n%s", name, got, want)
	}
}

func TestMailTellsWhatItShould(t *testing.T) {
	c := newComposer(t, Options{SiteName: "Acme", Host: "app.example.com"})
	for _, locale := range c.catalogue.Languages() {
		w := c.catalogue.Words(locale)
		for _, form := range forms {
			m := compose(t, c, otp.Email, form, locale)
			if strings.ContainsAny(m.Subject, "0123456789\r\n") || !strings.Contains(m.Subject, "Acme") {
				t.Errorf("%s %s: subject %q", locale, form, m.Subject)
			}
			if !strings.Contains(m.HTML, `<html lang="`+locale+`">`) {
				t.Errorf("%s %s: HTML doesn't say its language", locale, form)
			}
			for _, body := range []string{m.Text, visible(t, m.HTML)} {
				for part, want := range map[string]bool{
					testCode: form != otp.FormLink, testLink: form != otp.FormCode,
					"app.example.com": true, w.Lifetime(10 * time.Minute): true, w.Mail.NotAsked: true,
					"{": false, "<no value>": false, "ada@": false, "tenant-free-text": false, "portal": false,
				} {
					if strings.Contains(body, part) != want {
						t.Errorf("%s %s: contains %q: %v\n%s", locale, form, part, !want, body)
					}
				}
			}
		}
	}
}

// visible returns what a reader of HTML sees, after checking that it brings
// nothing along: no image, script, form or address but the link.
func visible(t *testing.T, source string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for node := range root.Descendants() {
		switch node.Type {
		case html.TextNode:
			if node.Parent.Data != "title" {
				text.WriteString(node.Data + "\n")
			}
		case html.ElementNode:
			switch node.Data {
			case "img", "script", "form", "iframe", "link", "style", "base", "object", "svg":
				t.Errorf("HTML has a %s", node.Data)
			}
			for _, a := range node.Attr {
				if strings.Contains(a.Val, "url(") || strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" && a.Val != testLink {
					t.Errorf("HTML has %s=%q", a.Key, a.Val)
				}
			}
		}
	}
	return text.String()
}

func TestMailEscapes(t *testing.T) {
	const name = `<b>A&"C'</b> {{.Code}} {host}`
	c := newComposer(t, Options{SiteName: name, Host: "app.example.com"})
	m := compose(t, c, otp.Email, otp.FormBoth, "en")
	if m.Subject != "Your sign-in code for "+name {
		t.Errorf("subject %q", m.Subject)
	}
	if !strings.Contains(m.Text, "sign in to "+name+" (app.example.com):") {
		t.Errorf("text %q", m.Text)
	}
	if strings.Contains(m.HTML, "<b>") || !strings.Contains(visible(t, m.HTML), "sign in to "+name+" (app.example.com):") {
		t.Errorf("HTML %s", m.HTML)
	}
	m.Link = `javascript:alert("1")`
	m, err := c.Compose(m)
	if err != nil || strings.Contains(m.HTML, `href="javascript`) {
		t.Errorf("%v: %s", err, m.HTML)
	}
}

// oneTimeCode reads the last line of an SMS as
// https://wicg.github.io/sms-one-time-codes/#parsing says.
func oneTimeCode(message string) (host, code string, ok bool) {
	line := message[strings.LastIndexByte(message, '\n')+1:]
	line, ok = strings.CutPrefix(line, "@")
	if !ok {
		return "", "", false
	}
	host, line, ok = strings.Cut(line, " ")
	if !ok || host == "" || strings.ContainsAny(host, "@#%") {
		return "", "", false
	}
	code, ok = strings.CutPrefix(line, "#")
	if !ok || code == "" || strings.ContainsAny(code, " @#%") {
		return "", "", false
	}
	return host, code, true
}

func TestSMS(t *testing.T) {
	sites := []struct {
		options Options
		host    string
	}{
		{Options{Host: "app.example.com"}, "app.example.com"},
		{Options{SiteName: "Acme", Host: "app.example.com"}, "app.example.com"},
		{Options{SiteName: "Zürich [€]", Host: "app.example.com"}, "app.example.com"},
		{Options{SiteName: "東京", Host: "xn--1lqs71d.example"}, "xn--1lqs71d.example"},
		{Options{SiteName: strings.Repeat("€", 20), Host: "app.example.com"}, "app.example.com"},
		{Options{SiteName: strings.Repeat("n", 60), Host: strings.Repeat("h", 45)}, strings.Repeat("h", 45)},
		{Options{Host: strings.Repeat("a.", 60)[:119]}, strings.Repeat("a.", 60)[:119]},
		{Options{Host: strings.Repeat("h", 120)}, strings.Repeat("h", 120)},
		{Options{Host: "localhost:8080"}, "localhost"},
		{Options{Host: "127.0.0.1:8080"}, "127.0.0.1"},
		{Options{Host: "[::1]:8080"}, "[::1]"},
		{Options{Host: "[::1]"}, "[::1]"},
	}
	for _, site := range sites {
		c := newComposer(t, site.options)
		for _, locale := range c.catalogue.Languages() {
			for _, code := range []string{"048151", "000000000000"} {
				m, err := c.Compose(otp.Message{Channel: otp.SMS, Code: code, Link: testLink, Locale: locale, Lifetime: 59 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				length, ok := gsmLength(m.Text)
				if !ok || length > maxSMS {
					t.Errorf("%d characters, in the alphabet %v: %q", length, ok, m.Text)
				}
				if host, bound, ok := oneTimeCode(m.Text); !ok || host != site.host || bound != code {
					t.Errorf("bound to %q with %q: %q", host, bound, m.Text)
				}
				first, last, found := strings.Cut(m.Text, "\n")
				if !found || !strings.Contains(first, code) || last != "@"+site.host+" #"+code {
					t.Errorf("lines %q", m.Text)
				}
				if strings.Contains(m.Text, "://") {
					t.Errorf("a code comes with a link: %q", m.Text)
				}
			}
			link, err := c.Compose(otp.Message{Channel: otp.SMS, Link: testLink, Locale: locale, Lifetime: 5 * time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := gsmLength(link.Text); !ok || !strings.HasSuffix(link.Text, " "+testLink) || strings.Contains(link.Text, "\n") {
				t.Errorf("link %q", link.Text)
			}
		}
	}
}

func TestGSMLength(t *testing.T) {
	tests := []struct {
		s      string
		length int
		ok     bool
	}{
		{"", 0, true},
		{"@example.com #1", 15, true},
		{"äöüß_\n", 6, true},
		{"€[]", 6, true},
		{"‘quoted’", 0, false},
		{"`", 0, false},
		{"日", 0, false},
	}
	for _, tt := range tests {
		if length, ok := gsmLength(tt.s); length != tt.length || ok != tt.ok {
			t.Errorf("%q: %d, %v", tt.s, length, ok)
		}
	}
	if n := len([]rune(gsmBasic)); n != 127 { // 128 with the escape to the extension
		t.Errorf("the alphabet has %d characters", n)
	}
}

func TestComposeRefuses(t *testing.T) {
	c := newComposer(t, Options{Host: "app.example.com"})
	for _, m := range []otp.Message{
		{Channel: otp.Email},
		{Channel: otp.SMS},
		{Channel: "pigeon", Code: testCode},
		{Code: testCode},
	} {
		if got, err := c.Compose(m); err == nil {
			t.Errorf("%+v became %+v", m, got)
		}
	}
}

func TestNewComposerRefuses(t *testing.T) {
	for _, o := range []Options{
		{},
		{Host: ":8080"},
		{Host: "https://app.example.com"},
		{Host: "app example.com"},
		{Host: "app.example.com\n@evil.example"},
		{Host: "ada@app.example.com"},
		{Host: "zürich.example"},
		{Host: strings.Repeat("h", 121)},
		{Host: "app.example.com", SiteName: "two\nlines"},
		{Host: "app.example.com", SiteName: "\u202eemca"},
		{Host: "app.example.com", SiteName: strings.Repeat("n", 61)},
	} {
		if _, err := NewComposer(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// TestLinkSurvives checks that the link in the HTML is the link, to the byte.
func TestLinkSurvives(t *testing.T) {
	m := compose(t, newComposer(t, Options{Host: "app.example.com"}), otp.Email, otp.FormLink, "en")
	const mark = `<a href="`
	_, rest, _ := strings.Cut(m.HTML, mark)
	href, _, _ := strings.Cut(rest, `"`)
	u, err := url.Parse(html.UnescapeString(href))
	if err != nil || u.String() != testLink {
		t.Errorf("%s, %v", href, err)
	}
}
