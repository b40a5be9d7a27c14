// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
)

// caddySite is a Caddy with one site.
type caddySite struct {
	process
	// host is what requests name.
	host  string
	caddy *caddyserver.Server
	// reload loads the site anew, with an e-mail sender.
	reload func(email string) error

	// read is how much of the delivered messages was read, and codes are those
	// found there, by address.
	read  int64
	codes map[string]string
}

// Nothing is logged of auth requests: the reference logs nothing either.
const globalBlock = `	log default {
		exclude otp http.handlers.otp
	}
	log otp {
		include otp http.handlers.otp
		output discard
	}
`

// vanilla is a Caddy without the module's directive.
func vanilla(s *stage, app string) *caddySite {
	return startCaddy(s, globalBlock, func(url string) string {
		return url + " {\n\treverse_proxy " + app + "\n}\n"
	})
}

// telling is a vanilla that tells the app who is signed in, always the same, by
// the headers by which ours does.
func telling(s *stage, app string) *caddySite {
	return startCaddy(s, globalBlock, func(url string) string {
		return url + ` {
	reverse_proxy ` + app + ` {
		header_up Remote-User person@example.com
		header_up Remote-Email person@example.com
		header_up Remote-Subject 0123456789abcdefghijkl
	}
}
`
	})
}

// messagesFile is where messages go, in the Caddy's folder.
const messagesFile = "messages.jsonl"

// toFile delivers into the file that codes are read from.
const toFile = "file " + messagesFile

// guarded is a Caddy with the module. store are lines of the global otp block,
// and email is its sender. Its throttles by client_ip are out of the way: all of
// the load comes from one address. lines are further ones of its otp block.
func guarded(s *stage, app, store, email string, lines ...string) *caddySite {
	global := globalBlock + "\totp {\n\t\t" + store + "\n\t\tsecret a-secret-of-more-than-thirty-two-bytes\n\t}\n"
	site := func(url, email string) string {
		return fmt.Sprintf(`%s {
	otp {
		public_url %s
		email %s
		throttle client_ip 1000000 1s
		%s
	}
	reverse_proxy %s
}
`, url, url, email, strings.Join(lines, "\n\t\t"), app)
	}
	c := startCaddy(s, global, func(url string) string { return site(url, email) })
	c.reload = func(email string) error { return c.caddy.Reload(global, site(c.url(), email)) }
	return c
}

func startCaddy(s *stage, global string, site func(url string) string) *caddySite {
	host := fmt.Sprintf("localhost:%d", freeport.Take(s))
	c := &caddySite{host: host, codes: make(map[string]string)}
	c.caddy = caddyserver.Start(s, global, site("http://"+host))
	c.pid, c.admin = c.caddy.PID(), c.caddy.Admin()
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		s.Fatal(err)
	}
	c.addr = net.JoinHostPort("127.0.0.1", port)
	awaitListener(s, c.addr)
	return c
}

func (c *caddySite) url() string { return "http://" + c.host }

// deliveryWait bounds how long messages may take to arrive.
const deliveryWait = 30 * time.Second

// code returns the code that an address was sent, once it is there.
func (c *caddySite) code(address string) (string, error) {
	for deadline := time.Now().Add(deliveryWait); ; time.Sleep(time.Millisecond) {
		if code, ok := c.codes[address]; ok {
			delete(c.codes, address)
			return code, nil
		}
		if err := c.readMessages(); err != nil {
			return "", err
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("no message to %s arrived", address)
		}
	}
}

// readMessages reads what was delivered since the last time.
func (c *caddySite) readMessages() error {
	file, err := os.Open(filepath.Join(c.caddy.Dir, messagesFile))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Seek(c.read, io.SeekStart); err != nil {
		return err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1] // the last may be half written
	c.read += int64(len(text))
	for line := range bytes.Lines(text) {
		var message struct{ To, Code string }
		if err := json.Unmarshal(line, &message); err != nil {
			return err
		}
		c.codes[message.To] = message.Code
	}
	return nil
}

// forgetMessages leaves out all that was delivered so far.
func (c *caddySite) forgetMessages() error {
	if err := c.readMessages(); err != nil {
		return err
	}
	clear(c.codes)
	return nil
}

// Paths of the Nest Auth API, which stands for the three, and of the pages.
const (
	startPath   = "/auth/passwordless/send"
	verifyPath  = "/auth/login"
	loginPath   = "/.otp/login"
	confirmPath = "/.otp/verify"
)

func startBody(address string) string {
	return `{"identifier":"` + address + `","channel":"email"}`
}

func verifyBody(address, code string) string {
	return `{"providerName":"passwordless","credentials":{"identifier":"` + address + `","code":"` + code + `","channels":["email"]}}`
}

// signIn returns the cookie of the pages and a bearer token of the API, both
// of one person.
func (c *caddySite) signIn() (cookie, bearer string, err error) {
	if cookie, err = c.signInByPage("person@example.com"); err != nil {
		return "", "", err
	}
	bearer, err = c.signInByAPI("caller@example.com")
	return cookie, bearer, err
}

func (c *caddySite) signInByPage(address string) (cookie string, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if _, err := c.post(browser, loginPath, "application/x-www-form-urlencoded", url.Values{"address": {address}}.Encode(), http.StatusSeeOther); err != nil {
		return "", err
	}
	code, err := c.code(address)
	if err != nil {
		return "", err
	}
	if _, err := c.post(browser, confirmPath, "application/x-www-form-urlencoded", url.Values{"code": {code}}.Encode(), http.StatusSeeOther); err != nil {
		return "", err
	}
	site, err := url.Parse(c.url())
	if err != nil {
		return "", err
	}
	var pairs []string
	for _, kept := range jar.Cookies(site) {
		pairs = append(pairs, kept.Name+"="+kept.Value)
	}
	return strings.Join(pairs, "; "), nil
}

func (c *caddySite) signInByAPI(address string) (bearer string, err error) {
	if _, err := c.post(http.DefaultClient, startPath, "application/json", startBody(address), http.StatusOK); err != nil {
		return "", err
	}
	code, err := c.code(address)
	if err != nil {
		return "", err
	}
	answer, err := c.post(http.DefaultClient, verifyPath, "application/json", verifyBody(address, code), http.StatusOK)
	if err != nil {
		return "", err
	}
	var tokens struct{ AccessToken string }
	if err := json.Unmarshal(answer, &tokens); err != nil {
		return "", err
	}
	if tokens.AccessToken == "" {
		return "", fmt.Errorf("the login answered without a token: %s", answer)
	}
	return tokens.AccessToken, nil
}

func (c *caddySite) post(client *http.Client, path, contentType, body string, status int) ([]byte, error) {
	request, err := http.NewRequest(http.MethodPost, c.url()+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Origin", c.url())
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != status {
		err = fmt.Errorf("POST %s: status %d: %s", path, answer.StatusCode, text)
	}
	return text, err
}
