// SPDX-License-Identifier: Apache-2.0

package sender_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// authority signs certificates for a test.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{key, cert}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue returns a certificate for 127.0.0.1 that change may alter.
func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "relay"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// script is how a relay behaves.
type script struct {
	tls      *tls.Config // nil: no TLS at all
	implicit bool
	stripped bool   // STARTTLS isn't offered
	auth     string // mechanisms that are offered inside of TLS, and outside
	// replies replace the answer to a verb; "greeting" and "." (the end of the
	// data) count as verbs. An answer of hangUp closes the connection, one of
	// silent never comes.
	replies map[string]string
	// heard is called with each verb before it is answered.
	heard func(verb string)
}

const (
	hangUp = "hang up"
	silent = "silent"
)

// relay is a mail server that says what a script tells it to, and remembers
// what it was told.
type relay struct {
	address string
	script  script

	mu       sync.Mutex
	sessions []*session
}

// session is one connection, as the relay saw it.
type session struct {
	lines              []string // commands, those inside of TLS marked
	data               string
	username, password string
}

const insideTLS = "tls "

func newRelay(t *testing.T, s script) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: listener.Addr().String(), script: s}
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			running.Go(func() {
				defer conn.Close()
				r.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return r
}

// seen returns a copy of the sessions so far.
func (r *relay) seen() []session {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []session
	for _, s := range r.sessions {
		c := *s
		c.lines = slices.Clone(s.lines)
		all = append(all, c)
	}
	return all
}

// verbs returns the first words of a session's commands.
func (s session) verbs() string {
	var verbs []string
	for _, line := range s.lines {
		mark := ""
		if rest, ok := strings.CutPrefix(line, insideTLS); ok {
			mark, line = "+", rest
		}
		verb, _, _ := strings.Cut(line, " ")
		verbs = append(verbs, mark+verb)
	}
	return strings.Join(verbs, " ")
}

type dialogue struct {
	*relay
	*session
	conn   net.Conn
	reader *bufio.Reader
	secure bool
}

func (r *relay) serve(conn net.Conn) {
	d := &dialogue{relay: r, session: &session{}, conn: conn}
	r.mu.Lock()
	r.sessions = append(r.sessions, d.session)
	r.mu.Unlock()
	if r.script.implicit && !d.secured() {
		return
	}
	d.reader = bufio.NewReader(d.conn)
	if !d.answer("greeting", "220 relay ESMTP") {
		return
	}
	for {
		line, ok := d.read()
		if !ok {
			return
		}
		d.note(line)
		verb, _, _ := strings.Cut(line, " ")
		if !d.obey(strings.ToUpper(verb), line) {
			return
		}
	}
}

func (d *dialogue) read() (string, bool) {
	line, err := d.reader.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err == nil
}

func (d *dialogue) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.secure {
		line = insideTLS + line
	}
	d.lines = append(d.lines, line)
}

func (d *dialogue) secured() bool {
	secured := tls.Server(d.conn, d.script.tls)
	if secured.Handshake() != nil {
		return false
	}
	d.conn, d.reader, d.secure = secured, bufio.NewReader(secured), true
	return true
}

// answer says what the script has for a verb, or else usual, and reports
// whether the session goes on.
func (d *dialogue) answer(verb, usual string) bool {
	if d.script.heard != nil {
		d.script.heard(verb)
	}
	if scripted, ok := d.script.replies[verb]; ok {
		usual = scripted
	}
	switch usual {
	case hangUp:
		return false
	case silent:
		_, _ = d.reader.ReadString('\n') // until the other side hangs up
		return false
	}
	_, err := fmt.Fprintf(d.conn, "%s\r\n", usual)
	return err == nil
}

func (d *dialogue) obey(verb, line string) bool {
	switch verb {
	case "EHLO":
		offers := "250-relay\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
		if d.script.tls != nil && !d.secure && !d.script.stripped {
			offers += "250-STARTTLS\r\n"
		}
		if d.script.auth != "" {
			offers += "250-AUTH " + d.script.auth + "\r\n"
		}
		return d.answer(verb, offers+"250 SIZE 1000000")
	case "STARTTLS":
		if !d.answer(verb, "220 go ahead") {
			return false
		}
		return d.script.replies[verb] != "" || d.secured()
	case "AUTH":
		return d.authenticate(strings.Fields(line)) && d.answer(verb, "235 2.7.0 welcome")
	case "DATA":
		if !d.answer(verb, "354 go ahead") {
			return false
		}
		return d.script.replies[verb] != "" || d.receive() && d.answer(".", "250 2.0.0 taken")
	case "QUIT":
		d.answer(verb, "221 bye")
		return false
	}
	return d.answer(verb, "250 fine")
}

func (d *dialogue) authenticate(words []string) bool {
	ask := func(challenge string) string {
		fmt.Fprintf(d.conn, "334 %s\r\n", base64.StdEncoding.EncodeToString([]byte(challenge)))
		line, _ := d.read()
		plain, _ := base64.StdEncoding.DecodeString(line)
		return string(plain)
	}
	var username, password string
	switch words[1] {
	case "PLAIN":
		plain, _ := base64.StdEncoding.DecodeString(words[2])
		parts := strings.Split(string(plain), "\x00")
		username, password = parts[1], parts[2]
	case "LOGIN":
		username, password = ask("Username:"), ask("Password:")
	case "CRAM-MD5":
		username, password, _ = strings.Cut(ask("<1@relay>"), " ")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.username, d.password = username, password
	return true
}

func (d *dialogue) receive() bool {
	var data strings.Builder
	for {
		line, ok := d.read()
		if !ok {
			return false
		}
		if line == "." {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.data = data.String()
			return true
		}
		data.WriteString(strings.TrimPrefix(line, ".") + "\r\n")
	}
}
