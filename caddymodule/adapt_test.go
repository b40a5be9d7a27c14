// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "write what the Caddyfiles of testdata adapt to, for review")

const (
	fromResult = "\n----------\n"
	fromNext   = "\n==========\n"
)

// golden is a Caddyfile and what it adapts to: JSON or an error.
type golden struct {
	caddyfile, want string
}

// goldens reads the cases of a file: a Caddyfile, a line of dashes and the
// result; between two cases a line of equals signs.
func goldens(t *testing.T, file string) []golden {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	for text := range strings.SplitSeq(string(content), fromNext) {
		caddyfile, want, _ := strings.Cut(text, fromResult)
		all = append(all, golden{strings.TrimSpace(caddyfile) + "\n", strings.TrimSpace(want)})
	}
	return all
}

func writeGoldens(t *testing.T, file string, all []golden) {
	t.Helper()
	var texts []string
	for _, g := range all {
		texts = append(texts, strings.TrimSpace(g.caddyfile)+fromResult+g.want)
	}
	if err := os.WriteFile(file, []byte(strings.Join(texts, fromNext)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func goldenFiles(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "adapt", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	return files
}

// adapt returns the indented JSON of a Caddyfile, or its error.
func adapt(t *testing.T, caddyfile string) (string, error) {
	t.Helper()
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	if err != nil {
		return "", err
	}
	for _, warning := range warnings {
		t.Errorf("warning: %s", warning)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, adapted, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return indented.String(), nil
}

func TestAdapt(t *testing.T) {
	for _, file := range goldenFiles(t, "*.caddyfiletest") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			all := goldens(t, file)
			for i, g := range all {
				got, err := adapt(t, g.caddyfile)
				if err != nil {
					t.Fatalf("%v\n%s", err, g.caddyfile)
				}
				all[i].want = got
				if got != g.want && !*update {
					t.Errorf("%s\nadapts to\n%s\nnot to\n%s", g.caddyfile, got, g.want)
				}
			}
			if *update {
				writeGoldens(t, file, all)
			}
		})
	}
}

// TestAdaptRefuses compares whole errors: they are read by somebody who must
// mend a Caddyfile with them.
func TestAdaptRefuses(t *testing.T) {
	for _, file := range goldenFiles(t, filepath.Join("refused", "*.caddyfiletest")) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			all := goldens(t, file)
			for i, g := range all {
				got, err := adapt(t, g.caddyfile)
				if err == nil {
					t.Errorf("%s\nadapts to\n%s", g.caddyfile, got)
					continue
				}
				all[i].want = err.Error()
				if err.Error() != g.want && !*update {
					t.Errorf("%s\nfails with\n%s\nnot with\n%s", g.caddyfile, err, g.want)
				}
				if !strings.Contains(err.Error(), "Caddyfile:") {
					t.Errorf("%s\nfails without a line: %v", g.caddyfile, err)
				}
			}
			if *update {
				writeGoldens(t, file, all)
			}
		})
	}
}

// TestDirectives: what an error takes for Caddy's own is.
func TestDirectives(t *testing.T) {
	for _, name := range directives {
		_, err := adapt(t, "localhost {\n\t"+name+"\n}\n")
		if err != nil && strings.Contains(err.Error(), "unrecognized directive") {
			t.Error(err)
		}
	}
}

// formatted spares generated Caddyfiles the warning that they aren't
// formatted.
func formatted(text string) string { return string(caddyfile.Format([]byte(text))) }
