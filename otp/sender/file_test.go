// SPDX-License-Identifier: Apache-2.0

package sender_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/sender"
)

func newFile(t *testing.T, path string) otp.Sender {
	t.Helper()
	s, err := sender.NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines returns what was appended, decoded.
func lines(t *testing.T, path string) []map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for line := range strings.Lines(string(content)) {
		var decoded map[string]string
		if err := json.Unmarshal([]byte(line), &decoded); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		all = append(all, decoded)
	}
	return all
}

func TestFileLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messages")
	file := newFile(t, path)
	for _, m := range []otp.Message{mail(), sms()} {
		if err := file.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	want := []map[string]string{
		{
			"channel": "email", "purpose": "login", "to": "Ada@example.com", "subject": "Your sign-in code for Zürich",
			"text": "Your code:\n\n048151\n", "html": "<p>Your code: <b>048151</b></p>\n", "code": "048151",
			"link": "https://app.example.com/.otp/link?t=a-b_c&x=1", "locale": "en", "message_id": "m1-Abc_9",
			"dialect": "portal", "tenant": "",
		},
		{
			"channel": "sms", "purpose": "login", "to": "+4930123456", "subject": "",
			"text": "048151 ist Ihr Code.\n@app.example.com #048151", "html": "", "code": "048151",
			"link": "", "locale": "de", "message_id": "m2", "dialect": "nestauth", "tenant": "t1",
		},
	}
	got := lines(t, path)
	for i, line := range got {
		at, err := time.Parse(time.RFC3339, line["time"])
		if err != nil || !strings.HasSuffix(line["time"], "Z") || time.Since(at) > time.Minute {
			t.Errorf("time %q: %v", line["time"], err)
		}
		delete(line, "time")
		if fmt.Sprint(line) != fmt.Sprint(want[i]) {
			t.Errorf("line %d\ngot  %v\nwant %v", i, line, want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d lines", len(got))
	}
	raw, _ := os.ReadFile(path)
	if !strings.Contains(string(raw), "?t=a-b_c&x=1") {
		t.Errorf("the link isn't readable in %s", raw)
	}
}

func TestFileMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messages")
	for _, existing := range []os.FileMode{0, 0o644} {
		if existing != 0 {
			if err := os.Chmod(path, existing); err != nil {
				t.Fatal(err)
			}
		}
		if err := newFile(t, path).Send(t.Context(), mail()); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("from mode %o: %v, %v", existing, info.Mode(), err)
		}
	}
}

func TestFileRotatedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messages")
	file := newFile(t, path)
	if err := file.Send(t.Context(), mail()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := file.Send(t.Context(), sms()); err != nil {
		t.Fatal(err)
	}
	if old, now := lines(t, path+".1"), lines(t, path); len(old) != 1 || len(now) != 1 || now[0]["channel"] != "sms" {
		t.Errorf("rotated %v, new %v", old, now)
	}
}

// TestFileShared appends from several goroutines of several processes: this
// test runs itself as the others.
func TestFileShared(t *testing.T) {
	const processes, goroutines, messages = 3, 4, 25
	long := mail()
	long.HTML = strings.Repeat("<p>a long part</p>", 1000) // more than a pipe or a page takes at once
	path := os.Getenv("SENDER_TEST_FILE")
	if path != "" {
		file := newFile(t, path)
		var all sync.WaitGroup
		for range goroutines {
			all.Go(func() {
				for range messages {
					if err := file.Send(t.Context(), long); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		return
	}
	path = filepath.Join(t.TempDir(), "messages")
	var all sync.WaitGroup
	for range processes {
		all.Go(func() {
			other := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFileShared$")
			other.Env = append(os.Environ(), "SENDER_TEST_FILE="+path)
			if out, err := other.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	if got := len(lines(t, path)); got != processes*goroutines*messages {
		t.Errorf("%d lines, want %d", got, processes*goroutines*messages)
	}
}

func TestFileFails(t *testing.T) {
	for _, path := range []string{"", "folder/"} {
		if _, err := sender.NewFile(path); err == nil {
			t.Errorf("%q was accepted", path)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing", "messages")
	if err := newFile(t, missing).Send(t.Context(), mail()); err == nil {
		t.Error("a message went into a folder that doesn't exist")
	} else {
		mustNotTell(t, err, mail())
	}
}
