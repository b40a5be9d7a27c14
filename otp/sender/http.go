// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/endpoint"
)

// HTTP configures a provider that takes messages by HTTP. URL is required.
//
// URL, the values of Headers, and Body may hold the placeholders {otp.to},
// {otp.text}, {otp.code}, {otp.link}, {otp.subject}, {otp.html}, {otp.id} and
// {otp.locale}. Each is escaped for where it stands: in the path or the query
// of the URL, or in a body of the type that the header Content-Type names
// (JSON by default, form, XML or plain text).
type HTTP struct {
	// URL is https, with placeholders after the host only; or http, where the
	// host is this machine or in a private network.
	URL string
	// Method is POST by default.
	Method  string
	Headers http.Header
	// Body is sent as it is written. Empty: a JSON object with the strings
	// id, to, subject, text, html, code, link and locale, all of them always
	// there; or nothing, where Method is GET. It or URL or a header must hold
	// what a recipient signs in with: text, html, code or link.
	Body string
	// Success is how the answer says that the message was taken.
	Success Success
	// ID names the header that carries the message's id, the same on every
	// try. Default: Idempotency-Key.
	ID string
	// Countries are the ISO 3166 regions of the phone numbers that this sender
	// serves; empty: all. For others it returns [ErrCountry].
	Countries []string
}

// ErrCountry says that a sender doesn't serve a number's country. Trying it
// again is useless, but another sender may serve it.
var ErrCountry = fmt.Errorf("sender doesn't serve the number's country: %w", otp.ErrUndeliverable)

const (
	defaultBody     = `{"id":"{otp.id}","to":"{otp.to}","subject":"{otp.subject}","text":"{otp.text}","html":"{otp.html}","code":"{otp.code}","link":"{otp.link}","locale":"{otp.locale}"}`
	defaultIDHeader = "Idempotency-Key"
	jsonType        = "application/json"
)

// NewHTTP returns a sender that makes one request for each message. Redirects
// aren't followed. An answer that finds fault with the message (400, 404, 410,
// 413, 422) wraps [otp.ErrUndeliverable]; everything else can be tried again,
// including what is the configuration's fault, such as a wrong credential.
//
// The sender is an [io.Closer]: it closes the connections that it keeps open
// for the next message.
func NewHTTP(c HTTP) (otp.Sender, error) {
	s := &httpSender{method: c.Method, idHeader: c.ID, success: c.Success, countries: c.Countries}
	if s.method == "" {
		s.method = http.MethodPost
	}
	if !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodGet}, s.method) {
		return nil, fmt.Errorf("method %q can't be used; write POST, PUT, PATCH or GET", c.Method)
	}
	if s.idHeader == "" {
		s.idHeader = defaultIDHeader
	}
	if !httpguts.ValidHeaderFieldName(s.idHeader) {
		return nil, fmt.Errorf("id %q is no name of a header; write one like %s", c.ID, defaultIDHeader)
	}
	if err := c.Success.validate(); err != nil {
		return nil, err
	}
	for _, country := range c.Countries {
		if !otp.IsCountry(country) {
			return nil, fmt.Errorf("country %q is unknown; write ISO 3166 codes such as DE", country)
		}
	}
	for _, prepare := range []func(HTTP) error{s.prepareURL, s.prepareHeaders, s.prepareBody, s.checkCarries} {
		if err := prepare(c); err != nil {
			return nil, err
		}
	}
	s.client = endpoint.NewClient()
	return s, nil
}

type httpSender struct {
	client      *http.Client
	method      string
	host        string // all of the URL that is fit for an error
	path, query pattern
	hasQuery    bool
	headers     []headerPattern
	hostHeader  string
	idHeader    string
	body        pattern
	escapeBody  func(string) string
	success     Success
	countries   []string
}

type headerPattern struct {
	name  string
	value pattern
}

func (s *httpSender) prepareURL(c HTTP) error {
	whole, err := parsePattern(c.URL)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	u, err := endpoint.ParseURL(whole.sample(), "codes and tokens", "https://api.example.com/messages")
	if err != nil {
		return err
	}
	s.host = u.Host
	// A host that a recipient has a say in would let them choose who gets it.
	_, afterScheme, _ := strings.Cut(c.URL, "://")
	authority := afterScheme
	if end := strings.IndexAny(afterScheme, "/?"); end >= 0 {
		authority = afterScheme[:end]
	}
	if strings.Contains(authority, placeholderPrefix) {
		return errors.New("url can't have a placeholder in its host")
	}
	path, query, hasQuery := strings.Cut(c.URL, "?")
	s.hasQuery = hasQuery
	if s.path, err = parsePattern(path); err != nil {
		return err
	}
	s.query, err = parsePattern(query)
	return err
}

func (s *httpSender) prepareHeaders(c HTTP) error {
	for name, values := range c.Headers {
		if err := endpoint.CheckHeaderName(name); err != nil {
			return err
		}
		for _, value := range values {
			p, err := parsePattern(value)
			if err != nil {
				return fmt.Errorf("header %s: %w", name, err)
			}
			if err := endpoint.CheckHeaderValue(name, p.sample()); err != nil {
				return err
			}
			for _, placeholder := range p.names {
				if placeholder == "text" || placeholder == "html" {
					return fmt.Errorf("header %s can't hold {otp.%s}, which has several lines", name, placeholder)
				}
			}
			if strings.EqualFold(name, "Host") {
				if len(p.names) > 0 {
					return errors.New("header Host can't have a placeholder")
				}
				s.hostHeader = value
				continue
			}
			s.headers = append(s.headers, headerPattern{name, p})
		}
	}
	return nil
}

