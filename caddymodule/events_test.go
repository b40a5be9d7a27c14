// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/caddy-otp/caddy-otp/otp"
)

func init() { caddy.RegisterModule(listener{}) }

// listener hands the events that it is subscribed to to the test that runs.
type listener struct{}

func (listener) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.otp_listener", New: func() caddy.Module { return new(listener) }}
}

func (listener) Handle(_ context.Context, e caddy.Event) error {
	if heard := hearing.get(); heard != nil {
		heard(e)
	}
	return nil
}

// hearing is what the test that runs does with an event.
var hearing heardBy

type heardBy struct {
	mu sync.Mutex
	f  func(caddy.Event)
}

func (h *heardBy) get() func(caddy.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.f
}

func (h *heardBy) set(f func(caddy.Event)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.f = f
}

// listen loads a site with a subscription to some events, which f gets.
func (c running) listen(f func(caddy.Event), events ...string) *App {
	c.t.Helper()
	hearing.set(f)
	c.t.Cleanup(func() { hearing.set(nil) })
	var config map[string]any
	if err := json.Unmarshal(c.withoutListeners(caddyfileOf("", loopback)), &config); err != nil {
		c.t.Fatal(err)
	}
	config["apps"].(map[string]any)["events"] = map[string]any{"subscriptions": []any{map[string]any{
		"events": events, "modules": []string{"otp"}, "handlers": []any{map[string]any{"handler": "otp_listener"}},
	}}}
	text, err := json.Marshal(config)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := caddy.Load(text, true); err != nil {
		c.t.Fatal(err)
	}
	return c.app()
}

// next waits for an event.
func next(t *testing.T, events <-chan caddy.Event) caddy.Event {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no event comes")
		panic("unreachable")
	}
}

