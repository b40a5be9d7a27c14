// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/caddy-otp/caddy-otp/otp"
)

// TLSMode is how a connection to a relay is encrypted.
type TLSMode string

// The modes.
const (
	// TLSRequired: STARTTLS with a valid certificate, or nothing is sent.
	TLSRequired TLSMode = "required"
	// TLSImplicit: TLS with a valid certificate from the first byte on.
	TLSImplicit TLSMode = "implicit"
	// TLSOpportunistic: STARTTLS where the relay offers it, else in the clear.
	// With a password the same as TLSRequired; without one the certificate
	// isn't checked, since whoever could forge it could as well hide the
	// offer (RFC 7435 §3).
	TLSOpportunistic TLSMode = "opportunistic"
)

// SMTP configures a relay for e-mail. Host and From are required.
type SMTP struct {
	// Host is the relay's name with or without a port. The default port is
	// 587 (message submission), or 465 with TLSImplicit.
	Host string
	// Username and Password are both set or both empty. The password is only
	// ever sent through TLS with a valid certificate.
	Username, Password string
	// From is the sender, an address with or without a name:
	// "Acme <login@acme.com>". Message-IDs end with its domain.
	From string
	// ReplyTo is where answers go; empty: to From.
	ReplyTo string
	// HELO is the name by which this machine greets the relay. Default: the
	// host name where it has a domain, else the domain of From.
	HELO string
	// TLS is TLSRequired by default.
	TLS TLSMode
	// RootCAs verify the relay's certificate; nil: the system's.
	RootCAs *x509.CertPool
}

// NewSMTP returns a sender that hands e-mails to a relay, one connection for
// each. What the relay refuses for good at RCPT or DATA wraps
// [otp.ErrUndeliverable]; everything else can be tried again: network and TLS
// failures, temporary answers, and what is the configuration's fault, such as
// a wrong password.
func NewSMTP(c SMTP) (otp.Sender, error) {
	s := &smtpSender{username: c.Username, password: c.Password, helo: c.HELO, mode: c.TLS}
	defaultPort := "587"
	switch c.TLS {
	case "":
		s.mode = TLSRequired
	case TLSImplicit:
		defaultPort = "465"
	case TLSRequired, TLSOpportunistic:
	default:
		return nil, fmt.Errorf("tls %q is unknown; write required, implicit or opportunistic", c.TLS)
	}
	var err error
	if s.host, s.address, err = relayAddress(c.Host, defaultPort); err != nil {
		return nil, err
	}
	if (c.Username == "") != (c.Password == "") {
		return nil, errors.New("smtp needs both username and password, or neither")
	}
	if s.from, err = mailbox("from", c.From); err != nil {
		return nil, err
	}
	_, s.domain, _ = strings.Cut(s.from.Address, "@")
	if c.ReplyTo != "" {
		if s.replyTo, err = mailbox("reply_to", c.ReplyTo); err != nil {
			return nil, err
		}
	}
	if s.helo == "" {
		s.helo = defaultHELO(s.domain)
	}
	if !isVisibleASCII(s.helo) {
		return nil, fmt.Errorf("helo %q is no host name; write one like login.example.com", s.helo)
	}
	s.tls = &tls.Config{
		ServerName: s.host,
		RootCAs:    c.RootCAs,
		MinVersion: tls.VersionTLS12,
		// see TLSOpportunistic
		InsecureSkipVerify: s.mode == TLSOpportunistic && c.Username == "",
	}
	return s, nil
}

func relayAddress(relay, defaultPort string) (host, address string, err error) {
	host, port, err := net.SplitHostPort(relay)
	if err != nil {
		host, port, err = net.SplitHostPort(relay + ":" + defaultPort)
	}
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || number == 0 || !isVisibleASCII(host) {
		return "", "", fmt.Errorf("smtp relay %q is no host:port; write one like mail.example.com:587 or [2001:db8::1]:587", relay)
	}
	return host, net.JoinHostPort(host, port), nil
}

func mailbox(option, s string) (*netmail.Address, error) {
	parsed, err := netmail.ParseAddress(s)
	if err != nil {
		return nil, fmt.Errorf("%s %q is no e-mail address; write one like login@example.com or \"Acme <login@example.com>\"", option, s)
	}
	address, err := otp.ParseEmail(parsed.Address)
	if err != nil {
		return nil, fmt.Errorf("%s %q can't be used: %w", option, s, err)
	}
	return &netmail.Address{Name: parsed.Name, Address: address.Delivery()}, nil
}

// defaultHELO avoids localhost and bare machine names, which relays refuse.
func defaultHELO(domain string) string {
	if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") && isVisibleASCII(name) {
		return name
	}
	return domain
}

