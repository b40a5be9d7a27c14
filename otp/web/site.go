// SPDX-License-Identifier: Apache-2.0

// Package web is a site's whole HTTP side: it sends each request to the
// dialect that it belongs to, or through the gate to the app.
package web

import (
	"cmp"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/web/gate"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// bodyDeadline is how long a request to one of our endpoints may take to
// arrive, however slowly it trickles.
const bodyDeadline = 5 * time.Second

// Config is what a [Site] needs.
type Config struct {
	Gate *gate.Gate
	// APIs are the dialects in the order of the site's configuration. Of two
	// that share a path the request's credential decides, then the order.
	APIs []wire.API
	// Origin is the site's own web origin.
	Origin string
	// PagesPath is the path below which everything is ours.
	PagesPath string
	// FailPath answers a path below PagesPath that is none of ours, with an
	// error of package wire. It may be nil.
	FailPath func(http.ResponseWriter, *http.Request, error)
	// Caller tells who makes a request.
	Caller func(*http.Request) wire.Caller
	// OnAnswer is told of a request that is ours, before it is answered: the
	// server in front must not log its address. It may be nil.
	OnAnswer func(*http.Request)
	Logger   *slog.Logger
}

// Site serves one site.
type Site struct {
	Config
	paths map[string]*resource
	// items are the resources whose last segment may be any, by what is before
	// it, with the slash.
	items map[string]*resource
	// owned are the canonical forms of the paths that are always ours, and
	// ownedItems those of the items' without their last segment.
	owned, ownedItems pathSet
}

// resource is all that the dialects have on one path.
type resource struct {
	endpoints []endpoint
	// item names the last segment, where that may be any.
	item string
	// fail is the API that answers what no endpoint takes, where the path is
	// always ours.
	fail *wire.API
}

type endpoint struct {
	wire.Endpoint
	api *wire.API
}

// NewSite returns a site.
func NewSite(c Config) *Site {
	s := &Site{
		Config: c,
		paths:  make(map[string]*resource), items: make(map[string]*resource),
	}
	for i := range c.APIs {
		api := &c.APIs[i]
		for _, e := range api.Endpoints {
			s.add(endpoint{Endpoint: e, api: api})
		}
	}
	return s
}

func (s *Site) add(e endpoint) {
	resources, owned, path := s.paths, &s.owned, e.Path
	parent, item := cutItem(e.Path)
	if item != "" {
		resources, owned, path = s.items, &s.ownedItems, parent
	}
	res := resources[path]
	if res == nil {
		res = &resource{item: item}
		resources[path] = res
	}
	res.endpoints = append(res.endpoints, e)
	if e.Documented && res.fail == nil {
		res.fail = e.api
	}
	if e.alwaysOurs() {
		owned.add(gate.Canonical(path))
	}
}

// cutItem returns what is before the last segment of an endpoint's path, with
// the slash, and the name of that segment where it may be any; else "".
func cutItem(path string) (parent, item string) {
	parent, last := cutLast(path)
	if strings.HasPrefix(last, "{") && strings.HasSuffix(last, "}") {
		item = last[1 : len(last)-1]
	}
	return parent, item
}

// cutLast takes the last segment off a path; the slash stays.
func cutLast(path string) (parent, last string) {
	i := strings.LastIndexByte(path, '/') + 1
	return path[:i], path[i:]
}

// resource returns what is ours on a path, or nil. What stands for any segment
// must be one however the path is read, and not a disguise of another path.
func (s *Site) resource(path string) *resource {
	if res := s.paths[path]; res != nil {
		return res
	}
	parent, last := cutLast(path)
	res := s.items[parent]
	if res == nil || last == "" || !gate.Plain(path) {
		return nil
	}
	return res
}

// ServeHTTP answers what is ours and passes everything else to next, the app,
// with the identity of who makes the request. It returns next's error.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request, next gate.Next) error {
	s.Gate.Identity.Strip(r)
	if res := s.resource(r.URL.Path); res != nil && !gate.Ambiguous(r.URL) {
		if s.dispatch(w, r, res) {
			return nil
		}
	} else if s.isDisguised(r.URL) {
		s.refusePath(w, r)
		return nil
	}
	return s.Gate.Serve(w, r, next)
}

