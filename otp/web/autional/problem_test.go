// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// withoutText removes what changes from request to request and what is in a
// language from a problem.
func withoutText(fields map[string]any) map[string]any {
	for _, name := range []string{"detail", "message", "request_id", "trace_id", "span_id", "timestamp"} {
		delete(fields, name)
	}
	problems, _ := fields["errors"].([]any)
	for _, problem := range problems {
		delete(problem.(map[string]any), "description")
	}
	return fields
}

func TestProblemLanguage(t *testing.T) {
	s := newSite(t, webtest.Options{NoKey: true})
	const body = `{"email":"x","y":1}`
	english := s.Post("/auth/send-login-code", body)
	description := func(a webtest.Answer) string {
		return a.Fields["errors"].([]any)[0].(map[string]any)["description"].(string)
	}
	for languages, want := range map[string][2]string{
		"":                              {invalidParameter.detail.english, fieldCodes["format"].english},
		"fr, en;q=0.5":                  {invalidParameter.detail.english, fieldCodes["format"].english},
		"en, de;q=0.5":                  {invalidParameter.detail.english, fieldCodes["format"].english},
		"de-AT, en;q=0.5":               {invalidParameter.detail.german, fieldCodes["format"].german},
		"zh":                            {invalidParameter.detail.chinese, fieldCodes["format"].chinese},
		"zh-CN,zh;q=0.9,en;q=0.8":       {invalidParameter.detail.chinese, fieldCodes["format"].chinese},
		"zh-TW, en;q=0.9":               {invalidParameter.detail.chinese, fieldCodes["format"].chinese},
		"zh-Hant-HK":                    {invalidParameter.detail.chinese, fieldCodes["format"].chinese},
		"zh-Hans-SG":                    {invalidParameter.detail.chinese, fieldCodes["format"].chinese},
		"ja, zh;q=0.1":                  {invalidParameter.detail.chinese, fieldCodes["format"].chinese},
		strings.Repeat("de, ", 1<<10):   {invalidParameter.detail.english, fieldCodes["format"].english},
		"de'; DROP TABLE languages; --": {invalidParameter.detail.english, fieldCodes["format"].english},
	} {
		a := s.Post("/auth/send-login-code", body, "Accept-Language", languages)
		wantProblem(a, invalidParameter, "email format", "y unknown")
		if got := [2]string{a.Text("detail"), description(a)}; got != want {
			t.Errorf("%.40q: %q, want %q", languages, got, want)
		}
		if !reflect.DeepEqual(withoutText(a.Fields), withoutText(english.Fields)) {
			t.Errorf("%.40q: %v differs from %v", languages, a.Fields, english.Fields)
		}
	}
}

func TestProblemTrace(t *testing.T) {
	s := newSite(t, webtest.Options{NoKey: true})
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	a := s.Post("/auth/send-login-code", `{}`, "Traceparent", parent)
	wantProblem(a, invalidParameter, "email required")
	if a.Text("trace_id") != parent || a.Text("span_id") != "00f067aa0ba902b7" {
		t.Errorf("trace_id is %q, span_id %q", a.Text("trace_id"), a.Text("span_id"))
	}
	made := s.Post("/auth/send-login-code", `{}`, "Traceparent", "x")
	wantProblem(made, invalidParameter, "email required")
	for _, a := range []webtest.Answer{a, made} {
		trace, _ := wire.ParseTraceparent(a.Text("trace_id"))
		id, _ := strings.CutPrefix(a.Text("request_id"), "req_")
		line := "request_id=" + id + " trace_id=" + trace.ID + " span_id=" + trace.Span + "\n"
		if strings.Count(s.Logged(), line) != 1 {
			t.Errorf("%q isn't in the log:\n%s", line, s.Logged())
		}
	}
}

