// SPDX-License-Identifier: Apache-2.0

package nodejs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/caddy-otp/caddy-otp/test/filelock"
)

// modules is where npm puts packages.
const modules = "node_modules"

// install returns a folder of the cache with the packages of a lock file, each
// with the very content that the lock file knows it by. None of their scripts
// is run.
func install(ctx context.Context, dir string) (string, error) {
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	installed := filepath.Join(cache, "caddy-otp", "npm-"+hex.EncodeToString(sum[:8]))
	if isThere(installed) {
		return installed, nil
	}
	return installed, fill(ctx, installed, func(work string) error {
		for _, name := range []string{"package.json", "package-lock.json"} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(work, name), text, 0o644); err != nil {
				return err
			}
		}
		return npm(ctx, work, "ci", "--ignore-scripts", "--omit=dev")
	})
}

// fill makes a folder of the cache. Of several test processes that miss it one
// makes it, and the others wait.
func fill(ctx context.Context, dir string, into func(work string) error) error {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	release, err := filelock.Wait(ctx, dir+".lock")
	if err != nil {
		return err
	}
	defer release()
	if isThere(dir) {
		return nil // another process was faster
	}
	work, err := os.MkdirTemp(parent, "npm-fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := into(work); err != nil {
		return err
	}
	return os.Rename(work, dir)
}

func isThere(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, modules))
	return err == nil && info.IsDir()
}

func npm(ctx context.Context, dir string, args ...string) error {
	command := exec.CommandContext(ctx, "npm", append(args, "--no-audit", "--no-fund", "--prefix", dir)...)
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w (npm %s: %v)\n%s", errMissing, args[0], err, output)
	}
	return nil
}
