// SPDX-License-Identifier: Apache-2.0

package sender_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/sender"
)

// provider answers with a handler and keeps the last request.
type provider struct {
	*httptest.Server
	last *http.Request
	body string
	seen int
}

func newProvider(t *testing.T, answer http.HandlerFunc) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		p.last, p.body = r, string(body)
		p.seen++
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func newHTTP(t *testing.T, c sender.HTTP) otp.Sender {
	t.Helper()
	s, err := sender.NewHTTP(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// nasty values would break out of any place that doesn't escape them.
var nasty = []string{
	`plain`,
	`"}, "to": "evil`,
	"line\nbreak\r\nand\ttab",
	`back\slash \u0041 \`,
	`a&b=c;d%20e+f#g?h/i/../j`,
	`<b>&amp;'"</b>`,
	`{otp.code} {otp.to} {"a":1}`,
	"Grüße, 世界 👋 \u2028 \x00 \x7f",
}

func TestHTTPEscapes(t *testing.T) {
	for _, value := range nasty {
		m := mail()
		m.Text, m.Subject, m.To = value, value, value
		t.Run(value, func(t *testing.T) {
			p := newProvider(t, nil)
			send := func(contentType, path, body string) {
				t.Helper()
				err := newHTTP(t, sender.HTTP{
					URL: p.URL + path, Body: body, Headers: http.Header{"Content-Type": {contentType}},
				}).Send(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
			}

			send("application/json; charset=utf-8", "/", `{"n": {"{otp.text}": ["{otp.text}", 1]}}`)
			var fromJSON struct{ N map[string][]any }
			if err := json.Unmarshal([]byte(p.body), &fromJSON); err != nil || len(fromJSON.N) != 1 || fromJSON.N[value][0] != value {
				t.Errorf("JSON %s: %v", p.body, err)
			}

			send("application/x-www-form-urlencoded", "/", `to={otp.to}&text={otp.text}&fixed=1`)
			form, err := url.ParseQuery(p.body)
			if err != nil || len(form) != 3 || form.Get("text") != value || form.Get("to") != value {
				t.Errorf("form %s: %v", p.body, err)
			}

			send("text/plain", "/", `<{otp.text}>`)
			if p.body != "<"+value+">" {
				t.Errorf("text %q", p.body)
			}

			send("text/plain", "/v1/{otp.text}/send?to={otp.to}&text={otp.text}", "x")
			query := p.last.URL.Query()
			if got := strings.Split(p.last.URL.EscapedPath(), "/"); len(got) != 4 || p.last.URL.Path != "/v1/"+value+"/send" {
				t.Errorf("path %q", p.last.URL.EscapedPath())
			}
			if len(query) != 2 || query.Get("to") != value || query.Get("text") != value {
				t.Errorf("query %q", p.last.URL.RawQuery)
			}

			if strings.ContainsRune(value, 0) {
				return // XML has no way to write it
			}
			send("application/xml", "/", `<sms to="{otp.text}">{otp.text}</sms>`)
			var fromXML struct {
				To   string `xml:"to,attr"`
				Text string `xml:",chardata"`
			}
			if err := xml.Unmarshal([]byte(p.body), &fromXML); err != nil || fromXML.Text != value || fromXML.To != value {
				t.Errorf("XML %s: %v", p.body, err)
			}
		})
	}
}

func TestHTTPDefaults(t *testing.T) {
	p := newProvider(t, nil)
	s := newHTTP(t, sender.HTTP{URL: p.URL})
	for _, m := range []otp.Message{mail(), sms()} {
		for range 2 { // what a second try sends is the same
			if err := s.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if p.last.Method != http.MethodPost || p.last.Header.Get("Content-Type") != "application/json" || p.last.Header.Get("Idempotency-Key") != m.ID {
				t.Errorf("%s with %v", p.last.Method, p.last.Header)
			}
			var got map[string]string
			if err := json.Unmarshal([]byte(p.body), &got); err != nil {
				t.Fatal(err)
			}
			want := map[string]string{
				"id": m.ID, "to": m.To, "subject": m.Subject, "text": m.Text, "html": m.HTML,
				"code": m.Code, "link": m.Link, "locale": m.Locale,
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		}
	}
}

func TestHTTPRequest(t *testing.T) {
	p := newProvider(t, nil)
	err := newHTTP(t, sender.HTTP{
		URL: p.URL + "/send?token=t0ken", Method: http.MethodPut, ID: "X-Request-Id",
		Headers: http.Header{
			"authorization": {"Bearer s3cret"}, "X-To": {"<{otp.to}>", "{otp.locale}"}, "Host": {"sms.example"}, "User-Agent": {"acme"},
		},
	}).Send(t.Context(), mail())
	if err != nil {
		t.Fatal(err)
	}
	h := p.last.Header
	if p.last.Method != http.MethodPut || p.last.Host != "sms.example" || p.last.URL.RawQuery != "token=t0ken" ||
		h.Get("Authorization") != "Bearer s3cret" || fmt.Sprint(h["X-To"]) != "[<Ada@example.com> en]" ||
		h.Get("X-Request-Id") != "m1-Abc_9" || h.Get("Idempotency-Key") != "" || h.Get("User-Agent") != "acme" {
		t.Errorf("%s %s %s %v", p.last.Method, p.last.Host, p.last.URL, h)
	}

	err = newHTTP(t, sender.HTTP{URL: p.URL + "/?to={otp.to}&code={otp.code}", Method: http.MethodGet}).Send(t.Context(), sms())
	if err != nil || p.last.Method != http.MethodGet || p.body != "" || p.last.URL.Query().Get("to") != "+4930123456" {
		t.Errorf("%v, %s %s %q", err, p.last.Method, p.last.URL, p.body)
	}
}

func TestHTTPHeaderInjection(t *testing.T) {
	p := newProvider(t, nil)
	s := newHTTP(t, sender.HTTP{URL: p.URL, Headers: http.Header{"X-Subject": {"{otp.subject}"}}})
	for _, subject := range []string{"a\r\nX-Evil: 1", "a\nb", "a\x00b"} {
		m := mail()
		m.Subject = subject
		err := s.Send(t.Context(), m)
		if !errors.Is(err, otp.ErrUndeliverable) {
			t.Errorf("%q: %v", subject, err)
		}
	}
	if p.seen > 0 {
		t.Errorf("the provider was called with %v", p.last.Header)
	}
}

func TestHTTPAnswers(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	for range 1000 {
		zip.Write(make([]byte, 10<<10))
	}
	zip.Close()
	const (
		delivered = iota
		retryable
		undeliverable
	)
	type answer struct {
		status int
		header map[string]string
		body   string
	}
	big := `{"pad":"` + strings.Repeat("x", 64<<10) + `","status":"ok"}`
	tests := []struct {
		name    string
		success []string
		answer  answer
		want    int
	}{
		{"200", nil, answer{status: 200}, delivered},
		{"202", nil, answer{status: 202}, delivered},
		{"204", nil, answer{status: 204}, delivered},
		{"200 that says no, unasked", nil, answer{status: 200, body: `{"status":"error"}`}, delivered},
		{"200 with a big answer", nil, answer{status: 200, body: big}, delivered},
		{"202 where 200 is asked for", []string{"200"}, answer{status: 202}, retryable},
		{"409 where it means delivered", []string{"2xx", "409"}, answer{status: 409}, delivered},
		{"400", nil, answer{status: 400}, undeliverable},
		{"401", nil, answer{status: 401}, retryable},
		{"402", nil, answer{status: 402}, retryable},
		{"403", nil, answer{status: 403}, retryable},
		{"404", nil, answer{status: 404}, undeliverable},
		{"405", nil, answer{status: 405}, retryable},
		{"408", nil, answer{status: 408}, retryable},
		{"409", nil, answer{status: 409}, retryable},
		{"410", nil, answer{status: 410}, undeliverable},
		{"413", nil, answer{status: 413}, undeliverable},
		{"422", nil, answer{status: 422}, undeliverable},
		{"425", nil, answer{status: 425}, retryable},
		{"429", nil, answer{status: 429, header: map[string]string{"Retry-After": "30"}}, retryable},
		{"500", nil, answer{status: 500}, retryable},
		{"503", nil, answer{status: 503}, retryable},
		{"a redirect", nil, answer{status: 301, header: map[string]string{"Location": "/elsewhere"}}, retryable},
		{"a redirect that keeps the body", nil, answer{status: 307, header: map[string]string{"Location": "/elsewhere"}}, retryable},
		{"a redirect to nowhere", nil, answer{status: 302}, retryable},
		{"ok", []string{"status", "ok"}, answer{status: 200, body: `{"status":"ok"}`}, delivered},
		{"ok, but 500", []string{"status", "ok"}, answer{status: 500, body: `{"status":"ok"}`}, retryable},
		{"not ok", []string{"status", "ok"}, answer{status: 200, body: `{"status":"error"}`}, retryable},
		{"no status", []string{"status", "ok"}, answer{status: 200, body: `{}`}, retryable},
		{"nested", []string{"200", "202", "data.result.code", "0"}, answer{status: 202, body: `{"data":{"result":{"code":0}}}`}, delivered},
		{"in an array", []string{"messages.1.status", "0"}, answer{status: 200, body: `{"messages":[{"status":"7"},{"status":"0"}]}`}, delivered},
		{"beyond an array", []string{"messages.2.status", "0"}, answer{status: 200, body: `{"messages":[{"status":"0"}]}`}, retryable},
		{"no index", []string{"messages.-1", "0"}, answer{status: 200, body: `{"messages":["0"]}`}, retryable},
		{"below a string", []string{"a.b", "0"}, answer{status: 200, body: `{"a":"b"}`}, retryable},
		{"true", []string{"ok", "true"}, answer{status: 200, body: `{"ok":true}`}, delivered},
		{"false", []string{"ok", "true"}, answer{status: 200, body: `{"ok":false}`}, retryable},
		{"null", []string{"error", "null"}, answer{status: 200, body: `{"error":null}`}, delivered},
		{"an object", []string{"error", "null"}, answer{status: 200, body: `{"error":{}}`}, retryable},
		{"a large number", []string{"id", "12345678901234567890"}, answer{status: 200, body: `{"id":12345678901234567890}`}, delivered},
		{"no JSON", []string{"status", "ok"}, answer{status: 200, body: `status: ok`}, retryable},
		{"too big to judge", []string{"status", "ok"}, answer{status: 200, body: big}, retryable},
		{"a gzip bomb", []string{"status", "ok"}, answer{status: 200, body: bomb.String(), header: map[string]string{"Content-Encoding": "gzip"}}, retryable},
		{"less than it announces", []string{"status", "ok"}, answer{status: 200, body: `{"status":"ok"}`, header: map[string]string{"Content-Length": "99"}}, retryable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
				for name, value := range tt.answer.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.answer.status)
				// Whoever hangs up on a big answer is in the right.
				_, _ = io.WriteString(w, tt.answer.body)
			})
			success, err := sender.ParseSuccess(tt.success...)
			if err != nil {
				t.Fatal(err)
			}
			err = newHTTP(t, sender.HTTP{
				URL: p.URL + "/p4th/{otp.to}?key=t0ken", Headers: http.Header{"Authorization": {"s3cret"}}, Success: success,
			}).Send(t.Context(), mail())
			if p.seen != 1 {
				t.Errorf("%d requests", p.seen)
			}
			if (err == nil) != (tt.want == delivered) || errors.Is(err, otp.ErrUndeliverable) != (tt.want == undeliverable) {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				mustNotTell(t, err, mail(), "p4th", "t0ken", "s3cret")
				if !strings.Contains(err.Error(), strings.TrimPrefix(p.URL, "http://")) {
					t.Errorf("%v doesn't name the host", err)
				}
			}
		})
	}
}

