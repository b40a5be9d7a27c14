// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/gate"
)

// samples are the metrics that a registry has of ours, by name and the values of
// their labels: "starts_total/realm/dialect/…", with the labels in the order of
// their names. A histogram's is how much it has observed.
func samples(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, family := range families {
		name, ours := strings.CutPrefix(family.GetName(), "caddy_otp_")
		if !ours {
			continue
		}
		for _, m := range family.GetMetric() {
			key := name
			for _, label := range m.GetLabel() {
				key += "/" + label.GetValue()
			}
			all[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// app is the otp app of the configuration that runs.
func (c running) app() *App {
	c.t.Helper()
	app, err := caddy.ActiveContext().AppIfConfigured("otp")
	if err != nil {
		c.t.Fatal(err)
	}
	return app.(*App)
}

// samples are those of the registry of the configuration that runs.
func (c running) samples() map[string]float64 {
	c.t.Helper()
	ctx := caddy.ActiveContext()
	return samples(c.t, ctx.GetMetricsRegistry())
}

// loadIn loads a site with options, in a realm that should be the test's own: the
// meters are the process's.
func (c running) loadIn(realm, options string) *App {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "otp.db")
	caddyfile := "{\n\tauto_https off\n\totp {\n\t\tstore bolt " + file + "\n\t\trealm " + realm + " {\n\t\t}\n\t}\n}\n\nsitea.localhost:8080 {\n\totp " + realm + " {\n" +
		indent(2, loopback+"\n"+options) + "\n\t}\n}\n"
	if err := caddy.Load(c.withoutListeners(caddyfile), true); err != nil {
		c.t.Fatal(err)
	}
	return c.app()
}

func TestCountsSurviveAReload(t *testing.T) {
	c := run(t)
	const key = "starts_total/email/portal/accepted/login/counted"
	start := otp.StartEnd{Dialect: "portal", Channel: otp.Email, Purpose: otp.Login, Ending: otp.EndedAccepted}
	first := c.loadIn("counted", "")
	before, ok := c.samples()[key]
	if !ok {
		t.Fatal("it isn't there before any start")
	}
	first.observers[0].StartEnded(start)
	second := c.loadIn("counted", "protect")
	if n := c.samples()[key] - before; first == second || n != 1 {
		t.Fatalf("%v starts after a reload", n)
	}
	second.observers[0].StartEnded(start)
	first.observers[0].StartEnded(start) // of a request that outlives its configuration
	if n := c.samples()[key] - before; n != 3 {
		t.Errorf("%v starts", n)
	}
}

// TestNothingIsShownBefore a configuration runs: those that are refused leave no
// series.
func TestNothingIsShownBefore(t *testing.T) {
	ctx, _ := unprovisioned(t, jsonOf(t, caddyfileOf("", "public_url http://never.localhost:8080")))
	if _, err := ctx.App("http"); err != nil {
		t.Fatal(err)
	}
	for key := range samples(t, ctx.GetMetricsRegistry()) {
		if strings.Contains(key, "never.localhost") && !strings.HasPrefix(key, "breaker_open/") {
			t.Errorf("a configuration that never ran has %s", key)
		}
	}
}

// TestShownSeries are there at zero once a configuration runs.
func TestShownSeries(t *testing.T) {
	c := run(t)
	c.loadIn("shown", "api autional")
	shown := c.samples()
	for _, key := range []string{
		"starts_total/email/autional/unavailable/login/shown",
		"starts_total/email/portal/withheld/login/shown",
		"verifications_total/portal/code/wrong/login/shown",
		"verifications_total/autional/link/error/login/shown",
		"verifications_total/autional/code/unavailable/mfa/shown",
		"message_tries_total/email/undeliverable/shown",
		"message_wait_seconds/email/shown",
		"message_try_seconds/email/shown",
		"requests_total/unchecked/shown",
		"breaker_open/shown",
		"store_operation_seconds/verify/bolt",
		"store_errors_total/settle/bolt",
		"events_dropped_total",
		"revocations_age_seconds",
	} {
		if _, ok := shown[key]; !ok {
			t.Errorf("%s isn't there", key)
		}
	}
	of := 0
	for key := range shown {
		if strings.Contains(key, "/shown") {
			of++
		}
		if strings.Contains(key, "/shown") && strings.Contains(key, "nestauth") {
			t.Errorf("%s is of an API that is off", key)
		}
	}
	if of > 100 {
		t.Errorf("a realm with one API has %d series", of)
	}
}

// TestLabelsAreClosed: whatever a request says, no series are made of it.
func TestLabelsAreClosed(t *testing.T) {
	c := run(t)
	o := c.loadIn("closed", "").observers[0]
	before := c.samples()
	for _, made := range []string{"made-up", "\xff\xfe", "jane@example.com", ""} {
		o.StartEnded(otp.StartEnd{Dialect: made, Channel: otp.Channel(made), Purpose: otp.Purpose(made), Ending: otp.EndedError})
		o.VerificationEnded(otp.VerificationEnd{Dialect: made, Purpose: otp.Purpose(made), Method: otp.Method(made), Ending: otp.EndedError})
		o.MessageTried(otp.MessageTry{Site: made, ID: made, Channel: otp.Channel(made), Ending: otp.TryDelivered, Took: time.Second})
	}
	want := map[string]float64{
		"starts_total/other/other/error/other/closed":        4,
		"verifications_total/other/other/error/other/closed": 4,
		"message_tries_total/other/delivered/closed":         4,
		"message_wait_seconds/other/closed":                  4,
		"message_try_seconds/other/closed":                   4,
	}
	for key, n := range c.samples() {
		if _, ok := before[key]; !ok && want[key] != n {
			t.Errorf("made %s, at %v", key, n)
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("not counted: %v", want)
	}
}

// TestGrid: each place has a counter of its own, with the labels of the place.
func TestGrid(t *testing.T) {
	vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "caddy_otp_grid"}, []string{"a", "b", "c"})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(vector)
	b, c := []string{"b0", "b1", other}, []string{"c0", "c1", "c2", "c3"}
	g := newGrid(vector, "first", b, c)
	if len(samples(t, registry)) != 0 {
		t.Error("there are series before anything was counted")
	}
	for range 2 {
		for i := range b {
			for j := range c {
				g.counter(i, j).Add(float64(10*i + j + 1))
			}
		}
	}
	got := samples(t, registry)
	for i := range b {
		for j := range c {
			if n := got["grid/first/"+b[i]+"/"+c[j]]; n != float64(2*(10*i+j+1)) {
				t.Errorf("at %s, %s: %v", b[i], c[j], n)
			}
		}
	}
	if len(got) != len(b)*len(c) {
		t.Errorf("%v", got)
	}
	for value, want := range map[string]int{"b0": 0, "b1": 1, other: 2, "": 2, "B0": 2} {
		if got := placeOn(b, value); got != want {
			t.Errorf("%q is at %d", value, got)
		}
	}
}

// TestRegisteredTwice is no error, as where two configurations have one
// registry.
func TestRegisteredTwice(t *testing.T) {
	registry, watch := prometheus.NewPedanticRegistry(), otp.NewWatch(nil, time.Second, nil)
	for range 2 {
		if err := meters.register(registry, newStanding(watch)); err != nil {
			t.Fatal(err)
		}
	}
	taken := prometheus.NewPedanticRegistry()
	taken.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "caddy_otp_starts_total", Help: "Another."}))
	if meters.register(taken, newStanding(watch)) == nil {
		t.Error("another metric has the name, and nothing is said")
	}
}

