// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"context"
	"log/slog"

	"github.com/caddy-otp/caddy-otp/otp"
)

// checkedStore is an [OpenStore] that may be on something that isn't fit to be
// used.
type checkedStore interface {
	// Check returns what is wrong for good and what to do, in bounded time.
	// What may pass, as that nothing is there, is no error.
	Check(ctx context.Context) error
}

// start opens the store, and refuses what isn't fit: a configuration that runs
// already goes on.
func (p *pooledStore) start(ctx context.Context) error {
	store, err := p.open()
	if err != nil {
		return err
	}
	if checked, ok := store.(checkedStore); ok {
		return checked.Check(ctx)
	}
	return nil
}

// lasting returns a logger that writes to the log of the newest configuration
// that runs. A store outlives the one that it was opened for.
func (p *pooledStore) lasting() *slog.Logger {
	if p.logger == nil {
		return nil
	}
	return slog.New(lastingLog{p.watch})
}

type lastingLog struct{ watch *otp.Watch }

func (l lastingLog) now() slog.Handler { return l.watch.Logger().Handler() }

func (l lastingLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.now().Enabled(ctx, level)
}

func (l lastingLog) Handle(ctx context.Context, r slog.Record) error { return l.now().Handle(ctx, r) }

// WithAttrs and WithGroup stay with the configuration that runs now.
func (l lastingLog) WithAttrs(attrs []slog.Attr) slog.Handler { return l.now().WithAttrs(attrs) }
func (l lastingLog) WithGroup(name string) slog.Handler       { return l.now().WithGroup(name) }