// TestHTTPClose shows that a config that goes takes its connections along.
func TestHTTPClose(t *testing.T) {
	closed := make(chan struct{})
	p := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	p.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	p.Start()
	t.Cleanup(p.Close)
	s := newHTTP(t, sender.HTTP{URL: p.URL})
	if err := s.Send(t.Context(), mail()); err != nil {
		t.Fatal(err)
	}
	if err := s.(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open")
	}
}

func TestHTTPStops(t *testing.T) {
	for _, when := range []string{"before the answer", "within the answer"} {
		t.Run(when, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := newProvider(t, func(w http.ResponseWriter, r *http.Request) {
				if when == "within the answer" {
					_, _ = io.WriteString(w, `{"status":`)
					w.(http.Flusher).Flush()
				}
				cancel()
				<-r.Context().Done()
			})
			err := newHTTP(t, sender.HTTP{
				URL: p.URL + "/t0ken", Success: sender.Success{Path: "status", Value: "ok"},
			}).Send(ctx, mail())
			if !errors.Is(err, context.Canceled) || errors.Is(err, otp.ErrUndeliverable) {
				t.Errorf("got %v", err)
			}
			mustNotTell(t, err, mail(), "t0ken")
		})
	}
}

func TestHTTPUnreachable(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		p := newProvider(t, nil)
		p.Close()
		checkUnreachable(t, p.URL, "refused")
	})
	t.Run("an unknown certificate", func(t *testing.T) {
		p := httptest.NewUnstartedServer(nil)
		p.Config.ErrorLog = log.New(io.Discard, "", 0)
		p.StartTLS()
		defer p.Close()
		checkUnreachable(t, p.URL, "certificate")
	})
	for answer, says := range map[string]string{"": "closed the connection", "Ada@example.com\r\n\r\n": "no HTTP answer"} {
		t.Run("answers "+answer, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Read(make([]byte, 64<<10))
					_, _ = io.WriteString(conn, answer)
					conn.Close()
				}
			}()
			checkUnreachable(t, "http://"+listener.Addr().String(), says)
			listener.Close()
			<-done
		})
	}
}

