// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// staff is a directory: each person has some addresses.
type staff struct {
	people [][]string
	down   atomic.Bool
}

func (s *staff) Find(_ context.Context, a otp.Address) (otp.Person, error) {
	if s.down.Load() {
		return otp.Person{}, otp.ErrUnavailable
	}
	for _, typed := range s.people {
		if !slices.Contains(typed, a.String()) {
			continue
		}
		person := otp.Person{Subject: "staff of " + typed[0]}
		for _, text := range typed {
			channel := otp.Email
			if strings.HasPrefix(text, "+") {
				channel = otp.SMS
			}
			person.Addresses = append(person.Addresses, otp.RestoreAddress(channel, text))
		}
		return person, nil
	}
	return otp.Person{}, otp.ErrNobody
}

const (
	janesPhone = "+4917012345678"
	joesPhone  = "+4917087654321"
)

// newStaffSite is a site of Jane, who has a phone and a second mailbox, and Joe,
// who has a phone.
func newStaffSite(t *testing.T) (*site, *staff) {
	t.Helper()
	d := &staff{people: [][]string{
		{"jane@example.com", "jane@example.net", janesPhone},
		{"joe@example.com", joesPhone},
	}}
	return newSite(t, func(c *otp.Config, _ *Config) {
		c.Senders[otp.SMS] = c.Senders[otp.Email]
		c.Directory = d
		c.Throttles.Address = []otp.Throttle{{Events: 100, Window: time.Hour}}
	}), d
}

// startFactor signs in and asks for a code of the nth second factor that is
// offered.
func (b *browser) startFactor(address, nth string) otp.Message {
	b.site.Helper()
	b.signIn(address)
	return b.askFactor(nth)
}

func (b *browser) askFactor(nth string) otp.Message {
	b.site.Helper()
	b.post(mfa, url.Values{"to": {nth}, "return_to": {"/vault/x"}}).redirects(b.site, mfa)
	return b.site.Message()
}

// buttons returns what a page's buttons say.
func (a answer) buttons(t *testing.T) (labels []string) {
	t.Helper()
	for n := range a.document(t).Descendants() {
		if n.Type == html.ElementNode && n.Data == "button" {
			labels = append(labels, textOf(n))
		}
	}
	return labels
}

