// SPDX-License-Identifier: Apache-2.0

package build

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is this checkout's.
const module = "github.com/caddy-otp/caddy-otp"

// mainTemplate is the program that xcaddy writes.
const mainTemplate = `package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ %q
)

func main() {
	caddycmd.Main()
}
`

const caddyfile = `{
	admin off
	auto_https off
	storage file_system storage
	otp {
		store bolt otp.db
	}
}

http://localhost:8080 {
	otp {
		public_url http://localhost:8080
		protect /private
	}
	respond app
}
`

// command returns a command in a folder, with nothing of the user's Caddy.
func command(t *testing.T, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOWORK=off")
	if name != "go" { // whose caches are in the home folder
		c.Env = append(c.Env, "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	}
	return c
}

// output runs a command that must succeed.
func output(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	c := command(t, dir, name, args...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// buildCaddy builds Caddy in a module of its own that requires this checkout,
// and returns the binary. It is what xcaddy does with xcaddy.json, but for the
// flags that would compile every package anew.
func buildCaddy(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(root, "xcaddy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		CaddyVersion string `json:"caddy_version"`
		Plugins      []struct {
			ModulePath string `json:"module_path"`
		} `json:"plugins"`
	}
	if err := json.Unmarshal(content, &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Plugins) != 1 {
		t.Fatalf("xcaddy.json has %d plugins", len(config.Plugins))
	}
	dir := t.TempDir()
	write(t, dir, "main.go", fmt.Sprintf(mainTemplate, config.Plugins[0].ModulePath))
	output(t, dir, "go", "mod", "init", "caddy")
	output(t, dir, "go", "mod", "edit",
		"-require=github.com/caddyserver/caddy/v2@"+config.CaddyVersion,
		"-require="+module+"@v0.0.0",
		"-replace="+module+"="+root)
	// The checksums are known; the checksum database needn't be asked.
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "go.sum", string(sums))
	binary := filepath.Join(dir, "caddy")
	output(t, dir, "go", "build", "-mod=mod", "-o", binary, ".")
	return binary
}

func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Caddy")
	}
	caddy := buildCaddy(t)
	dir := t.TempDir()
	write(t, dir, "Caddyfile", caddyfile)

	t.Run("list-modules", func(t *testing.T) {
		modules := strings.Fields(output(t, dir, caddy, "list-modules"))
		for _, id := range []string{
			"otp", "http.handlers.otp",
			"otp.stores.bolt", "otp.stores.redis",
			"otp.senders.file", "otp.senders.http", "otp.senders.log", "otp.senders.smtp", "otp.directories.file", "otp.directories.http",
		} {
			if !slices.Contains(modules, id) {
				t.Errorf("%s isn't there", id)
			}
		}
	})
	t.Run("adapt", func(t *testing.T) {
		adapted := output(t, dir, caddy, "adapt", "--config", "Caddyfile")
		for _, part := range []string{
			`"handler":"otp"`, `"protect":[{"paths":["/private"]}]`, `"otp":{"store":{"file":"otp.db","store":"bolt"}}`,
		} {
			if !strings.Contains(adapted, part) {
				t.Errorf("%s isn't in\n%s", part, adapted)
			}
		}
	})
	t.Run("validate", func(t *testing.T) {
		output(t, dir, caddy, "validate", "--config", "Caddyfile")
		left, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range left {
			if entry.Name() != "Caddyfile" {
				t.Errorf("%s was made", entry.Name())
			}
		}
	})
	t.Run("fmt of the example", func(t *testing.T) {
		example, err := filepath.Abs(filepath.Join("..", "..", "Caddyfile.example"))
		if err != nil {
			t.Fatal(err)
		}
		output(t, dir, caddy, "fmt", "--diff", example) // fails where there is a difference
		output(t, dir, caddy, "validate", "--config", example)
	})
	t.Run("refuse", func(t *testing.T) {
		write(t, dir, "Bad.Caddyfile", strings.Replace(caddyfile, "protect", "protcet", 1))
		out, err := command(t, dir, caddy, "validate", "--adapter", "caddyfile", "--config", "Bad.Caddyfile").CombinedOutput()
		if err == nil || !strings.Contains(string(out), `protcet`) || !strings.Contains(string(out), "Bad.Caddyfile:13") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}
