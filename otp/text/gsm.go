// SPDX-License-Identifier: Apache-2.0

package text

import "strings"

// The alphabet of SMS (3GPP TS 23.038 §6.2.1). One character outside of it
// shrinks a message from 160 characters to 70.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"

	// maxSMS is how long one message can be.
	maxSMS = 160
)

// gsmLength returns how many places s takes in a message, and whether the
// alphabet has all of its characters. Those of the extension take two.
func gsmLength(s string) (length int, ok bool) {
	for _, r := range s {
		switch {
		case strings.ContainsRune(gsmBasic, r):
			length++
		case strings.ContainsRune(gsmExtended, r):
			length += 2
		default:
			return 0, false
		}
	}
	return length, true
}