// TestSecondFactorJourney goes from nobody to a page that needs both factors.
func TestSecondFactorJourney(t *testing.T) {
	s, _ := newStaffSite(t)
	b := s.browser()
	const target = "/vault/x?a=b&c=%2F"
	toLogin := login + "?return_to=" + url.QueryEscape(target)
	b.get(target).redirects(t, toLogin)
	code := b.start("jane@example.com", target).Code
	b.post(verify, url.Values{"code": {code}}).redirects(t, target)
	first := b.session()
	s.Advance(time.Minute)

	page := mfa + "?return_to=" + url.QueryEscape(target)
	b.get(target).redirects(t, page)
	offered := b.get(page)
	want := []string{"Send a code to 170****5678", "Send a code to j***@example.net"}
	if got := offered.buttons(t); offered.Status != http.StatusOK || !slices.Equal(got, want) {
		t.Fatalf("%d offers %q", offered.Status, got)
	}
	for _, secret := range []string{"jane@", "12345", "17012"} {
		if strings.Contains(offered.Body, secret) {
			t.Errorf("the page tells %s: %s", secret, offered.Body)
		}
	}
	s.NoMessage()
	back := attribute(named(offered.document(t), "name", "return_to"), "value")
	b.post(mfa, url.Values{"to": {"0"}, "return_to": {back}}).redirects(t, mfa)
	m := s.Message()
	if m.Purpose != otp.MFA || m.Channel != otp.SMS || m.To != janesPhone || m.Code == "" || m.Link != "" || m.Dialect != Name || m.Locale != "en" {
		t.Fatalf("%+v", m)
	}
	asks := b.get(mfa)
	if text := textOf(element(asks.document(t), "main")); !strings.Contains(text, "message to 170****5678.") || strings.Contains(asks.Body, "12345") {
		t.Errorf("the page says %s", text)
	}
	b.post(mfa, url.Values{"code": {" " + m.Code[:3] + "-" + m.Code[3:]}}).redirects(t, target)

	x := b.session()
	switch {
	case x.ID == first.ID, !x.ID.Valid():
		t.Error("the session keeps its id")
	case x.MFAMethod != "sms", x.MFA.Before(first.Created.Add(time.Minute)), x.MFA.After(s.Now()):
		t.Errorf("proved by %q at %v", x.MFAMethod, x.MFA)
	case x.Subject != first.Subject, x.Owner != first.Owner, x.Address.String() != "jane@example.com", x.Method != otp.ByCode, x.Dialect != Name, x.New:
		t.Errorf("%+v", x)
	case !x.Expires.Equal(first.Expires), !x.Since.Equal(first.Since):
		t.Errorf("%+v continues %+v", x, first)
	}
	if b.cookies["__Host-otp-start"] != "" {
		t.Error("the attempt is kept")
	}
	if a := b.get(target); a.Status != http.StatusOK {
		t.Errorf("the page: %d", a.Status)
	}
	if _, err := s.Service.Current(t.Context(), first); !errors.Is(err, otp.ErrNoSession) {
		t.Errorf("the session before: %v", err)
	}
	listed, err := s.Service.Sessions(t.Context(), x.Subject)
	if err != nil || len(listed) != 1 || listed[0].ID != x.ID || !listed[0].MFA.Equal(listed[0].Created) || listed[0].MFAMethod != "sms" ||
		!listed[0].Since.Equal(first.Since) || listed[0].Expires.After(first.Expires) {
		t.Errorf("the store lists %+v, %v", listed, err)
	}
}

// TestSecondFactorGoesStale: a path may ask for a fresh one, again and again.
func TestSecondFactorGoesStale(t *testing.T) {
	s, _ := newStaffSite(t)
	b := s.browser()
	end := time.Time{}
	for range 3 {
		if end.IsZero() {
			b.signIn("jane@example.com")
			end = b.session().Expires
		}
		b.post(mfa, url.Values{"code": {b.askFactor("0").Code}}).redirects(t, "/vault/x")
		if a := b.get("/vault/x"); a.Status != http.StatusOK || b.session().Expires.After(end) {
			t.Fatalf("%d, until %v instead of %v", a.Status, b.session().Expires, end)
		}
		s.Advance(15*time.Minute + time.Second)
		b.get("/vault/x").redirects(t, mfa+"?return_to=%2Fvault%2Fx")
		if a := b.get("/private"); a.Status != http.StatusOK {
			t.Fatalf("a path that needs a session: %d", a.Status)
		}
	}
}

// TestSecondFactorOfSoleAddress: where no other address is known, the
// session's own has to do.
func TestSecondFactorOfSoleAddress(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	m := b.startFactor("jane@example.com", "0")
	if m.To != "jane@example.com" || m.Purpose != otp.MFA || m.Link != "" {
		t.Fatalf("%+v", m)
	}
	if got := b.get(mfa).buttons(t); !slices.Equal(got, []string{"Confirm", "Send a new code"}) {
		t.Errorf("buttons %q", got)
	}
	if named(b.get(mfa).document(t), "href", mfa+"?return_to=%2Fvault%2Fx") != nil {
		t.Error("there is no other address to choose")
	}
	b.post(mfa, url.Values{"code": {m.Code}}).redirects(t, "/vault/x")
	if x := b.session(); x.MFAMethod != "email" {
		t.Errorf("proved by %q", x.MFAMethod)
	}
}

