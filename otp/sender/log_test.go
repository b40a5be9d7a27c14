// SPDX-License-Identifier: Apache-2.0

package sender_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/otp/sender"
)

// writes records each Write.
type writes struct {
	all []string
	err error
}

func (w *writes) Write(p []byte) (int, error) {
	w.all = append(w.all, string(p))
	return len(p), w.err
}

func TestLog(t *testing.T) {
	const rule = "----------------------------------------------------------------------\n"
	var w writes
	log := sender.NewLog(&w)
	if err := log.Send(t.Context(), mail()); err != nil {
		t.Fatal(err)
	}
	if err := log.Send(t.Context(), sms()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"\n" + rule + "email to Ada@example.com\nsubject: Your sign-in code for Zürich\n\nYour code:\n\n048151\n" + rule + "\n",
		"\n" + rule + "sms to +4930123456\n\n048151 ist Ihr Code.\n@app.example.com #048151\n" + rule + "\n",
	}
	if strings.Join(w.all, "|") != strings.Join(want, "|") {
		t.Errorf("got %q\nwant %q", w.all, want)
	}
}

func TestLogShowsNoControlCharacters(t *testing.T) {
	var w writes
	m := mail()
	m.Text = "a\x1b]0;title\x07b\rc\u202ed"
	if err := sender.NewLog(&w).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(w.all[0], "a\ufffd]0;title\ufffdb\ufffdc\ufffdd\n") {
		t.Errorf("got %q", w.all[0])
	}
}

func TestLogFails(t *testing.T) {
	broken := errors.New("broken pipe")
	if err := sender.NewLog(&writes{err: broken}).Send(t.Context(), mail()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var w writes
	if err := sender.NewLog(&w).Send(ctx, mail()); !errors.Is(err, context.Canceled) || len(w.all) > 0 {
		t.Errorf("after the end of its context: %v, %q", err, w.all)
	}
}
