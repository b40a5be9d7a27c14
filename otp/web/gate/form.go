// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

const (
	// MaxForm is the largest body of a form that is kept, in bytes.
	MaxForm = 2 << 20
	// FormLifetime is how long a form is kept.
	FormLifetime = 15 * time.Minute
	// FormField is the field that the page which asks whether to send a form
	// posts to where the form was posted to, and the whole of what it posts.
	FormField = "otp_form"

	// formCookieLifetime is longer than forms are kept: what somebody confirms
	// too late must be known for what it is and not get to the app.
	formCookieLifetime = 24 * time.Hour
	// formDeadline is how long a form may take to arrive.
	formDeadline = 30 * time.Second
	// maxDrained is how much of a form too large is read over HTTP/1, where a
	// browser that isn't heard out shows no answer.
	maxDrained = 64 << 20
	// maxArriving is how many forms are read at once, and maxArrivingOfOne how
	// many for one browser: one may still be ending as the next is sent.
	maxArriving, maxArrivingOfOne = 32, 2
	// maxFormURI and maxFormType bound what is kept in the browser, so that the
	// sealed cookie stays below the 4096 bytes that browsers keep.
	maxFormURI, maxFormType = 1536, 256
)

// What can come of a confirmation to send a form that was kept.
var (
	// ErrFormSent: it was confirmed before. It is an [otp.ErrTaken].
	ErrFormSent = fmt.Errorf("form: %w", otp.ErrTaken)
	// ErrFormGone: it isn't kept, or not any more. It is an [otp.ErrNotKept].
	ErrFormGone = fmt.Errorf("form: %w", otp.ErrNotKept)
	// ErrFormOther: somebody else is signed in than who filled it in. It is a
	// [wire.ErrForbidden].
	ErrFormOther = fmt.Errorf("form of somebody else: %w", wire.ErrForbidden)
	// ErrFormUnsent: it can't be told now whether it was sent before. It is an
	// [otp.ErrUnavailable].
	ErrFormUnsent = fmt.Errorf("form can't be taken: %w", otp.ErrUnavailable)
)

// Form is what a browser's sealed cookie says of a form that is kept for it.
// Its body alone is in the store. An older cookie than the form's doesn't open
// that: the secret is another.
type Form struct {
	// Slot is the browser's place in the store: a newer form replaces the one
	// before it.
	Slot string `json:"s"`
	// Secret is what the browser confirms with; empty where the form was
	// dropped.
	Secret string `json:"x"`
	// URI is where the form was posted to: a path on this site with its query.
	URI         string `json:"p"`
	ContentType string `json:"c"`
	// Subject is whose session was over, or else Handles are the addresses
	// that the browser is known for.
	Subject string       `json:"u,omitempty"`
	Handles []otp.Handle `json:"h,omitempty"`
	// Expires is in Unix seconds.
	Expires int64 `json:"e"`
}

// Path returns where the form was posted to, without the query.
func (f Form) Path() string {
	path, _, _ := strings.Cut(f.URI, "?")
	return path
}

// Forms keeps what was posted with a session that was over, so that it can be
// sent after the next sign-in: once, by the same person in the same browser,
// and only when they say so. Forms of other sites are never kept, nor those of
// browsers that can't show that somebody signed in here with them.
type Forms struct {
	gate   *Gate
	cookie HostCookie
	bodies otp.Once

	mu       sync.Mutex
	arriving map[string]int // slots of forms that are being read
	reading  int
}

func newForms(g *Gate) *Forms {
	site := g.Service.Realm() + "\x00" + g.Service.PublicURL().String()
	return &Forms{
		gate:     g,
		cookie:   NewHostCookie(g.Cookie, g.Service.Keys(), "form", site),
		bodies:   g.Service.Once("form", FormLifetime),
		arriving: make(map[string]int),
	}
}

