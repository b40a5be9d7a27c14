// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// writeList writes a directory's file and returns its path.
func writeList(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// admits reports whether a site's service lets an address in.
func admits(t *testing.T, h *Handler, email string) bool {
	t.Helper()
	a, err := otp.ParseEmail(email)
	if err != nil {
		t.Fatal(err)
	}
	ok, err := h.site.Gate.Service.Admits(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// until waits for what happens in the background.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestDirectoryFile: each site has its own list or the default, and follows
// its changes until its configuration is gone.
func TestDirectoryFile(t *testing.T) {
	own := writeList(t, "own.csv", "email\nalice@example.com\n")
	t.Setenv("OTP_TEST_LIST", writeList(t, "default.json", `[{"email": "bob@example.com"}]`))
	t.Run("provisioned", func(t *testing.T) {
		handlers, err := provision(t, jsonOf(t, caddyfileOf("directory file {env.OTP_TEST_LIST}\n"+mail,
			public+"directory file "+own, "public_url https://two.example.com", "public_url https://three.example.com")))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []struct{ alice, bob bool }{{true, false}, {false, true}, {false, true}} {
			if alice, bob := admits(t, handlers[i], "alice@example.com"), admits(t, handlers[i], "bob@example.com"); alice != want.alice || bob != want.bob {
				t.Errorf("site %d: alice %t, bob %t", i, alice, bob)
			}
		}
		if err := os.WriteFile(own, []byte("email\nbob@example.com\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		until(t, "alice is out, bob is in", func() bool {
			return !admits(t, handlers[0], "alice@example.com") && admits(t, handlers[0], "bob@example.com")
		})
	})
	until(t, "nobody follows the files any more", func() bool {
		var stacks bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&stacks, 1); err != nil {
			t.Fatal(err)
		}
		return !strings.Contains(stacks.String(), "directory.(*File)")
	})
}

func TestDirectoryHTTP(t *testing.T) {
	t.Setenv("OTP_TEST_TOKEN", "t0ken")
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Header.Get("Authorization") != "Bearer t0ken":
			w.WriteHeader(http.StatusUnauthorized)
		case strings.Contains(string(body), "alice@"):
			io.WriteString(w, `{"groups": ["staff"]}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer service.Close()
	handlers, err := provision(t, jsonOf(t, caddyfileOf("", public+mail+
		"directory http "+service.URL+"/people {\n\theader Authorization \"Bearer {env.OTP_TEST_TOKEN}\"\n}")))
	if err != nil {
		t.Fatal(err)
	}
	if !admits(t, handlers[0], "alice@example.com") || admits(t, handlers[0], "bob@example.com") {
		t.Error("not those who are in the directory")
	}
}

func TestDirectoryRefused(t *testing.T) {
	const app = "site https://app.example.com: directory: loading module "
	const atFile, atHTTP = app + "'file': provision otp.directories.file: ", app + "'http': provision otp.directories.http: "
	broken := writeList(t, "broken.csv", "email,groups\nalice@example.com,a\nhunter2@example.com,b,c\n")
	missing := filepath.Join(t.TempDir(), "missing.json")
	t.Setenv("OTP_TEST_LIST", broken+".txt")
	t.Setenv("OTP_TEST_PLAIN", "http://people.example.com/hunter2")
	for directory, want := range map[string]string{
		`{"directory": "file", "path": "` + broken + `"}`:                                                       atFile + "directory file " + broken + ": line 3, column 1: this row hasn't 2 cells as the first row has; a cell with a separator in it stands in quotes",
		`{"directory": "file", "path": "` + missing + `"}`:                                                      atFile + "directory file " + missing + ": no such file or directory",
		`{"directory": "file", "path": "{env.OTP_TEST_LIST}"}`:                                                  atFile + "directory file " + broken + ".txt: the format isn't known; write a file whose name ends in .csv or .json",
		`{"directory": "file", "path": "{env.OTP_TEST_UNSET}"}`:                                                 atFile + "directory file: {env.OTP_TEST_UNSET} is empty; set the variable OTP_TEST_UNSET in Caddy's environment",
		`{"directory": "file"}`:                                                                                 atFile + "directory file has no path; write `directory file <path>`",
		`{"directory": "http", "url": "{env.OTP_TEST_PLAIN}"}`:                                                  atHTTP + "directory http: url http://people.example.com would send addresses in the clear; write https://people.example.com (plain http is for hosts of this machine and of private networks)",
		`{"directory": "http", "url": "https://{env.OTP_UNSET}"}`:                                               atHTTP + "directory http: {env.OTP_UNSET} is empty; set the variable OTP_UNSET in Caddy's environment",
		`{"directory": "http"}`:                                                                                 atHTTP + "directory http: url can't be used; write one like https://api.example.com/people",
		`{"directory": "http", "url": "https://people.example.com", "headers": {"X-Key": ["{env.OTP_UNSET}"]}}`: atHTTP + "directory http header X-Key: {env.OTP_UNSET} is empty; set the variable OTP_UNSET in Caddy's environment",
		`{"directory": "http", "url": "https://people.example.com", "headers": {"X-Key": ["hunter2\n"]}}`:       atHTTP + "directory http: header X-Key has a character that can't stand in a header",
		`{"directory": "http", "url": "https://people.example.com", "cache": "2h"}`:                             atHTTP + "directory http cache must be from 1s to 1h, not 2h",
		`{"directory": "http", "url": "https://people.example.com", "timeout": "1ms"}`:                          atHTTP + "directory http timeout must be from 1s to 10s, not 1ms",
	} {
		t.Run(directory, func(t *testing.T) {
			config := jsonOf(t, caddyfileOf("", public+mail))
			var options map[string]any
			if err := json.Unmarshal(config, &options); err != nil {
				t.Fatal(err)
			}
			apps := options["apps"].(map[string]any)
			apps["otp"] = map[string]any{"directory": json.RawMessage(directory)}
			config, err := json.Marshal(options)
			if err != nil {
				t.Fatal(err)
			}
			_, err = provision(t, config)
			switch {
			case err == nil:
				t.Fatal("is taken")
			case cause(err) != want:
				t.Errorf("\n%s\nnot\n%s", cause(err), want)
			case strings.Contains(err.Error(), "hunter2"):
				t.Errorf("holds what may be somebody's: %v", err)
			}
		})
	}
}
