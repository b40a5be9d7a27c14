// SPDX-License-Identifier: Apache-2.0

package redisserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/caddy-otp/caddy-otp/test/filelock"
)

// toolsPackage carries the server: redis-check-rdb is the same executable,
// which looks at the name that it is called by.
const (
	toolsPackage  = "redis-tools"
	packagedPath  = "usr/bin/redis-check-rdb"
	serverName    = "redis-server"
	librariesGlob = "usr/lib/*-linux-*"
)

// errMissing is the one line for who has no redis-server.
var errMissing = errors.New("redis-server is needed for this test and could not be fetched: install it (apt-get install redis-server, brew install redis) or leave such tests out with -short")

// locate finds a redis-server: on PATH, in the cache, or by fetching it into
// the cache.
func locate(ctx context.Context) (binary, error) {
	for _, name := range []string{serverName, "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return binary{path: path}, nil
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return binary{}, errMissing
	}
	return fetched(ctx, filepath.Join(cache, "caddy-otp", serverName, release()))
}

// fetched returns the server in dir, which it fetches if it isn't there. Of
// several test processes that miss it one fetches it, and the others wait: none
// takes away what another has begun to use.
func fetched(ctx context.Context, dir string) (binary, error) {
	if b, ok := runnable(ctx, dir); ok {
		return b, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return binary{}, err
	}
	release, err := filelock.Wait(ctx, dir+".lock")
	if err != nil {
		return binary{}, err
	}
	defer release()
	if b, ok := runnable(ctx, dir); ok {
		return b, nil // another process was faster
	}
	if err := fetch(ctx, dir); err != nil {
		return binary{}, fmt.Errorf("%w (%v)", errMissing, err)
	}
	b, ok := runnable(ctx, dir)
	if !ok {
		return binary{}, fmt.Errorf("%w (the packaged one doesn't run here)", errMissing)
	}
	return b, nil
}

// runnable reports whether dir has a server that runs with the libraries there.
func runnable(ctx context.Context, dir string) (binary, bool) {
	libraries, err := filepath.Glob(filepath.Join(dir, librariesGlob))
	if err != nil {
		return binary{}, false
	}
	b := binary{path: filepath.Join(dir, serverName), libraries: libraries}
	version := exec.CommandContext(ctx, b.path, "--version")
	version.Env = b.environment()
	return b, version.Run() == nil
}

// Version returns what the server says of its version, such as "Redis server
// v=7.0.15".
func Version(t testing.TB) string {
	t.Helper()
	b, err := locate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), b.path, "--version")
	command.Env = b.environment()
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	version, _, _ := strings.Cut(string(output), " sha=")
	return strings.TrimSpace(version)
}

// fetch fills dir with the server and its libraries from the distribution's
// packages, or leaves it as it was.
func fetch(ctx context.Context, dir string) error {
	work, err := os.MkdirTemp(filepath.Dir(dir), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	debs, root := filepath.Join(work, "debs"), filepath.Join(work, "root")
	for _, d := range []string{debs, root} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := download(ctx, debs); err != nil {
		return err
	}
	archives, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	for _, archive := range archives {
		if _, err := run(ctx, work, "dpkg", "-x", archive, root); err != nil {
			return err
		}
	}
	if err := os.Symlink(packagedPath, filepath.Join(root, serverName)); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(root, dir)
}

// download fetches the server's package and those of its libraries that are
// not installed, as they are listed here; where nothing is listed yet, it
// reads the lists into a folder of its own first.
func download(ctx context.Context, dir string) error {
	var lists []string
	if _, err := run(ctx, dir, "apt-cache", "show", toolsPackage); err != nil {
		state := filepath.Join(dir, "lists")
		if err := os.MkdirAll(filepath.Join(state, "partial"), 0o755); err != nil {
			return err
		}
		lists = []string{
			"-o", "Dir::State::Lists=" + state,
			"-o", "Dir::Cache=" + dir,
			"-o", "APT::Sandbox::User=",
		}
		if _, err := run(ctx, dir, "apt-get", append(lists, "update")...); err != nil {
			return err
		}
	}
	depends, err := run(ctx, dir, "apt-cache", append(lists, "depends", toolsPackage)...)
	if err != nil {
		return err
	}
	args := append(lists, "download", toolsPackage)
	for _, library := range libraryPackages(depends) {
		if !installed(ctx, dir, library) {
			args = append(args, library)
		}
	}
	_, err = run(ctx, dir, "apt-get", args...)
	return err
}

// libraryPackages reads the libraries out of what apt-cache depends prints,
// the first where there are alternatives, and without the C library, which
// must be the system's own.
func libraryPackages(depends []byte) []string {
	var names []string
	alternative := false
	for line := range strings.Lines(string(depends)) {
		line = strings.TrimSpace(line)
		name, first := strings.CutPrefix(line, "|")
		name, ok := strings.CutPrefix(name, "Depends: ")
		library := strings.HasPrefix(name, "lib") || strings.HasPrefix(name, "lua")
		if ok && library && !alternative && name != "libc6" {
			names = append(names, name)
		}
		alternative = first
	}
	return names
}

func installed(ctx context.Context, dir, name string) bool {
	status, err := run(ctx, dir, "dpkg-query", "-W", "-f", "${Status}", name)
	return err == nil && strings.HasSuffix(string(status), " installed")
}

// run returns what a command prints, or the last line of its complaint.
func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	var complaint bytes.Buffer
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "LC_ALL=C")
	command.Stderr = &complaint
	output, err := command.Output()
	if err != nil && complaint.Len() > 0 {
		err = errors.New(lastLine(complaint.String()))
	}
	return output, err
}

// release names the system that the packages are for, so that an upgrade of
// it fetches anew.
func release() string {
	name := runtime.GOOS
	text, err := os.ReadFile("/etc/os-release")
	if err == nil {
		values := map[string]string{}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			values[key] = strings.Trim(value, `"`)
		}
		name = values["ID"] + "-" + values["VERSION_ID"]
	}
	return name + "-" + runtime.GOARCH
}
