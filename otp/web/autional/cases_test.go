// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// useCase is one of the contract's cases U1 to U29.
type useCase struct {
	id, what string
	// on is how the case's site differs from one that sends e-mails and SMS,
	// and config how its dialect does; both may be nil.
	on     func(testing.TB, *webtest.Options)
	config func(*Config)
	// run makes the case's requests and says in short what came of them.
	run  func(*site) string
	want string
}

const sendPath = "/auth/send-login-code"

// told is what an answer says: its status, and fields of its body by dotted
// paths, as "200 code=0 data.channel=email". What isn't there is "none".
func told(a webtest.Answer, paths ...string) string {
	parts := []string{strconv.Itoa(a.Status)}
	for _, path := range paths {
		parts = append(parts, path+"="+said(at(a.Fields, path)))
	}
	return strings.Join(parts, " ")
}

// at returns the value at a dotted path into parsed JSON, or nil.
func at(value any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch inner := value.(type) {
		case map[string]any:
			value = inner[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(inner) {
				return nil
			}
			value = inner[i]
		default:
			return nil
		}
	}
	return value
}

func said(value any) string {
	switch value := value.(type) {
	case nil:
		return "none"
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// fieldErrorsOf are the fields of a problem and what is wrong with them.
func fieldErrorsOf(a webtest.Answer) string {
	var all []string
	list, _ := a.Fields["errors"].([]any)
	for i := range list {
		all = append(all, said(at(list[i], "field"))+" "+said(at(list[i], "code")))
	}
	return "errors=" + strings.Join(all, ", ")
}

// sameButText says whether answers differ in nothing but their texts, ids and
// times.
func sameButText(answers ...webtest.Answer) string {
	for _, a := range answers[1:] {
		if a.Status != answers[0].Status || !reflect.DeepEqual(withoutText(maps.Clone(a.Fields)), withoutText(maps.Clone(answers[0].Fields))) {
			return "different: " + a.Body
		}
	}
	return "the same"
}

// waits says whether an answer tells the same wait everywhere.
func waits(a webtest.Answer) string {
	header := a.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(header); err != nil || seconds < 1 ||
		said(a.Fields["retry_after"]) != header || said(at(a.Fields, "i18n_args.retry_after")) != header {
		return fmt.Sprintf("Retry-After %q, body %s", header, a.Body)
	}
	return "Retry-After = retry_after = i18n_args.retry_after"
}

func frozen(_ testing.TB, o *webtest.Options) { o.Frozen = true }

var useCases = []useCase{
	{id: "U1", what: "send to a known e-mail address",
		run: func(s *site) string {
			s.signIn(alice)
			a := s.send(alice)
			at, err := time.Parse(time.RFC3339, a.Text("timestamp"))
			return told(a, "code", "data.channel", "data.target", "data.expires_in") +
				fmt.Sprintf(" ISO time %v, %d message", err == nil && at.Location() == time.UTC, s.Pending())
		},
		want: "200 code=0 data.channel=email data.target=a***@example.com data.expires_in=600 ISO time true, 1 message"},
	{id: "U2", what: "send to a phone",
		run: func(s *site) string {
			return told(s.Post(sendPath, `{"phone":"`+phone+`"}`), "code", "data.channel", "data.target", "data.expires_in")
		},
		want: "200 code=0 data.channel=sms data.target=138****8000 data.expires_in=300"},
	{id: "U3", what: "send to an unknown e-mail address",
		run: func(s *site) string {
			s.signIn("aknown@example.com")
			known, unknown := s.send("aknown@example.com"), s.send("aunknown@example.com")
			return told(unknown, "code", "data.target") + ", to a known one: " + sameButText(known, unknown)
		},
		want: "200 code=0 data.target=a***@example.com, to a known one: the same"},
	{id: "U4", what: "send {}",
		run: func(s *site) string {
			a := s.Post(sendPath, `{}`)
			return told(a, "status", "code", "type", "title", "detail") + " " + fieldErrorsOf(a)
		},
		want: "400 status=400 code=30101001 type=https://app.example.com/.otp/problems/invalid-parameter title=Invalid parameter" +
			" detail=The request has invalid fields; errors names them. errors=email required"},
	{id: "U5", what: "send to both",
		run: func(s *site) string {
			a := s.Post(sendPath, `{"email":"`+alice+`","phone":"`+phone+`"}`)
			return told(a, "code") + " " + fieldErrorsOf(a) + fmt.Sprintf(", %d messages", s.Pending())
		},
		want: "400 code=30101001 errors=email conflict, 0 messages"},
	{id: "U6", what: "send to what is no e-mail address",
		run: func(s *site) string {
			a := s.send("alice")
			return told(a, "code") + " " + fieldErrorsOf(a)
		},
		want: "400 code=30101001 errors=email format"},
	{id: "U7", what: "send bad JSON, an array",
		run: func(s *site) string {
			bad, array := s.Post(sendPath, `{"email":"`), s.Post(sendPath, `["`+alice+`"]`)
			return told(bad, "code", "title") + ", " + told(array, "code", "title")
		},
		want: "400 code=30101001 title=Malformed request body, 400 code=30101001 title=Malformed request body"},
	{id: "U8", what: "send again within the throttle", on: frozen,
		run: func(s *site) string {
			for range 3 {
				s.send(alice).Want(http.StatusOK)
			}
			a := s.send(alice)
			return told(a, "code", "retry_after") + ", header " + a.Header.Get("Retry-After")
		},
		want: "429 code=30101002 retry_after=20, header 20"},
	{id: "U9", what: "flood of one network over many addresses",
		on: func(_ testing.TB, o *webtest.Options) { o.ClientIP = []otp.Throttle{{Events: 5, Window: time.Hour}} },
		run: func(s *site) string {
			var statuses []string
			for i := range 7 {
				statuses = append(statuses, told(s.send(fmt.Sprintf("user%d@example.com", i))))
			}
			return strings.Join(statuses, " ")
		},
		want: "200 200 200 200 200 429 429"},
	{id: "U10", what: "the store answers nonsense",
		on: func(t testing.TB, o *webtest.Options) { o.Store = redisThatAnswers(t, nonsense) },
		run: func(s *site) string {
			a := s.send(alice)
			return told(a, "status", "code", "title") + ", Retry-After " + strconv.Quote(a.Header.Get("Retry-After"))
		},
		want: `500 status=500 code=50000001 title=Internal error, Retry-After ""`},
	{id: "U10", what: "the store isn't even a Redis",
		on: func(t testing.TB, o *webtest.Options) { o.Store = redisThatAnswers(t, noRedis) },
		run: func(s *site) string {
			return told(s.send(alice), "status", "code") + ", " + told(s.login(alice, "123456"), "status", "code")
		},
		want: "500 status=500 code=50000001, 500 status=500 code=50000001"},
	{id: "U10", what: "the store is unreachable",
		on: func(t testing.TB, o *webtest.Options) { o.Store = redisThatIsGone(t) },
		run: func(s *site) string {
			a := s.send(alice)
			return told(a, "status", "code", "title") + ", " + waits(a)
		},
		want: "503 status=503 code=50300001 title=Service unavailable, Retry-After = retry_after = i18n_args.retry_after"},
	{id: "U10", what: "the mail backend is down",
		on: func(_ testing.TB, o *webtest.Options) {
			o.Domain = func(c *otp.Config) { c.Senders[otp.Email] = []otp.Sender{senderThatIsDown{}} }
		},
		run:  func(s *site) string { return told(s.send(alice), "code", "data.target") },
		want: "200 code=0 data.target=a***@example.com"},
	{id: "U19", what: "a login without a code",
		run: func(s *site) string {
			a := s.Post("/auth/login/email-code", `{"email":"`+alice+`"}`)
			return told(a, "code") + " " + fieldErrorsOf(a)
		},
		want: "400 code=30101001 errors=code required"},
	{id: "U24", what: "a problem in English, German, Chinese, traditional Chinese",
		run: func(s *site) string {
			var answers []webtest.Answer
			var details []string
			for _, language := range []string{"en", "de", "zh-CN", "zh-TW"} {
				a := s.Post(sendPath, `{}`, "Accept-Language", language)
				answers = append(answers, a)
				details = append(details, a.Text("detail"))
			}
			return strings.Join(details, " | ") + " | all else: " + sameButText(answers...)
		},
		want: "The request has invalid fields; errors names them. | Die Anfrage enthält ungültige Felder; errors nennt sie. | " +
			"请求包含无效字段，详见 errors。 | 请求包含无效字段，详见 errors。 | all else: the same"},
	{id: "U25", what: "the same route under all three prefixes",
		run: func(s *site) string {
			var answers []webtest.Answer
			for _, prefix := range prefixes {
				answers = append(answers, s.Post(prefix+sendPath, `{"email":"`+alice+`"}`))
			}
			return fmt.Sprintf("%d: %s %s", len(answers), told(answers[0], "code"), sameButText(answers...))
		},
		want: "3: 200 code=0 the same"},
	{id: "U26", what: "an e-mail address of 300 characters",
		run: func(s *site) string {
			a := s.send(strings.Repeat("a", 288) + "@example.com")
			return told(a, "code") + " " + fieldErrorsOf(a)
		},
		want: "400 code=30101001 errors=email range"},
	{id: "U27", what: "send with a foreign, a garbage, a basic Authorization",
		run: func(s *site) string {
			var statuses []string
			for _, authorization := range []string{"Bearer eyJhbGciOiJub25lIn0.e30.", "garbage", "Basic YTpi"} {
				statuses = append(statuses, told(s.send(alice, "Authorization", authorization), "code"))
			}
			return strings.Join(slices.Compact(statuses), ", ")
		},
		want: "200 code=0"},
	{id: "U28", what: "a 429 for clients that word it themselves", on: frozen,
		run: func(s *site) string {
			for range 3 {
				s.send(alice).Want(http.StatusOK)
			}
			a := s.send(alice)
			return told(a, "i18n_key", "i18n_args.retry_after") + ", " + waits(a)
		},
		want: "429 i18n_key=problem.too-frequent i18n_args.retry_after=20, Retry-After = retry_after = i18n_args.retry_after"},
	{id: "U29", what: "a wrong field with development",
		config: func(c *Config) { c.Development = true },
		run:    func(s *site) string { return told(s.send("alice"), "errors.0.field", "errors.0.value") },
		want:   "400 errors.0.field=email errors.0.value=alice"},
	{id: "U29", what: "a wrong field without it",
		run:  func(s *site) string { return told(s.send("alice"), "errors.0.field", "errors.0.value") },
		want: "400 errors.0.field=email errors.0.value=none"},
}

// senderThatIsDown delivers nothing.
type senderThatIsDown struct{}

func (senderThatIsDown) Send(context.Context, otp.Message) error {
	return errors.New("the relay is down")
}

// TestUseCases prints the contract's cases with what they expect and get.
func TestUseCases(t *testing.T) {
	for _, c := range useCases {
		t.Run(c.id+" "+c.what, func(t *testing.T) {
			o := webtest.Options{SMS: true, NoKey: true}
			if c.on != nil {
				c.on(t, &o)
			}
			var edits []func(*Config)
			if c.config != nil {
				edits = append(edits, c.config)
			}
			got := c.run(newSite(t, o, edits...))
			t.Logf("%s %s\nexpected: %s\ngot:      %s", c.id, c.what, c.want, got)
			if got != c.want {
				t.Errorf("%s: got %s, want %s", c.id, got, c.want)
			}
		})
	}
}

// TestBodies prints one whole body of each kind of answer to a start, and
// checks that it has all the documented fields and no other.
func TestBodies(t *testing.T) {
	const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	success := []string{"code", "data", "message", "timestamp"}
	problem := []string{
		"code", "detail", "i18n_args", "i18n_key", "instance", "message", "request_id", "service", "span_id",
		"status", "timestamp", "title", "trace_id", "type",
	}
	with := func(more string) []string {
		all := append(slices.Clone(problem), more)
		slices.Sort(all)
		return all
	}
	site := newSite(t, webtest.Options{Frozen: true, NoKey: true})
	for _, c := range []struct {
		status int
		body   string
		on     *webtest.Options
		fields []string
	}{
		{200, `{"email":"` + alice + `"}`, nil, success},
		{400, `{"email":"alice","channel":"email"}`, nil, with("errors")},
		{200, `{"email":"` + alice + `"}`, nil, success},
		{200, `{"email":"` + alice + `"}`, nil, success},
		{429, `{"email":"` + alice + `"}`, nil, with("retry_after")},
		{500, `{"email":"` + alice + `"}`, &webtest.Options{Store: redisThatAnswers(t, nonsense), NoKey: true}, problem},
		{503, `{"email":"` + alice + `"}`, &webtest.Options{Store: redisThatIsGone(t), NoKey: true}, with("retry_after")},
	} {
		s := site
		if c.on != nil {
			s = newSite(t, *c.on)
		}
		a := s.Post(sendPath, c.body, "Traceparent", traceparent).Want(c.status)
		t.Logf("%d %s\n%s", a.Status, a.Header.Get("Content-Type"), a.Body)
		if fields := slices.Sorted(maps.Keys(a.Fields)); !slices.Equal(fields, c.fields) {
			t.Errorf("%d has the fields %q, want %q", a.Status, fields, c.fields)
		}
		if list, _ := a.Fields["errors"].([]any); c.status == 400 && len(list) != 2 {
			t.Errorf("errors are %v", list)
		}
	}
}