func (s *httpSender) prepareBody(c HTTP) error {
	body := c.Body
	if s.method == http.MethodGet {
		if body != "" {
			return errors.New("a GET has no body; write method POST")
		}
		return nil
	}
	contentType := jsonType
	if types := canonical(c.Headers).Values("Content-Type"); len(types) > 0 {
		contentType = types[0]
	} else {
		s.headers = append(s.headers, headerPattern{"Content-Type", pattern{literals: []string{jsonType}}})
	}
	escape, isJSON, err := escapeFor(contentType)
	if err != nil {
		return err
	}
	if body == "" {
		if !isJSON {
			return fmt.Errorf("a body is needed for the Content-Type %s", contentType)
		}
		body = defaultBody
	}
	if s.body, err = parsePattern(body); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if isJSON && !json.Valid([]byte(s.body.sample())) {
		return errors.New("body is no JSON; write it between backquotes and put quotes around each placeholder, as in `{\"to\": \"{otp.to}\", \"text\": \"{otp.text}\"}`, or name its type with header Content-Type")
	}
	s.escapeBody = escape
	return nil
}

// checkCarries refuses a request that nobody could sign in with.
func (s *httpSender) checkCarries(HTTP) error {
	patterns := []pattern{s.path, s.query, s.body}
	for _, h := range s.headers {
		patterns = append(patterns, h.value)
	}
	for _, p := range patterns {
		for _, name := range p.names {
			if slices.Contains([]string{"text", "html", "code", "link"}, name) {
				return nil
			}
		}
	}
	if s.method == http.MethodGet {
		return errors.New("url brings no code to anybody: a GET has nothing else; put {otp.text} into it, or {otp.code}, {otp.link} or {otp.html}")
	}
	return errors.New("body brings no code to anybody; put {otp.text} into it, or {otp.code}, {otp.link} or {otp.html}")
}

func canonical(h http.Header) http.Header {
	c := make(http.Header, len(h))
	for name, values := range h {
		for _, value := range values {
			c.Add(name, value)
		}
	}
	return c
}

func (s *httpSender) Send(ctx context.Context, m otp.Message) error {
	if !s.serves(m) {
		return ErrCountry
	}
	request, err := s.request(ctx, m)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return s.unanswered(ctx, err)
	}
	defer response.Body.Close()
	return s.judge(ctx, response)
}

// Close implements [io.Closer].
func (s *httpSender) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

func (s *httpSender) serves(m otp.Message) bool {
	if m.Channel != otp.SMS || len(s.countries) == 0 {
		return true
	}
	number, err := otp.ParsePhone(m.To, "")
	return err == nil && slices.Contains(s.countries, number.Country())
}

func (s *httpSender) request(ctx context.Context, m otp.Message) (*http.Request, error) {
	target := s.path.fill(m, url.PathEscape)
	if s.hasQuery {
		target += "?" + s.query.fill(m, url.QueryEscape)
	}
	var body io.Reader
	if s.escapeBody != nil {
		body = strings.NewReader(s.body.fill(m, s.escapeBody))
	}
	request, err := http.NewRequestWithContext(ctx, s.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("http sender %s: the message makes no URL: %w", s.host, otp.ErrUndeliverable)
	}
	request.Header.Set("User-Agent", "caddy-otp")
	request.Header.Set(s.idHeader, m.ID)
	own := make(http.Header)
	for _, h := range s.headers {
		value := h.value.fill(m, verbatim)
		if !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("http sender %s: the message can't stand in header %s: %w", s.host, h.name, otp.ErrUndeliverable)
		}
		own.Add(h.name, value)
	}
	for name, values := range own {
		request.Header[name] = values
	}
	if s.hostHeader != "" {
		request.Host = s.hostHeader
	}
	return request, nil
}

// unanswered words a failed exchange without its URL, which may hold a token.
func (s *httpSender) unanswered(ctx context.Context, err error) error {
	return endpoint.Unanswered(ctx, "http sender "+s.host, err)
}

func (s *httpSender) judge(ctx context.Context, response *http.Response) error {
	// Read even where nothing depends on it: a connection can only be used
	// again once its answer has been read.
	answer, err := io.ReadAll(io.LimitReader(response.Body, endpoint.MaxAnswer+1))
	code := response.StatusCode
	if !s.success.hasStatus(code) {
		return s.refused(code)
	}
	switch {
	case s.success.Path == "":
		return nil
	case err != nil:
		return s.unanswered(ctx, err)
	case len(answer) > endpoint.MaxAnswer:
		return fmt.Errorf("http sender %s answered %d with more than %d bytes", s.host, code, endpoint.MaxAnswer)
	case !s.success.holds(answer):
		return fmt.Errorf("http sender %s answered %d, but %s isn't %s", s.host, code, s.success.Path, s.success.Value)
	}
	return nil
}

func (s *httpSender) refused(code int) error {
	said := fmt.Sprintf("http sender %s answered %d", s.host, code)
	switch {
	case code/100 == 3:
		return fmt.Errorf("%s, a redirect; write the url that it leads to", said)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%s; check its credentials", said)
	case slices.Contains(faultOfMessage, code):
		return fmt.Errorf("%s: %w", said, otp.ErrUndeliverable)
	}
	return errors.New(said)
}

// faultOfMessage are the statuses that the same message will meet again.
var faultOfMessage = []int{
	http.StatusBadRequest, http.StatusNotFound, http.StatusGone,
	http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
}
