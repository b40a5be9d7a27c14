// SPDX-License-Identifier: Apache-2.0

// Package chromium finds a Chromium for the tests that need a real browser.
package chromium

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// Path returns the path of a Chromium that runs.
func Path(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil && exec.CommandContext(ctx, path, "--version").Run() == nil {
			return path
		}
	}
	t.Fatal("none")
	return ""
}
