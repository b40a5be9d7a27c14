// SPDX-License-Identifier: Apache-2.0

package sender_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/sender"
)

func newSMTP(t *testing.T, c sender.SMTP) otp.Sender {
	t.Helper()
	if c.From == "" {
		c.From = "Acme <login@acme.example>"
	}
	s, err := sender.NewSMTP(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// encrypted is a script of a relay with a good certificate, and the pool that
// verifies it.
func encrypted(t *testing.T) (script, *x509.CertPool) {
	t.Helper()
	a := newAuthority(t)
	return script{tls: &tls.Config{Certificates: []tls.Certificate{a.issue(t, nil)}}}, a.pool()
}

func TestSMTPModes(t *testing.T) {
	const plain, secured = "EHLO MAIL RCPT DATA QUIT", "EHLO STARTTLS +EHLO +MAIL +RCPT +DATA +QUIT"
	tests := []struct {
		name     string
		mode     sender.TLSMode
		password string
		relay    func(*script)
		want     string // verbs, those inside of TLS with a +
		fails    string
	}{
		{"required", "", "", nil, secured, ""},
		{"required, written out", sender.TLSRequired, "", nil, secured, ""},
		{"required, stripped", sender.TLSRequired, "", func(s *script) { s.stripped = true }, "EHLO", "STARTTLS"},
		{"required, stripped, password", sender.TLSRequired, "secret", func(s *script) { s.stripped = true }, "EHLO", "STARTTLS"},
		{"required, refused", sender.TLSRequired, "", func(s *script) { s.replies = map[string]string{"STARTTLS": "454 4.7.0 not now"} }, "EHLO STARTTLS", "answered 454 4.7.0 to TLS"},
		{"required, no EHLO", sender.TLSRequired, "", func(s *script) { s.replies = map[string]string{"EHLO": "502 what?"} }, "EHLO HELO", "STARTTLS"},
		{"required, password", sender.TLSRequired, "secret", nil, "EHLO STARTTLS +EHLO +AUTH +MAIL +RCPT +DATA +QUIT", ""},
		{"implicit", sender.TLSImplicit, "", func(s *script) { s.implicit = true }, "+EHLO +MAIL +RCPT +DATA +QUIT", ""},
		{"implicit, password", sender.TLSImplicit, "secret", func(s *script) { s.implicit = true }, "+EHLO +AUTH +MAIL +RCPT +DATA +QUIT", ""},
		{"opportunistic, offered", sender.TLSOpportunistic, "", nil, secured, ""},
		{"opportunistic, not offered", sender.TLSOpportunistic, "", func(s *script) { s.stripped = true }, plain, ""},
		{"opportunistic, not offered, password", sender.TLSOpportunistic, "secret", func(s *script) { s.stripped = true }, "EHLO", "never sent in the clear"},
		{"opportunistic, password", sender.TLSOpportunistic, "secret", nil, "EHLO STARTTLS +EHLO +AUTH +MAIL +RCPT +DATA +QUIT", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, pool := encrypted(t)
			s.auth = "PLAIN"
			if tt.relay != nil {
				tt.relay(&s)
			}
			r := newRelay(t, s)
			c := sender.SMTP{Host: r.address, TLS: tt.mode, RootCAs: pool}
			if tt.password != "" {
				c.Username, c.Password = "ada", tt.password
			}
			err := newSMTP(t, c).Send(t.Context(), mail())
			switch {
			case tt.fails == "" && err != nil:
				t.Fatal(err)
			case tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)):
				t.Errorf("got error %v, want one with %q", err, tt.fails)
			case tt.fails != "":
				if errors.Is(err, otp.ErrUndeliverable) {
					t.Errorf("%v gives the message up", err)
				}
				mustNotTell(t, err, mail(), "secret")
			}
			seen := r.seen()
			if len(seen) != 1 || seen[0].verbs() != tt.want {
				t.Errorf("relay saw %q, want %q", seen, tt.want)
			}
			if want := tt.password; tt.fails == "" && seen[0].password != want {
				t.Errorf("password %q, want %q", seen[0].password, want)
			}
		})
	}
}