// TestCodesOfOtherPurposes: a login's code proves no second factor, and the
// other way round (attack A-13).
func TestCodesOfOtherPurposes(t *testing.T) {
	s := newSite(t)
	b, other := s.browser(), s.browser()
	confirm := b.startFactor("jane@example.com", "0").Code
	signIn := other.start("jane@example.com", "/").Code
	for signIn == confirm {
		signIn = other.start("jane@example.com", "/").Code
	}
	b.post(mfa, url.Values{"code": {signIn}}).shows(t, http.StatusBadRequest, wrongAlert)
	other.post(verify, url.Values{"code": {confirm}}).shows(t, http.StatusBadRequest, wrongAlert)
	if other.hasSession() || !b.session().MFA.IsZero() {
		t.Fatal("a code is good for what it isn't for")
	}
	other.post(mfa, url.Values{"code": {confirm}}).redirects(t, mfa+"?return_to=%2F")
	b.post(verify, url.Values{"code": {confirm}}).redirects(t, login+"?restart=1")
	b.get(verify).redirects(t, login+"?restart=1")
	b.post(login, url.Values{"again": {"1"}}).redirects(t, login+"?restart=1")
	// both are good for what they are for
	b.post(mfa, url.Values{"code": {confirm}}).redirects(t, "/vault/x")
	other.post(verify, url.Values{"code": {signIn}}).redirects(t, "/")
}

// TestCodeOfAnotherSession: a code elevates the session that it was asked for
// in and no other, not even of the same person.
func TestCodeOfAnotherSession(t *testing.T) {
	s, _ := newStaffSite(t)
	b, other := s.browser(), s.browser()
	code := b.startFactor("jane@example.com", "0").Code
	otherCode := other.startFactor("jane@example.com", "0").Code
	for otherCode == code {
		other = s.browser()
		otherCode = other.startFactor("jane@example.com", "0").Code
	}
	other.post(mfa, url.Values{"code": {code}}).shows(t, http.StatusBadRequest, wrongAlert)
	// an attempt is worth nothing with another session either
	stolen := s.browser()
	stolen.signIn("joe@example.com")
	stolen.cookies["__Host-otp-start"] = b.cookies["__Host-otp-start"]
	stolen.post(mfa, url.Values{"code": {code}}).redirects(t, mfa+"?return_to=%2Fvault%2Fx")
	if !stolen.session().MFA.IsZero() {
		t.Fatal("elevated by another's code")
	}
	b.post(mfa, url.Values{"code": {code}}).redirects(t, "/vault/x")
	other.post(mfa, url.Values{"code": {otherCode}}).redirects(t, "/vault/x")
}

