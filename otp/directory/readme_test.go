// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"os"
	"strings"
	"testing"
)

// TestReadme: the lists that the README shows can be taken as they are, and
// are the same people.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind, begin string) []byte {
		_, rest, found := strings.Cut(string(readme), "```"+kind+"\n"+begin)
		text, _, closed := strings.Cut(rest, "```")
		if !found || !closed {
			t.Fatalf("no %s", kind)
		}
		return []byte(begin + text)
	}
	fromCSV, err := parseCSV(block("csv", "email,"))
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := parseJSON(block("json", "[\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "alice@example.com +12025550143 groups=admins,staff subject=auth0|5f7c8ec7 mfa\nbob@example.com bob@example.org groups=staff tenants=acme"
	if inWords(fromCSV) != want || inWords(fromJSON) != want {
		t.Errorf("CSV is\n%s\nand JSON is\n%s", inWords(fromCSV), inWords(fromJSON))
	}
}
