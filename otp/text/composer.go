// SPDX-License-Identifier: Apache-2.0

package text

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"net"
	"strings"
	texttemplate "text/template"
	"unicode"

	"github.com/caddy-otp/caddy-otp/otp"
)

//go:embed templates
var templates embed.FS

var (
	mailText = texttemplate.Must(texttemplate.ParseFS(templates, "templates/mail.txt"))
	mailHTML = htmltemplate.Must(htmltemplate.ParseFS(templates, "templates/mail.html"))
)

// Options say whose messages a [Composer] words.
type Options struct {
	// SiteName is what people call the site. Default: Host.
	SiteName string
	// Host is the host of the site's public URL, with its port if it has one.
	// Never what a request calls the site.
	Host string
}

const (
	maxSiteName = 60
	// maxHost leaves room for a code of 12 digits, twice, in one SMS.
	maxHost = 120
)

// Composer words messages. It implements [otp.Composer] and is safe for
// concurrent use. Nothing but the message's code, link, lifetime and language
// and the options get into a text.
type Composer struct {
	catalogue *Catalogue
	name      string // the site in a subject
	site      string // the site in a sentence
	host      string
	domain    string // the host without its port
	stencils  stencils
}

// NewComposer returns a composer for a site. Its error says what to write.
func NewComposer(o Options) (*Composer, error) {
	domain := o.Host
	if host, _, err := net.SplitHostPort(o.Host); err == nil {
		domain = host
		if strings.Contains(host, ":") {
			domain = "[" + host + "]"
		}
	}
	switch {
	case domain == "" || strings.ContainsFunc(o.Host, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/@#%", r) }):
		return nil, fmt.Errorf("host %q is no host; write one like app.example.com", o.Host)
	case len(o.Host) > maxHost:
		return nil, fmt.Errorf("host has %d characters; at most %d fit into an SMS with a code", len(o.Host), maxHost)
	case len(o.SiteName) > maxSiteName || strings.ContainsFunc(o.SiteName, func(r rune) bool { return !unicode.IsPrint(r) }):
		return nil, fmt.Errorf("the site's name must be one line of at most %d bytes", maxSiteName)
	}
	c := &Composer{catalogue: NewCatalogue(), name: o.Host, site: o.Host, host: o.Host, domain: domain}
	if o.SiteName != "" && o.SiteName != o.Host {
		c.name, c.site = o.SiteName, o.SiteName+" ("+o.Host+")"
	}
	return c, nil
}

// Compose words a message in the language that suits its locale best. It
// returns an error for a channel that it has no words for, and for a message
// with neither a code nor a link.
func (c *Composer) Compose(m otp.Message) (otp.Message, error) {
	if m.Code == "" && m.Link == "" {
		return m, errors.New("message has neither a code nor a link")
	}
	w := c.catalogue.Words(m.Locale)
	m.Locale = w.Language
	switch m.Channel {
	case otp.SMS:
		m.Text = c.sms(w, m)
		return m, nil
	case otp.Email:
		return c.stenciled(w, m)
	}
	return m, fmt.Errorf("there are no words for the channel %q", m.Channel)
}

// sms returns the text of an SMS: the code, or the link where there is no
// code. Its last line binds the code to the site, so that a phone offers it
// there and nowhere else (https://wicg.github.io/sms-one-time-codes/).
func (c *Composer) sms(w *Words, m otp.Message) string {
	lifetime := w.Lifetime(m.Lifetime)
	if m.Code == "" {
		return Fill(w.SMS.Link, "site", c.smsName(), "lifetime", lifetime, "link", m.Link)
	}
	wording := w.SMS.Code
	if m.Purpose == otp.MFA {
		wording = w.SMS.Confirm
	}
	bound := "\n@" + c.domain + " #" + m.Code
	for _, name := range []string{c.smsName(), c.domain} {
		text := Fill(wording, "code", m.Code, "site", name, "lifetime", lifetime) + bound
		if length, ok := gsmLength(text); ok && length <= maxSMS {
			return text
		}
	}
	return Fill(w.SMS.ShortCode, "code", m.Code) + bound
}

// smsName is the site's name where SMS can show it, else its host.
func (c *Composer) smsName() string {
	if _, ok := gsmLength(c.name); ok {
		return c.name
	}
	return c.domain
}

// mailView is what the templates of a mail see.
type mailView struct {
	Language, Subject              string
	Lead, Code                     string
	LinkLead, Link, Button, CopyIt string
	Notes                          []string
}

func (c *Composer) mail(w *Words, m otp.Message) (otp.Message, error) {
	lifetime := w.Lifetime(m.Lifetime)
	fill := func(wording string) string {
		return Fill(wording, "site", c.site, "host", c.host, "lifetime", lifetime)
	}
	v := mailView{Language: w.Language, Code: m.Code, Link: m.Link, Button: w.Mail.Button, CopyIt: w.Mail.CopyLink}
	subject, lead, valid := w.Mail.SubjectCode, w.Mail.UseCode, w.Mail.ValidCode
	notAsked := w.Mail.NotAsked
	var keep []string
	if m.Code != "" {
		keep = append(keep, fill(w.Mail.KeepSecret))
	}
	switch {
	case m.Code == "":
		subject, lead, valid = w.Mail.SubjectLink, w.Mail.OpenLink, w.Mail.ValidLink
		keep = append(keep, fill(w.Mail.KeepPrivate))
	case m.Purpose == otp.MFA:
		subject, lead, notAsked = w.Mail.SubjectConfirm, w.Mail.UseConfirm, w.Mail.NotAskedConfirm
	case m.Link != "":
		valid = w.Mail.ValidBoth
		v.LinkLead = w.Mail.OrOpenLink
		keep = append(keep, fill(w.Mail.KeepPrivate))
	}
	v.Subject = Fill(subject, "site", c.name)
	v.Lead = fill(lead)
	v.Notes = append([]string{fill(valid), fill(notAsked)}, keep...)

	var text, html bytes.Buffer
	if err := mailText.Execute(&text, v); err != nil {
		return m, err
	}
	if err := mailHTML.Execute(&html, v); err != nil {
		return m, err
	}
	m.Subject, m.Text, m.HTML = v.Subject, text.String(), html.String()
	return m, nil
}
