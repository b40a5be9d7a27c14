// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// directoryWait bounds how long a change of the list may take to be seen: two
// looks, 200 ms apart, and a busy machine.
const directoryWait = site.DeliveryWait

// list is a site whose directory is a file.
type list struct {
	*site.Rig
	file string
}

func newList(t *testing.T, options, people string) list {
	t.Helper()
	file := filepath.Join(t.TempDir(), "people.csv")
	l := list{file: file}
	l.write(t, people)
	l.Rig = site.New(t, "store bolt otp.db", site.APIs+site.Roomy+"\n\t\tdirectory file "+file+options)
	return l
}

// write replaces the list as an editor does.
func (l list) write(t *testing.T, people string) {
	t.Helper()
	draft := l.file + ".new"
	if err := os.WriteFile(draft, []byte(people), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(draft, l.file); err != nil {
		t.Fatal(err)
	}
}

// logged waits until the log has a text n times.
func (l list) logged(t *testing.T, text string, n int) {
	t.Helper()
	for deadline := time.Now().Add(directoryWait); strings.Count(l.Caddy.Log(), text) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log doesn't say %q %d times:\n%s", text, n, l.Caddy.Log())
		}
	}
}

// line returns the last line of the log with a text.
func (l list) line(text string) string {
	found := ""
	for line := range strings.Lines(l.Caddy.Log()) {
		if strings.Contains(line, text) {
			found = strings.TrimSpace(line)
		}
	}
	return found
}

// TestDirectoryFile signs people of a list in, then edits it: well, badly, and
// well again.
func TestDirectoryFile(t *testing.T) {
	site.SkipShort(t)
	const people = "email,phone,groups,subject\n" +
		"jane@example.com jane.doe@example.com,+12025550143,admins staff,42\n" +
		"joe@example.com,,staff,43\n"
	l := newList(t, "\n\t\tprotect\n\t\tprotect /admin group:admins", people)
	nest := site.Dialects[0]
	bearer := func(address string) []string {
		return []string{"Authorization", "Bearer " + nest.Login(l.Rig, address, 1).Text(t, nest.Token)}
	}
	jane, joe := bearer("jane.doe@example.com"), bearer("joe@example.com")
	a := l.Get("/admin", jane...)
	for _, header := range []string{"Remote-Groups: admins,staff", "Remote-Subject: 42"} {
		if a.Status != http.StatusOK || !strings.Contains(a.Body, header) {
			t.Errorf("the app isn't told %q: %d\n%s", header, a.Status, a.Body)
		}
	}
	if a := l.Get("/admin", joe...); a.Status != http.StatusForbidden {
		t.Errorf("somebody of another group: %d", a.Status)
	}
	if a := l.Get("/", joe...); a.Status != http.StatusOK {
		t.Errorf("joe: %d", a.Status)
	}

	// Whom nobody lists gets the same answer, and no message.
	if a := nest.Start(l.Rig, "mallory@example.com"); a.Status != http.StatusOK {
		t.Errorf("a start of a stranger: %d", a.Status)
	}
	t.Log(l.line(`"because_of":"directory"`))

	// A broken line keeps the old list.
	l.write(t, people+"no address,,,\n")
	l.logged(t, "directory file has a mistake in it", 1)
	t.Log(l.line("directory file has a mistake in it"))
	for name, who := range map[string][]string{"jane": jane, "joe": joe} {
		if a := l.Get("/", who...); a.Status != http.StatusOK {
			t.Errorf("%s after a bad edit: %d", name, a.Status)
		}
	}

	// Who is removed is out at the next request.
	l.write(t, strings.Replace(people, "joe@example.com,,staff,43\n", "", 1))
	l.logged(t, "directory file was read", 2)
	t.Log(l.line("directory file was read"))
	if a := l.Get("/", joe...); a.Status != http.StatusUnauthorized {
		t.Errorf("joe, removed: %d", a.Status)
	}
	l.logged(t, "session is refused", 1)
	t.Log(l.line("session is refused"))
	if a := l.Get("/admin", jane...); a.Status != http.StatusOK {
		t.Errorf("jane: %d", a.Status)
	}

	// What somebody may, an edit changes as well.
	l.write(t, strings.Replace(people, "admins staff", "staff", 1))
	l.logged(t, "directory file was read", 3)
	if a := l.Get("/admin", jane...); a.Status != http.StatusForbidden {
		t.Errorf("jane, no admin any more: %d", a.Status)
	}
	if n := len(l.Messages("mallory@example.com")); n > 0 {
		t.Errorf("a stranger got %d messages", n)
	}
	for _, address := range []string{"mallory", "joe@", "jane"} {
		if strings.Contains(l.Caddy.Log(), address) {
			t.Errorf("the log has %q", address)
		}
	}
}

// TestDirectoryHTTP asks a service that fails while somebody is signed in.
func TestDirectoryHTTP(t *testing.T) {
	site.SkipShort(t)
	var broken atomic.Bool
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"groups": ["staff"], "subject": "42"}`))
	}))
	defer service.Close()
	directory := "\n\t\tprotect\n\t\tdirectory http " + service.URL + " {\n\t\t\tcache 1s\n\t\t}"
	r := site.New(t, "store bolt otp.db", site.APIs+site.Roomy+directory)
	nest := site.Dialects[0]
	jane := []string{"Authorization", "Bearer " + nest.Login(r, "jane@example.com", 1).Text(t, nest.Token)}
	broken.Store(true)
	time.Sleep(1100 * time.Millisecond) // until the answer is to be asked for anew
	restarted := false
	for _, step := range []string{"with a service that fails", "after a restart as well"} {
		if a := r.Get("/", jane...); a.Status != http.StatusOK || !strings.Contains(a.Body, "Remote-Groups: staff") {
			t.Errorf("who is signed in, %s: %d\n%s", step, a.Status, a.Body)
		}
		if a := nest.Start(r, "joe@example.com"); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
			t.Errorf("who isn't, %s: %d %s", step, a.Status, a.Body)
		}
		if !restarted {
			restarted = true
			r.Caddy.Kill()
			r.Caddy.Run()
		}
	}
	if log := r.Caddy.Log(); strings.Count(log, "directory can't be asked") != 2 { // once for each process
		t.Errorf("the log says:\n%s", log)
	}
	broken.Store(false)
	deadline := time.Now().Add(directoryWait)
	for nest.Start(r, "joe@example.com").Status != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatal("it doesn't recover")
		}
		time.Sleep(50 * time.Millisecond)
	}
}