func TestSMTPImplicitAtPlainPort(t *testing.T) {
	s, pool := encrypted(t)
	r := newRelay(t, s)
	err := newSMTP(t, sender.SMTP{Host: r.address, TLS: sender.TLSImplicit, RootCAs: pool}).Send(t.Context(), mail())
	if err == nil || !strings.Contains(err.Error(), "look like a TLS handshake") {
		t.Errorf("got %v", err)
	}
}

func TestSMTPCertificates(t *testing.T) {
	good := newAuthority(t)
	tests := []struct {
		name   string
		config *tls.Config
	}{
		{"of an unknown authority", &tls.Config{Certificates: []tls.Certificate{newAuthority(t).issue(t, nil)}}},
		{"of another host", &tls.Config{Certificates: []tls.Certificate{good.issue(t, func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"other.example"}
		})}}},
		{"expired", &tls.Config{Certificates: []tls.Certificate{good.issue(t, func(c *x509.Certificate) {
			c.NotAfter = time.Now().Add(-time.Minute)
		})}}},
		{"with TLS 1.1 only", &tls.Config{
			Certificates: []tls.Certificate{good.issue(t, nil)},
			MinVersion:   tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
		}},
	}
	for _, tt := range tests {
		for _, mode := range []sender.TLSMode{sender.TLSRequired, sender.TLSImplicit, sender.TLSOpportunistic} {
			t.Run(tt.name+", "+string(mode), func(t *testing.T) {
				r := newRelay(t, script{tls: tt.config, implicit: mode == sender.TLSImplicit, auth: "PLAIN"})
				err := newSMTP(t, sender.SMTP{
					Host: r.address, TLS: mode, RootCAs: good.pool(), Username: "ada", Password: "secret",
				}).Send(t.Context(), mail())
				if err == nil || errors.Is(err, otp.ErrUndeliverable) {
					t.Fatalf("got %v, want an error that keeps the message", err)
				}
				for _, s := range r.seen() {
					if s.data != "" || s.password != "" || strings.Contains(s.verbs(), "MAIL") {
						t.Errorf("relay was told %q", s)
					}
				}
			})
		}
	}
	t.Run("opportunistic without a password", func(t *testing.T) {
		r := newRelay(t, script{tls: tests[0].config})
		if err := newSMTP(t, sender.SMTP{Host: r.address, TLS: sender.TLSOpportunistic}).Send(t.Context(), mail()); err != nil {
			t.Fatal(err)
		}
		if got := r.seen()[0].verbs(); !strings.HasSuffix(got, "+DATA +QUIT") {
			t.Errorf("relay saw %q", got)
		}
	})
}