// TestSecondFactorIsNoLogin: an address that was proved as a second factor
// hasn't signed in.
func TestSecondFactorIsNoLogin(t *testing.T) {
	s, _ := newStaffSite(t)
	b := s.browser()
	b.post(mfa, url.Values{"code": {b.startFactor("jane@example.com", "0").Code}}).redirects(t, "/vault/x")
	phone := otp.RestoreAddress(otp.SMS, janesPhone)
	ask := otp.StartRequest{Dialect: "autional", Address: phone, Purpose: otp.Login, Form: otp.FormCode, Code: webtest.CodePolicy()}
	if _, err := s.Service.Start(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	known := otp.VerifyRequest{Presented: otp.Presented{Lifetime: time.Hour}, Dialect: "autional", Address: phone, Purpose: otp.Login, Code: s.Code(), Known: true}
	if _, err := s.Service.Verify(t.Context(), known); !errors.Is(err, otp.ErrWrong) {
		t.Fatalf("the phone counts as one that has signed in: %v", err)
	}
	known.Known = false
	if v, err := s.Service.Verify(t.Context(), known); err != nil || !v.Session.New || !v.Session.Since.Equal(v.Session.Created) {
		t.Fatalf("%+v, %v", v, err)
	}
}

// TestSharedBudget: wrong guesses at a second factor and at a login of the
// address count together, and both end them.
func TestSharedBudget(t *testing.T) {
	s := newSiteIn(t, webtest.Options{Frozen: true}, func(c *otp.Config, pages *Config) {
		c.Throttles.Address = []otp.Throttle{{Events: 100, Window: time.Hour}}
		pages.Send = otp.FormCode
	})
	b, other := s.browser(), s.browser()
	confirm := b.startFactor("jane@example.com", "0").Code
	signIn := other.start("jane@example.com", "/").Code
	wrong := func(b *browser, page, code string) {
		t.Helper()
		b.post(page, url.Values{"code": {webtest.OtherCode(code)}}).shows(t, http.StatusBadRequest, wrongAlert)
	}
	for range 2 {
		wrong(b, mfa, confirm)
		wrong(other, verify, signIn)
	}
	b.post(mfa, url.Values{"code": {webtest.OtherCode(confirm)}}).shows(t, http.StatusBadRequest, exhaustedAlert)
	other.post(verify, url.Values{"code": {signIn}}).shows(t, http.StatusBadRequest, exhaustedAlert)
	b.post(mfa, url.Values{"code": {confirm}}).shows(t, http.StatusBadRequest, exhaustedAlert)
	b.post(mfa, url.Values{"again": {"1"}}).redirects(t, mfa)
	if status := named(b.get(mfa).document(t), "role", "status"); status == nil {
		t.Error("nothing says that another was sent")
	}
	confirm = s.Message().Code
	for range 4 {
		wrong(b, mfa, confirm)
	}
	b.post(mfa, url.Values{"code": {webtest.OtherCode(confirm)}}).shows(t, http.StatusBadRequest, exhaustedAlert)
	const alert = "There were too many wrong codes for this address. Try again in 30 seconds."
	b.post(mfa, url.Values{"again": {"1"}}).shows(t, http.StatusTooManyRequests, alert)
	b.post(mfa, url.Values{"to": {"0"}}).shows(t, http.StatusTooManyRequests, alert)
	other.post(login, url.Values{"again": {"1"}}).shows(t, http.StatusTooManyRequests, alert)
	s.NoMessage()
	if !b.session().MFA.IsZero() {
		t.Fatal("elevated")
	}
}

// TestSecondFactorThrottled: a session in the wrong hands floods no phone
// (attack A-28).
func TestSecondFactorThrottled(t *testing.T) {
	d := &staff{people: [][]string{{"jane@example.com", janesPhone}}}
	s := newSiteIn(t, webtest.Options{Frozen: true}, func(c *otp.Config, _ *Config) {
		c.Senders[otp.SMS], c.Directory = c.Senders[otp.Email], d
	})
	b := s.browser()
	b.signIn("jane@example.com")
	for range 3 {
		b.askFactor("0")
	}
	for range 20 {
		a := b.post(mfa, url.Values{"to": {"0"}})
		if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || !strings.Contains(a.alert(t), "too often") {
			t.Fatalf("%d %s", a.Status, a.alert(t))
		}
	}
	if sent := s.Sent(janesPhone); sent != 3 {
		t.Errorf("%d messages", sent)
	}
	s.NoMessage()
}

// TestRepeatedElevation: the answer to the first post is lost, or the button
// was pressed twice, and the browser posts again with its old cookies.
func TestRepeatedElevation(t *testing.T) {
	s, _ := newStaffSite(t)
	first := s.browser()
	code := first.startFactor("jane@example.com", "0").Code
	second, wrong, late := first.copy(), first.copy(), first.copy()
	before := first.session()
	first.post(mfa, url.Values{"code": {code}}).redirects(t, "/vault/x")
	second.post(mfa, url.Values{"code": {code}}).redirects(t, "/vault/x")
	if x := second.session(); x.ID != first.session().ID || x.MFA.IsZero() || x.ID == before.ID {
		t.Errorf("the repeated post opened another session: %+v", x)
	}
	if a := second.get("/vault/x"); a.Status != http.StatusOK {
		t.Errorf("the session doesn't hold: %d", a.Status)
	}
	toLogin := login + "?return_to=" + url.QueryEscape(mfa+"?return_to=%2Fvault%2Fx")
	wrong.post(mfa, url.Values{"code": {webtest.OtherCode(code)}}).redirects(t, toLogin)
	wrong.post(mfa, url.Values{"again": {"1"}}).redirects(t, toLogin)
	s.Advance(otp.RepeatWindow + time.Second)
	late.post(mfa, url.Values{"code": {code}}).redirects(t, toLogin)
	if late.session().ID != before.ID || wrong.session().ID != before.ID {
		t.Error("a session that has ended got a new one")
	}
}

// TestEndedSessionIsNotElevated: whatever ends a session ends what would
// continue it; the right code, not used yet, opens nothing.
func TestEndedSessionIsNotElevated(t *testing.T) {
	for name, end := range map[string]func(s *site, x otp.Session) error{
		"signed out": func(s *site, x otp.Session) error { return s.Service.SignOut(s.Context(), x.ID, x.Expires) },
		"everywhere": func(s *site, x otp.Session) error {
			return s.Service.SignOutEverywhere(s.Context(), x.Subject, time.Hour*24*7)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newStaffSite(t)
			b := s.browser()
			code := b.startFactor("jane@example.com", "0").Code
			x := b.session()
			if err := end(s, x); err != nil {
				t.Fatal(err)
			}
			toLogin := login + "?return_to=" + url.QueryEscape(mfa+"?return_to=%2Fvault%2Fx")
			b.get(mfa).redirects(t, login+"?return_to="+url.QueryEscape(mfa+"?return_to=%2F"))
			b.post(mfa, url.Values{"code": {code}}).redirects(t, toLogin)
			b.post(mfa, url.Values{"to": {"0"}, "return_to": {"/vault/x"}}).redirects(t, toLogin)
			if b.session().ID != x.ID {
				t.Error("a session that has ended was elevated")
			}
			s.NoMessage()
		})
	}
}