func checkUnreachable(t *testing.T, base, says string) {
	t.Helper()
	err := newHTTP(t, sender.HTTP{URL: base + "/p4th?key=t0ken"}).Send(t.Context(), mail())
	if err == nil || errors.Is(err, otp.ErrUndeliverable) || !strings.Contains(err.Error(), says) {
		t.Fatalf("got %v, want %q", err, says)
	}
	mustNotTell(t, err, mail(), "p4th", "t0ken")
}

func TestHTTPCountries(t *testing.T) {
	p := newProvider(t, nil)
	s := newHTTP(t, sender.HTTP{URL: p.URL, Countries: []string{"DE", "US"}})
	for to, served := range map[string]bool{
		"+4930123456": true, "+12125550123": true, "+16045550123": false, "+442079460123": false, "junk": false,
	} {
		p.seen = 0
		m := sms()
		m.To = to
		err := s.Send(t.Context(), m)
		if served && (err != nil || p.seen != 1) {
			t.Errorf("%s: %v, %d requests", to, err, p.seen)
		}
		if !served && (!errors.Is(err, sender.ErrCountry) || !errors.Is(err, otp.ErrUndeliverable) || p.seen != 0) {
			t.Errorf("%s: %v, %d requests", to, err, p.seen)
		}
	}
	if err := s.Send(t.Context(), mail()); err != nil {
		t.Errorf("an e-mail has no country: %v", err)
	}
}