// TestStandingOfABreaker is what a sysadmin sees of it.
func TestStandingOfABreaker(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s := newStanding(otp.NewWatch(nil, time.Second, nil))
	registry.MustRegister(s)
	s.add("realm", otp.NewBreaker(time.Now))
	if n, ok := samples(t, registry)["breaker_open/realm"]; !ok || n != 0 {
		t.Errorf("a closed breaker: %v, %t", n, ok)
	}
}

// TestMetricsAreWellNamed, as Prometheus would have it.
func TestMetricsAreWellNamed(t *testing.T) {
	c := run(t)
	c.loadIn("named", "")
	ctx := caddy.ActiveContext()
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	ours := families[:0]
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "caddy_otp_") {
			ours = append(ours, family)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(ours).Lint()
	if err != nil || len(ours) < 11 {
		t.Fatalf("%v, of %d", err, len(ours))
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	readme := readFile(t, "..", "README.md")
	for _, family := range ours {
		if !strings.Contains(readme, "`"+family.GetName()+"`") {
			t.Errorf("the README lacks %s", family.GetName())
		}
	}
	for _, event := range eventNames {
		if !strings.Contains(readme, "`"+event+"`") {
			t.Errorf("the README lacks %s", event)
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	o := &siteObserver{meters: newSiteMeters("allocations", []string{"portal", "nestauth", "autional"})}
	decided := countDecisions("allocations")
	if n := testing.AllocsPerRun(100, func() {
		o.StartEnded(otp.StartEnd{Dialect: "autional", Channel: otp.SMS, Purpose: otp.Login})
		o.VerificationEnded(otp.VerificationEnd{Dialect: "autional", Method: otp.ByLink, Purpose: otp.Login})
		decided(gate.PassedByCookie)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkCounting is what it adds to a request of the app, and to a start.
func BenchmarkCounting(b *testing.B) {
	b.Run("passed", func(b *testing.B) {
		decided := countDecisions("benchmark")
		b.ReportAllocs()
		for b.Loop() {
			decided(gate.PassedByCookie)
		}
	})
	b.Run("start", func(b *testing.B) {
		o := &siteObserver{meters: newSiteMeters("benchmark", []string{"portal", "nestauth", "autional"})}
		b.ReportAllocs()
		for b.Loop() {
			o.StartEnded(otp.StartEnd{Dialect: "autional", Channel: otp.Email, Purpose: otp.Login})
		}
	})
	b.Run("store", func(b *testing.B) {
		s := meters.measured(nil, new(BoltStore))
		b.ReportAllocs()
		for b.Loop() {
			s.done(b.Context(), startOperation, time.Now(), nil)
		}
	})
}
