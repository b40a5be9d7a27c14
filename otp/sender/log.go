// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	"github.com/caddy-otp/caddy-otp/otp"
)

// NewLog returns a sender that prints messages on w, readable for a person at
// a terminal. Each message is one Write. It shows codes to whoever sees w:
// it is for development.
func NewLog(w io.Writer) otp.Sender { return &logSender{w: w} }

type logSender struct {
	mu sync.Mutex
	w  io.Writer
}

const logRule = "----------------------------------------------------------------------"

func (s *logSender) Send(ctx context.Context, m otp.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "\n%s\n%s to %s\n", logRule, m.Channel, printable(m.To))
	if m.Subject != "" {
		fmt.Fprintf(&b, "subject: %s\n", printable(m.Subject))
	}
	fmt.Fprintf(&b, "\n%s\n%s\n\n", strings.TrimRight(printable(m.Text), "\n"), logRule)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("message can't be printed: %w", err)
	}
	return nil
}

// printable replaces what a terminal would obey instead of show.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
