// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

// eventKind is an event that we emit.
type eventKind int

const (
	messageSent eventKind = iota
	messageUndeliverable
	messageExpired
	breakerOpened
	breakerClosed
	storeDown
	storeUp
)

var eventNames = [...]string{
	messageSent:          "otp_message_sent",
	messageUndeliverable: "otp_message_undeliverable",
	messageExpired:       "otp_message_expired",
	breakerOpened:        "otp_breaker_opened",
	breakerClosed:        "otp_breaker_closed",
	storeDown:            "otp_store_down",
	storeUp:              "otp_store_up",
}

const (
	// eventBacklog is how many events wait for slow handlers; more are dropped.
	eventBacklog = 1024
	// eventGrace is how long the events that wait may take once Caddy stops or
	// reloads.
	eventGrace = 2 * time.Second
	// eventPoll is how often it is looked whether the configuration runs.
	eventPoll = 50 * time.Millisecond
)

// eventSource is the module that our events come from: subscriptions to those of
// otp get them. The context of the otp app won't do, for Caddy may write other
// modules into that: those of the handler that loads the app.
type eventSource struct{ ctx caddy.Context }

func init() { caddy.RegisterModule(eventSource{}) }

const eventSourceID = "otp.events"

// CaddyModule returns the Caddy module information.
func (eventSource) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: eventSourceID, New: func() caddy.Module { return new(eventSource) }}
}

// Provision keeps the module's context.
func (s *eventSource) Provision(ctx caddy.Context) error {
	s.ctx = ctx
	return nil
}

type event struct {
	kind eventKind
	data map[string]any
}

// events emits events of Caddy, one after the other, on a goroutine of its own:
// handlers run as long as they like, and neither requests nor deliveries wait
// for them. Caddy's app of events takes subscriptions until it is started, and
// apps start in any order, so nothing is emitted before all of them are.
type events struct {
	app    *caddyevents.App
	ctx    caddy.Context
	logger *slog.Logger
	// running reports whether the configuration runs.
	running func() bool

	queue chan event
	// known says that wanted holds which events anybody hears.
	known  atomic.Bool
	wanted [len(eventNames)]bool
	// dropping says that the log was told of events that are dropped.
	dropping atomic.Bool

	stopping, stopped chan struct{}
	over              atomic.Bool
}

func newEvents(ctx caddy.Context, logger *slog.Logger, running func() bool) (*events, error) {
	module, err := ctx.App("events")
	if err != nil {
		return nil, err
	}
	app, ok := module.(*caddyevents.App)
	if !ok {
		return nil, fmt.Errorf("the events app is a %T", module)
	}
	// It ends with ctx: to cancel it would run what is to be run at the end of
	// that.
	apart, _ := caddy.NewContext(ctx)
	source, err := apart.LoadModuleByID(eventSourceID, nil)
	if err != nil {
		return nil, err
	}
	return &events{
		app:      app,
		ctx:      source.(*eventSource).ctx,
		logger:   logger,
		running:  running,
		queue:    make(chan event, eventBacklog),
		stopping: make(chan struct{}),
		stopped:  make(chan struct{}),
	}, nil
}

// wants reports whether anybody hears of an event, as far as is known: who
// makes its data can spare that.
func (e *events) wants(kind eventKind) bool { return !e.known.Load() || e.wanted[kind] }

// emit has an event emitted soon, unless all is stopped. It never waits.
func (e *events) emit(kind eventKind, data map[string]any) {
	if e.over.Load() {
		return
	}
	select {
	case e.queue <- event{kind, data}:
	default:
		meters.eventsDropped.Inc()
		if !e.dropping.Swap(true) {
			e.logger.Warn("events are dropped: the handlers of events are too slow")
		}
	}
}

// start begins to emit.
func (e *events) start() { go e.run() }

// stop ends what start began. Events that wait have a moment yet. Nothing is
// emitted afterwards: a handler that has begun may still be at it, and no other
// begins.
func (e *events) stop() {
	close(e.stopping)
	grace := time.NewTimer(eventGrace)
	defer grace.Stop()
	select {
	case <-e.stopped:
		e.over.Store(true)
	case <-grace.C:
		e.over.Store(true)
		e.logger.Warn("events are dropped: a handler of events hasn't ended", slog.Int("events", e.drop()))
	}
}

// drop drops the events that wait, and returns how many it were.
func (e *events) drop() (n int) {
	for {
		select {
		case <-e.queue:
			n++
			meters.eventsDropped.Inc()
		default:
			return n
		}
	}
}

func (e *events) run() {
	defer close(e.stopped)
	if !e.awaitRunning() {
		return
	}
	for kind, name := range eventNames {
		e.wanted[kind] = e.app.ShouldEmit(name)
	}
	e.known.Store(true)
	for {
		select {
		case next := <-e.queue:
			e.hand(next)
			continue
		default:
			e.dropping.Store(false)
		}
		select {
		case next := <-e.queue:
			e.hand(next)
		case <-e.stopping:
			e.handRest()
			return
		}
	}
}

// handRest hands on what waits at a stop.
func (e *events) handRest() {
	for {
		select {
		case next := <-e.queue:
			e.hand(next)
		default:
			return
		}
	}
}

// awaitRunning returns false where the configuration is given up before.
func (e *events) awaitRunning() bool {
	ticker := time.NewTicker(eventPoll)
	defer ticker.Stop()
	for !e.running() {
		select {
		case <-ticker.C:
		case <-e.stopping:
			return false
		}
	}
	return true
}

// hand has the handlers of an event handle it.
func (e *events) hand(next event) {
	if e.over.Load() || !e.wanted[next.kind] {
		return
	}
	defer func() {
		if recover() != nil { // its own words may quote anything
			e.logger.Error("a handler of events panicked", slog.String("event", eventNames[next.kind]), slog.String("stack", string(debug.Stack())))
		}
	}()
	e.app.Emit(e.ctx, eventNames[next.kind], next.data)
}

// Interface guards
var _ caddy.Provisioner = (*eventSource)(nil)