// isForm reports whether a request is what browsers send for a form (HTML
// standard, form submission).
func isForm(r *http.Request) bool {
	if r.Method != http.MethodPost {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (mediaType == "application/x-www-form-urlencoded" || mediaType == "multipart/form-data" || mediaType == "text/plain")
}

func (f *Forms) origin(r *http.Request) wire.Origin {
	return wire.JudgeOrigin(r, f.gate.Service.PublicURL().String(), nil)
}

func isEarly(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }

// errNoForm says that a request has nothing that could be kept.
var errNoForm = errors.New("not a form to keep")

// keep keeps what a request posts and gives the browser its cookie. The request
// must be a navigation that needs a session and has none.
func (f *Forms) keep(w http.ResponseWriter, r *http.Request) error {
	if !isForm(r) || f.origin(r) != wire.SameOrigin || isEarly(r) || r.Header.Get("Content-Encoding") != "" {
		return errNoForm
	}
	form := Form{Secret: rand.Text(), URI: r.URL.RequestURI(), ContentType: r.Header.Get("Content-Type")}
	if !isFormURI(form.URI) || Ambiguous(r.URL) || len(form.ContentType) > maxFormType {
		return errNoForm
	}
	if err := f.claim(r, &form); err != nil {
		return err
	}
	body, err := f.read(w, r, form.Slot)
	if err != nil {
		return err
	}
	if err := f.bodies.Put(r.Context(), form.Slot, form.Secret, body); err != nil {
		return err
	}
	form.Expires = f.gate.Cookie.Now().Add(FormLifetime).Unix()
	return f.set(w.Header(), form)
}

// isFormURI reports whether a form can be posted to an address from our page:
// one on this site, in the characters that browsers send.
func isFormURI(uri string) bool {
	return len(uri) <= maxFormURI && ReturnPath(uri) == uri &&
		!strings.ContainsFunc(uri, func(c rune) bool { return c >= 0x7f })
}

// claim finds out whose form it is, and its slot: by a session that is over by
// its own times, neither revoked nor refused, or by the known browser.
func (f *Forms) claim(r *http.Request, form *Form) error {
	browser, known := f.gate.Browser.Read(r)
	if known {
		form.Slot, form.Handles = "browser "+browser.ID, browser.Handles()
	}
	x, ended := f.gate.Cookie.readOver(r)
	if ended {
		ended = f.mightGoOn(r.Context(), x)
	}
	switch {
	case ended:
		form.Subject, form.Handles = x.Subject, nil
		if !known {
			form.Slot = "session " + string(x.ID)
		}
	case !known:
		return errNoForm
	}
	return nil
}

// mightGoOn reports whether nothing but its times has ended a session, not too
// long ago.
func (f *Forms) mightGoOn(ctx context.Context, x otp.Session) bool {
	now := f.gate.Cookie.Now()
	if now.Before(x.Expires) {
		_, err := f.gate.Service.Current(ctx, x)
		return err == nil
	}
	if !now.Before(x.Expires.Add(browserLifetime)) || f.gate.Service.Watch().Revoked(x.ID, x.Owner, x.Created) {
		return false
	}
	admitted, err := f.gate.Service.Admits(ctx, x.Address)
	return err == nil && admitted
}

// read reads a body of at most [MaxForm].
func (f *Forms) read(w http.ResponseWriter, r *http.Request, slot string) ([]byte, error) {
	if !f.begin(slot) {
		return nil, errors.New("too many forms arrive at once")
	}
	defer f.end(slot)
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(formDeadline)) // not every writer can; those have no slow bodies
	var body bytes.Buffer
	if r.ContentLength <= MaxForm {
		if _, err := body.ReadFrom(io.LimitReader(r.Body, MaxForm+1)); err != nil {
			return nil, err
		}
		if body.Len() <= MaxForm {
			return body.Bytes(), nil
		}
	}
	if r.ProtoMajor == 1 {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained)
	}
	return nil, fmt.Errorf("form is over %d bytes", MaxForm)
}