func TestSMTPAuth(t *testing.T) {
	cram := hmac.New(md5.New, []byte("secret"))
	cram.Write([]byte("<1@relay>"))
	digest := hex.EncodeToString(cram.Sum(nil))
	tests := []struct {
		offered, reply string
		password       string // as the relay saw it
		fails          string
	}{
		{"LOGIN PLAIN", "", "secret", ""},
		{"LOGIN", "", "secret", ""},
		{"CRAM-MD5", "", digest, ""},
		{"GSSAPI", "", "", "none of PLAIN"},
		{"", "", "", "none of PLAIN"},
		{"PLAIN", "535 5.7.8 ada@example.com: bad credentials", "secret", "answered 535 5.7.8 to AUTH; check username and password"},
		{"PLAIN", "454 4.7.0 later", "secret", "answered 454 4.7.0 to AUTH"},
		{"LOGIN", "334 !", "secret", "failed at AUTH"},
	}
	for _, tt := range tests {
		t.Run(tt.offered+" "+tt.reply, func(t *testing.T) {
			s, pool := encrypted(t)
			s.auth = tt.offered
			if tt.reply != "" {
				s.replies = map[string]string{"AUTH": tt.reply}
			}
			r := newRelay(t, s)
			err := newSMTP(t, sender.SMTP{Host: r.address, RootCAs: pool, Username: "ada", Password: "secret"}).Send(t.Context(), mail())
			seen := r.seen()[0]
			if seen.password != tt.password || tt.password != "" && seen.username != "ada" {
				t.Errorf("relay was given %q, %q", seen.username, seen.password)
			}
			if tt.fails == "" {
				if err != nil || seen.data == "" {
					t.Errorf("got %v, data %q", err, seen.data)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.fails) || errors.Is(err, otp.ErrUndeliverable) {
				t.Fatalf("got %v, want %q", err, tt.fails)
			}
			mustNotTell(t, err, mail(), "secret")
		})
	}
}

func TestSMTPAnswers(t *testing.T) {
	tests := []struct {
		verb, reply   string
		says          string
		undeliverable bool
	}{
		{"greeting", "554 5.7.1 no service for ada@example.com", "answered 554 5.7.1 to the connection", false},
		{"greeting", "421 busy", "answered 421 to the connection", false},
		{"greeting", "HTTP/1.1 400 Bad Request", "isn't SMTP", false},
		{"EHLO", hangUp, "EHLO", false},
		{"MAIL", "550 5.7.1 sender refused", "answered 550 5.7.1 to MAIL", false},
		{"MAIL", "530 5.7.0 authenticate first", "answered 530 5.7.0 to MAIL; check username and password", false},
		{"RCPT", "550 5.1.1 <Ada@example.com>: no such user", "answered 550 5.1.1 to RCPT", true},
		{"RCPT", "553 no", "answered 553 to RCPT", true},
		{"RCPT", "535 5.7.8 who are you", "answered 535 5.7.8 to RCPT; check username and password", false},
		{"RCPT", "451 4.7.1 greylisted, Ada@example.com", "answered 451 4.7.1 to RCPT", false},
		{"RCPT", "450 4.2.0 later", "answered 450 4.2.0 to RCPT", false},
		{"RCPT", "421 4.3.2 going down", "answered 421 4.3.2 to RCPT", false},
		{"RCPT", "Ada@example.com is what?", "isn't SMTP", false},
		{"RCPT", hangUp, "closed the connection", false},
		{"DATA", "554 5.5.1 no", "answered 554 5.5.1 to DATA", true},
		{"DATA", "451 no", "answered 451 to DATA", false},
		{"DATA", "250 what", "answered 250 to DATA", false},
		{".", "554 5.7.1 spam from Ada@example.com", "answered 554 5.7.1 to DATA", true},
		{".", "552 5.2.2 mailbox full", "answered 552 5.2.2 to DATA", true},
		{".", "452 4.3.1 disk full", "answered 452 4.3.1 to DATA", false},
		{".", hangUp, "closed the connection", false},
	}
	for _, tt := range tests {
		t.Run(tt.verb+" "+tt.reply, func(t *testing.T) {
			s, pool := encrypted(t)
			s.replies = map[string]string{tt.verb: tt.reply}
			r := newRelay(t, s)
			err := newSMTP(t, sender.SMTP{Host: r.address, RootCAs: pool}).Send(t.Context(), mail())
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), r.address) {
				t.Errorf("got %q, want %q and the relay", err, tt.says)
			}
			if errors.Is(err, otp.ErrUndeliverable) != tt.undeliverable {
				t.Errorf("%v: undeliverable is %v", err, !tt.undeliverable)
			}
			mustNotTell(t, err, mail())
		})
	}
	t.Run("a goodbye that fails", func(t *testing.T) {
		s, pool := encrypted(t)
		s.replies = map[string]string{"QUIT": hangUp}
		r := newRelay(t, s)
		if err := newSMTP(t, sender.SMTP{Host: r.address, RootCAs: pool}).Send(t.Context(), mail()); err != nil {
			t.Errorf("a delivered mail is reported as %v", err)
		}
	})
}

// TestSMTPStops ends the context while the relay owes an answer.
func TestSMTPStops(t *testing.T) {
	for _, verb := range []string{"greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "."} {
		t.Run(verb, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, pool := encrypted(t)
			s.auth = "PLAIN"
			s.replies = map[string]string{verb: silent}
			s.heard = func(v string) {
				if v == verb {
					cancel()
				}
			}
			r := newRelay(t, s)
			err := newSMTP(t, sender.SMTP{Host: r.address, RootCAs: pool, Username: "ada", Password: "secret"}).Send(ctx, mail())
			if !errors.Is(err, context.Canceled) || errors.Is(err, otp.ErrUndeliverable) {
				t.Errorf("got %v", err)
			}
			mustNotTell(t, err, mail(), "secret")
		})
	}
	t.Run("deadline", func(t *testing.T) {
		r := newRelay(t, script{replies: map[string]string{"greeting": silent}})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := newSMTP(t, sender.SMTP{Host: r.address}).Send(ctx, mail()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
		err = newSMTP(t, sender.SMTP{Host: listener.Addr().String()}).Send(t.Context(), mail())
		if err == nil || errors.Is(err, otp.ErrUndeliverable) {
			t.Errorf("got %v", err)
		}
	})
}