// TestSecondFactorNeedsOwnSession: neither nobody nor an API's token gets
// anything of the page.
func TestSecondFactorNeedsOwnSession(t *testing.T) {
	s := newSite(t)
	toLogin := login + "?return_to=" + url.QueryEscape(mfa+"?return_to=%2Fvault")
	_, access := s.SignInBy("autional", "jane@example.com")
	for name, header := range map[string][2]string{
		"nobody": {"X-Nothing", "x"}, "a bearer": {"Authorization", "Bearer " + access}, "a token's cookie": {"Cookie", "accessToken=" + access},
	} {
		s.Gate.TokenCookies = []string{"accessToken"}
		for _, r := range []*http.Request{
			httptest.NewRequest(http.MethodGet, mfa+"?return_to=%2Fvault", nil),
			newPost(mfa, url.Values{"to": {"0"}, "return_to": {"/vault"}}),
		} {
			r.Header.Set(header[0], header[1])
			a := s.browser().do(r)
			if a.Status != http.StatusSeeOther || a.Header.Get("Location") != toLogin || len(a.Cookies()) > 0 {
				t.Errorf("%s: %s %d to %q", name, r.Method, a.Status, a.Header.Get("Location"))
			}
		}
	}
	s.NoMessage()
}

// TestFactorsAreAskedForAnew: an address that the directory has dropped
// receives no code, and one sent to it before proves nothing any more.
func TestFactorsAreAskedForAnew(t *testing.T) {
	s, d := newStaffSite(t)
	b := s.browser()
	code := b.startFactor("jane@example.com", "0").Code
	d.people[0] = []string{"jane@example.com", "jane@example.net"}
	back := mfa + "?return_to=%2Fvault%2Fx"
	b.post(mfa, url.Values{"code": {code}}).redirects(t, back)
	b.post(mfa, url.Values{"again": {"1"}}).redirects(t, back)
	for _, nth := range []string{"1", "-1", "2", "x", "", "99999999999999999999"} {
		b.post(mfa, url.Values{"to": {nth}, "return_to": {"/vault/x"}}).redirects(t, back)
	}
	if !b.session().MFA.IsZero() {
		t.Fatal("elevated by a phone that is somebody else's")
	}
	s.NoMessage()
}

