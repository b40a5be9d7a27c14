// SPDX-License-Identifier: Apache-2.0

package chromium

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	browserPackage = "chromium"
	// launcher, in the folder of a fetched one, runs it with its own libraries.
	launcher = "run"
	script   = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
for dir in "$here"/files/usr/lib/*-linux-* "$here"/files/usr/lib/*-linux-*/pulseaudio "$here"/files/lib/*-linux-*; do
	LD_LIBRARY_PATH="$LD_LIBRARY_PATH${LD_LIBRARY_PATH:+:}$dir"
done
export LD_LIBRARY_PATH
exec "$here/files/usr/lib/chromium/chromium" "$@"
`
)

// fetch fills dir with the browser and those of the packages that it needs which
// aren't installed, or leaves it as it was.
func fetch(ctx context.Context, dir string) error {
	work, err := os.MkdirTemp(filepath.Dir(dir), "chromium-fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	debs, filled := filepath.Join(work, "debs"), filepath.Join(work, "filled")
	for _, d := range []string{debs, filepath.Join(filled, "files")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
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
		if _, err := run(ctx, work, "dpkg", "-x", archive, filepath.Join(filled, "files")); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(filled, launcher), []byte(script), 0o755); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(filled, dir)
}

// download fetches the packages as they are listed here; where nothing is listed
// yet, it reads the lists into a folder of its own first.
func download(ctx context.Context, dir string) error {
	var lists []string
	if _, err := run(ctx, dir, "apt-cache", "show", browserPackage); err != nil {
		state := filepath.Join(dir, "lists")
		if err := os.MkdirAll(filepath.Join(state, "partial"), 0o755); err != nil {
			return err
		}
		lists = []string{"-o", "Dir::State::Lists=" + state, "-o", "Dir::Cache=" + dir, "-o", "APT::Sandbox::User="}
		if _, err := run(ctx, dir, "apt-get", append(lists, "update")...); err != nil {
			return err
		}
	}
	needed, err := run(ctx, dir, "apt-cache", append(lists, "depends", "--recurse", "--no-recommends", "--no-suggests",
		"--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", "--no-pre-depends", browserPackage)...)
	if err != nil {
		return err
	}
	installed, err := run(ctx, dir, "dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n")
	if err != nil {
		return err
	}
	_, err = run(ctx, dir, "apt-get", append(append(lists, "download"), missing(needed, installed)...)...)
	return err
}

// missing are the packages that apt-cache depends lists, without those installed,
// those that are a name for others only, and the C library, which must be the
// system's own.
func missing(needed, installed []byte) []string {
	have := map[string]bool{"libc6": true}
	for line := range strings.Lines(string(installed)) {
		// Of a package that was removed the name stays, with its configuration.
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "installed "); ok {
			have[name] = true
		}
	}
	names := []string{browserPackage}
	for line := range strings.Lines(string(needed)) {
		name := strings.TrimSpace(line)
		library := strings.HasPrefix(name, "lib") || name == browserPackage+"-common"
		if line[0] == ' ' || !library || have[name] {
			continue
		}
		have[name] = true
		names = append(names, name)
	}
	return names
}

func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	var output, complaints bytes.Buffer
	command.Stdout, command.Stderr = &output, &complaints
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%s: %v: %s", name, err, bytes.TrimSpace(complaints.Bytes()))
	}
	return output.Bytes(), nil
}
