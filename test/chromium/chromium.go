// SPDX-License-Identifier: Apache-2.0

// Package chromium finds a Chromium for the tests that need a real browser: one
// that is installed, or else the distribution's packages, unpacked in the user's
// cache folder.
package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/filelock"
)

// errMissing is the one line for who has no Chromium.
var errMissing = errors.New("a Chromium is needed for this test and could not be fetched: install it (apt-get install chromium, brew install chromium) or leave such tests out with -short")

// fetchTimeout bounds how long the packages may take.
const fetchTimeout = 5 * time.Minute

// Path returns the path of a Chromium that runs here.
func Path(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil && runs(t.Context(), path) {
			return path
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(errMissing)
	}
	ctx, cancel := context.WithTimeout(t.Context(), fetchTimeout)
	defer cancel()
	path, err := fetched(ctx, filepath.Join(cache, "caddy-otp", browserPackage))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// fetched returns the Chromium in dir, which it fetches if it isn't there. Of
// several test processes that miss it one fetches it, and the others wait: none
// takes away what another has begun to use.
func fetched(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, launcher)
	if runs(ctx, path) {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	release, err := filelock.Wait(ctx, dir+".lock")
	if err != nil {
		return "", err
	}
	defer release()
	if runs(ctx, path) {
		return path, nil // another process was faster
	}
	if err := fetch(ctx, dir); err != nil {
		return "", fmt.Errorf("%w (%v)", errMissing, err)
	}
	if !runs(ctx, path) {
		return "", fmt.Errorf("%w (the packaged one doesn't run here)", errMissing)
	}
	return path, nil
}

func runs(ctx context.Context, path string) bool {
	return exec.CommandContext(ctx, path, "--version").Run() == nil
}
