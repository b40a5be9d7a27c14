// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// logged keeps what is logged, line by line, without times.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func newLogged() (*logged, *slog.Logger) {
	l := new(logged)
	return l, slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "file" || a.Key == "directory" {
			return slog.Attr{}
		}
		return a
	}}))
}

// lines returns the lines since the last call.
func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(l.text.String()), "\n")
	l.text.Reset()
	if lines[0] == "" {
		return nil
	}
	return lines
}

func (l *logged) want(t *testing.T, lines ...string) {
	t.Helper()
	if got := l.lines(); !slices.Equal(got, lines) {
		t.Errorf("logged\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}