// dispatch answers a request on one of our paths, or returns false where it
// is the app's.
func (s *Site) dispatch(w http.ResponseWriter, r *http.Request, res *resource) bool {
	if wire.IsPreflight(r) {
		return s.preflight(w, r, res)
	}
	candidates := res.taking(r.Method)
	if len(candidates) == 0 {
		if res.fail == nil {
			return false
		}
		limitBody(w)
		w.Header().Set("Allow", strings.Join(res.methods(), ", "))
		s.answer(w, r, res.fail, func(w http.ResponseWriter, r *http.Request) {
			res.fail.Fail(w, r, wire.ErrMethod)
		})
		return true
	}
	// On a path that the app may have, a body may take the app's time: its end
	// tells whose it is.
	if slices.ContainsFunc(candidates, endpoint.alwaysOurs) {
		limitBody(w)
	}
	if res.item != "" {
		_, last := cutLast(r.URL.Path)
		r.SetPathValue(res.item, last)
	}
	for _, e := range candidates {
		if e.Owns == nil || e.Owns(r) {
			s.serve(w, r, e)
			return true
		}
	}
	for _, e := range candidates {
		if e.api.Exclusive {
			s.serve(w, r, e)
			return true
		}
	}
	return false
}

// alwaysOurs reports whether no request on the endpoint is the app's.
func (e endpoint) alwaysOurs() bool { return e.Owns == nil || e.api.Exclusive }

// limitBody gives the rest of a request its time to arrive. After an answer
// of ours it stays so: the server reads what is left of a body before it
// sends the answer, and sets the next request's deadline itself.
func limitBody(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyDeadline)) // not every writer can; those have no slow bodies
}

func (res *resource) taking(method string) []endpoint {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var candidates []endpoint
	for _, e := range res.endpoints {
		if e.Method == method {
			candidates = append(candidates, e)
		}
	}
	return candidates
}

func (res *resource) methods() []string {
	methods := make(map[string]bool)
	for _, e := range res.endpoints {
		methods[e.Method] = true
		if e.Method == http.MethodGet {
			methods[http.MethodHead] = true
		}
	}
	return slices.Sorted(maps.Keys(methods))
}

// serve lets an endpoint answer, unless the request comes from where it may
// not come from.
func (s *Site) serve(w http.ResponseWriter, r *http.Request, e endpoint) {
	handle := e.Serve
	origin := wire.JudgeOrigin(r, s.Origin, e.api.Origins)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		switch {
		case r.TLS != nil && !r.TLS.HandshakeComplete:
			handle = failWith(e.api, wire.ErrEarlyData)
		case origin == wire.Foreign && !e.AnyOrigin:
			handle = failWith(e.api, s.foreign(r))
		}
	}
	if origin == wire.Allowed {
		wire.AllowOrigin(w.Header(), r)
	}
	s.answer(w, r, e.api, handle)
}

func failWith(api *wire.API, err error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { api.Fail(w, r, err) }
}

// foreign returns what is wrong with a request's origin, and tells the log:
// somebody whose site was set up with another address sees nothing else.
func (s *Site) foreign(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if _, host, found := strings.Cut(origin, "://"); !found || host != r.Host {
		s.Logger.Info("refused a request from another site", slog.String("origin", origin))
		return wire.ErrCrossSite
	}
	s.Logger.Warn("the site was opened at another address than its public_url; make them the same",
		slog.String("opened_at", origin), slog.String("public_url", s.Origin))
	return wire.ErrOtherAddress
}

