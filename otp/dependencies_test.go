// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies keeps the domain from learning of what stands around it.
func TestDependencies(t *testing.T) {
	for _, tc := range []struct {
		packages  string
		forbidden []string
	}{
		{".", []string{"github.com/caddyserver/", "go.uber.org/zap", "github.com/redis/", "go.etcd.io/", "net/http"}},
		{"./...", []string{"github.com/caddyserver/"}},
	} {
		output, err := exec.CommandContext(t.Context(), "go", "list", "-deps", tc.packages).Output()
		if err != nil {
			t.Fatal(err)
		}
		dependencies := strings.Fields(string(output))
		if len(dependencies) < 10 {
			t.Fatalf("%s has only %q", tc.packages, dependencies)
		}
		for _, dependency := range dependencies {
			for _, forbidden := range tc.forbidden {
				if dependency == forbidden || strings.HasSuffix(forbidden, "/") && strings.HasPrefix(dependency, forbidden) ||
					strings.HasPrefix(dependency, forbidden+"/") {
					t.Errorf("%s depends on %s", tc.packages, dependency)
				}
			}
		}
	}
}
