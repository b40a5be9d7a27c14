// SPDX-License-Identifier: Apache-2.0

package portal

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// isCarried reports whether the script puts the fragment to an element.
func isCarried(n *html.Node) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "data-return" })
}

func TestReturnPathKeepsTheFragment(t *testing.T) {
	long := "/" + strings.Repeat("p", maxReturnPath-10)
	for address, want := range map[string]string{
		"/a?b=c#d/e?f":                           "/a?b=c#d/e?f",
		"/#":                                     "/#",
		long + "#" + strings.Repeat("f", 100):    long,
		"/" + strings.Repeat("p", maxReturnPath): "/",
		"//evil.example/#" + strings.Repeat("f", 2*maxReturnPath): "/",
	} {
		if got := returnPath(address); got != want {
			t.Errorf("%.30s… of %d: %.30s… of %d", address, len(address), got, len(got))
		}
	}
}

// TestFragmentIsCarried: the script finds the form's field and the way on.
func TestFragmentIsCarried(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	field := named(b.get(login+"?return_to=%2Fprivate").document(t), "name", "return_to")
	if !isCarried(field) || attribute(field, "value") != "/private" {
		t.Errorf("the form's field is %v", field.Attr)
	}
	m := b.start("jane@example.com", "/private#part")
	b.post(verify, url.Values{"code": {m.Code}}).redirects(t, "/private#part")
	way := named(b.get(login+"?return_to=%2Fprivate").document(t), "href", "/private")
	if way == nil || !isCarried(way) {
		t.Errorf("the way on is %v", way)
	}
}