// preflight answers for origins that may call an endpoint of the path.
func (s *Site) preflight(w http.ResponseWriter, r *http.Request, res *resource) bool {
	alwaysOurs := false
	for _, e := range res.endpoints {
		if origin := wire.JudgeOrigin(r, s.Origin, e.api.Origins); origin == wire.Allowed || origin == wire.SameOrigin {
			limitBody(w)
			s.answer(w, r, e.api, func(w http.ResponseWriter, r *http.Request) {
				wire.Preflight(w, r, res.methods())
			})
			return true
		}
		alwaysOurs = alwaysOurs || e.alwaysOurs()
	}
	if alwaysOurs {
		limitBody(w)
		s.answer(w, r, res.endpoints[0].api, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Vary", "Origin")
			w.WriteHeader(http.StatusNoContent)
		})
	}
	return alwaysOurs
}

// answer runs a handler of ours and logs one line of it without addresses,
// queries or secrets.
func (s *Site) answer(w http.ResponseWriter, r *http.Request, api *wire.API, handle http.HandlerFunc) {
	if s.OnAnswer != nil {
		s.OnAnswer(r)
	}
	r = wire.WithCaller(r, s.Caller(r))
	wire.SetPrivate(w.Header())
	recorder := &statusRecorder{ResponseWriter: w}
	began := time.Now()
	handle(recorder, r)
	if !s.Logger.Enabled(r.Context(), slog.LevelInfo) {
		return
	}
	caller := wire.CallerOf(r)
	trace := caller.Trace()
	s.Logger.Info("answered",
		slog.String("api", api.Name),
		slog.String("method", r.Method),
		slog.String("path", s.loggedPath(r.URL.Path)),
		slog.Int("status", cmp.Or(recorder.status, http.StatusOK)),
		slog.Duration("duration", time.Since(began)),
		slog.String("client_ip", caller.IP.String()),
		slog.String("request_id", caller.RequestID()),
		slog.String("trace_id", trace.ID),
		slog.String("span_id", trace.Span),
	)
}

// loggedPath is a path without what it names.
func (s *Site) loggedPath(path string) string {
	if res := s.resource(path); res != nil && res.item != "" {
		parent, _ := cutLast(path)
		return parent + "{" + res.item + "}"
	}
	return path
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach what is below.
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// isDisguised reports whether a path is one of ours in another spelling, such
// as a server behind may fold to the same: it must not get there.
func (s *Site) isDisguised(u *url.URL) bool {
	if gate.Plain(u.Path) && !gate.Ambiguous(u) && !s.mayFold(u.Path) {
		return false
	}
	canonical := gate.Canonical(u.Path)
	parent, _ := cutLast(canonical)
	return s.owned.has(canonical) || s.ownedItems.has(strings.TrimSuffix(parent, "/")) || s.isBelowPages(canonical)
}

func (s *Site) isBelowPages(canonical string) bool {
	return canonical == s.PagesPath || strings.HasPrefix(canonical, s.PagesPath+"/")
}

// mayFold is a quick look that spares most of the app's requests the
// canonical form: only a path in the spelling of one of ours, or below our
// pages, goes on.
func (s *Site) mayFold(path string) bool {
	if len(path) >= len(s.PagesPath) && strings.EqualFold(path[:len(s.PagesPath)], s.PagesPath) {
		return true
	}
	trimmed := strings.TrimRight(path, "/")
	if s.owned.folds(trimmed) {
		return true
	}
	parent, _ := cutLast(trimmed)
	return s.ownedItems.folds(strings.TrimSuffix(parent, "/"))
}

// refusePath answers a disguised path: 400 where it is ambiguous, else 404.
func (s *Site) refusePath(w http.ResponseWriter, r *http.Request) {
	err := wire.ErrNotFound
	if gate.Ambiguous(r.URL) {
		err = wire.ErrPath
	}
	limitBody(w)
	pages := wire.API{Name: "portal", Fail: failPlainly}
	if s.FailPath != nil && s.isBelowPages(gate.Canonical(r.URL.Path)) {
		pages.Fail = s.FailPath
	}
	s.answer(w, r, &pages, failWith(&pages, err))
}

func failPlainly(w http.ResponseWriter, _ *http.Request, err error) {
	status := wire.Status(err)
	http.Error(w, http.StatusText(status), status)
}
