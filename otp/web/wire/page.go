// SPDX-License-Identifier: Apache-2.0

package wire

// Page is a page of plain text that an API shows to people, in the look of the
// site's own pages.
type Page struct {
	// Language is the BCP 47 tag of the text.
	Language string
	Title    string
	// Text are the paragraphs.
	Text []string
}
