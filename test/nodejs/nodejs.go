// SPDX-License-Identifier: Apache-2.0

// Package nodejs runs JavaScript with packages of npm, for the tests that have
// other people's clients talk to the project. Nothing is written into the
// tree: node, where none is found, and the packages are in the user's cache
// folder.
package nodejs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/child"
)

// The oldest node that the clients run on, and what is fetched where there is
// no such one.
const (
	minMajor, minMinor = 20, 19
	fetchedVersion     = "22"
)

// errMissing is the one line for who has no node.
var errMissing = errors.New("node of at least 20.19 and npm are needed for this test and could not be fetched: install them (apt-get install nodejs npm, brew install node) or leave such tests out with -short")

const (
	fetchTimeout = 5 * time.Minute
	runTimeout   = 5 * time.Minute
)

// Prepare has node and the packages of a folder there, as [Run] needs them, or
// fails the test: before it has taken its time for anything else.
func Prepare(t *testing.T, dir string) (node, packages string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fetchTimeout)
	defer cancel()
	node, err := locate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if packages, err = install(ctx, dir); err != nil {
		t.Fatal(err)
	}
	return node, packages
}

// Run runs a script of a folder that has a package.json and a
// package-lock.json, with the packages that those name, and further variables
// of the environment (NAME=value). It returns the lines that the script
// prints, and fails the test where it doesn't end well.
func Run(t *testing.T, dir, script string, env ...string) []string {
	t.Helper()
	node, packages := Prepare(t, dir)
	// A module is looked for beside the script that imports it.
	work := t.TempDir()
	text, err := os.ReadFile(filepath.Join(dir, script))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, script), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(packages, modules), filepath.Join(work, modules)); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, node, script)
	command.Dir = work
	command.Env = append(os.Environ(), env...)
	command.SysProcAttr = child.DieWithParent()
	var output, complaints bytes.Buffer
	command.Stdout, command.Stderr = &output, &complaints
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", script, err, output.String(), complaints.String())
	}
	var lines []string
	scanner := bufio.NewScanner(&output)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines
}

// locate finds a node that is new enough: on PATH, in the cache, or by
// fetching it into the cache.
func locate(ctx context.Context) (string, error) {
	if path, err := exec.LookPath("node"); err == nil && isNewEnough(ctx, path) {
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", errMissing
	}
	dir := filepath.Join(cache, "caddy-otp", "node-"+fetchedVersion)
	node := filepath.Join(dir, modules, "node", "bin", "node")
	if isNewEnough(ctx, node) {
		return node, nil
	}
	err = fill(ctx, dir, func(work string) error {
		return npm(ctx, work, "install", "--no-save", "--ignore-scripts=false", "node@"+fetchedVersion)
	})
	if err != nil {
		return "", err
	}
	if !isNewEnough(ctx, node) {
		return "", errMissing
	}
	return node, nil
}

func isNewEnough(ctx context.Context, node string) bool {
	output, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return false
	}
	numbers := strings.Split(strings.TrimPrefix(strings.TrimSpace(string(output)), "v"), ".")
	if len(numbers) < 2 {
		return false
	}
	major, errMajor := strconv.Atoi(numbers[0])
	minor, errMinor := strconv.Atoi(numbers[1])
	return errMajor == nil && errMinor == nil && (major > minMajor || major == minMajor && minor >= minMinor)
}