// isVisibleASCII reports whether s is printable ASCII without blanks.
func isVisibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

type smtpSender struct {
	host, address      string
	username, password string
	from, replyTo      *netmail.Address
	domain, helo       string
	mode               TLSMode
	tls                *tls.Config
}

// quitDeadline is how long the relay's goodbye is waited for.
const quitDeadline = time.Second

func (s *smtpSender) Send(ctx context.Context, m otp.Message) error {
	// The whole mail exists before the relay is asked for anything: what can't
	// be written must not end half sent.
	mail, err := s.write(m)
	if err != nil {
		return err
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return s.failure(ctx, stepConnect, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	client, step, err := s.greet(ctx, conn)
	if err != nil {
		return s.failure(ctx, step, err)
	}
	if step, err := s.transact(client, m.To, mail); err != nil {
		return s.failure(ctx, step, err)
	}
	// It is delivered, whatever becomes of the goodbye.
	_ = conn.SetDeadline(time.Now().Add(quitDeadline))
	_ = client.Quit()
	return nil
}

// greet begins a session: TLS as configured, then authentication. The step
// says how far it came.
func (s *smtpSender) greet(ctx context.Context, conn net.Conn) (*smtp.Client, smtpStep, error) {
	if s.mode == TLSImplicit {
		secured := tls.Client(conn, s.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, stepTLS, err
		}
		conn = secured
	}
	client, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return nil, stepConnect, err
	}
	client.SkipSMTPUTF8(true) // all addresses are ASCII
	if err := client.Hello(s.helo); err != nil {
		return nil, stepEHLO, err
	}
	encrypted := s.mode == TLSImplicit
	if !encrypted {
		offered, _ := client.Extension("STARTTLS")
		if !offered && s.mode == TLSRequired {
			return nil, stepTLS, errNoSTARTTLS
		}
		if offered {
			if err := client.StartTLS(s.tls); err != nil {
				return nil, stepTLS, err
			}
			encrypted = true
		}
	}
	if s.username == "" {
		return client, "", nil
	}
	if !encrypted {
		return nil, stepTLS, errNoTLSForPassword
	}
	_, offered := client.Extension("AUTH")
	auth := s.auth(strings.Fields(offered))
	if auth == nil {
		return nil, stepAuth, errNoMechanism
	}
	if err := client.Auth(auth); err != nil {
		return nil, stepAuth, err
	}
	return client, "", nil
}

// auth returns the first mechanism of ours among those offered, or nil. The
// connection is encrypted and verified, so the simplest comes first.
func (s *smtpSender) auth(offered []string) smtp.Auth {
	offers := func(name string) bool {
		for _, o := range offered {
			if strings.EqualFold(o, name) {
				return true
			}
		}
		return false
	}
	switch {
	case offers("PLAIN"):
		return smtp.PlainAuth("", s.username, s.password, s.host, false)
	case offers("LOGIN"):
		return smtp.LoginAuth(s.username, s.password, s.host, false)
	case offers("CRAM-MD5"):
		return smtp.CRAMMD5Auth(s.username, s.password)
	}
	return nil
}

// transact hands over one mail for one recipient.
func (s *smtpSender) transact(client *smtp.Client, to string, mail []byte) (smtpStep, error) {
	if err := client.Mail("<" + s.from.Address + ">"); err != nil {
		return stepMail, err
	}
	if err := client.Rcpt("<" + to + ">"); err != nil {
		return stepRcpt, err
	}
	body, err := client.Data()
	if err != nil {
		return stepData, err
	}
	if _, err := body.Write(mail); err != nil {
		return stepData, err
	}
	return stepData, body.Close()
}

// write returns the mail in wire format. What comes out is the same on every
// try but for the date and the boundary.
func (s *smtpSender) write(m otp.Message) ([]byte, error) {
	to, err := otp.ParseEmail(m.To)
	if err != nil || to.Delivery() != m.To {
		return nil, fmt.Errorf("recipient is no canonical e-mail address: %w", otp.ErrUndeliverable)
	}
	if !isVisibleASCII(m.ID) || strings.ContainsAny(m.ID, "<>@") {
		return nil, fmt.Errorf("message id can't stand in a Message-ID: %w", otp.ErrUndeliverable)
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(&netmail.Address{Address: m.To})
	if s.replyTo != nil {
		msg.ReplyToMailAddress(s.replyTo)
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.ID + "@" + s.domain)
	msg.SetDate()
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday notes in return
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("mail can't be written: %w", otp.ErrUndeliverable)
	}
	return b.Bytes(), nil
}
