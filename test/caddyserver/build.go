// SPDX-License-Identifier: Apache-2.0

package caddyserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// mainPackage is the program that is tested.
const mainPackage = "github.com/caddy-otp/caddy-otp/caddy"

// build is done once in a test process. The folder is the process's, so the
// tests of a package should call [Cleanup] at their end.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "caddy-otp-test-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "caddy")
	output, err := exec.Command("go", "build", "-o", binary, mainPackage).CombinedOutput()
	if err != nil {
		return "", errors.Join(fmt.Errorf("building caddy: %w\n%s", err, output), os.RemoveAll(dir))
	}
	built = dir
	return binary, nil
})

// built is the folder to remove.
var built string

// Cleanup removes what was built. Call it at the end of TestMain.
func Cleanup() {
	if built != "" {
		_ = os.RemoveAll(built)
	}
}