// begin reports whether another form of a slot may be read now.
func (f *Forms) begin(slot string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reading >= maxArriving || f.arriving[slot] >= maxArrivingOfOne {
		return false
	}
	f.reading++
	f.arriving[slot]++
	return true
}

func (f *Forms) end(slot string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reading--
	if f.arriving[slot]--; f.arriving[slot] == 0 {
		delete(f.arriving, slot)
	}
}

func (f *Forms) set(h http.Header, form Form) error {
	return f.cookie.Set(h, form, formCookieLifetime)
}

// Read returns what a browser's cookie says of its form, which may be over.
func (f *Forms) Read(r *http.Request) (form Form, ok bool) {
	ok = f.cookie.Read(r, &form)
	return form, ok
}

// Check returns nil where a session's person may send a form now, else
// [ErrFormGone] or [ErrFormOther]. Whether it was sent before only the store
// knows.
func (f *Forms) Check(form Form, x otp.Session) error {
	switch {
	case form.Secret == "" || f.gate.Cookie.Now().Unix() >= form.Expires:
		return ErrFormGone
	case form.Subject != "" && form.Subject != x.Subject,
		form.Subject == "" && !slices.Contains(form.Handles, f.gate.Service.Handle(x.Address)):
		return ErrFormOther
	}
	return nil
}

// Drop forgets a form. The browser keeps a cookie that says so, in case somebody
// goes back to the page that asks for it.
func (f *Forms) Drop(ctx context.Context, h http.Header, form Form) error {
	_, err := f.bodies.Take(ctx, form.Slot, form.Secret)
	if errors.Is(err, otp.ErrTaken) || errors.Is(err, otp.ErrNotKept) {
		err = nil
	}
	form.Secret = ""
	return errors.Join(err, f.set(h, form))
}

// confirmationLength is that of a confirmation's body: a field and a secret as
// rand.Text makes them.
const confirmationLength = int64(len(FormField) + len("=") + 26)

// confirmation returns the secret that a request confirms with, and what its
// cookie says, if it is the post of our page and not one of the app's. Requests
// of another length cost nothing, and the app's are left as they were.
func (f *Forms) confirmation(r *http.Request) (secret string, form Form, ok bool) {
	if r.ContentLength != confirmationLength || r.Method != http.MethodPost {
		return "", form, false
	}
	if form, ok = f.Read(r); !ok || f.origin(r) != wire.SameOrigin {
		return "", form, false
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return "", form, false
	}
	body, err := wire.Body(r)
	if err != nil {
		return "", form, false
	}
	secret, ok = strings.CutPrefix(string(body), FormField+"=")
	return secret, form, ok
}

// replay turns a request that confirms a form into the request that posts it,
// for the person of a session. It leaves all others as they are. It returns the
// ErrForm errors, or [wire.ErrEarlyData].
func (f *Forms) replay(r *http.Request, x *otp.Session) error {
	secret, form, ok := f.confirmation(r)
	switch {
	case !ok:
		return nil
	case isEarly(r):
		return wire.ErrEarlyData
	case subtle.ConstantTimeCompare([]byte(secret), []byte(form.Secret)) != 1, form.URI != r.URL.RequestURI():
		return ErrFormGone
	}
	if err := f.Check(form, *x); err != nil {
		return err
	}
	body, err := f.bodies.Take(r.Context(), form.Slot, form.Secret)
	switch {
	case errors.Is(err, otp.ErrTaken):
		return ErrFormSent
	case errors.Is(err, otp.ErrNotKept):
		return ErrFormGone
	case err != nil:
		return fmt.Errorf("%w: %w", ErrFormUnsent, err)
	}
	r.Header["Content-Type"] = []string{form.ContentType}
	r.Header["Content-Length"] = []string{strconv.Itoa(len(body))}
	r.ContentLength = int64(len(body))
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