func TestNewHTTPRefuses(t *testing.T) {
	const good = "https://api.example.com/send"
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	tests := []struct {
		name   string
		config sender.HTTP
		says   string
	}{
		{"no url", sender.HTTP{}, "https://api.example.com/messages"},
		{"a path", sender.HTTP{URL: "/send"}, "write one like"},
		{"no scheme", sender.HTTP{URL: "s3cret.example.com/s3cret"}, "url can't be used; write one like"},
		{"another scheme", sender.HTTP{URL: "ftp://api.example.com/s3cret"}, `url "ftp://api.example.com" can't be used; write one like`},
		{"a fragment", sender.HTTP{URL: good + "#s3cret"}, `url "https://api.example.com" can't be used; write one like`},
		{"a password that isn't encoded", sender.HTTP{URL: "https://s3cret/s3cret:%@api.example.com/"}, "url can't be used; write one like"},
		{"no url but a password", sender.HTTP{URL: "alice:s3cret@api.example.com/"}, "url can't be used; write one like"},
		{"plain http", sender.HTTP{URL: "http://api.example.com/s3cret?s3cret"}, "url http://api.example.com would send codes and tokens in the clear; write https://api.example.com"},
		{"plain http with a password", sender.HTTP{URL: "http://alice:s3cret@api.example.com:8080/"}, "write https://api.example.com:8080 "},
		{"a host of the recipient's", sender.HTTP{URL: "https://{otp.to}/s3cret"}, "host"},
		{"a port of the recipient's", sender.HTTP{URL: "https://api.example.com:{otp.code}/s3cret"}, "url"},
		{"credentials of the recipient's", sender.HTTP{URL: "https://{otp.to}:s3cret@api.example.com"}, "host"},
		{"an unknown placeholder", sender.HTTP{URL: good + "?key=s3cret&to={otp.phone}"}, "{otp.to}"},
		{"an open placeholder", sender.HTTP{URL: good, Body: `{"key":"s3cret","to":"{otp.to"}`}, "{otp.to}"},
		{"another method", sender.HTTP{URL: good, Method: "post"}, "POST"},
		{"a GET with a body", sender.HTTP{URL: good, Method: "GET", Body: "{}"}, "POST"},
		{"a bad header", sender.HTTP{URL: good, Headers: header("X Y", "s3cret")}, "X Y"},
		{"a line break in a header", sender.HTTP{URL: good, Headers: header("X-Key", "s3cret\r\nX-Evil: 1")}, "X-Key"},
		{"an unknown placeholder in a header", sender.HTTP{URL: good, Headers: header("X-Key", "s3cret {otp.secret}")}, "X-Key"},
		{"several lines in a header", sender.HTTP{URL: good, Headers: header("X-Text", "{otp.text}")}, "lines"},
		{"a host by header", sender.HTTP{URL: good, Headers: header("host", "{otp.to}")}, "Host"},
		{"a header of the connection's", sender.HTTP{URL: good, Headers: header("content-length", "5")}, "content-length"},
		{"no media type", sender.HTTP{URL: good, Headers: header("Content-Type", "json/")}, "application/json"},
		{"a type that can't be escaped", sender.HTTP{URL: good, Headers: header("Content-Type", "multipart/form-data; boundary=x")}, "application/json"},
		{"a form without a body", sender.HTTP{URL: good, Headers: header("content-type", "application/x-www-form-urlencoded")}, "body is needed"},
		{"no JSON", sender.HTTP{URL: good, Body: "to={otp.to}&key=s3cret"}, "Content-Type"},
		{"an unquoted placeholder", sender.HTTP{URL: good, Body: `{"to": {otp.to}}`}, "quotes"},
		{"a placeholder in an escape", sender.HTTP{URL: good, Body: `{"to": "\{otp.to}"}`}, "quotes"},
		{"a body without a code", sender.HTTP{URL: good, Body: `{"to": "{otp.to}", "key": "s3cret"}`}, "put {otp.text} into it"},
		{"a body without a placeholder", sender.HTTP{URL: good, Body: `"s3cret"`}, "put {otp.text} into it"},
		{"a GET without a code", sender.HTTP{URL: good + "?to={otp.to}&key=s3cret", Method: "GET"}, "put {otp.text} into it"},
		{"an unknown country", sender.HTTP{URL: good, Countries: []string{"UK"}}, "ISO 3166"},
		{"a bad id", sender.HTTP{URL: good, ID: "X Y"}, "Idempotency-Key"},
		{"a bad status", sender.HTTP{URL: good, Success: sender.Success{Statuses: []string{"ok"}}}, "202"},
		{"a value without a path", sender.HTTP{URL: good, Success: sender.Success{Value: "ok"}}, "path"},
	}
	for _, tt := range tests {
		_, err := sender.NewHTTP(tt.config)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.says)
		}
	}
}

