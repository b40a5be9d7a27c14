// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// watched is a file that is followed, with a clock and looks of the test's.
type watched struct {
	*File
	*logged
	t    *testing.T
	path string
	now  time.Time
}

const aliceAndBob = "email,groups\nalice@example.com,a\nbob@example.com,b\n"

func watch(t *testing.T, name, text string) *watched {
	t.Helper()
	w := &watched{t: t, path: filepath.Join(t.TempDir(), name), now: time.Now()}
	w.write(text)
	w.open()
	return w
}

func (w *watched) open() {
	w.t.Helper()
	log, logger := newLogged()
	f, err := OpenFile(w.path, logger)
	if err != nil {
		w.t.Fatal(err)
	}
	w.File, w.logged = f, log
	w.confirm = w.now.Add(confirmAfter)
}

// write writes in place, as an editor that doesn't replace the file. The
// modification time is a new one for sure.
func (w *watched) write(text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(time.Millisecond)
	if err := os.Chtimes(w.path, w.now, w.now); err != nil {
		w.t.Fatal(err)
	}
}

// replace puts a new file in the old one's place.
func (w *watched) replace(text string) {
	w.t.Helper()
	draft := w.path + ".new"
	if err := errors.Join(os.WriteFile(draft, []byte(text), 0o600), os.Rename(draft, w.path)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watched) looks(n int) {
	for range n {
		w.now = w.now.Add(lookInterval)
		w.look(w.now)
	}
}

// has checks who is in the list, of alice, bob and carol.
func (w *watched) has(names ...string) {
	w.t.Helper()
	for _, name := range []string{"alice", "bob", "carol"} {
		_, err := w.Find(w.t.Context(), mustAddress(w.t, name+"@example.com"))
		want := error(otp.ErrNobody)
		for _, n := range names {
			if n == name {
				want = nil
			}
		}
		if !errors.Is(err, want) {
			w.t.Errorf("%s: %v, not %v", name, err, want)
		}
	}
}

func TestFileFollowsChanges(t *testing.T) {
	w := watch(t, "people.csv", aliceAndBob)
	w.want(t, `level=INFO msg="directory file was read" people=2`)
	w.has("alice", "bob")
	w.looks(3)
	w.want(t)

	w.write("email\nalice@example.com\n")
	w.looks(1)
	w.has("alice", "bob") // it may still be being written
	w.looks(1)
	w.has("alice")
	w.want(t, `level=INFO msg="directory file was read" people=1`)

	w.replace("email\ncarol@example.com\nbob@example.com\n")
	w.looks(2)
	w.has("carol", "bob")
	w.want(t, `level=INFO msg="directory file was read" people=2`)

	w.write("email\n")
	w.looks(2)
	w.has()
	w.want(t, `level=WARN msg="directory file was read" people=0`)

	w.write("email\n") // touched
	w.looks(20)
	w.want(t)
}

func TestFileKeepsTheLastGoodList(t *testing.T) {
	w := watch(t, "people.csv", aliceAndBob)
	w.lines()
	w.write("email,groups\nalice@example.com,a\ncarol@example.com,b,c\n")
	w.looks(20)
	w.has("alice", "bob")
	const kept = `level=ERROR msg="directory file has a mistake in it; the last good list stays" error="`
	w.want(t, kept+`line 3, column 1: this row hasn't 2 cells as the first row has; a cell with a separator in it stands in quotes" people=2`)

	w.write("email,groups\nalice@example.com,a\nc@example.com,b,c\n") // the same mistake, in another edit
	w.looks(20)
	w.want(t, kept+`line 3, column 1: this row hasn't 2 cells as the first row has; a cell with a separator in it stands in quotes" people=2`)

	w.write("")
	w.looks(2)
	w.has("alice", "bob")
	w.want(t, kept+`the file is empty; its first row names the columns, such as email,groups" people=2`)

	w.write(aliceAndBob) // as it was
	w.looks(2)
	w.has("alice", "bob")
	w.want(t, `level=INFO msg="directory file was read" people=2`)
}

func TestFileThatVanishes(t *testing.T) {
	w := watch(t, "people.json", `[{"email": "alice@example.com"}]`)
	w.lines()
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	w.looks(1)
	w.want(t) // it may be about to be replaced
	w.looks(20)
	w.has("alice")
	w.want(t, `level=ERROR msg="directory file can't be read; the last good list stays" error="no such file or directory"`)

	w.write(`[{"email": "alice@example.com"}]`) // the same as before
	w.looks(20)
	w.want(t, `level=INFO msg="directory file was read" people=1`)

	if err := errors.Join(os.Remove(w.path), os.Mkdir(w.path, 0o700)); err != nil {
		t.Fatal(err)
	}
	w.looks(20)
	w.has("alice")
	w.want(t, `level=ERROR msg="directory file can't be read; the last good list stays" error="it is no regular file; write the path of a file"`)
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	w.write(`[{"email": "bob@example.com"}]`)
	w.looks(2)
	w.has("bob")
	w.want(t, `level=INFO msg="directory file was read" people=1`)
}

// TestFileReplacedUnseen: between two looks a file may be gone, and that is
// no news.
func TestFileReplacedUnseen(t *testing.T) {
	w := watch(t, "people.csv", aliceAndBob)
	w.lines()
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	w.looks(1)
	w.write("email\ncarol@example.com\n")
	w.looks(2)
	w.has("carol")
	w.want(t, `level=INFO msg="directory file was read" people=1`)
}

// TestFileBeingWritten: what is written in several steps counts at its end
// only, though each step parses.
func TestFileBeingWritten(t *testing.T) {
	w := watch(t, "people.csv", aliceAndBob)
	w.lines()
	text := "email\n"
	for range 5 {
		w.write(text)
		w.looks(1)
		w.has("alice", "bob")
		text += fmt.Sprintf("p%d@example.com\n", len(text))
	}
	w.write(text + "carol@example.com\n")
	w.looks(2)
	w.has("carol")
	w.want(t, `level=INFO msg="directory file was read" people=6`)
}

// TestFileChangingWhileRead: it isn't taken, whatever it is.
func TestFileChangingWhileRead(t *testing.T) {
	w := watch(t, "people.csv", aliceAndBob)
	for name, change := range map[string]func(){
		"written":  func() { w.write("email\ncarol@example.com\n") },
		"replaced": func() { w.replace(aliceAndBob) },
		"gone":     func() { _ = os.Remove(w.path) },
	} {
		w.write(aliceAndBob)
		info, err := w.stat()
		if err != nil {
			t.Fatal(err)
		}
		change()
		if _, err := w.read(info); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestFileWithCoarseTimes: a second change of the same length within a
// timestamp's grain is seen nevertheless.
func TestFileWithCoarseTimes(t *testing.T) {
	w := watch(t, "people.csv", "email\nalice@example.com\n")
	w.write("email\nbob00@example.com\n")
	info, err := os.Stat(w.path)
	if err != nil {
		t.Fatal(err)
	}
	w.looks(2)
	w.has()
	if err := errors.Join(os.WriteFile(w.path, []byte("email\ncarol@example.com\n"), 0o600), os.Chtimes(w.path, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	w.looks(int(confirmAfter/lookInterval) + 1)
	w.has("carol")
}

// TestFileBehindLinks: configuration managers change where a link leads.
func TestFileBehindLinks(t *testing.T) {
	dir := t.TempDir()
	w := &watched{t: t, path: filepath.Join(dir, "people.csv"), now: time.Now()}
	for version, text := range map[string]string{"v1": aliceAndBob, "v2": "email\ncarol@example.com\n"} {
		if err := errors.Join(os.Mkdir(filepath.Join(dir, version), 0o700), os.WriteFile(filepath.Join(dir, version, "list"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	current := filepath.Join(dir, "current")
	if err := errors.Join(os.Symlink("v1", current), os.Symlink("current/list", w.path)); err != nil {
		t.Fatal(err)
	}
	w.open()
	w.has("alice", "bob")
	if err := errors.Join(os.Symlink("v2", current+".new"), os.Rename(current+".new", current)); err != nil {
		t.Fatal(err)
	}
	w.looks(2)
	w.has("carol")
}

func TestFileRefusedAtFirst(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	large := file("large.csv", "")
	if err := os.Truncate(large, maxFile+1<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.csv"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := CheckPath(""); err == nil || err.Error() != "directory file has no path; write `directory file <path>`" {
		t.Error(err)
	}
	for path, want := range map[string]string{
		file("people.txt", aliceAndBob):   "the format isn't known; write a file whose name ends in .csv or .json",
		filepath.Join(dir, "none.csv"):    "no such file or directory",
		filepath.Join(dir, "folder.csv"):  "it is no regular file; write the path of a file",
		large:                             "it has 65 MiB, more than 64; ask a service instead, with `directory http`",
		file("empty.json", ""):            "the file is empty; write [] for nobody",
		file("bad.JSON", "[\n{\"a\":1}]"): "line 2, column 2: unknown key \"a\"; there are: email, phone, groups, subject, tenant, mfa",
	} {
		_, logger := newLogged()
		_, err := OpenFile(path, logger)
		if err == nil || !strings.HasPrefix(err.Error(), "directory file "+path+": ") || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: error is %v, not %s", path, err, want)
		}
	}
}

// TestFileLooksByItself covers the goroutine.
func TestFileLooksByItself(t *testing.T) {
	w := watch(t, "people.csv", aliceAndBob)
	w.write("email\ncarol@example.com\n")
	ticks := make(chan time.Time)
	w.Start(ticks)
	for range 3 { // the third is taken when the second has been worked on
		ticks <- w.now
	}
	w.has("carol")
	w.Stop()
	w.write("email\nbob@example.com\n")
	for range 3 {
		select {
		case ticks <- w.now:
		case <-time.After(20 * time.Millisecond): // nobody takes it any more
		}
	}
	w.has("carol")
}