// A defect's line in the log can be found by what the caller was told.
func TestDefectIsLogged(t *testing.T) {
	s := newSite(t, webtest.Options{Store: redisThatAnswers(t, nonsense), NoKey: true})
	a := s.send(alice)
	wantProblem(a, internal)
	trace, _ := wire.ParseTraceparent(a.Text("trace_id"))
	id, _ := strings.CutPrefix(a.Text("request_id"), "req_")
	for _, want := range []string{"request failed", "request_id=" + id + " trace_id=" + trace.ID, "isn't understood"} {
		if !strings.Contains(s.Logged(), want) {
			t.Errorf("%q isn't in the log:\n%s", want, s.Logged())
		}
	}
	if strings.Contains(a.Body, "redis") || strings.Contains(s.Logged(), alice) {
		t.Errorf("too much is told: %s\n%s", a.Body, s.Logged())
	}
}

func TestServiceName(t *testing.T) {
	s := newSite(t, webtest.Options{NoKey: true}, func(c *Config) { c.ServiceName = "portal" })
	if a := s.Post("/auth/send-login-code", `{}`); a.Text("service") != "portal" {
		t.Errorf("body is %s", a.Body)
	}
}

func TestDevelopment(t *testing.T) {
	on := newSite(t, webtest.Options{NoKey: true}, func(c *Config) { c.Development = true })
	off := newSite(t, webtest.Options{NoKey: true})
	values := func(s *site, body string) (all []any) {
		for _, problem := range s.Post("/auth/send-login-code", body).Want(http.StatusBadRequest).Fields["errors"].([]any) {
			value, ok := problem.(map[string]any)["value"]
			if ok && value == nil {
				t.Errorf("%s: a value is null", body)
			}
			all = append(all, value)
		}
		return all
	}
	long := strings.Repeat("ä", 100)
	for body, want := range map[string][]any{
		`{}`:                         {nil},
		`{"email":""}`:               {""},
		`{"email":"alice"}`:          {"alice"},
		`{"email":"<b>&amp;"}`:       {"<b>&amp;"},
		`{"email":5}`:                {5.0},
		`{"email":false}`:            {false},
		`{"email":["a",{"b":1.50}]}`: {`["a",{"b":1.50}]`},
		`{"email":"` + long + `"}`:   {strings.Repeat("ä", maxShown) + "…"},
		`{"email":["` + long + `"]}`: {`["` + strings.Repeat("ä", maxShown-2) + "…"},
		`{"email":` + strings.Repeat("1", 70) + `}`: {strings.Repeat("1", maxShown) + "…"},
		`{"email":"` + alice + `","phone":"+1"}`:    {alice},
		`{"email":"x","other":{}}`:                  {"x", "{}"},
	} {
		if got := values(on, body); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: values are %#v, want %#v", body, got, want)
		}
		if got := values(off, body); !reflect.DeepEqual(got, make([]any, len(want))) {
			t.Errorf("%s: values are %#v without development", body, got)
		}
	}
}

func FuzzShown(f *testing.F) {
	f.Add(`{"x":"y"}`)
	f.Add(`{"x":[{"\u2028":1e999}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		object, err := wire.Parse(webtest.Request(http.MethodPost, "/", body), wire.JSON)
		if err != nil {
			return
		}
		for _, value := range object {
			if text, ok := shown(value).(string); ok && utf8.RuneCountInString(text) > maxShown+1 {
				t.Fatalf("%s is shown as %s", body, text)
			}
			if _, err := wire.Compact(shown(value)); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
		}
	})
}

func TestWaitIsTheSameEverywhere(t *testing.T) {
	s := newSite(t, webtest.Options{Frozen: true, NoKey: true})
	for range 3 {
		s.send(alice).Want(http.StatusOK)
	}
	a := s.send(alice, "Accept-Language", "zh-CN")
	wantProblem(a, tooFrequent)
	if a.Header.Get("Retry-After") != "20" || !strings.Contains(a.Text("detail"), "请在 20 秒后重试") {
		t.Errorf("Retry-After is %q: %s", a.Header.Get("Retry-After"), a.Body)
	}
	s.FailStore(otp.ErrUnavailable)
	wantProblem(s.send(alice, "Accept-Language", "zh"), unavailable)
}