// TestHTTPInTheClear: codes and tokens go without TLS only where nobody else is.
func TestHTTPInTheClear(t *testing.T) {
	for host, taken := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1:8025": true, "[::1]:8025": true, "mailpit": true, "mailpit:8025": true, "mailpit.": true,
		"10.0.0.5": true, "172.16.0.1": true, "192.168.1.1:80": true, "[fd00::1]": true, "[fe80::1]": true, "[::ffff:10.0.0.1]": true,
		"sms.internal": true, "SMS.Internal": true, "sms.local": true, "sms.localhost:80": true, "sms.internal.": true,
		"example.com": false, "example.com.": false, "8.8.8.8": false, "172.32.0.1": false, "[2001:db8::1]": false, "[::ffff:8.8.8.8]": false,
		"internal.example.com": false, "sms.internal.example.com": false, "smsinternal.com": false, "localhost.example.com": false,
		"10.0.0.5.example.com": false, "127.0.0.1.nip.io": false,
	} {
		_, err := sender.NewHTTP(sender.HTTP{URL: "http://" + host + "/send"})
		if (err == nil) != taken {
			t.Errorf("%s: %v", host, err)
		}
		if err != nil && !strings.Contains(err.Error(), "write https://"+host+" ") {
			t.Errorf("%s: %v doesn't say what to write", host, err)
		}
	}
}

