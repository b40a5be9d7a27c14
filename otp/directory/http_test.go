// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// service is a directory's other side, with a clock of the test's.
type service struct {
	*HTTP
	*logged
	t      *testing.T
	asked  atomic.Int32
	answer atomic.Pointer[http.HandlerFunc]

	mu    sync.Mutex
	clock time.Time
}

func serve(t *testing.T, answer http.HandlerFunc) *service {
	t.Helper()
	return serveWith(t, HTTPConfig{}, answer)
}

// serveWith is serve with a configuration. The service has all the time it needs
// on a busy machine: of what is about time there is [serveInBubble].
func serveWith(t *testing.T, c HTTPConfig, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{t: t, clock: time.Now()}
	s.answers(answer)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c.URL, c.Timeout = server.URL+"/people?key=s3cret", cmp.Or(c.Timeout, time.Minute)
	s.open(c) // it stops before the server's end, which waits for answers
	s.patience = time.Minute
	return s
}

// serveInBubble is serve without a network, in a bubble of [synctest]: there an
// answer takes the time that its handler sleeps.
func serveInBubble(t *testing.T, c HTTPConfig, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{t: t, clock: time.Now()}
	s.answers(answer)
	c.URL = "http://directory.internal/people?key=s3cret"
	s.open(c)
	s.client.Transport = s
	return s
}

func (s *service) open(c HTTPConfig) {
	s.t.Helper()
	log, logger := newLogged()
	c.Logger, c.Now = logger, s.time
	d, err := NewHTTP(c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(d.Stop)
	s.HTTP, s.logged = d, log
}

// ServeHTTP implements [http.Handler].
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	(*s.answer.Load())(w, r)
}

// RoundTrip implements [http.RoundTripper].
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		s.ServeHTTP(w, r)
	}()
	select {
	case <-answered:
		return w.Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func (s *service) answers(answer http.HandlerFunc) { s.answer.Store(&answer) }

func (s *service) time() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *service) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

func (s *service) find(name string) (otp.Person, error) {
	return s.Find(s.t.Context(), mustAddress(s.t, name+"@example.com"))
}

// want checks what is found for a name: a person's groups, "nobody" or
// "unavailable", and how many questions that took.
func (s *service) want(name, result string, questions int32) {
	s.t.Helper()
	before := s.asked.Load()
	p, err := s.find(name)
	got := strings.Join(p.Groups, ",")
	switch {
	case errors.Is(err, otp.ErrNobody):
		got = "nobody"
	case errors.Is(err, otp.ErrUnavailable):
		got = "unavailable"
	case err != nil:
		got = err.Error()
	}
	if err != nil && p.Addresses != nil {
		s.t.Errorf("%s: a person beside the error %v", name, err)
	}
	if got != result {
		s.t.Errorf("%s: %s, not %s", name, got, result)
	}
	if asked := s.asked.Load() - before; asked != questions {
		s.t.Errorf("%s: %d questions, not %d", name, asked, questions)
	}
}

// eventually waits for what a question in the background brings.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

