// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/child"
)

// packages returns the folder in which the locked packages are installed. It is
// named after the lock, so that an installation is made once.
func packages(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("the official client needs Node.js: %v", err)
		}
	}
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	cache = filepath.Join(cache, "caddy-otp", "clients")
	folder := filepath.Join(cache, "nestauth-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	copyFiles(t, fresh, "package.json", "package-lock.json")
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = fresh
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, output)
	}
	if err := os.Rename(fresh, folder); err != nil {
		if _, made := os.Stat(folder); made != nil { // another process may have made it meanwhile
			t.Fatal(err)
		}
	}
	return folder
}

func copyFiles(t *testing.T, into string, names ...string) {
	t.Helper()
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(into, name), content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// program is the running client.
type program struct {
	in  io.Writer
	out *bufio.Scanner
	log *strings.Builder
}

// newProgram runs the client against a site until the test ends.
func newProgram(t *testing.T, url string) *program {
	t.Helper()
	dir := t.TempDir()
	copyFiles(t, dir, "client.mjs", "resolve.mjs", "package.json")
	if err := os.Symlink(filepath.Join(packages(t), "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	p := &program{log: new(strings.Builder)}
	node := exec.CommandContext(t.Context(), "node", "--import", "./resolve.mjs", "client.mjs", url)
	node.Dir, node.Stderr, node.SysProcAttr = dir, p.log, child.DieWithParent()
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = node.Wait()
	})
	p.in, p.out = in, bufio.NewScanner(out)
	p.out.Buffer(nil, 1<<20)
	return p
}

// answer is what came of a call.
type answer struct {
	// Result is null where there was an error.
	Result json.RawMessage
	// Error is the client's own.
	Error *struct {
		Message, Code, Kind string
		StatusCode          int
	}
	// Authenticated says what the client takes itself for afterwards.
	Authenticated bool
}

func (a answer) String() string {
	if a.Error != nil {
		return fmt.Sprintf("%d %s %q (%s)", a.Error.StatusCode, a.Error.Code, a.Error.Message, a.Error.Kind)
	}
	return string(a.Result)
}

// fields returns a result that must be an object.
func (a answer) fields(t *testing.T) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(a.Result, &fields); err != nil || fields == nil {
		t.Fatalf("%s is no object", a)
	}
	return fields
}

// call calls a method of the client of a device.
func (p *program) call(t *testing.T, device, method string, args ...any) answer {
	t.Helper()
	if args == nil {
		args = []any{}
	}
	if err := json.NewEncoder(p.in).Encode(map[string]any{"device": device, "call": method, "args": args}); err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}
	if !p.out.Scan() {
		t.Fatalf("the client has ended: %v\n%s", p.out.Err(), p.log)
	}
	var a answer
	if err := json.Unmarshal(p.out.Bytes(), &a); err != nil {
		t.Fatalf("%v: %s", err, p.out.Text())
	}
	return a
}