// TestHTTPCarriesACode has requests whose body holds none, but that do.
func TestHTTPCarriesACode(t *testing.T) {
	const url = "https://api.example.com/"
	for name, c := range map[string]sender.HTTP{
		"in the path":   {URL: url + "{otp.code}", Body: "{}"},
		"in the query":  {URL: url + "?link={otp.link}", Body: "{}"},
		"in a header":   {URL: url, Headers: http.Header{"X-Code": {"{otp.code}"}}, Body: "{}"},
		"as HTML":       {URL: url, Body: `{"html": "{otp.html}"}`},
		"GET":           {URL: url + "?text={otp.text}", Method: http.MethodGet},
		"GET by header": {URL: url, Method: http.MethodGet, Headers: http.Header{"X-Code": {"{otp.code}"}}},
	} {
		if _, err := sender.NewHTTP(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseSuccess(t *testing.T) {
	good := map[string]sender.Success{
		"":                    {},
		"200 202":             {Statuses: []string{"200", "202"}},
		"2xx status ok":       {Statuses: []string{"2xx"}, Path: "status", Value: "ok"},
		"messages.0.status 0": {Path: "messages.0.status", Value: "0"},
		"200 code 200":        {Statuses: []string{"200"}, Path: "code", Value: "200"},
	}
	for line, want := range good {
		got, err := sender.ParseSuccess(strings.Fields(line)...)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %v, %v", line, got, err)
		}
	}
	for _, line := range []string{"status", "2xx status", "2xx status ok 202", "302", "1xx"} {
		if got, err := sender.ParseSuccess(strings.Fields(line)...); err == nil {
			t.Errorf("%q was read as %v", line, got)
		}
	}
}
