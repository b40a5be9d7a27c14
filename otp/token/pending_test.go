// SPDX-License-Identifier: Apache-2.0

package token

import (
	"errors"
	"testing"
	"time"
)

// A session that waits for its second factor gets no access token.
func TestNoAccessWhilePending(t *testing.T) {
	i, _ := newIssuer(t, host)
	x := testSession(t)
	x.Pending = true
	if raw, err := i.SignAccess(t.Context(), x, time.Hour, nil); !errors.Is(err, errPending) || raw != "" {
		t.Errorf("%q, %v", raw, err)
	}
}