func TestNoSecondFactor(t *testing.T) {
	s := newSite(t, func(c *otp.Config, _ *Config) { c.Admission.Allow = nil })
	b := s.browser()
	b.signIn("jane@example.com")
	b.cookies["__Host-otp"] = s.pages.Gate.Cookie.Sealed.Seal(otherAddress(b.session(), otp.SMS, janesPhone), s.Now())
	a := b.get(mfa + "?return_to=%2Fvault") // SMS aren't sent here any more
	if a.Status != http.StatusForbidden || !strings.Contains(a.Body, "no address of yours") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
}

func otherAddress(x otp.Session, c otp.Channel, text string) otp.Session {
	x.Address = otp.RestoreAddress(c, text)
	return x
}

// TestSecondFactorWhileDown: what can't be asked proves nothing, and throws
// nobody out.
func TestSecondFactorWhileDown(t *testing.T) {
	const unavailable = "Signing in isn't possible right now. Try again in 1 second."
	s, d := newStaffSite(t)
	b := s.browser()
	code := b.startFactor("jane@example.com", "0").Code
	x := b.session()
	d.down.Store(true)
	for _, a := range []answer{b.get(mfa), b.get(mfa + "?return_to=%2Fvault"), b.post(mfa, url.Values{"to": {"0"}}), b.post(mfa, url.Values{"code": {code}})} {
		if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("the directory is down: %d", a.Status)
		}
	}
	d.down.Store(false)
	s.FailStore(otp.ErrUnavailable)
	b.post(mfa, url.Values{"code": {code}}).shows(t, http.StatusServiceUnavailable, unavailable)
	b.post(mfa, url.Values{"again": {"1"}}).shows(t, http.StatusServiceUnavailable, unavailable)
	if a := b.post(mfa, url.Values{"to": {"1"}}); a.Status != http.StatusServiceUnavailable || !strings.Contains(a.Body, "Try again in 1 second.") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	s.FailStore(nil)
	if b.session().ID != x.ID {
		t.Fatal("another session")
	}
	b.post(mfa, url.Values{"code": {code}}).redirects(t, "/vault/x")
	s.NoMessage()
}

func TestNoSecondFactorFromAbroad(t *testing.T) {
	s, _ := newStaffSite(t)
	b := s.browser()
	code := b.startFactor("jane@example.com", "0").Code
	for _, form := range []url.Values{{"to": {"0"}}, {"code": {code}}, {"again": {"1"}}} {
		r := newPost(mfa, form)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://evil.example")
		if a := b.do(r); a.Status != http.StatusForbidden {
			t.Errorf("%v: %d", form, a.Status)
		}
	}
	b.post(mfa, url.Values{"code": {"12345"}}).shows(t, http.StatusBadRequest, noCodeAlert)
	for _, evil := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "javascript:x"} {
		b.post(mfa, url.Values{"to": {"0"}, "return_to": {evil}}).redirects(t, mfa)
		b.post(mfa, url.Values{"code": {s.Message().Code}}).redirects(t, "/")
	}
}

// TestSecondFactorWakesNoSession: a session that has rested for too long is
// over, also for who has the code of its second factor.
func TestSecondFactorWakesNoSession(t *testing.T) {
	s := newSite(t)
	s.Gate.Cookie.Idle = 5 * time.Minute
	b := s.browser()
	code := b.startFactor("jane@example.com", "0").Code
	s.Advance(s.Gate.Cookie.Idle)
	b.get("/private").redirects(t, login+"?return_to=%2Fprivate")
	before := b.cookies["__Host-otp"]
	a := b.post(mfa, url.Values{"code": {code}})
	if b.cookies["__Host-otp"] != before {
		t.Errorf("the session goes on: %d to %s", a.Status, a.Header.Get("Location"))
	}
}