func fails(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

var (
	admins = says(`{"groups": "admins"}`)
	staff  = says(`{"groups": "staff"}`)
	nobody = fails(http.StatusNotFound)
	broken = fails(http.StatusBadGateway)
)

func TestHTTPAsks(t *testing.T) {
	var requests []*http.Request
	var bodies []string
	c := HTTPConfig{Headers: http.Header{"authorization": {"Bearer t0ken"}, "X-Trace": {"1", "2"}, "Host": {"people.example.com"}, "User-Agent": {"acme"}}}
	s := serveWith(t, c, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests, bodies = append(requests, r), append(bodies, string(body))
		io.WriteString(w, `{}`)
	})
	for _, text := range []string{"Alice@Example.com", "+4930123456"} {
		if _, err := s.Find(t.Context(), mustAddress(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{`{"address":"alice@example.com","channel":"email"}`, `{"address":"+4930123456","channel":"sms"}`}; !slices.Equal(bodies, want) {
		t.Errorf("asked with %q, not %q", bodies, want)
	}
	r := requests[0]
	if r.Method != http.MethodPost || r.RequestURI != "/people?key=s3cret" || r.Host != "people.example.com" {
		t.Errorf("asked with %s %s at %s", r.Method, r.RequestURI, r.Host)
	}
	for name, want := range map[string][]string{
		"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"acme"},
		"Authorization": {"Bearer t0ken"}, "X-Trace": {"1", "2"}, "Idempotency-Key": nil,
	} {
		if got := r.Header[name]; !slices.Equal(got, want) {
			t.Errorf("header %s is %q, not %q", name, got, want)
		}
	}
}

func TestHTTPAnswers(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                     "alice@example.com groups=",
		` {"groups":["a","b"]} `: "alice@example.com groups=a,b",
		`{"email":"alice@example.com","phone":"+49 30 123456","subject":"42","tenant":["x","y"],"mfa":true}`: "alice@example.com +4930123456 groups= subject=42 tenants=x,y mfa",
		`{"email":["main@example.com"],"mfa":"required"}`:                                                    "main@example.com alice@example.com groups= mfa",
	} {
		s := serve(t, says(text))
		p, err := s.find("alice")
		if err != nil || personInWords(p) != want {
			t.Errorf("%s is %s (%v), not %s", text, personInWords(p), err, want)
		}
	}
	for _, status := range []int{http.StatusNotFound, http.StatusNoContent} {
		serve(t, fails(status)).want("alice", "nobody", 1)
	}
}

// TestHTTPFails: whatever isn't an answer admits nobody, and the log says
// what is wrong with it, without an address and without the URL's secrets.
func TestHTTPFails(t *testing.T) {
	redirected := false
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"an outage":        {broken, "answered 502"},
		"no permission":    {fails(http.StatusUnauthorized), "answered 401; check its credentials"},
		"another success":  {fails(http.StatusCreated), "answered 201"},
		"gone":             {fails(http.StatusGone), "answered 410"},
		"nothing":          {says(""), "answered with what is no person: it is blank; say 404 where nobody has the address"},
		"a page":           {says("<html>alice@example.com</html>"), "answered with what is no person: line 1, column 1: no JSON; is a comma, a quote or a brace missing, or too many?"},
		"null":             {says("null"), `answered with what is no person: line 1, column 1: an object was expected here, such as {"email": "alice@example.com"}`},
		"a list":           {says("[{}]"), `answered with what is no person: line 1, column 1: an object was expected here, such as {"email": "alice@example.com"}`},
		"two objects":      {says("{} {}"), "answered with what is no person: line 1, column 4: something follows the end; remove it"},
		"an unknown key":   {says(`{"active": false}`), `answered with what is no person: line 1, column 2: unknown key "active"; there are: email, phone, groups, subject, tenant, mfa`},
		"a wrong type":     {says(`{"groups": {"a": true}}`), "answered with what is no person: line 1, column 12 (groups): a string or an array of strings was expected here; leave the key out where there is none"},
		"a forged header":  {says(`{"groups": "a,admins"}`), "answered with what is no person: line 1, column 12 (groups): " + badGroup},
		"no address":       {says(`{"email": "alice"}`), "answered with what is no person: line 1, column 11 (email): not a valid address; write one like alice@example.com"},
		"not UTF-8":        {says("{\"groups\": \"\xff\"}"), `answered with what is no person: line 1, column 13: not UTF-8; save the file in this encoding (Excel: "CSV UTF-8")`},
		"more than 64 KiB": {says(`{}` + strings.Repeat(" ", 64<<10)), "answered with more than 65536 bytes"},
		"cut short": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{}`)
		}, "can't be reached: it closed the connection"},
		"a hang-up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "can't be reached: it closed the connection"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				redirected = true
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "answered 307, a redirect; write the url that it leads to"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.answer)
			p, err := s.find("alice")
			if !errors.Is(err, otp.ErrUnavailable) || errors.Is(err, otp.ErrNobody) || p.Addresses != nil {
				t.Fatalf("%+v, %v", p, err)
			}
			if text := err.Error(); text != s.service+" "+c.want || strings.Contains(text, "s3cret") {
				t.Errorf("error is\n%s\nnot\n… %s", text, c.want)
			}
			if lines := s.lines(); len(lines) != 1 || strings.Contains(lines[0], "s3cret") || strings.Count(lines[0], "alice@") != strings.Count(c.want, "alice@") {
				t.Errorf("logged %q", lines)
			}
		})
	}
	if redirected {
		t.Error("a redirect was followed")
	}
}

func TestHTTPUnreachable(t *testing.T) {
	s := serve(t, admins)
	server := httptest.NewServer(nil)
	server.Close()
	s.url = server.URL
	s.want("alice", "unavailable", 0)
	if lines := s.lines(); len(lines) != 1 || !strings.Contains(lines[0], "can't be reached: dial tcp 127.0.0.1") {
		t.Errorf("logged %q", lines)
	}
}

func TestHTTPDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveInBubble(t, HTTPConfig{Timeout: 3 * time.Second}, func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		})
		begun := time.Now()
		_, err := s.find("alice")
		if waited := time.Since(begun); waited != 3*time.Second || !errors.Is(err, otp.ErrUnavailable) || !strings.Contains(err.Error(), "didn't answer in time") {
			t.Errorf("%v after %s", err, waited)
		}
	})
}

func TestHTTPCaches(t *testing.T) {
	s := serve(t, admins)
	s.want("alice", "admins", 1)
	s.answers(nobody)
	s.want("bob", "nobody", 1)
	s.answers(staff)
	s.pass(DefaultCache - 1)
	s.want("alice", "admins", 0)
	s.want("bob", "nobody", 0)
	s.pass(1)
	s.want("alice", "staff", 1)
	s.want("bob", "staff", 1)
	s.answers(nobody)
	s.pass(DefaultCache)
	s.want("alice", "nobody", 1) // who is removed is out at the first request
	s.logged.want(t)
}

// TestHTTPOutage: what is known serves for a day, what isn't admits nobody,
// and the service is left in peace.
func TestHTTPOutage(t *testing.T) {
	s := serve(t, admins)
	s.want("alice", "admins", 1)
	s.answers(nobody)
	s.want("bob", "nobody", 1)
	s.answers(broken)
	s.pass(DefaultCache)
	s.want("alice", "admins", 1)
	s.want("alice", "admins", 0) // left in peace for her
	s.want("bob", "nobody", 1)
	s.want("carol", "unavailable", 1)
	s.want("dave", "unavailable", 0) // for all, from the third failure on
	s.pass(firstPause)
	s.want("dave", "unavailable", 1)
	s.pass(firstPause)
	s.want("alice", "admins", 1) // what unknown people are asked for puts off nobody who is known
	s.pass(firstPause)
	s.want("alice", "admins", 0) // twice as long
	if lines := s.lines(); len(lines) != 1 || !strings.HasPrefix(lines[0], `level=ERROR msg="directory can't be asked; the people it told of go on for a day, others can't sign in" error=`) {
		t.Errorf("logged %q", lines)
	}
	s.pass(23 * time.Hour)
	s.want("alice", "admins", 1)
	s.pass(time.Hour)
	s.want("alice", "unavailable", 1)
	s.want("bob", "unavailable", 0)

	s.answers(staff)
	s.pass(lastPause)
	s.want("alice", "staff", 1)
	s.want("bob", "staff", 1)
	s.logged.want(t, `level=INFO msg="directory can be asked again"`)
	s.answers(broken)
	s.want("carol", "unavailable", 1)
	s.want("carol", "unavailable", 1) // a failure now and then pauses nothing
	if lines := s.lines(); len(lines) != 1 {
		t.Errorf("logged %q", lines)
	}
}

// TestHTTPTriesWithOne: while nobody knows whether an outage is over, one
// question finds out for all.
func TestHTTPTriesWithOne(t *testing.T) {
	s := serve(t, broken)
	for _, name := range []string{"a", "b", "c"} {
		s.want(name, "unavailable", 1)
	}
	s.want("d", "unavailable", 0)
	s.pass(firstPause)
	release := make(chan struct{})
	s.answers(func(w http.ResponseWriter, r *http.Request) {
		<-release
		staff(w, r)
	})
	found := make(chan error)
	go func() {
		_, err := s.find("a")
		found <- err
	}()
	eventually(t, "a try", func() bool { return s.asked.Load() == 4 })
	s.want("b", "unavailable", 0)
	close(release)
	if err := <-found; err != nil {
		t.Error(err)
	}
	s.want("b", "staff", 1)
}

// TestHTTPSlow: an old answer serves only while the new one is awaited, and
// not if it is older than an hour.
func TestHTTPSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveInBubble(t, HTTPConfig{}, admins)
		s.want("alice", "admins", 1)
		release := make(chan struct{})
		s.answers(func(w http.ResponseWriter, r *http.Request) {
			<-release
			nobody(w, r)
		})
		s.pass(DefaultCache)
		begun := time.Now()
		s.want("alice", "admins", 1)
		if waited := time.Since(begun); waited != patience {
			t.Errorf("waited %s", waited)
		}
		s.want("alice", "admins", 0) // the same question is still being asked
		close(release)
		synctest.Wait()
		s.want("alice", "nobody", 0)
		s.logged.want(t)

		s = serveInBubble(t, HTTPConfig{}, admins)
		s.want("alice", "admins", 1)
		s.answers(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(patience + 1)
			nobody(w, r)
		})
		s.pass(patientAge)
		s.want("alice", "admins", 1)
		time.Sleep(1)
		synctest.Wait()
		s.want("alice", "nobody", 0)
		s.answers(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(patience + 1)
			staff(w, r)
		})
		s.pass(patientAge + 1)
		s.want("alice", "staff", 1)
	})
}

// TestHTTPAsksOnce: those who ask at a time for one address share a question,
// which goes on where one of them leaves.
func TestHTTPAsksOnce(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		admins(w, r)
	})
	leaving, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := s.Find(leaving, mustAddress(t, "alice@example.com"))
		left <- err
	}()
	eventually(t, "a question", func() bool { return s.asked.Load() == 1 })
	results := make(chan error)
	for range 20 {
		go func() {
			p, err := s.find("alice")
			if err == nil && !slices.Equal(p.Groups, []string{"admins"}) {
				err = fmt.Errorf("%+v", p)
			}
			results <- err
		}()
	}
	leave()
	if err := <-left; !errors.Is(err, otp.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("who leaves gets %v", err)
	}
	close(release)
	for range 20 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if asked := s.asked.Load(); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestHTTPBounds: made up addresses neither flood the service nor keep known
// people from being asked for.
func TestHTTPBounds(t *testing.T) {
	s := serveWith(t, HTTPConfig{Timeout: 30 * time.Second}, admins)
	s.want("alice", "admins", 1)
	s.answers(nobody)
	s.want("bob", "nobody", 1)
	var at, most atomic.Int32
	release := make(chan struct{})
	s.answers(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "alice") {
			staff(w, r)
			return
		}
		now := at.Add(1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		<-release
		at.Add(-1)
		nobody(w, r)
	})
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range maxWaiting {
		if _, err := s.Find(impatient, mustAddress(t, fmt.Sprintf("p%d@example.com", i))); !errors.Is(err, otp.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	eventually(t, "many questions", func() bool { return at.Load() == maxAsking })
	s.want("carol", "unavailable", 0)
	s.pass(DefaultCache)
	s.want("alice", "staff", 1)
	s.want("bob", "nobody", 0) // anybody can have made him known
	close(release)
	eventually(t, "all are answered", func() bool {
		s.HTTP.mu.Lock()
		defer s.HTTP.mu.Unlock()
		return len(s.asking) == 0
	})
	if most.Load() != maxAsking {
		t.Errorf("%d questions at a time", most.Load())
	}
	s.logged.want(t) // it wasn't the service's fault
	s.want("carol", "nobody", 1)
}

// TestHTTPCrowd: a service that many have to wait for isn't one that fails.
func TestHTTPCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveInBubble(t, HTTPConfig{}, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(DefaultTimeout * 2 / 3)
			nobody(w, r)
		})
		results := make(chan error)
		for i := range 2 * maxAsking {
			go func() {
				_, err := s.find(fmt.Sprintf("p%d", i))
				results <- err
			}()
		}
		for range 2 * maxAsking {
			if err := <-results; !errors.Is(err, otp.ErrNobody) {
				t.Errorf("got %v", err)
			}
		}
		s.logged.want(t)
	})
}

// TestHTTPFailsOnSome: whoever finds addresses that a service fails on delays
// nobody's removal with them, and those that it refuses are nobody else's
// affair.
func TestHTTPFailsOnSome(t *testing.T) {
	s := serve(t, admins)
	s.want("alice", "admins", 1)
	s.pass(DefaultCache)
	s.answers(fails(http.StatusUnprocessableEntity))
	for i := range 2 * pauseFrom {
		s.want(fmt.Sprintf("odd%d", i), "unavailable", 1)
	}
	s.answers(staff)
	s.want("carol", "staff", 1)
	s.answers(broken)
	for i := range 2 * pauseFrom {
		s.want(fmt.Sprintf("odd%d", i), "unavailable", min(1, int32(max(0, pauseFrom-i))))
	}
	s.answers(nobody)
	s.want("alice", "nobody", 1)
}

// TestHTTPStops: a question that is cut off by the end isn't a failure.
func TestHTTPStops(t *testing.T) {
	begun := make(chan struct{})
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(begun)
		<-r.Context().Done()
	})
	go func() {
		<-begun
		s.Stop()
	}()
	s.want("alice", "unavailable", 1)
	s.logged.want(t)
}

func TestNewHTTPRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		config HTTPConfig
		want   string
	}{
		"no url":         {HTTPConfig{}, "url can't be used; write one like https://api.example.com/people"},
		"plain http":     {HTTPConfig{URL: "http://api.example.com/s3cret"}, "url http://api.example.com would send addresses in the clear; write https://api.example.com (plain http is for hosts of this machine and of private networks)"},
		"no name":        {HTTPConfig{Headers: http.Header{"a b": {"s3cret"}}}, `header "a b" is no name of a header`},
		"a managed name": {HTTPConfig{Headers: http.Header{"content-length": {"1"}}}, "header content-length can't be set; leave it out"},
		"another type":   {HTTPConfig{Headers: http.Header{"content-type": {"text/plain"}}}, "header Content-Type can't be set; questions are JSON"},
		"a line break":   {HTTPConfig{Headers: http.Header{"X-A": {"s3cret\n"}}}, "header X-A has a character that can't stand in a header"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.config.Headers != nil {
				c.config.URL = "http://directory.internal/"
			}
			if _, err := NewHTTP(c.config); err == nil || err.Error() != c.want {
				t.Errorf("error is %v, not %s", err, c.want)
			}
		})
	}
}

// TestAnswersAreBounded: the least recently used make room, among their kind.
func TestAnswersAreBounded(t *testing.T) {
	c := newAnswers()
	c.most = [2]int{knownOrder: 2, otherOrder: 2}
	has := func(want string) {
		t.Helper()
		var got []string
		for address := range c.entries {
			got = append(got, address)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("has %s, not %s", got, want)
		}
	}
	c.put("alice", &answer{found: true})
	c.put("bob", &answer{found: true})
	for i := range 10 {
		c.put(fmt.Sprint(i), &answer{})
	}
	has("8 9 alice bob")
	c.get("alice")
	c.put("carol", &answer{found: true})
	has("8 9 alice carol")
	c.put("alice", &answer{}) // removed from the directory
	has("9 alice carol")
	c.remove("nobody")
	c.remove("9")
	has("alice carol")
}

// TestHTTPAsk: what a stranger asks for takes a question whether or not there
// was one before, and fails for everybody alike.
func TestHTTPAsk(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "jane") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, `{"groups": "staff"}`)
	})
	ask := func(name string) error {
		_, err := s.Ask(t.Context(), mustAddress(t, name+"@example.com"))
		return err
	}
	s.want("jane", "staff", 1)
	for n := int32(2); n < 6; n += 2 {
		if err := ask("jane"); err != nil || s.asked.Load() != n {
			t.Errorf("jane: %v after %d questions", err, s.asked.Load())
		}
		if err := ask("joe"); !errors.Is(err, otp.ErrNobody) || s.asked.Load() != n+1 {
			t.Errorf("joe: %v after %d questions", err, s.asked.Load())
		}
	}
	s.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	for _, name := range []string{"jane", "joe", "stranger", "jane"} {
		if err := ask(name); !errors.Is(err, otp.ErrUnavailable) {
			t.Errorf("%s in an outage: %v", name, err)
		}
	}
	if p, err := s.find("jane"); err != nil || len(p.Groups) != 1 {
		t.Errorf("jane, who is signed in, in an outage: %v, %v", p, err)
	}
}
