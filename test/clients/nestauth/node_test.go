// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/child"
	"github.com/caddy-otp/caddy-otp/test/nodejs"
)

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
	runs, packages := nodejs.Prepare(t, ".")
	dir := t.TempDir()
	copyFiles(t, dir, "client.mjs", "resolve.mjs", "package.json")
	if err := os.Symlink(filepath.Join(packages, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	p := &program{log: new(strings.Builder)}
	node := exec.CommandContext(t.Context(), runs, "--import", "./resolve.mjs", "client.mjs", url)
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