// part is one part of a mail, decoded.
type part struct{ contentType, content string }

func readMail(t *testing.T, data string) (netmail.Header, []part) {
	t.Helper()
	message, err := netmail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	mediaType, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/alternative" {
		t.Fatalf("%v, %v", mediaType, err)
	}
	var parts []part
	reader := multipart.NewReader(message.Body, parameters["boundary"])
	for {
		p, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return message.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Header.Get("Content-Transfer-Encoding"); got != "quoted-printable" {
			t.Errorf("encoding %q", got)
		}
		content, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{p.Header.Get("Content-Type"), strings.ReplaceAll(string(content), "\r\n", "\n")})
	}
}

func TestSMTPMail(t *testing.T) {
	s, pool := encrypted(t)
	r := newRelay(t, s)
	relay := newSMTP(t, sender.SMTP{
		Host: r.address, RootCAs: pool, From: "Zoë's Login <Login@ACME.example>",
		ReplyTo: "help@acme.example", HELO: "login.acme.example",
	})
	m := mail()
	m.Text = "Your code:\n.\n..hidden dots\n" + strings.Repeat("long ", 50) + "\n"
	for range 2 {
		if err := relay.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	seen := r.seen()
	if want := []string{
		"EHLO login.acme.example", "STARTTLS", "tls EHLO login.acme.example",
		"tls MAIL FROM:<Login@ACME.example> BODY=8BITMIME", "tls RCPT TO:<Ada@example.com>", "tls DATA", "tls QUIT",
	}; !slices.Equal(seen[0].lines, want) {
		t.Errorf("got  %q\nwant %q", seen[0].lines, want)
	}
	header, parts := readMail(t, seen[0].data)
	if names := strings.Join(slices.Sorted(maps.Keys(header)), " "); names != "Auto-Submitted Content-Type Date From Message-Id Mime-Version Reply-To Subject To" {
		t.Errorf("headers %s", names)
	}
	for name, values := range header {
		if len(values) != 1 {
			t.Errorf("%s: %q", name, values)
		}
	}
	for name, want := range map[string]string{
		"Message-Id": "<m1-Abc_9@ACME.example>", "Auto-Submitted": "auto-generated",
		"To": "<Ada@example.com>", "Reply-To": "<help@acme.example>",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if from, err := header.AddressList("From"); err != nil || from[0].Name != "Zoë's Login" || from[0].Address != "Login@ACME.example" {
		t.Errorf("From %v, %v", from, err)
	}
	if date, err := header.Date(); err != nil || time.Since(date) > time.Minute {
		t.Errorf("Date %v, %v", date, err)
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject")); err != nil || subject != m.Subject {
		t.Errorf("Subject %q, %v", subject, err)
	}
	if want := []part{{"text/plain; charset=UTF-8", m.Text}, {"text/html; charset=UTF-8", m.HTML}}; !slices.Equal(parts, want) {
		t.Errorf("got  %q\nwant %q", parts, want)
	}
	if again, _ := readMail(t, seen[1].data); again.Get("Message-Id") != header.Get("Message-Id") {
		t.Errorf("Message-ID %q, then %q", header.Get("Message-Id"), again.Get("Message-Id"))
	}
}

func TestSMTPInjection(t *testing.T) {
	s, pool := encrypted(t)
	r := newRelay(t, s)
	relay := newSMTP(t, sender.SMTP{Host: r.address, RootCAs: pool})
	for _, to := range []string{
		"", "a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com", "Ada <a@example.com>", " a@example.com",
		`"a> SIZE=9 <b"@example.com`, "a@example.com> NOTIFY=NEVER", "a@exämple.com", "a@[127.0.0.1]", "+4930123456", "a\x00@example.com",
	} {
		m := mail()
		m.To = to
		if err := relay.Send(t.Context(), m); !errors.Is(err, otp.ErrUndeliverable) {
			t.Errorf("to %q: %v", to, err)
		}
	}
	for _, id := range []string{"", "a b", "a>\r\nBcc: b@example.com", "a@b", "ä"} {
		m := mail()
		m.ID = id
		if err := relay.Send(t.Context(), m); !errors.Is(err, otp.ErrUndeliverable) {
			t.Errorf("id %q: %v", id, err)
		}
	}
	if n := len(r.seen()); n > 0 {
		t.Fatalf("the relay was called %d times", n)
	}
	m := mail()
	m.Subject = "Hello\r\nBcc: b@example.com\r\n\r\nbody"
	m.Text = "text\r\n.\r\nMAIL FROM:<x@example.com>\r\n"
	if err := relay.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	seen := r.seen()[0]
	header, parts := readMail(t, seen.data)
	if header.Get("Bcc") != "" || len(header) != 8 || len(parts) != 2 {
		t.Errorf("headers %v, %d parts", header, len(parts))
	}
	if got := strings.Count(seen.verbs(), "MAIL") + strings.Count(seen.verbs(), "RCPT"); got != 2 {
		t.Errorf("relay saw %q", seen.verbs())
	}
}

func TestNewSMTPRefuses(t *testing.T) {
	good := sender.SMTP{Host: "mail.example.com", From: "login@example.com"}
	tests := []struct {
		name   string
		change func(*sender.SMTP)
		says   string
	}{
		{"no host", func(c *sender.SMTP) { c.Host = "" }, "host:port"},
		{"no host, but a port", func(c *sender.SMTP) { c.Host = ":25" }, "host:port"},
		{"a bad port", func(c *sender.SMTP) { c.Host = "mail.example.com:smtp" }, "host:port"},
		{"port 0", func(c *sender.SMTP) { c.Host = "mail.example.com:0" }, "host:port"},
		{"a bare IPv6 address", func(c *sender.SMTP) { c.Host = "2001:db8::1" }, "[2001:db8::1]:587"},
		{"a blank in the host", func(c *sender.SMTP) { c.Host = "mail example.com" }, "host:port"},
		{"an unknown mode", func(c *sender.SMTP) { c.TLS = "yes" }, "required, implicit or opportunistic"},
		{"no password", func(c *sender.SMTP) { c.Username = "ada" }, "both username and password"},
		{"no username", func(c *sender.SMTP) { c.Password = "secret" }, "both username and password"},
		{"no from", func(c *sender.SMTP) { c.From = "" }, "from"},
		{"a from of two", func(c *sender.SMTP) { c.From = "a@example.com, b@example.com" }, "from"},
		{"a from with a line break", func(c *sender.SMTP) { c.From = "a@example.com\r\nBcc: b@example.com" }, "from"},
		{"a from without a domain", func(c *sender.SMTP) { c.From = "root@localhost" }, "from"},
		{"a bad reply_to", func(c *sender.SMTP) { c.ReplyTo = "help" }, "reply_to"},
		{"a helo with a blank", func(c *sender.SMTP) { c.HELO = "a b" }, "helo"},
	}
	for _, tt := range tests {
		c := good
		tt.change(&c)
		if _, err := sender.NewSMTP(c); err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
		}
	}
	for _, host := range []string{"mail.example.com", "mail.example.com:25", "[2001:db8::1]", "[2001:db8::1]:25", "192.0.2.1", "localhost:2525"} {
		c := good
		c.Host = host
		if _, err := sender.NewSMTP(c); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestSMTPDefaultPorts listens nowhere: the error names the port that was
// tried.
func TestSMTPDefaultPorts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for mode, port := range map[sender.TLSMode]string{"": ":587", sender.TLSOpportunistic: ":587", sender.TLSImplicit: ":465"} {
		err := newSMTP(t, sender.SMTP{Host: "127.0.0.1", TLS: mode}).Send(ctx, mail())
		if err == nil || !strings.Contains(err.Error(), "127.0.0.1"+port+" ") {
			t.Errorf("%q: %v", mode, err)
		}
	}
}
