// SPDX-License-Identifier: Apache-2.0

package chromium

import (
	"slices"
	"testing"
)

func TestMissing(t *testing.T) {
	needed := "chromium\nlibpulse0\n  Depends: libnss3\n  Depends: libc6\n |Depends: libx\nlibnss3\nlibc6\nchromium-common\n<virtual>\nlibfoo1\nlibnss3\nadduser\n"
	got := missing([]byte(needed), []byte("installed libfoo1\nconfig-files libpulse0\ninstalled bash\n"))
	if want := []string{"chromium", "libpulse0", "libnss3", "chromium-common"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
