// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func readFile(t *testing.T, elements ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestExample: what everybody tries first is formatted, adapts without a
// warning and provisions.
func TestExample(t *testing.T) {
	example := readFile(t, "..", "Caddyfile.example")
	if want := formatted(example); example != want {
		t.Errorf("`caddy fmt` makes of it\n%s", want)
	}
	adapted, err := adapt(t, example)
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := provision(t, isolated(t, []byte(adapted)))
	if err != nil {
		t.Fatal(err)
	}
	if len(handlers) != 1 {
		t.Errorf("%d handlers", len(handlers))
	}
}

// TestExampleForProduction: what the example's comments offer for production
// can be taken as it is written.
func TestExampleForProduction(t *testing.T) {
	for _, name := range []string{"REDIS_PASSWORD", "SMTP_PASSWORD", "SMS_TOKEN"} {
		t.Setenv(name, "value-of-"+name)
	}
	t.Setenv("OTP_SECRET", testSecret)
	production := formatted(forProduction(t, readFile(t, "..", "Caddyfile.example")))
	adapted, err := adapt(t, production)
	if err != nil {
		t.Fatalf("%v\n%s", err, production)
	}
	handlers, err := provision(t, isolated(t, []byte(adapted)))
	if err != nil {
		t.Fatalf("%v\n%s", err, production)
	}
	if len(handlers) != 1 || handlers[0].PublicURL == "" || strings.Contains(handlers[0].PublicURL, "localhost") {
		t.Errorf("%+v", handlers)
	}
	for _, demo := range []string{"admin", "storage", "store bolt", "email log", "sms log", "http://localhost:8080 {"} {
		for line := range strings.Lines(production) {
			if strings.HasPrefix(strings.TrimSpace(line), demo) {
				t.Errorf("%q is left of the demo", line)
			}
		}
	}
}

// forProduction follows the comments of the example as a reader does: a line
// that is uncommented replaces the line of the same option before it.
func forProduction(t *testing.T, example string) string {
	t.Helper()
	var lines []string
	inComment := false
	for line := range strings.Lines(example) {
		line = strings.TrimRight(line, "\n")
		comment, isComment := strings.CutPrefix(strings.TrimSpace(line), "#")
		begin, isProduction := strings.CutPrefix(comment, " production")
		switch {
		case isComment && isProduction:
			inComment = true
			_, text, _ := strings.Cut(begin, ":")
			text = strings.TrimSpace(text)
			switch {
			case text == "remove the five lines above":
				lines = lines[:len(lines)-5]
			case text == "remove the line above":
				lines = lines[:len(lines)-1]
			case strings.HasPrefix(text, "remove, or"):
			case len(lines) > 0 && strings.HasSuffix(lines[len(lines)-1], "{") && !strings.HasPrefix(lines[len(lines)-1], "\t"):
				lines[len(lines)-1] = text + " {"
			case text != "":
				lines = append(without(lines, text), text)
			}
		case inComment && strings.HasPrefix(comment, "\t"):
			if !strings.HasPrefix(comment, "\t\t") {
				lines = without(lines, comment)
			}
			lines = append(lines, comment)
		default:
			inComment = false
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// without removes the lines that begin with the same option as a text.
func without(lines []string, text string) []string {
	option := strings.Fields(text)[0]
	var kept []string
	for _, line := range lines {
		if words := strings.Fields(line); len(words) == 0 || words[0] != option || option == "}" {
			kept = append(kept, line)
		}
	}
	return kept
}

// TestXcaddyConfig: the file is in the form of xcaddy's Builder, and names
// the Caddy that the module is tested with.
func TestXcaddyConfig(t *testing.T) {
	var builder struct {
		CaddyVersion string `json:"caddy_version"`
		Plugins      []struct {
			ModulePath string `json:"module_path"`
			Version    string `json:"version"`
		} `json:"plugins"`
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(readFile(t, "..", "xcaddy.json"))))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&builder); err != nil {
		t.Fatal(err)
	}
	if decoder.More() {
		t.Error("there is more than one value")
	}
	if !strings.Contains(readFile(t, "..", "go.mod"), "\tgithub.com/caddyserver/caddy/v2 "+builder.CaddyVersion+"\n") {
		t.Errorf("go.mod requires another Caddy than %s", builder.CaddyVersion)
	}
	if path := reflect.TypeFor[App]().PkgPath(); len(builder.Plugins) != 1 || builder.Plugins[0].ModulePath != path || builder.Plugins[0].Version == "" {
		t.Errorf("%+v isn't %s alone", builder.Plugins, path)
	}
}
