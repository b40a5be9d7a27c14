// SPDX-License-Identifier: Apache-2.0

package chromium

import (
	"slices"
	"testing"
)

func TestMissing(t *testing.T) {
	needed := "chromium\n  Depends: libnss3\n  Depends: libc6\n |Depends: libx\nlibnss3\nlibc6\nchromium-common\n<virtual>\nlibfoo1\nlibnss3\nadduser\n"
	got := missing([]byte(needed), []byte("libfoo1\nbash\n"))
	if want := []string{"chromium", "libnss3", "chromium-common"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