// start asks for a code, as the pages do.
func start(t *testing.T, app *App, address string) {
	t.Helper()
	mail, err := otp.ParseEmail(address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.services[0].Start(t.Context(), otp.StartRequest{
		Dialect: "portal", Address: mail, Purpose: otp.Login, Form: otp.FormCode,
		Code: otp.CodePolicy{Length: 6, Lifetime: 10 * time.Minute, Attempts: 5, Keep: 3},
	}); err != nil {
		t.Fatal(err)
	}
}

// TestEvents emits what comes of messages, breaker and store, and to nobody
// what nobody has subscribed to.
func TestEvents(t *testing.T) {
	c := run(t)
	heard := make(chan caddy.Event, 100)
	app := c.listen(func(e caddy.Event) { heard <- e }, "otp_message_sent", "otp_message_expired", "otp_breaker_opened", "otp_breaker_closed", "otp_store_down", "otp_store_up")
	start(t, app, "jane@example.com")
	sent := next(t, heard)
	text, err := json.Marshal(sent.Data)
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := sent.Data["message_id"].(string); sent.Name() != "otp_message_sent" || sent.Data["realm"] != "localhost:8080" || sent.Data["site"] != "localhost:8080" ||
		sent.Data["channel"] != "email" || sent.Data["tries"] != int64(1) || id == "" || len(sent.Data) != 6 {
		t.Errorf("%s: %s", sent.Name(), text)
	}
	if from := sent.Origin().CaddyModule().ID; from != eventSourceID {
		t.Errorf("it comes from %s", from)
	}
	if waited, _ := sent.Data["waited"].(float64); waited < 0 || waited > 60 || strings.Contains(string(text), "jane") {
		t.Errorf("%s", text)
	}

	o := app.observers[0]
	o.MessageTried(otp.MessageTry{Ending: otp.TryPostponed})
	o.MessageTried(otp.MessageTry{Ending: otp.TryUndeliverable}) // nobody hears of it
	o.MessageTried(otp.MessageTry{Ending: otp.TryExpired, Tries: 8})
	o.BreakerTurned(otp.BreakerTurn{Open: true, Reason: "of the test"})
	o.BreakerTurned(otp.BreakerTurn{Reason: "of the test"})
	o.StoreTurned(true)
	o.StoreTurned(false)
	for _, want := range []struct {
		name, key string
		value     any
	}{
		{"otp_message_expired", "tries", int64(8)},
		{"otp_breaker_opened", "because_of", "of the test"},
		{"otp_breaker_closed", "realm", "localhost:8080"},
		{"otp_store_down", "store", "bolt"},
		{"otp_store_up", "store", "bolt"},
	} {
		if e := next(t, heard); e.Name() != want.name || e.Data[want.key] != want.value {
			t.Errorf("%s %v, want %s", e.Name(), e.Data, want.name)
		}
	}
	if app.events.wants(messageUndeliverable) || !app.events.wants(messageSent) {
		t.Error("it isn't known what anybody hears")
	}
}

// TestNoEventsAfterAStop, of a configuration that a reload has replaced.
func TestNoEventsAfterAStop(t *testing.T) {
	c := run(t)
	heard := make(chan caddy.Event, 100)
	first := c.listen(func(e caddy.Event) { heard <- e }, "otp_store_down")
	first.observers[0].StoreTurned(true) // at once: it waits until all runs
	next(t, heard)
	second := c.listen(func(e caddy.Event) { heard <- e }, "otp_store_down")
	dropped := c.samples()["events_dropped_total"]
	for range 2 * eventBacklog {
		first.observers[0].StoreTurned(true)
	}
	second.observers[0].StoreTurned(true)
	next(t, heard)
	if len(heard) > 0 || c.samples()["events_dropped_total"] != dropped {
		t.Errorf("%d events of what was stopped, %v dropped", len(heard), c.samples()["events_dropped_total"]-dropped)
	}
}

// TestSlowHandlerHoldsNothingUp: messages go out, what is too much is dropped
// and counted, and a stop waits for a moment only.
func TestSlowHandlerHoldsNothingUp(t *testing.T) {
	c := run(t)
	begun, release := make(chan caddy.Event, 2*eventBacklog), make(chan struct{})
	defer close(release)
	app := c.listen(func(e caddy.Event) { begun <- e; <-release }, "otp_message_sent", "otp_store_down")
	before := c.samples()
	start(t, app, "jane@example.com")
	next(t, begun)
	start(t, app, "joe@example.com")
	const tries = "message_tries_total/email/delivered/localhost:8080"
	until(t, "a message is delivered meanwhile", func() bool { return c.samples()[tries] == before[tries]+2 })
	until(t, "its event waits", func() bool { return len(app.events.queue) == 1 })
	for range eventBacklog + 9 {
		app.observers[0].StoreTurned(true)
	}
	if n := c.samples()["events_dropped_total"] - before["events_dropped_total"]; n != 10 {
		t.Errorf("%v events are dropped", n)
	}
	stopping := time.Now()
	app = c.listen(nil, "otp_message_sent")
	if took := time.Since(stopping); took < eventGrace || took > eventGrace+20*time.Second {
		t.Errorf("the reload took %v", took)
	}
	if n := c.samples()["events_dropped_total"] - before["events_dropped_total"]; n != 10+eventBacklog {
		t.Errorf("%v events are dropped after the reload", n)
	}
	if len(begun) > 0 {
		t.Error("the handler got another event")
	}
}

// TestPanickingHandler is called again with the next event.
func TestPanickingHandler(t *testing.T) {
	c := run(t)
	heard := make(chan caddy.Event, 10)
	app := c.listen(func(e caddy.Event) { heard <- e; panic("of the test") }, "otp_store_down")
	for range 3 {
		app.observers[0].StoreTurned(true)
		next(t, heard)
	}
}

// TestEventsThatNeverRan: a configuration that is given up before all its apps
// are started emits nothing, and its stop waits for nothing.
func TestEventsThatNeverRan(t *testing.T) {
	ctx, _ := unprovisioned(t, jsonOf(t, caddyfileOf("", loopback)))
	e, err := newEvents(ctx, slog.New(slog.DiscardHandler), func() bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	e.start()
	e.emit(storeDown, nil)
	stopping := time.Now()
	e.stop()
	if took := time.Since(stopping); took >= eventGrace {
		t.Errorf("the stop took %v", took)
	}
	e.emit(storeDown, nil)
	if n := len(e.queue); n != 1 {
		t.Errorf("%d wait", n)
	}
}

// BenchmarkEvent is what telling of a message costs the courier, with a handler
// of its event and with none.
func BenchmarkEvent(b *testing.B) {
	for name, heard := range map[string]bool{"heard": true, "unheard": false} {
		b.Run(name, func(b *testing.B) {
			e := &events{queue: make(chan event, 1), logger: slog.New(slog.DiscardHandler)}
			e.wanted[messageSent] = heard
			e.known.Store(true)
			o := &siteObserver{meters: newSiteMeters("benchmark", nil), events: e, realm: "benchmark"}
			b.ReportAllocs()
			for b.Loop() {
				o.MessageTried(otp.MessageTry{Site: "localhost", ID: "id", Channel: otp.Email, Ending: otp.TryDelivered, Tries: 1})
				if heard {
					<-e.queue
				}
			}
		})
	}
}

// BenchmarkEmit is what Caddy takes to emit an event, on our goroutine of events.
func BenchmarkEmit(b *testing.B) {
	var config caddy.Config
	if err := json.Unmarshal([]byte(`{"logging": {"logs": {"default": {"writer": {"output": "discard"}}}}}`), &config); err != nil {
		b.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		b.Fatal(err)
	}
	for name, heard := range map[string]bool{"heard": true, "unheard": false} {
		b.Run(name, func(b *testing.B) {
			app := new(caddyevents.App)
			if err := app.Provision(ctx); err != nil {
				b.Fatal(err)
			}
			if heard {
				if err := app.On("otp_message_sent", listener{}); err != nil {
					b.Fatal(err)
				}
			}
			data := map[string]any{"realm": "benchmark"}
			b.ReportAllocs()
			for b.Loop() {
				app.Emit(ctx, "otp_message_sent", data)
			}
		})
	}
}

// Interface guards
var _ caddyevents.Handler = listener{}
