// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"fmt"
	"net/textproto"
	"slices"

	"golang.org/x/net/http/httpguts"
)

// managed are headers that the connection sets by itself.
var managed = []string{"Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade", "Te"}

// CheckHeaderName refuses names that no header has or that can't be set.
func CheckHeaderName(name string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("header %q is no name of a header", name)
	}
	if slices.Contains(managed, textproto.CanonicalMIMEHeaderKey(name)) {
		return fmt.Errorf("header %s can't be set; leave it out", name)
	}
	return nil
}

// CheckHeaderValue refuses a value that can't stand in the header of a name.
// The error doesn't hold it: it may be a credential.
func CheckHeaderValue(name, value string) error {
	if !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("header %s has a character that can't stand in a header", name)
	}
	return nil
}
