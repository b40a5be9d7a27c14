// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"encoding/json"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// maxShown is how much of a value is shown, in characters.
const maxShown = 64

// shown is a field's value as a problem repeats it: a truth value as it is,
// text and all else as JSON, with an ellipsis where it is cut.
func shown(value any) any {
	switch value := value.(type) {
	case nil, bool:
		return value
	case string:
		return cut(value)
	case json.Number:
		if len(value) <= maxShown {
			return value
		}
		return cut(string(value))
	}
	encoded, err := wire.Compact(value)
	if err != nil {
		panic(err) // a defect: it was parsed from JSON
	}
	return cut(string(encoded[:len(encoded)-1])) // without the encoder's newline
}

// cut shortens a text to what is shown.
func cut(s string) string {
	n := 0
	for i := range s {
		if n == maxShown {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
