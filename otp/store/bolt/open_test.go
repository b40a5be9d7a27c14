// SPDX-License-Identifier: Apache-2.0

package bolt

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/caddy-otp/caddy-otp/otp"
)

func TestFileIsPrivate(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "a", "b")
	file := filepath.Join(directory, "otp.db")
	open(t, file)
	for name, want := range map[string]os.FileMode{
		file:                    0o600,
		directory:               0o700,
		filepath.Dir(directory): 0o700,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s is %o, want %o", name, got, want)
		}
	}
}

func TestOpenTwice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "otp.db")
	open(t, file)
	_, err := Open(file)
	if err == nil {
		t.Fatal("the file was opened twice")
	}
	for _, want := range []string{file, "open in another process"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q doesn't say %q", err, want)
		}
	}
	wantAside(t, file, 0)
}

func TestCorruptFileIsMovedAside(t *testing.T) {
	whole := filledFile(t)
	page := os.Getpagesize()
	for _, test := range []struct {
		name    string
		corrupt func(content []byte) []byte
	}{
		{"cut after the first page", func(b []byte) []byte { return b[:page] }},
		{"cut after the meta pages", func(b []byte) []byte { return b[:2*page] }},
		{"cut in the middle", func(b []byte) []byte { return b[:len(b)/2] }},
		{"cut in a page", func(b []byte) []byte { return b[:20*page+100] }},
		{"cut in a long value", func(b []byte) []byte { return b[:bytes.Index(b, long)+len(long)/2] }},
		{"both meta pages zero", func(b []byte) []byte { clear(b[:2*page]); return b }},
		{"all but the meta pages zero", func(b []byte) []byte { clear(b[2*page:]); return b }},
		{"all but the meta pages noise", func(b []byte) []byte { noise(b[2*page:]); return b }},
		{"half the pages noise", func(b []byte) []byte {
			for at := 2 * page; at+2*page <= len(b); at += 2 * page {
				noise(b[at : at+page])
			}
			return b
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "otp.db")
			corrupt := test.corrupt(bytes.Clone(whole))
			if err := os.WriteFile(file, corrupt, 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			clock := newClock()
			s := open(t, file, WithClock(clock.now), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			aside := wantAside(t, file, 1)[0]
			if want := file + ".corrupt-20260102T030405.678Z"; aside != want {
				t.Errorf("it was moved to %s, want %s", aside, want)
			}
			if kept, err := os.ReadFile(aside); err != nil || !bytes.Equal(kept, corrupt) {
				t.Errorf("what was moved aside isn't what was there (%v)", err)
			}
			for _, want := range []string{"level=ERROR", file, aside} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("log %q doesn't say %q", &log, want)
				}
			}
			mustStart(t, s, "alice", otp.Accepted)
			mustVerify(t, s, "alice", "right", otp.Verified)
		})
	}
}

// TestAnyTornFileOpens damages files at random: whatever is left of a file, it
// opens or is moved aside.
func TestAnyTornFileOpens(t *testing.T) {
	whole := filledFile(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		content := bytes.Clone(whole)
		if random.IntN(2) == 0 {
			content = content[:random.IntN(len(content))]
		} else {
			for range 1 + random.IntN(20) {
				at := random.IntN(len(content) - 512)
				clear(content[at : at+512])
			}
		}
		file := filepath.Join(t.TempDir(), "otp.db")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, file)
		// What was damaged inside of values is only found when it is read.
		for _, name := range names(50) {
			s.Start(t.Context(), startOf(name), messageOf(name))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEmptyFileIsBegun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "otp.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustStart(t, open(t, file), "alice", otp.Accepted)
	wantAside(t, file, 0)
}

// TestNoStoreIsMoved: a slip in a path must not take away somebody's file.
func TestNoStoreIsMoved(t *testing.T) {
	for name, content := range map[string]string{
		"a database":   "SQLite format 3\x00" + strings.Repeat("x", 8<<10),
		"a text":       strings.Repeat("some text\n", 1000),
		"a short text": "hello",
		"one byte":     "\x01",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "precious")
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(file)
			if err == nil || !strings.Contains(err.Error(), "not a store") || !strings.Contains(err.Error(), file) {
				t.Fatalf("error is %v, want one that names the file", err)
			}
			if after, err := os.ReadFile(file); err != nil || string(after) != content {
				t.Fatalf("the file was changed (%v)", err)
			}
			wantAside(t, file, 0)
		})
	}
}

func TestFilesOfOthersAreRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		fill func(tx *bbolt.Tx) error
		want string
	}{
		{"another program's", func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket([]byte("theirs"))
			if err != nil {
				return err
			}
			_, err = b.CreateBucket([]byte("nested"))
			return err
		}, "another program's"},
		{"a later version's", func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket(aboutBucket)
			if err != nil {
				return err
			}
			return b.Put(formatKey, []byte("2"))
		}, `has format "2"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "otp.db")
			db, err := bbolt.Open(file, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Update(test.fill); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(file)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file) {
				t.Fatalf("error is %v, want one that names the file and says %q", err, test.want)
			}
			if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
				t.Fatalf("the file was changed (%v)", err)
			}
			wantAside(t, file, 0)
		})
	}
}

func TestWhatIsNoFileIsAnError(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "directory")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Open(directory)
	if err == nil || !strings.Contains(err.Error(), directory) {
		t.Fatalf("error is %v, want one that names %s", err, directory)
	}
	wantAside(t, directory, 0)
}

// long needs many pages.
var long = bytes.Repeat([]byte("a long value "), 10_000)

// filledFile returns the content of a store with some hundred entries.
func filledFile(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "otp.db")
	s := open(t, file)
	for _, name := range names(300) {
		mustStart(t, s, name, otp.Accepted, chargesOf(name, 5)...)
	}
	if _, err := s.Swap(t.Context(), "long", nil, long, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func noise(b []byte) {
	random := rand.NewChaCha8([32]byte{})
	random.Read(b)
}

func wantAside(t *testing.T, file string, n int) []string {
	t.Helper()
	aside, err := filepath.Glob(file + ".corrupt-*")
	if err != nil || len(aside) != n {
		t.Fatalf("%d files were moved aside (%v), want %d", len(aside), err, n)
	}
	return aside
}
